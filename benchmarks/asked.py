"""P14: how many remote scripts a fresh installation of four simulated nodes takes, and which are asked twice.

A count and not a time. Twice means: in one attempt at a step the same script was run on the same host with the same
arguments and gave the same answer, although nothing had been changed since and the step had not waited in between.

``python -m benchmarks.asked`` prints the table without the rest of the benchmark's machinery.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.report import Section
from benchmarks.scene import BenchmarkError
from rbdtui.engine.events import FailurePolicy, RunCreated, RunnerStarted, RunOutcome
from rbdtui.engine.executor import Executor, Work, step_info
from rbdtui.engine.inputs import RunOptions
from rbdtui.engine.journal import Journal
from rbdtui.engine.logs import StepLogs
from rbdtui.plan.step import Reporter, StepContext
from rbdtui.redact import Redactor
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.transport.base import CommandResult, Host, ReachResult, UploadProgress
from rbdtui.transport.scripts import Script
from tests.e2e.embedded import LACKS_KEEPALIVED, SECRETS, SPEED, EmbeddedSite, embedded_site

NODES: Final = 4
BAR: Final = 400
_LOOKS: Final = frozenset({
    "etcd-members", "file-read", "file-state", "files-list", "holds-address", "job-follow", "keepalived-check",
    "keepalived-test", "kube-nodes", "modules-state", "packages-state", "rke2-identity", "rke2-progress", "rke2-state",
    "sysctl-state", "unit-state", "upload-state",
})  # fmt: skip
"""Scripts that change nothing on a host."""


@dataclass(slots=True)
class Tally:
    """All scripts of a run."""

    scripts: Counter[str] = field(default_factory=Counter)
    twice: Counter[str] = field(default_factory=Counter)
    """Asked again although the answer was known."""
    waiting: int = 0
    """Looks by a step that had already waited: as many as the hosts take time."""


@dataclass(slots=True)
class Attempt:
    """What one attempt at a step has asked since it last changed something or waited."""

    tally: Tally
    step: str
    waited: bool = False
    answers: dict[tuple[object, ...], tuple[int, bytes]] = field(default_factory=dict)

    def took(self, host: str, name: str, question: tuple[object, ...], result: CommandResult) -> None:
        """Count a script with its answer."""
        self.tally.scripts[name] += 1
        if name not in _LOOKS:
            self.answers.clear()
            return
        self.tally.waiting += self.waited
        key, answer = (host, name, *question), (result.exit_status, result.stdout)
        if self.answers.get(key) == answer:
            self.tally.twice[f"{self.step.partition('@')[0]}: {name}"] += 1
        self.answers[key] = answer

    def wait(self) -> None:
        """What is asked from here on may have another answer."""
        self.waited = True
        self.answers.clear()


_ATTEMPT: Final[contextvars.ContextVar[Attempt]] = contextvars.ContextVar("attempt")


@dataclass(frozen=True, slots=True)
class CountedHost:
    """A host whose scripts are counted."""

    host: Host
    attempt: Attempt

    @property
    def name(self) -> str:
        return self.host.name

    async def connect(self) -> None:
        await self.host.connect()

    async def run(self, script: Script, *args: str, payload: bytes = b"", **options: Any) -> CommandResult:
        return await self._counted(self.host.run, script, args, payload, options)

    async def must(self, script: Script, *args: str, payload: bytes = b"", **options: Any) -> CommandResult:
        return await self._counted(self.host.must, script, args, payload, options)

    async def _counted(
        self, run: Callable[..., Awaitable[CommandResult]], script: Script, args: tuple[str, ...], payload: bytes,
        options: dict[str, Any],
    ) -> CommandResult:  # fmt: skip
        result = await run(script, *args, payload=payload, **options)
        self.attempt.took(self.name, script.name, (args, payload), result)
        return result

    async def upload(
        self, source: Path, target: str, *, sha256: str, mode: int = 0o644, within: Path | None = None,
        on_progress: Callable[[UploadProgress], None] | None = None,
    ) -> bool:  # fmt: skip
        sent = await self.host.upload(source, target, sha256=sha256, mode=mode, within=within, on_progress=on_progress)
        self.attempt.took(self.name, "upload-state", (target, sha256), CommandResult(0, b"", b"", 0.0))
        if sent:
            self.attempt.took(self.name, "upload-receive", (), CommandResult(0, b"", b"", 0.0))
        return sent

    async def reach(self, address: str, port: int, *, timeout_s: float = 3.0) -> ReachResult:
        return await self.host.reach(address, port, timeout_s=timeout_s)

    async def dial(self, address: str, port: int, *, timeout_s: float = 3.0) -> socket.socket:
        return await self.host.dial(address, port, timeout_s=timeout_s)

    def forward(self, address: str, port: int) -> AbstractAsyncContextManager[int]:
        return self.host.forward(address, port)

    async def close(self) -> None:
        await self.host.close()


async def count(directory: Path) -> Tally:
    """Install once; raises `BenchmarkError` when that did not end well."""
    bundle = write_bundle(directory / "bundle")
    async with (
        SimulatedFleet(NODES, speed=SPEED, builds=LACKS_KEEPALIVED) as fleet,
        embedded_site(fleet, directory / "site", bundle) as site,
    ):
        return await _carry_out(site, directory)


async def _carry_out(site: EmbeddedSite, run_dir: Path) -> Tally:
    tally, session, redactor = Tally(), site.session, Redactor(SECRETS.values())
    facts, opened = await site.facts(), session.bundle()
    plan = session.plan(facts)
    journal, logs = Journal(run_dir / "events.jsonl", redactor), StepLogs(run_dir, redactor)
    async with session.hosts() as hosts:

        def context(report: Reporter, quarantined: AbstractSet[str]) -> StepContext:
            task = asyncio.current_task()
            attempt = Attempt(tally, task.get_name() if task is not None else "")
            _ATTEMPT.set(attempt)
            counted = {name: CountedHost(host, attempt) for name, host in hosts.items()}
            return StepContext(
                "run1",
                session.spec,
                facts,
                counted,
                opened,
                SECRETS.__getitem__,
                report,
                session.site.path,
                quarantined,
            )

        options = RunOptions(FailurePolicy.STOP)
        executor = Executor(Work(plan, context, lambda *_: False, options, redactor), journal, logs)
        steps = tuple(step_info(step) for step in plan.steps)
        await executor.begin(
            [RunCreated("run1", "demo", "", steps, "0" * 64, "0"), RunnerStarted(1, "", "", "", options.policy)]
        )
        with _sleeps_noticed():
            outcome = await executor.run()
        await logs.close()
        await journal.close()
    if outcome is not RunOutcome.DONE:
        failures = [step.failure for step in executor.state.steps.values() if step.failure is not None]
        raise BenchmarkError(f"P14: the run ended as {outcome}: {failures[:1]}")
    return tally


class _sleeps_noticed:  # noqa: N801 - reads as a context manager
    """While it is open, an attempt that sleeps is known to have waited."""

    def __enter__(self) -> None:
        self._real = asyncio.sleep

        async def sleep(delay: float, result: Any = None) -> Any:
            value = await self._real(delay, result)
            if (attempt := _ATTEMPT.get(None)) is not None:
                attempt.wait()
            return value

        asyncio.sleep = sleep

    def __exit__(self, *_: object) -> None:
        asyncio.sleep = self._real


def p14() -> Section:
    """Install once and lay the count out."""
    with TemporaryDirectory(prefix="rbdbench-") as directory:
        tally = asyncio.run(count(Path(directory)))
    total, twice = tally.scripts.total(), tally.twice.total()
    met = "Met" if total <= BAR and not twice else "Not met"
    rows: list[Sequence[str]] = [["all", str(total)]]
    rows += [["of them looks of steps that wait for something", str(tally.waiting)]]
    rows += [["asked twice for the same answer", str(twice)]]
    rows += [[name, str(number)] for name, number in tally.scripts.most_common()]
    return Section(
        "P14", f"remote scripts of a fresh installation of {NODES} simulated nodes",
        f"at most {BAR}, none asked twice for the same answer", ("script", "how often"), rows,
        f"{met}: {total}, {twice} asked twice.",
    )  # fmt: skip


if __name__ == "__main__":
    print(p14().markdown())
    sys.exit(0)
