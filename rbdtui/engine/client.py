"""What the command line and the screens use of a run: start it, read it, tell it something.

Reading needs the journal only, so it works the same on a run that is under way, that has ended, or whose runner died.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from rbdtui.engine.events import Choice, Record, RunFinished, RunOutcome
from rbdtui.engine.inputs import (
    JOURNAL_NAME,
    RUNNER_LOG_NAME,
    Purpose,
    PurposeKind,
    RunInputError,
    RunOptions,
    create_run_dir,
    give_up,
    is_given_up,
    is_recipe,
    is_reset,
    kept_spec_sha256,
    purpose_of,
    read_purpose,
    write_options,
)
from rbdtui.engine.journal import JournalError, JournalReader
from rbdtui.engine.launch import RUNNER, Standby, launch
from rbdtui.engine.lock import SiteLockedError, holder_of, refuse_when_held, user_name
from rbdtui.engine.logs import log_file
from rbdtui.engine.protocol import LINE_LIMIT_BYTES, Command, Request, socket_address
from rbdtui.engine.state import RunState, StepStatus
from rbdtui.errors import SentenceError
from rbdtui.facts.model import NodeFacts
from rbdtui.paths import as_typed
from rbdtui.plan.recipes import failover, move_nfs, move_storage, restore
from rbdtui.plan.steps.moving.copy import CopyBefore
from rbdtui.plan.steps.moving.finish import WellBefore
from rbdtui.plan.steps.moving.server_copy import ServerCopy
from rbdtui.plan.steps.moving.server_finish import ServerWellBefore
from rbdtui.plan.steps.restore import ResetCluster, SetAside
from rbdtui.process import is_halted
from rbdtui.site import Site
from rbdtui.words import T, Text

ANSWER_LIMIT_S: Final = 20.0
ASK_EVERY_S: Final = 10.0
"""How often whoever follows a run asks its runner whether it is well."""
POLL_S: Final = 0.2
POLLS_PER_LOOK: Final = 5
"""How many polls without a new line there are between looks whether the runner is alive."""
_MOVES: Final = tuple(each.name for each in (move_storage.RECIPE, move_storage.BACK, move_nfs.RECIPE, move_nfs.BACK))
_STOP_NOTHING: Final = (WellBefore.name, CopyBefore.name, ServerWellBefore.name, ServerCopy.name)


class RunStartError(RunInputError):
    """A runner could not start, or died while starting; carries a sentence."""


class CommandError(SentenceError):
    """A runner refused a command, or there is none; carries a sentence."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a runner answers to a command."""

    ok: bool
    error: Text | None = None


_ANSWER: Final = TypeAdapter(_Answer)


