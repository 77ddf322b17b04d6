"""A row of the page: what is there, as parts with a state each, and what to do by hand where it differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.audit.files.problem import Problem
from rbdtui.audit.seen import SeenHost, SeenSite
from rbdtui.audit.target import Target
from rbdtui.words import T, Text

_MOST_PROBLEMS: Final = 3


class RowState(StrEnum):
    """How a row stands, the worst first."""

    BROKEN = "broken"
    """A file cannot be read as what it should be."""
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    """Nobody could tell: a server or a command did not answer."""
    WEAK = "weak"
    """As the page has it, with something better to be had."""
    OK = "ok"
    NOTE = "note"
    """Nothing that could differ: to be known."""

    @property
    def fits(self) -> bool:
        """Whether nothing has to be done."""
        return self in (RowState.WEAK, RowState.OK, RowState.NOTE)


_ORDER: Final = tuple(RowState)


class Group(StrEnum):
    """A chapter of the page."""

    LEVELS = "levels"
    GLUSTERFS = "glusterfs"
    ENTRANCE = "entrance"
    DNS = "dns"
    VIP = "vip"
    SWITCH = "switch"
    HOSTS = "hosts"


@dataclass(frozen=True, slots=True)
class Part:
    """What was seen in one place."""

    node: str
    state: RowState
    text: Text


@dataclass(frozen=True, slots=True)
class ByHand:
    """Commands to type on a server, or the content of a file there."""

    node: str
    text: str


Look = Callable[[SeenSite], Iterable[Part]]
ToDo = Callable[[Target], Iterable[ByHand]]


def nothing_to_type(_: Target) -> Iterable[ByHand]:
    """For rows with nothing to do by hand."""
    return ()


@dataclass(frozen=True, slots=True)
class RowSpec:
    """A row before anything was seen: its words are ``audit.row.<id>``."""

    id: str
    group: Group
    look: Look
    by_hand: ToDo = nothing_to_type
    carries: bool = False
    """Whether level 2 hangs on it: applications would suffer from the loss of the managing server without it."""
    only_36: bool = False
    """Whether the pages from 3.7 on have dropped it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was found."""

    spec: RowSpec
    parts: tuple[Part, ...]
    target: Target

    @property
    def id(self) -> str:
        """E.g. ``C12``."""
        return self.spec.id

    @property
    def state(self) -> RowState:
        """The worst of its parts."""
        return min((part.state for part in self.parts), key=_ORDER.index, default=RowState.NOTE)

    @property
    def by_hand(self) -> Sequence[ByHand]:
        """What to type on the servers where it differs, is weak, or is not known; nothing where it fits."""
        wanting = {part.node for part in self.parts if part.state not in (RowState.OK, RowState.NOTE)}
        if not wanting and self.state is not RowState.NOTE:
            return ()
        everywhere = self.state is RowState.NOTE or "" in wanting
        return [step for step in self.spec.by_hand(self.target) if everywhere or step.node in wanting or not step.node]

    def text(self, what: str) -> Text:
        """Its title, target or reason."""
        target = self.target
        first, second = target.computes
        return Text(
            f"audit.row.{self.id}.{what}",  # words: audit.row.*.*
            {
                "manage": target.manage.name, "compute1": first.name, "compute2": second.name, "vip": target.vip,
                "volume": target.volume, "brick": target.brick, "mount": target.brick_mount,
                "disk": target.disk or "/dev/…",
            },
        )  # fmt: skip


def each(hosts: Iterable[SeenHost], look: Callable[[SeenHost], Iterable[Part]], *facts: str) -> Iterator[Part]:
    """Look at each of some hosts; one that was not reached, or lacks one of the facts, is not known."""
    for host in hosts:
        missing = not_known(host, *facts)
        if missing is not None:
            yield missing
        else:
            yield from look(host)


def not_known(host: SeenHost, *facts: str) -> Part | None:
    """Why nothing can be said of a host; None when all is there."""
    if host.unreached is not None:
        return Part(host.name, RowState.UNKNOWN, T("audit.seen.unreached", reason=host.unreached))
    for fact in facts:
        if fact in host.failed:
            return Part(host.name, RowState.UNKNOWN, T("audit.seen.failed", fact=fact, reason=host.failed[fact]))
    return None


def broken(host: SeenHost, path: str, problems: Sequence[Problem]) -> Iterator[Part]:
    """What is wrong with a file, with its lines."""
    for problem in problems[:_MOST_PROBLEMS]:
        text = T("audit.seen.broken", path=path, line=problem.line, problem=problem.text)
        yield Part(host.name, RowState.BROKEN, text)


def absent(host: SeenHost, path: str) -> Part:
    """A file that is not there."""
    return Part(host.name, RowState.DIFFERS, T("audit.seen.absent", path=path))


def value(host: SeenHost, what: str, seen: str, *, good: bool, weak: bool = False) -> Part:
    """A value that was found, and whether it is the right one."""
    state = RowState.WEAK if weak and good else RowState.OK if good else RowState.DIFFERS
    text = T("audit.seen.value", what=what, value=seen) if seen else T("audit.seen.nothing", what=what)
    return Part(host.name, state, text)


def there(host: SeenHost, what: str, *, good: bool) -> Part:
    """Something that is there or is not."""
    key = T("audit.seen.there", what=what) if good else T("audit.seen.absent", path=what)
    return Part(host.name, RowState.OK if good else RowState.DIFFERS, key)


def listening(host: SeenHost, port: int) -> Part:
    """Whether anything waits on a port."""
    if host.listens(port):
        return Part(host.name, RowState.OK, T("audit.seen.open", port=port))
    return Part(host.name, RowState.DIFFERS, T("audit.seen.closed", port=port))


def at_line(host: SeenHost, path: str, line: int, seen: str, *, good: bool, weak: bool = False) -> Part:
    """A line of a file, and whether it is the right one."""
    state = RowState.WEAK if weak and good else RowState.OK if good else RowState.DIFFERS
    return Part(host.name, state, T("audit.seen.line", path=path, line=line, value=seen))
