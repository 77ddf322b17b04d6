"""The process that carries a run out: ``python -m rbdtui.engine.runner [RUN_DIR]``, with the secrets as JSON on stdin.

It leaves the session of whoever started it, holds the site, says on stdout in one line of JSON whether it could start,
and from then on writes to its log file only. Started again on the same directory after whatever end, it goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from rbdtui import __version__
from rbdtui.engine.control import listen
from rbdtui.engine.events import Event, RunCreated, RunnerStarted, RunOutcome
from rbdtui.engine.executor import CommandRefusedError, Executor, Work, step_info
from rbdtui.engine.inputs import (
    JOURNAL_NAME,
    RUNNER_LOG_NAME,
    PurposeKind,
    RunInputError,
    RunInputs,
    read_inputs,
)
from rbdtui.engine.journal import Journal, JournalError
from rbdtui.engine.lock import SiteLockedError, hold_site, user_name
from rbdtui.engine.logs import StepLogs
from rbdtui.engine.parts import Assemble, HealthSource, RunParts
from rbdtui.engine.quarantine import may_quarantine
from rbdtui.engine.state import RunState
from rbdtui.paths import as_typed
from rbdtui.plan.step import Plan, Reporter, StepContext, StepError
from rbdtui.process import keep_memory_private
from rbdtui.redact import RedactingStream, Redactor
from rbdtui.site import SiteError
from rbdtui.transport.base import TransportError, unexpected
from rbdtui.words import T, Text, catalogue, current_language, language_of_environment, use_language

LET_GO_LIMIT_S: Final = 15.0

_LOG = logging.getLogger(__name__)
_SECRETS: Final = TypeAdapter(dict[str, str])
_KNOWN_ERRORS: Final = (RunInputError, SiteLockedError, JournalError, StepError, TransportError, SiteError)


@dataclass(slots=True)
class StartReport:
    """Tells whoever started the runner, once, whether it could start."""

    descriptor: int

    def ready(self) -> None:
        """The run is under way."""
        self._tell({"ok": True, "pid": os.getpid()})

    def failed(self, text: Text, error: Exception) -> None:
        """The run could not be taken up, or has ended with an error; says nothing when it was ready before."""
        holder = asdict(error.holder) if isinstance(error, SiteLockedError) else None
        self._tell({"ok": False, "error": text.to_json(), "holder": holder})

    def _tell(self, message: Mapping[str, object]) -> None:
        if self.descriptor >= 0:
            with contextlib.suppress(OSError):
                os.write(self.descriptor, json.dumps(message).encode() + b"\n")
            os.close(self.descriptor)
            self.descriptor = -1


@dataclass(slots=True)
class Runner:
    """Takes one run up."""

    run_dir: Path
    secrets: Mapping[str, str] = field(repr=False)
    assemble: Assemble
    report: StartReport

    def carry_out(self) -> int:
        """Carry the run out; returns the process's exit status and never raises for what can be foreseen."""
        redactor = Redactor(self.secrets.values())
        _log_to(self.run_dir / RUNNER_LOG_NAME, redactor)
        try:
            inputs = read_inputs(self.run_dir)
            with hold_site(inputs.site, inputs.run_id):
                outcome = asyncio.run(self._run(inputs, redactor))
        except _KNOWN_ERRORS as error:
            self.report.failed(redactor.words(error.text), error)
            _LOG.error("%s", error.text)
            return 1
        except Exception as error:
            _LOG.exception("%s", self.run_dir.name)
            self.report.failed(redactor.words(unexpected(socket.gethostname(), error)), error)
            return 1
        _LOG.info("%s: %s", inputs.run_id, outcome.value)
        return 0

    async def _run(self, inputs: RunInputs, redactor: Redactor) -> RunOutcome:
        async with _let_go_in_time(self.assemble(inputs, self._secret)) as parts:
            journal = Journal(inputs.run_dir / JOURNAL_NAME, redactor)
            logs = StepLogs(inputs.run_dir, redactor)
            try:
                executor = Executor(self._work(inputs, parts, redactor), journal, logs)
                await executor.begin(_opening(inputs, parts.plan, executor.state))
                return await self._attended(inputs, parts, executor, journal)
            finally:
                await logs.close()
                await journal.close()

    def _work(self, inputs: RunInputs, parts: RunParts, redactor: Redactor) -> Work:
        return Work(
            plan=parts.plan,
            make_context=self._contexts(inputs, parts),
            may_quarantine=_left_out_rule(inputs),
            options=inputs.options,
            redactor=redactor,
        )

    async def _attended(self, inputs: RunInputs, parts: RunParts, executor: Executor, journal: Journal) -> RunOutcome:
        """Carry the plan out with an open ear, and with an eye on the cluster's health."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop, executor, number.name)
        async with listen(inputs.run_dir, executor, journal):
            self.report.ready()
            watch = asyncio.create_task(_watch(parts.health, executor)) if parts.health is not None else None
            try:
                return await executor.run()
            finally:
                if watch is not None:
                    watch.cancel()
                    await asyncio.wait([watch], timeout=LET_GO_LIMIT_S)

    def _secret(self, name: str) -> str:
        try:
            return self.secrets[name]
        except KeyError:
            raise StepError("secret_not_handed_over", name=name) from None

    def _contexts(self, inputs: RunInputs, parts: RunParts) -> Callable[[Reporter, AbstractSet[str]], StepContext]:
        def make(report: Reporter, quarantined: AbstractSet[str]) -> StepContext:
            return StepContext(
                run_id=inputs.run_id,
                spec=inputs.spec,
                facts=inputs.facts,
                hosts=parts.hosts,
                bundle=parts.bundle,
                secret=self._secret,
                report=report,
                site_dir=inputs.site.path,
                quarantined=quarantined,
            )

        return make


@asynccontextmanager
async def _let_go_in_time(parts: AbstractAsyncContextManager[RunParts]) -> AsyncIterator[RunParts]:
    """The parts; hosts that do not let go must not keep a run that has ended from ending."""
    stack = AsyncExitStack()
    try:
        yield await stack.enter_async_context(parts)
    finally:
        try:
            async with asyncio.timeout(LET_GO_LIMIT_S):
                await stack.aclose()
        except TimeoutError:
            _LOG.warning("the hosts did not let go within %s s", LET_GO_LIMIT_S)


def _opening(inputs: RunInputs, plan: Plan, state: RunState) -> list[Event]:
    """The first lines of this runner; raises `RunInputError` when the run cannot be taken up."""
    steps = tuple(step_info(step) for step in plan.steps)
    started = RunnerStarted(
        pid=os.getpid(),
        hostname=socket.gethostname(),
        user=user_name(),
        ssh_client=os.environ.get("SSH_CLIENT", ""),
        policy=inputs.options.policy,
    )
    if state.seq == 0:
        created = RunCreated(
            inputs.run_id, inputs.spec.name, inputs.spec.profile.name, steps, inputs.spec_sha256, __version__
        )
        return [created, started]
    if state.outcome in (RunOutcome.DONE, RunOutcome.PARTIAL):
        raise RunInputError(T("run_dir.finished", run=inputs.run_id))
    if tuple(step.info for step in state.steps.values()) != steps:
        site = as_typed(inputs.site.path)
        text = T("run_dir.other_plan", run=inputs.run_id, version=state.version, ours=__version__, site=site)
        raise RunInputError(text)
    return [started]


def _left_out_rule(inputs: RunInputs) -> Callable[[str, AbstractSet[str]], bool]:
    """Whether the run may go on without a node: a reset needs no quorum, and goes on past whatever fails."""
    if inputs.purpose.kind is PurposeKind.RESET:
        return lambda node, _: bool(node)
    return lambda node, quarantined: may_quarantine(inputs.spec, node, quarantined)


def _stop(executor: Executor, signal_name: str) -> None:
    with contextlib.suppress(CommandRefusedError, JournalError):
        executor.stop(signal_name)


async def _watch(source: HealthSource, executor: Executor) -> None:
    """Journal changes of health; a defect there never disturbs the run."""
    try:
        async with contextlib.aclosing(source.changes()) as changes:
            async for change in changes:
                executor.tell(change)
    except Exception:
        _LOG.exception("health")


def _log_to(path: Path, redactor: Redactor) -> None:
    """Send everything that this process prints to its log file, without secrets."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    stream = RedactingStream(open(2, "w", encoding="utf-8", errors="replace", closefd=False), redactor)  # noqa: SIM115
    sys.stdout = sys.stderr = stream
    faulthandler.enable(file=2)
    logging.basicConfig(stream=stream, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)


