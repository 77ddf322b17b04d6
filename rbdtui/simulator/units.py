"""The systemd of a simulated host: units, what they do while they run, and the journal they write."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from rbdtui.simulator.pace import Pace

_SUFFIXES: Final = frozenset({"service", "timer", "socket", "target", "mount", "scope"})
JOURNAL_LINES: Final = 20_000
"""The journal of a host keeps this many lines."""


class Active(StrEnum):
    """The words of ``systemctl is-active``."""

    INACTIVE = "inactive"
    ACTIVATING = "activating"
    ACTIVE = "active"
    FAILED = "failed"


class ServiceFailed(Exception):  # noqa: N818 - an outcome of a simulated program, not of ours
    """A simulated program ended with another status than 0."""

    def __init__(self, status: int = 1) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of the journal."""

    cursor: str
    """Where it stands, as journald would say it."""
    unit: str
    text: str


class Program(Protocol):
    """What a unit does while it runs."""

    async def __call__(self, unit: Unit) -> None:
        """Run until the end or a cancellation; calls ``unit.ready()`` once; raises `ServiceFailed`."""
        ...


@dataclass(slots=True, eq=False)
class Unit:
    """A service, from the moment that somebody first asks for it."""

    name: str
    """With its suffix, e.g. ``keepalived.service``."""
    program: Program | None
    log: Callable[[str], None]
    """Takes a line for the journal."""
    active: Active = Active.INACTIVE
    result: str = "success"
    exit_status: int = 0
    restart_s: float | None = None
    """Delay before systemd starts a failed service again; None: it does not."""
    restarts: int = 0
    task: asyncio.Task[None] | None = None
    pid: int = 0
    invocations: int = 0
    """How often it was started."""
    reload: Callable[[], None] | None = None
    """What SIGHUP does, set by the program; None: it has to be restarted."""
    pauses: bool = False
    """Whether it has failed and systemd is about to start it again."""
    killed: bool = False
    """Whether it is being ended by SIGKILL, so that nothing is tidied up."""
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    def ready(self) -> None:
        """Tell systemd that the service is up (``sd_notify``)."""
        self.change(Active.ACTIVE)
        self._settled.set()

    def change(self, active: Active) -> None:
        """Enter another state."""
        self.active = active

    def starting(self) -> None:
        """Begin an attempt."""
        self.change(Active.ACTIVATING)
        self._settled.clear()

    def settle(self) -> None:
        """The attempt has ended, well or not."""
        self._settled.set()

    async def settled(self) -> None:
        """Wait until the attempt under way is up or has failed."""
        await self._settled.wait()

    @property
    def sub_state(self) -> str:
        """The word of ``systemctl show -p SubState``."""
        if self.active is Active.ACTIVATING and self.result != "success":
            return "auto-restart"
        words = {Active.ACTIVE: "running", Active.ACTIVATING: "start", Active.FAILED: "failed"}
        return words.get(self.active, "dead")