@dataclass(slots=True)
class RunClient:
    """One run, as seen from outside its runner."""

    run_dir: Path
    _reader: JournalReader = field(init=False, repr=False)
    _state: RunState = field(init=False, repr=False, default_factory=RunState)

    def __post_init__(self) -> None:
        self.run_dir = self.run_dir.resolve()
        self._reader = JournalReader(self.run_dir / JOURNAL_NAME)

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.run_dir.name

    @property
    def site(self) -> Site:
        """The site that the run belongs to."""
        return Site(self.run_dir.parent.parent)

    def log_file(self, step_id: str) -> Path:
        """Where the raw output of a step is; the file need not exist."""
        return log_file(self.run_dir, step_id)

    def alive(self) -> bool:
        """Whether a runner has the run in its hands now."""
        holder = holder_of(self.site)
        return holder is not None and holder.run == self.run_id

    def halted_pid(self) -> int | None:
        """The runner's process id while it has the run and is halted, as by SIGSTOP; None when it is not."""
        holder = holder_of(self.site)
        halted = holder is not None and holder.run == self.run_id and is_halted(holder.pid, self.run_id)
        return holder.pid if holder is not None and halted else None

    async def silent_pid(self) -> int | None:
        """The runner's process id where it listens and does not answer: it hangs, or the journal's disk does."""
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await self._exchange(Request(Command.PING).to_line())
        except TimeoutError:
            holder = holder_of(self.site)
            return holder.pid if holder is not None and holder.run == self.run_id else None
        except OSError:
            return None  # nobody listens: it comes up, or is gone
        return None

    def given_up(self) -> bool:
        """Whether the run was left unfinished for good."""
        return is_given_up(self.run_dir)

    def give_up(self) -> None:
        """Leave an unfinished run for good, so that the next one is a new one; it stays readable.

        Raises `SiteLockedError` while it is under way, `RunInputError` when that cannot be kept.
        """
        if (holder := holder_of(self.site)) is not None and holder.run == self.run_id:
            raise SiteLockedError(holder)
        give_up(self.run_dir, _operator())

    def state(self) -> RunState:
        """The run as the journal has it now, folded on from the last call; raises `JournalError`."""
        while new := self._reader.read_new():
            for record in new:
                self._state.apply(record)
        return self._state

    async def records(self, *, follow: bool = True) -> AsyncIterator[Record]:
        """The journal from its first line.

        With ``follow`` it goes on as lines are added, until the run has ended or its runner is gone: `state` tells
        which. Raises `JournalError`.
        """
        reader = JournalReader(self.run_dir / JOURNAL_NAME)
        quiet_polls, over = 0, not follow
        while True:
            if new := reader.read_new():
                for record in new:
                    yield record
                quiet_polls, over = 0, not follow or isinstance(new[-1].event, RunFinished)
                await asyncio.sleep(0)
            elif over:
                return
            else:
                quiet_polls += 1
                over = quiet_polls % POLLS_PER_LOOK == 0 and not self.alive()
                await asyncio.sleep(POLL_S)

    async def ping(self) -> None:
        """Return when the runner answers; raises `CommandError`."""
        await self._command(Request(Command.PING))

    async def pause(self) -> None:
        """Have no further step started; raises `CommandError`, as all commands do."""
        await self._command(Request(Command.PAUSE, _operator()))

    async def resume(self) -> None:
        """Have steps started again."""
        await self._command(Request(Command.RESUME, _operator()))

    async def stop(self) -> None:
        """End the run as soon as the steps under way have ended."""
        await self._command(Request(Command.STOP, _operator()))

    async def retry(self, step_id: str | None = None) -> None:
        """Have a failed step tried again, or all of them."""
        await self._command(Request(Command.RETRY, _operator(), step=step_id))

    async def answer(self, question: str, choice: Choice) -> None:
        """Settle a question for everybody; refused when somebody was faster."""
        await self._command(Request(Command.ANSWER, _operator(), question=question, choice=choice))

    async def _command(self, request: Request) -> None:
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                line = await self._exchange(request.to_line())
            answer = _ANSWER.validate_json(line)
        except (OSError, TimeoutError, ValidationError) as error:
            raise CommandError(self._why_no_answer()) from error
        if not answer.ok:
            raise CommandError(answer.error or T("command.malformed"))

    def _why_no_answer(self) -> Text:
        """Whether nobody is there, or somebody who does not answer; the lock knows."""
        site, holder = as_typed(self.site.path), holder_of(self.site)
        if holder is None and (self.given_up() or not _is_unfinished(RunClient(self.run_dir))):
            return T("command.ended", run=self.run_id, site=site)
        if holder is None and (is_reset(self.run_dir) or is_recipe(self.run_dir)):
            return T("command.no_runner_other", run=self.run_id)
        if holder is None:
            return T("command.no_runner", run=self.run_id, site=site)
        if holder.run != self.run_id:
            return T("command.other_run", run=self.run_id, other=holder.run, pid=holder.pid, site=site)
        return T("command.silent", run=self.run_id, pid=holder.pid, site=site)

    async def _exchange(self, line: bytes) -> bytes:
        with socket_address(self.run_dir) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=LINE_LIMIT_BYTES)
        try:
            writer.write(line)
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def start_run(
    site: Site,
    *,
    spec_text: bytes,
    facts: Mapping[str, NodeFacts],
    secrets: Mapping[str, str],
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    purpose: Purpose = Purpose(),  # noqa: B008 - frozen
    runner: Sequence[str] | Standby = RUNNER,
) -> RunClient:
    """Start a new run of a site and return when its runner is at work; one that was left unfinished is given up.

    Raises `SiteLockedError` when a run is under way, `RunStartError` when the runner gives up or dies (its log has
    more), `RunInputError` when the site cannot be written, `SiteError` when it cannot be locked.
    """
    refuse_when_held(site)
    before = latest_of_plan(site) if purpose.kind is not PurposeKind.RECIPE else None
    run_dir = create_run_dir(site, spec_text, facts, options, purpose)
    try:
        client = await resume_run(run_dir, secrets=secrets, runner=runner)
    except SiteLockedError:
        shutil.rmtree(run_dir, ignore_errors=True)
        raise
    if before is not None and _is_unfinished(before):
        with contextlib.suppress(RunInputError):  # the new run is newer, mark or not
            give_up(before.run_dir, _operator())
    return client


async def resume_run(
    run_dir: Path,
    *,
    secrets: Mapping[str, str],
    options: RunOptions | None = None,
    runner: Sequence[str] | Standby = RUNNER,
) -> RunClient:
    """Have a run taken up again where it was left and return when its runner is at work; raises as `start_run`.

    Without ``options`` it is carried out as before.
    """
    if options is not None:
        try:
            write_options(run_dir, options)
        except OSError as error:
            raise RunInputError(T("run_dir.unwritable", path=str(run_dir), reason=error.strerror or "")) from error
    started = await asyncio.to_thread(launch, run_dir, secrets, runner)
    if started.holder is not None:
        raise SiteLockedError(started.holder)
    if not started.ok:
        raise RunStartError(started.error or T("run.start_failed", reason="", log=str(run_dir / RUNNER_LOG_NAME)))
    return RunClient(run_dir)


def find_active(site: Site) -> RunClient | None:
    """The run of the site that is under way; None when there is none."""
    holder = holder_of(site)
    if holder is None or not site.run_dir(holder.run).is_dir():
        return None
    return RunClient(site.run_dir(holder.run))


