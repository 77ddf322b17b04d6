"""Runs contenders in turn, in shuffled order, and keeps what each run took."""

from __future__ import annotations

import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contenders.recipes import Contender
from benchmarks.scene import BenchmarkError, Scene

LIMIT_S = 900.0
_POLL_S = 0.02
_SETTLE_S = 0.5
SLOW_S = 5.0
"""A contender whose warm-up takes longer than this is run fewer times."""


@dataclass(frozen=True)
class Run:
    """One run of one contender."""

    wall_s: float
    """The whole process, interpreter start included; of one that waits, from when it is let go."""
    finished_s: float
    """Until the last command of the nodes that are not slowed down."""
    cpu_s: float
    """Of the process and its children, the loading included; the servers' share is not in it."""
    memory_mib: float
    """Most of the process itself."""


@dataclass
class Series:
    """All runs of one contender."""

    contender: Contender
    runs: list[Run] = field(default_factory=list)

    def values(self, what: str) -> list[float]:
        """One figure of every run."""
        return [float(getattr(run, what)) for run in self.runs]

    def median(self, what: str) -> float:
        """The median of one figure."""
        return statistics.median(self.values(what))

    def quartiles(self, what: str) -> tuple[float, float]:
        """First and third quartile of one figure."""
        values = self.values(what)
        if len(values) < 2:
            return values[0], values[0]
        first, _, third = statistics.quantiles(values, n=4, method="inclusive")
        return first, third


def compare(contenders: Sequence[Contender], scene: Scene, runs: int, rng: random.Random) -> list[Series]:
    """Each contender once to warm up, then as often as asked, in an order that is new for each round."""
    series = [Series(contender) for contender in contenders]
    left: list[Series] = []
    for one in series:
        warm = run_once(one.contender, scene)
        left += [one] * (max(min(runs, 3), runs // 3) if warm.wall_s > SLOW_S else runs)
    rng.shuffle(left)
    for number, one in enumerate(left, 1):
        _tell(f"{number}/{len(left)} {one.contender.name}")
        one.runs.append(run_once(one.contender, scene))
    _tell("")
    return series


def run_once(contender: Contender, scene: Scene) -> Run:
    """One run, proven by what it left on the nodes."""
    scene.lay_out()
    start = contender.start(scene)
    log = scene.directory / f"{contender.name}.log"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_at, began = time.time(), time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            start.command,
            stdin=subprocess.PIPE if start.waits else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=start.directory,
            env={**_environment(), **start.environment},
            start_new_session=True,
        )
        if start.waits:
            _let_load(process, Path(start.command[-1]))
            began_at, began = time.time(), time.perf_counter()
            assert process.stdin is not None
            process.stdin.close()
        status, memory_mib = _wait(process, LIMIT_S)
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        if status != 0:
            raise BenchmarkError(f"{contender.name} ended with {status}: {_tail(log)}")
        scene.check()
    finally:
        contender.after(scene)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall_s, scene.finished_at() - began_at, cpu_s, memory_mib)


def _environment() -> dict[str, str]:
    """This process's environment without what would let a contender find other keys or hosts."""
    return {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}


def _let_load(process: subprocess.Popen[bytes], loaded: Path) -> None:
    """Wait until a contender has loaded and slept for a while, as one does whose operator reads."""
    end = time.monotonic() + LIMIT_S
    while not loaded.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(_POLL_S)
    loaded.unlink(missing_ok=True)
    time.sleep(_SETTLE_S)


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> tuple[int, float]:
    """Exit status and most memory (MiB) of a process; kills it and all it started when it takes too long."""
    end = time.monotonic() + limit_s
    most_mib = 0.0
    while True:
        try:
            return process.wait(_POLL_S), most_mib
        except subprocess.TimeoutExpired:
            most_mib = max(most_mib, _memory_mib(process.pid))
        if time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
            raise BenchmarkError(f"no end after {limit_s:g} s: {process.args!r}")


def _memory_mib(pid: int) -> float:
    """The most that a process has had in memory until now, since its program was loaded.

    ``getrusage`` would count the memory of this process, which the new one shares until then.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    peak = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak[0]) / 1024 if peak else 0.0


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-1500:]


def _tell(line: str) -> None:
    print(f"\r\033[K{line}" if sys.stderr.isatty() else line, end="" if sys.stderr.isatty() else "\n", file=sys.stderr)