class Systemd:
    """The units and the journal of one host."""

    def __init__(self, pace: Pace, find: Callable[[str], Program | None]) -> None:
        self._pace, self._find = pace, find
        self._units: dict[str, Unit] = {}
        self._next_pid = 400
        self._written = 0
        self._later: list[asyncio.Task[None]] = []
        self.journal: deque[JournalLine] = deque(maxlen=JOURNAL_LINES)

    @staticmethod
    def full_name(name: str) -> str:
        """The name with ``.service`` where it has no suffix."""
        return name if name.rpartition(".")[2] in _SUFFIXES else f"{name}.service"

    def unit(self, name: str) -> Unit:
        """The unit of that name; one that nobody knows has no program."""
        name = self.full_name(name)
        if name not in self._units:
            self._units[name] = Unit(name, None, lambda text: self.write(name, text))
        return self._units[name]

    def all_units(self) -> list[Unit]:
        """Every unit that was ever asked for, by name."""
        return [self._units[name] for name in sorted(self._units)]

    def write(self, unit: str, text: str) -> None:
        """Add a line to the journal."""
        self._written += 1
        self.journal.append(JournalLine(f"s=5f1c;i={self._written:x}", unit, text))

    def _say(self, unit: Unit, text: str) -> None:
        self.write(unit.name, f"{unit.name}: {text}")

    def lines(self, unit: str) -> Iterable[JournalLine]:
        """The journal of one unit."""
        name = self.full_name(unit)
        return [line for line in self.journal if line.unit == name]

    def begin(self, name: str, program: Program | None = None, *, restart_s: float | None = None) -> Unit:
        """Start a unit without waiting for it; nothing happens when it runs already."""
        unit = self.unit(name)
        if unit.task is not None and not unit.task.done():
            if not unit.pauses:
                return unit
            unit.task.cancel()
        unit.program = program or self._find(unit.name)
        unit.restart_s, unit.restarts = restart_s, 0
        unit.result, unit.exit_status = "success", 0
        unit.starting()
        unit.task = asyncio.get_running_loop().create_task(self._live(unit), name=f"unit {unit.name}")
        return unit

    async def _live(self, unit: Unit) -> None:
        while True:
            self._next_pid += 7
            unit.pid = self._next_pid
            unit.invocations += 1
            failed = await self._attempt(unit)
            unit.pid, unit.reload = 0, None
            if not failed:
                unit.change(Active.INACTIVE)
                unit.settle()
                return
            self._say(unit, f"Main process exited, code=exited, status={unit.exit_status}")
            self._say(unit, "Failed with result 'exit-code'.")
            unit.change(Active.FAILED if unit.restart_s is None else Active.ACTIVATING)
            unit.settle()
            if unit.restart_s is None:
                return
            unit.pauses = True
            try:
                await self._pace.sleep(unit.restart_s)
            finally:
                unit.pauses = False
            unit.restarts += 1
            self._say(unit, f"Scheduled restart job, restart counter is at {unit.restarts}.")
            unit.starting()

    async def _attempt(self, unit: Unit) -> bool:
        self.write(unit.name, f"Starting {unit.name}...")
        unit.result, unit.exit_status = "success", 0
        try:
            if unit.program is None:
                raise ServiceFailed(203)
            await unit.program(unit)
        except ServiceFailed as failure:
            unit.result, unit.exit_status = "exit-code", failure.status
            return True
        except Exception as error:
            # A mistake in a simulated program must look like a crash of it, not leave everybody waiting.
            self.write(unit.name, f"simulated program crashed: {type(error).__name__}: {error}")
            unit.result, unit.exit_status = "exit-code", 70
            return True
        return False

    async def stop(self, name: str) -> None:
        """Stop a unit and wait for its end."""
        unit = self.unit(name)
        if unit.task is not None:
            unit.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await unit.task
            unit.task = None
            self.write(unit.name, f"Stopped {unit.name}.")
        unit.pid = 0
        unit.result = "success"
        unit.change(Active.INACTIVE)
        unit.settle()

    async def kill(self, name: str) -> None:
        """End a unit's process with SIGKILL."""
        unit = self.unit(name)
        if unit.task is None or unit.task.done():
            return
        restart_s, program = unit.restart_s, unit.program
        unit.killed = True
        unit.task.cancel()
        await asyncio.gather(unit.task, return_exceptions=True)
        unit.killed = False
        self._say(unit, "Main process exited, code=killed, status=9/KILL")
        unit.task, unit.pid, unit.result, unit.exit_status = None, 0, "signal", 9
        unit.change(Active.FAILED)
        if restart_s is not None:
            self._later = [task for task in self._later if not task.done()]
            self._later.append(asyncio.get_running_loop().create_task(self._again(name, program, restart_s)))

    async def _again(self, name: str, program: Program | None, restart_s: float) -> None:
        await self._pace.sleep(restart_s)
        self.begin(name, program, restart_s=restart_s)

    async def kill_all(self) -> None:
        """End every unit at once and forget transient state: what a power cut does."""
        for unit in self._units.values():
            unit.killed = True
        tasks = [unit.task for unit in self._units.values() if unit.task is not None]
        tasks += self._later
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._units.clear()