def installs_now(site: Site) -> bool:
    """Whether a run that installs is under way; False also where that cannot be read."""
    run = find_active(site)
    purpose = purpose_of(run.run_dir) if run is not None else None
    return purpose is not None and purpose.kind is PurposeKind.INSTALL


def current_run(site: Site) -> RunClient | None:
    """The run that an operator means who names none: the one under way, else the newest; None when there was none."""
    return find_active(site) or latest_run(site)


def latest_run(site: Site) -> RunClient | None:
    """The newest run of the site; None when there was none."""
    ids = site.run_ids()
    return RunClient(site.run_dir(ids[-1])) if ids else None


def latest_of_plan(site: Site) -> RunClient | None:
    """The newest run that installs or takes back; a recipe between two of them changes nothing about either."""
    runs = (RunClient(site.run_dir(run_id)) for run_id in reversed(site.run_ids()))
    return next((run for run in runs if not is_recipe(run.run_dir)), None)


def can_resume(run_dir: Path, spec_sha256: str) -> bool:
    """Whether a run was left unfinished, not given up, and is for this very spec; raises `JournalError`.

    A reset is never resumed: the next one looks anew what is left. Nor is a recipe: whoever asks for it again does so.
    """
    if (
        is_reset(run_dir)
        or is_recipe(run_dir)
        or is_given_up(run_dir)
        or kept_spec_sha256(run_dir) not in ("", spec_sha256)
    ):
        return False
    client = RunClient(run_dir)
    return client.state().seq > 0 and _is_unfinished(client) and client.state().spec_sha256 == spec_sha256


def unfinished_reset(site: Site) -> RunClient | None:
    """The newest run, when it is a reset that did not come to its end; None else, and while one is under way."""
    newest = latest_of_plan(site)
    if newest is None or not is_reset(newest.run_dir) or newest.alive() or not _is_unfinished(newest):
        return None
    with contextlib.suppress(OSError, ValidationError):
        if read_purpose(newest.run_dir).keeps_cluster:
            return None
    return newest


def half_restore(site: Site) -> RunClient | None:
    """The newest restore, when it has reset one server and not yet set aside what the others have of before.

    None else, while it is under way, and once something else was installed or taken back. Servers with the old data
    would be a cluster of their own, so they must not be started.
    """
    for run_id in reversed(site.run_ids()):
        run = RunClient(site.run_dir(run_id))
        with contextlib.suppress(OSError, ValidationError):
            purpose = read_purpose(run.run_dir)
            if purpose.name == restore.RECIPE.name:
                return run if not run.alive() and _is_half(run) else None
            if purpose.kind is not PurposeKind.RECIPE:
                return None
    return None


def half_failover(site: Site, source: str | None) -> RunClient | None:
    """The newest failover of the MySQL pair, when it has begun and not come to its end.

    ``source`` is the source that cluster.yaml names: while it is the old one, anything else would lead back to it. None
    once roles were exchanged there, while it is under way, and once the cluster was taken back.
    """
    for run_id in reversed(site.run_ids()):
        run = RunClient(site.run_dir(run_id))
        with contextlib.suppress(OSError, ValidationError):
            purpose = read_purpose(run.run_dir)
            if purpose.name == failover.RECIPE.name:
                is_old = purpose.arguments.get(failover.SOURCE) == source
                return run if is_old and not run.alive() and _is_unfinished(run) and _has_begun(run) else None
            if purpose.kind is PurposeKind.RESET:
                return None
    return None


def half_move(site: Site) -> RunClient | None:
    """The newest move of Rainbond's volumes, when it has begun and not come to its end: parts may stand still."""
    for run_id in reversed(site.run_ids()):
        run = RunClient(site.run_dir(run_id))
        with contextlib.suppress(OSError, ValidationError):
            purpose = read_purpose(run.run_dir)
            if purpose.name in _MOVES:
                half = not run.alive() and _is_unfinished(run) and _has_begun(run, but=_STOP_NOTHING)
                return run if half else None
            if purpose.kind is PurposeKind.RESET:
                return None
    return None


def _has_begun(run: RunClient, *, but: Sequence[str] = ()) -> bool:
    """Whether any step may have changed something; ``but`` for those that stop nothing."""
    try:
        return any(step.attempts for name, step in run.state().steps.items() if name not in but)
    except JournalError:
        return True


def _is_half(run: RunClient) -> bool:
    try:
        steps = run.state().steps.values()
    except JournalError:
        return True
    reset = [step for step in steps if step.info.id.startswith(f"{ResetCluster.name}@")]
    aside = [step for step in steps if step.info.id.startswith(f"{SetAside.name}@")]
    begun = any(step.attempts and not step.status.failed for step in reset)
    return begun and not all(step.status is StepStatus.CHANGED for step in (*reset, *aside))


def _is_unfinished(run: RunClient) -> bool:
    """Whether something is left to do in a run, as far as its journal can be read."""
    try:
        return run.state().outcome not in (RunOutcome.DONE, RunOutcome.PARTIAL)
    except JournalError:
        return True


def _operator() -> str:
    """Who gives a command, as the journal names them."""
    with contextlib.suppress(OSError):
        return f"{user_name()} ({os.ttyname(0).removeprefix('/dev/')})"
    return user_name()
