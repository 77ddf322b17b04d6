"""P13: from a key in a form to its finding, with 200 nodes: shape, rules, and files of this machine as they are known.

``python -m benchmarks.keystroke`` prints the table without the rest of the benchmark's machinery.
"""

from __future__ import annotations

import gc
import statistics
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.report import Section
from benchmarks.scene import BenchmarkError
from rbdtui.site import Site
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.workbench import Workbench
from tests.screens.journals import spec_text

NODES: Final = 200
KEYS: Final = 60
BAR_MS: Final = 16.0
_TOUCHES: Final = frozenset({"open", "os.scandir", "os.listdir", "socket.connect", "socket.getaddrinfo"})


def p13() -> Section:
    """Type an address that is wrong after every key; raises `BenchmarkError` when a finding is missing."""
    touched: list[str] = []
    own = threading.get_ident()
    is_typing = False

    def notice(event: str, arguments: tuple[object, ...]) -> None:
        if is_typing and event in _TOUCHES and threading.get_ident() == own:
            touched.append(f"{event} {arguments[:1]}")

    sys.addaudithook(notice)
    with TemporaryDirectory(prefix="rbdbench-") as directory:
        site = Site.create(Path(directory) / "site")
        site.spec_file.write_text(spec_text(NODES), encoding="utf-8")
        workbench = Workbench.open(site.path, HeldPassphrase(), ask_servers=False)
        taken_ms = []
        try:
            for number in range(KEYS):
                is_typing, begun = True, time.perf_counter()
                _type(workbench, number)
                taken_ms.append((time.perf_counter() - begun) * 1000)
                is_typing = False
                gc.collect()
        finally:
            is_typing = False
            workbench.close()
    return _section(taken_ms, len(touched))


def _type(workbench: Workbench, number: int) -> None:
    """The last node gets the address of another one, which is found at once."""
    taken = f"127.88.0.{11 + number}"
    workbench.change(lambda data: data["nodes"][-1].update(address=taken))
    if not any(finding.place.field == f"nodes[{NODES - 1}].address" for finding in workbench.findings):
        raise BenchmarkError(f"P13: nothing was found at the address {taken}")


def _section(taken_ms: list[float], touched: int) -> Section:
    median, p95 = statistics.median(taken_ms), sorted(taken_ms)[int(0.95 * len(taken_ms))]
    met = "Met" if p95 <= BAR_MS and not touched else "Not met"
    return Section(
        "P13", f"from a key to its finding with {NODES} nodes",
        f"p95 at most {BAR_MS:.0f} ms, no file opened and nothing connected to by the thread that draws",
        ("median ms", "p95 ms", "files and connections", "keys"),
        [[f"{median:.1f}", f"{p95:.1f}", str(touched), str(len(taken_ms))]],
        f"{met}: p95 {p95:.1f} ms, {touched} files and connections.",
    )  # fmt: skip


if __name__ == "__main__":
    print(p13().markdown())