def main(arguments: Sequence[str], assemble: Assemble) -> int:
    """Take secrets from stdin, let go of the caller's session and carry the run out; 0 once that is under way.

    Without a run directory among the arguments the first line of stdin names it: then all is loaded already.
    """
    os.umask(0o077)
    keep_memory_private()
    use_language(language_of_environment())
    report = StartReport(os.dup(1))
    try:
        order = _Order(arguments[0]) if arguments else _told()
        secrets = _SECRETS.validate_json(sys.stdin.buffer.read() or b"{}")
    except ValidationError as error:
        report.failed(T("runner.bad_secrets"), error)
        return 1
    if order is None:
        return 0
    if os.fork() > 0:
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return Runner(Path(order.run_dir).resolve(), secrets, assemble, report).carry_out()


@dataclass(frozen=True, slots=True)
class _Order:
    """What a runner is to carry out."""

    run_dir: str
    language: str = ""


_ORDER: Final = TypeAdapter(_Order)


def load_words() -> None:
    """Read what everything is said in, which the first step would wait for."""
    catalogue(current_language())


def _told() -> _Order | None:
    """What a runner that waited is told; None when nobody told it anything. Raises `ValidationError`."""
    load_words()
    line = sys.stdin.buffer.readline()
    if not line:
        return None
    order = _ORDER.validate_json(line)
    use_language(order.language)
    return order


if __name__ == "__main__":
    from rbdtui.engine.assembly import assemble_site

    sys.exit(main(sys.argv[1:], assemble_site))
