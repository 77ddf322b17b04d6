"""A run as a screen sees it: its journal followed in the background, folded where it is drawn.

The background thread only reads lines and appends records; whoever draws folds them into a state of its own, so that
nothing is copied and nothing changes under a picture that is being drawn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rbdtui.engine import client as engine_client
from rbdtui.engine.client import RunClient
from rbdtui.engine.events import Record
from rbdtui.engine.inputs import JOURNAL_NAME, PurposeKind, purpose_of
from rbdtui.engine.journal import JournalError, JournalReader
from rbdtui.engine.state import RunState
from rbdtui.site import SiteError
from rbdtui.words import T, Text
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.run.log_view import LogFile

POLL_S: Final = 0.2
ALIVE_EVERY: Final = 5
"""Polls between looks whether the runner is alive."""
READ_BYTES: Final = 128 * 1024
"""Of the journal at once, so that hosts are not kept waiting by a long one."""


@dataclass(slots=True)
class _Fold:
    """A state and how far it has come."""

    state: RunState
    applied: int = 0

    def up_to(self, records: Sequence[Record], count: int) -> None:
        """Take records in until so many are applied."""
        for index in range(self.applied, count):
            self.state.apply(records[index])
        self.applied = max(self.applied, count)


class RunFollower:
    """One run, live or ended; `state` and `state_at` belong to the thread that draws."""

    def __init__(self, client: RunClient, background: BackgroundLoop, on_change: Callable[[], None]) -> None:
        self.client = client
        self.alive = False
        """Whether a runner has the run in its hands, as of the last look."""
        self.halted_pid: int | None = None
        """The runner's process id while that is halted: it has the run in its hands, and does nothing."""
        self.silent_pid: int | None = None
        """The runner's process id while that answers nothing, although it is not halted."""
        self.given_up = False
        """Whether it was left unfinished for good."""
        self.purpose = purpose_of(client.run_dir)
        """What it is for; None when that cannot be read."""
        self.error: Text | None = None
        """Why the journal, or who has the run, cannot be read; what was read before is still shown."""
        self.caught_up = False
        """Whether everything that the journal held at first has been read."""
        self.records: list[Record] = []
        """Everything read so far; only ever appended to."""
        self.put_off: set[str] = set()
        """Questions that the operator at this screen will answer later."""
        self._background = background
        self._on_change = on_change
        self._unlooked: Text | None = None
        self._look()
        self._live = _Fold(RunState())
        self._past = _Fold(RunState())
        self._following = background.submit(self._follow()), background.submit(self._ask())

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.client.run_id

    @property
    def installs(self) -> bool:
        """Whether it brings the plan about, rather than doing other work on the site."""
        return self.purpose is not None and self.purpose.kind is PurposeKind.INSTALL

    @property
    def run_dir(self) -> Path:
        """Where its journal and logs are."""
        return self.client.run_dir

    def state(self) -> RunState:
        """The run as it is now. The same object every time: look, do not keep."""
        self._live.up_to(self.records, len(self.records))
        return self._live.state

    def state_at(self, count: int) -> RunState:
        """The run after its first ``count`` records, for looking back in time. The same object every time."""
        count = max(0, min(count, len(self.records)))
        if count < self._past.applied:
            self._past = _Fold(RunState())
        self._past.up_to(self.records, count)
        return self._past.state

    @property
    def under_way(self) -> bool:
        """Whether it is going on now."""
        return self.alive and self.state().finished is None

    def send(self, command: Callable[[RunClient], Awaitable[None]]) -> Future[None]:
        """Give the runner a command, e.g. ``RunClient.pause``; the future raises `engine.client.CommandError`."""

        async def give() -> None:
            await command(self.client)

        return self._background.submit(give())

    def give_up(self) -> Future[None]:
        """Leave the run for good; the future raises as `RunClient.give_up`."""

        async def give() -> None:
            self.client.give_up()
            self.given_up = True
            self._on_change()

        return self._background.submit(give())

    def log(self, step_id: str) -> LogFile:
        """What a step's host said."""
        return LogFile(self.client.log_file(step_id))

    def close(self) -> None:
        """Stop following; the run is not touched."""
        for each in self._following:
            each.cancel()

    async def _follow(self) -> None:
        reader = JournalReader(self.run_dir / JOURNAL_NAME)
        polls = 0
        while True:
            try:
                new = reader.read_new(READ_BYTES)
            except JournalError as error:
                self._look()
                self.error, self.caught_up = error.text, True
                self._on_change()
                return
            if new:
                self.records.extend(new)
                self._on_change()
                await asyncio.sleep(0)
                continue
            if not self.caught_up:
                self.caught_up = True
                self._on_change()
            polls += 1
            if polls % ALIVE_EVERY == 0:
                self._look_alive()
            await asyncio.sleep(POLL_S)

    async def _ask(self) -> None:
        while True:
            await asyncio.sleep(engine_client.ASK_EVERY_S)
            before = self.silent_pid
            self.silent_pid = await self.client.silent_pid() if self.alive and self.halted_pid is None else None
            if self.silent_pid != before:
                self._on_change()

    def _look_alive(self) -> None:
        before = self.alive, self.halted_pid, self.given_up, self.error
        self._look()
        if self.error is None and self.records and not self.run_dir.exists():
            self.error = T("run_screen.banner.deleted", path=str(self.run_dir))
        if before != (self.alive, self.halted_pid, self.given_up, self.error):
            self._on_change()

    def _look(self) -> None:
        """Who has the run; the next look may be able to tell what this one cannot."""
        if self.error is self._unlooked:
            self.error = None
        try:
            self.given_up = self.client.given_up()
            self.alive, self.halted_pid = self.client.alive(), self.client.halted_pid()
            self._unlooked = None
        except SiteError as error:
            self._unlooked = error.text
            self.error = self.error or error.text
