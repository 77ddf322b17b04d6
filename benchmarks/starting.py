"""P17: from the consent to a runner at work: with one that waits, without, and against an import of asyncssh."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.contenders.recipes import ROOT
from benchmarks.report import Section
from benchmarks.scene import BenchmarkError
from rbdtui.engine.client import RunClient, start_run
from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import RunOptions
from rbdtui.engine.launch import RUNNER, Standby
from rbdtui.site import Site

BAR_S: Final = 0.15
RUNS: Final = 7
_READING_S: Final = 3.0
"""Less than anybody needs to read the question and type the name of the site."""
_LIMIT_S: Final = 60.0
_SPEC: Final = """apiVersion: rbdtui/v1
name: benchmark
profile: kubernetes-only
bundle: bundle
ssh: {user: root, port: 1}
nodes:
  - {name: node1, address: 127.0.0.1, roles: [control-plane, etcd, worker, gateway]}
gateway: {mode: none}
kubernetes: {api: {mode: first-server}}
"""


def starting(runs: int = RUNS) -> Section:
    """A run of one server that nobody reaches, started so many times each way."""
    ways: dict[str, Callable[[], float]] = {
        "import asyncssh, by itself": _import_asyncssh,
        "a runner that waited": lambda: _start(prepared=True),
        "a runner started then": lambda: _start(prepared=False),
    }
    taken_s: dict[str, list[float]] = {title: [] for title in ways}
    for _ in range(runs):
        for title, measure in ways.items():
            taken_s[title].append(measure())
    bare, waited, fresh = (statistics.median(each) for each in taken_s.values())
    section = Section(
        "P17", "from the consent to a runner at work, with all parts of an installation loaded",
        f"at most {BAR_S} s more than a process that imports asyncssh", ("way", "median s", "slowest s", "runs"),
        verdict=f"{'Met' if waited <= bare + BAR_S else 'Not met'}: {waited:.2f} s, against {bare:.2f} s for "
        f"asyncssh alone; {fresh:.2f} s without one that waits",
    )  # fmt: skip
    for title, every in taken_s.items():
        section.rows.append([title, f"{statistics.median(every):.2f}", f"{max(every):.2f}", str(len(every))])
        section.raw += [(title, number, each) for number, each in enumerate(every)]
    return section


def _import_asyncssh() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import asyncssh"], cwd=ROOT, check=True)
    return time.monotonic() - began


def _start(*, prepared: bool) -> float:
    place = Path(tempfile.mkdtemp(prefix="rbdbench-"))
    try:
        (place / "bundle").mkdir()
        (place / "cluster.yaml").write_text(_SPEC, encoding="utf-8")
        return asyncio.run(_started(Site(place), prepared=prepared))
    finally:
        shutil.rmtree(place, ignore_errors=True)


async def _started(site: Site, *, prepared: bool) -> float:
    standby = Standby()
    if prepared:
        standby.prepare()
        await asyncio.sleep(_READING_S)
    began = time.monotonic()
    client = await start_run(
        site, spec_text=_SPEC.encode(), facts={}, secrets={}, options=RunOptions(FailurePolicy.STOP),
        runner=standby if prepared else RUNNER,
    )  # fmt: skip
    taken_s = time.monotonic() - began
    await _over(client)
    return taken_s


async def _over(client: RunClient) -> None:
    """The server cannot be reached, so that the run ends by itself."""
    try:
        async with asyncio.timeout(_LIMIT_S):
            while client.alive():  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise BenchmarkError("the run did not end") from None
