"""P15: what ``rbdtui health --watch`` costs this machine while nothing changes.

Three simulated servers with Rainbond, in a process of their own and behind real SSH, as seen from a jump host that
reaches nothing else than sshd: each question goes through a node, which is the dearest way there is.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.contenders.recipes import ROOT
from benchmarks.report import Section
from benchmarks.scene import BenchmarkError
from rbdtui.cli.demo import OwnPassphrase, simulated_hosts
from rbdtui.engine.client import RunClient
from rbdtui.engine.events import FailurePolicy, RunOutcome
from rbdtui.engine.inputs import RunOptions
from rbdtui.session import Session

NODES: Final = 3
BAR_PERCENT: Final = 2.0
"""Of one core."""
WINDOW_S: Final = 60.0
_SETTLED_S: Final = 20.0
"""From the first picture on: what is asked rarely has been asked, and nothing wavers any more."""
_LIMIT_S: Final = 300.0
_SPEED: Final = 20.0
"""So that the installation is no matter of minutes; a cluster at rest is no different for it."""


def idle(runs: int = 1) -> Section:
    """Watch a healthy cluster for a minute; raises `BenchmarkError` when it is not healthy, or an event is told."""
    section = Section(
        "P15", f"health --watch of {NODES} healthy servers with Rainbond, all of it asked through SSH",
        f"at most {BAR_PERCENT:g} % of one core and one SSH connection for each server",
        ("CPU s a minute", "% of one core", "connections of the process"),
    )  # fmt: skip
    with (
        tempfile.TemporaryDirectory(prefix="rbdbench-") as place,
        simulated_hosts(Path(place), NODES, speed=_SPEED) as fleet,
    ):
        _install(fleet.site)
        for number in range(runs):
            with watching(fleet.site) as watcher:
                begun, used = time.monotonic(), watcher.cpu_s()
                time.sleep(WINDOW_S)
                used = (watcher.cpu_s() - used) / (time.monotonic() - begun) * 60
                connections = watcher.connections()
                if told := watcher.told():
                    raise BenchmarkError(f"a healthy cluster was told of: {told}")
            section.rows.append([f"{used:.2f}", f"{used / 60 * 100:.1f}", str(connections)])
            section.raw.append(("health --watch, CPU s a minute", number, used))
            met = used / 60 * 100 <= BAR_PERCENT and connections <= NODES
            section.verdict = f"{'Met' if met else 'Not met'}: {used / 60 * 100:.1f} %, {connections} connections"
    return section


class Watcher:
    """``rbdtui health --watch`` as a process."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process, self._output = process, output
        self._known = 0

    def cpu_s(self) -> float:
        """Seconds that it has computed, threads and children it has waited for included."""
        words = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return sum(int(word) for word in words[11:15]) / os.sysconf("SC_CLK_TCK")

    def connections(self) -> int:
        """Its TCP connections to others than itself."""
        sockets = {os.readlink(each) for each in Path(f"/proc/{self._process.pid}/fd").iterdir() if each.is_symlink()}
        table = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        rows = [line.split() for line in table]
        return sum(r[3] == "01" and f"socket:[{r[9]}]" in sockets and not r[2].startswith("0100007F") for r in rows)

    def told(self) -> str:
        """What it has written since the last call."""
        text = self._output.read_text(encoding="utf-8")
        new, self._known = text[self._known :], len(text)
        return new.strip()


@contextmanager
def watching(site: Path) -> Iterator[Watcher]:
    """The watch of a site, begun and settled, for the time of the block."""
    output = site.parent / "watch.txt"
    command = [sys.executable, "-m", "rbdtui", "health", str(site), "--watch"]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        watcher = Watcher(process, output)
        end, first = time.monotonic() + _LIMIT_S, ""
        while "claims" not in first and "healthy" not in first:
            if time.monotonic() > end or process.poll() is not None:
                raise BenchmarkError(f"no picture of the cluster's health came: {first}")
            time.sleep(0.5)
            first += watcher.told()
        time.sleep(_SETTLED_S)
        watcher.told()
        yield watcher
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def _install(site: Path) -> None:
    session = Session.open(site, OwnPassphrase())
    client = asyncio.run(_start(session))
    end = time.monotonic() + _LIMIT_S
    while client.state().outcome is None and time.monotonic() < end:
        time.sleep(0.5)
    if client.state().outcome is not RunOutcome.DONE:
        raise BenchmarkError(f"nothing was installed: {client.state().outcome}")


async def _start(session: Session) -> RunClient:
    session.unlock(create=True)
    session.known_hosts.pin(key for key in await session.scan_host_keys() if key.error is None)
    async with session.hosts() as hosts:
        facts = (await session.preflight(hosts)).facts
    return await session.start(facts, RunOptions(policy=FailurePolicy.STOP))


if __name__ == "__main__":
    print(idle().markdown())
