"""P10: how soon a run goes on after its runner was killed, and whether it repeats anything."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ours
from benchmarks.contenders.recipes import ROOT
from benchmarks.scene import BenchmarkError, Scene
from rbdtui.engine.client import RunClient, resume_run, start_run
from rbdtui.engine.events import RunOutcome, StepStarted
from rbdtui.engine.journal import read_journal
from rbdtui.engine.lock import holder_of
from rbdtui.engine.state import StepStatus
from rbdtui.site import Site

RUNNER = (sys.executable, "-m", "benchmarks.ours", "runner")
LIMIT_S = 120.0
_POLL_S = 0.005


@dataclass(frozen=True)
class Resumption:
    """One kill and what followed."""

    finished_before: int
    """Steps that were finished when the runner died."""
    repeated: int
    """Of these: how many were carried out again."""
    first_step_s: float
    """From the start of the process that takes the run up to the first step that it starts."""


def kill_and_resume(scene: Scene, rng: random.Random) -> Resumption:
    """Start a run, kill its runner somewhere in the middle, and have a new process take it up."""
    scene.lay_out()
    site = ours.make_site(scene.file)
    try:
        return asyncio.run(_kill_and_resume(scene, site.path, rng))
    finally:
        shutil.rmtree(site.path, ignore_errors=True)


async def _kill_and_resume(scene: Scene, site_path: Path, rng: random.Random) -> Resumption:
    site = Site(site_path)
    # Runners start in the root directory, from where they have to find this package.
    os.environ["PYTHONPATH"] = str(ROOT)
    client = await start_run(site, spec_text=site.spec_file.read_bytes(), facts={}, secrets={}, runner=RUNNER)
    total = scene.workload.nodes * scene.workload.steps
    wanted = rng.randint(total // 10, total * 8 // 10)
    await _until(lambda: len(_finished(client)) >= wanted)
    holder = holder_of(site)
    if holder is None:
        raise BenchmarkError("the run was over before it could be killed")
    os.kill(holder.pid, signal.SIGKILL)
    await _until(lambda: holder_of(site) is None)
    finished, lines = _finished(client), len(read_journal(client.run_dir / "events.jsonl"))
    began_at = time.time()
    command = (sys.executable, "-m", "benchmarks.resume", str(client.run_dir))
    taking_up = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=subprocess.DEVNULL)
    if await taking_up.wait() != 0:
        raise BenchmarkError("the run was not taken up")
    await _until(lambda: client.state().outcome is RunOutcome.DONE)
    records = read_journal(client.run_dir / "events.jsonl")[lines:]
    first = next(record.at for record in records if isinstance(record.event, StepStarted))
    done = scene.times_done()
    if not all(done.values()):
        raise BenchmarkError("commands were left out")
    repeated = sum(done[_marker(step)] > 1 for step in finished)
    return Resumption(len(finished), repeated, first - began_at)


def _finished(client: RunClient) -> set[str]:
    return {step.info.id for step in client.state().steps.values() if step.status is StepStatus.CHANGED}


def _marker(step_id: str) -> str:
    """``benchmark-3@node1`` left its file at ``node1/3``."""
    number, _, node = step_id.removeprefix("benchmark-").partition("@")
    return f"{node}/{number}"


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(_POLL_S)


if __name__ == "__main__":
    # What the command line does with a run that was left unfinished.
    asyncio.run(resume_run(Path(sys.argv[1]), secrets={}, runner=RUNNER))
