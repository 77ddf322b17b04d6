"""What the command line and the screens use of a run: start it, read it, tell it something.

Reading needs the journal only, so it works the same on a run that is under way, that has ended, or whose runner died.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from rbdtui.engine.events import Choice, Record, RunFinished, RunOutcome
from rbdtui.engine.inputs import (
    JOURNAL_NAME,
    RUNNER_LOG_NAME,
    RunInputError,
    RunOptions,
    create_run_dir,
    write_options,
)
from rbdtui.engine.journal import JournalReader
from rbdtui.engine.lock import Holder, SiteLockedError, holder_of, user_name
from rbdtui.engine.logs import log_file
from rbdtui.engine.protocol import LINE_LIMIT_BYTES, Command, Request, socket_address
from rbdtui.engine.state import RunState
from rbdtui.errors import SentenceError
from rbdtui.facts.model import NodeFacts
from rbdtui.site import Site
from rbdtui.words import T, Text, current_language

RUNNER: Final = (sys.executable, "-P", "-X", "utf8", "-m", "rbdtui.engine.runner")
"""The runner's command line, to which the run directory is added."""
START_LIMIT_S: Final = 60.0
ANSWER_LIMIT_S: Final = 20.0
POLL_S: Final = 0.2
POLLS_PER_LOOK: Final = 5
"""How many polls without a new line there are between looks whether the runner is alive."""


class RunStartError(RunInputError):
    """A runner could not start, or died while starting; carries a sentence."""


class CommandError(SentenceError):
    """A runner refused a command, or there is none; carries a sentence."""


@dataclass(frozen=True, slots=True)
class _Started:
    """What a runner says when it starts."""

    ok: bool
    error: Text | None = None
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a runner answers to a command."""

    ok: bool
    error: Text | None = None


_STARTED: Final = TypeAdapter(_Started)
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
        except (OSError, TimeoutError) as error:
            raise CommandError(T("command.no_runner", run=self.run_id)) from error
        try:
            answer = _ANSWER.validate_json(line)
        except ValidationError as error:
            raise CommandError(T("command.no_runner", run=self.run_id)) from error
        if not answer.ok:
            raise CommandError(answer.error or T("command.malformed"))

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
    runner: Sequence[str] = RUNNER,
) -> RunClient:
    """Start a new run of a site and return when its runner is at work.

    Raises `SiteLockedError` when a run is under way, `RunStartError` when the runner gives up or dies (its log has
    more), `RunInputError` when the site cannot be written.
    """
    if (holder := holder_of(site)) is not None:
        raise SiteLockedError(holder)
    run_dir = create_run_dir(site, spec_text, facts, options)
    try:
        return await resume_run(run_dir, secrets=secrets, runner=runner)
    except SiteLockedError:
        shutil.rmtree(run_dir, ignore_errors=True)
        raise


async def resume_run(
    run_dir: Path,
    *,
    secrets: Mapping[str, str],
    options: RunOptions | None = None,
    runner: Sequence[str] = RUNNER,
) -> RunClient:
    """Have a run taken up again where it was left and return when its runner is at work; raises as `start_run`.

    Without ``options`` it is carried out as before.
    """
    if options is not None:
        try:
            write_options(run_dir, options)
        except OSError as error:
            raise RunInputError(T("run_dir.unwritable", path=str(run_dir), reason=error.strerror or "")) from error
    started = await asyncio.to_thread(_launch, run_dir, secrets, runner)
    if started.holder is not None:
        raise SiteLockedError(started.holder)
    if not started.ok:
        raise RunStartError(started.error or T("run.start_failed", reason="", log=str(run_dir / RUNNER_LOG_NAME)))
    return RunClient(run_dir)


def find_active(site: Site) -> RunClient | None:
    """The run of the site that is under way; None when there is none."""
    holder = holder_of(site)
    return RunClient(site.run_dir(holder.run)) if holder is not None else None


def latest_run(site: Site) -> RunClient | None:
    """The newest run of the site; None when there was none."""
    ids = site.run_ids()
    return RunClient(site.run_dir(ids[-1])) if ids else None


def can_resume(run_dir: Path, spec_sha256: str) -> bool:
    """Whether a run was left unfinished, and is for this very spec; raises `JournalError`."""
    state = RunClient(run_dir).state()
    finished = state.outcome in (RunOutcome.DONE, RunOutcome.PARTIAL)
    return state.seq > 0 and not finished and state.spec_sha256 == spec_sha256


def _launch(run_dir: Path, secrets: Mapping[str, str], runner: Sequence[str]) -> _Started:
    """Start the process and hear what it says; it leaves our session, so that our end is not its end."""
    log = run_dir / RUNNER_LOG_NAME
    with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log_stream:
        process = subprocess.Popen(
            [*runner, str(run_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_stream,
            cwd="/",
            env={**os.environ, "RBDTUI_LANG": current_language()},
            start_new_session=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdout as status:
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(json.dumps(dict(secrets)).encode())
        line = _first_line(status.fileno(), START_LIMIT_S)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)
    try:
        return _STARTED.validate_json(line)
    except ValidationError:
        return _Started(ok=False, error=T("run.start_failed", reason=_last_line(log), log=str(log)))


def _first_line(descriptor: int, limit_s: float) -> bytes:
    """What comes up to the first line break, the end, or the time limit."""
    deadline = time.monotonic() + limit_s
    data = b""
    while not data.endswith(b"\n") and (left_s := deadline - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left_s)[0]:
            break
        chunk = os.read(descriptor, LINE_LIMIT_BYTES)
        if not chunk:
            break
        data += chunk
    return data


def _last_line(log: Path) -> str:
    """The last words of a runner that died."""
    with contextlib.suppress(OSError):
        lines = log.read_bytes()[-4096:].decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""


def _operator() -> str:
    """Who gives a command, as the journal names them."""
    with contextlib.suppress(OSError):
        return f"{user_name()} ({os.ttyname(0).removeprefix('/dev/')})"
    return user_name()
