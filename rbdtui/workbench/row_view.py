"""What is seen of a list and in which order, and which servers of it are marked: the list itself keeps its order.

Servers are named by their place in the list of cluster.yaml, what stands in other lists by its place there; never by
the row that it happens to stand in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import field_of, nodes_in
from rbdtui.workbench.live.node_rows import Mark


class Order(StrEnum):
    """What rows are sorted by."""

    FILE = "file"
    """As in cluster.yaml; in other lists as they come."""
    WORST = "worst"
    """What is wrong first."""
    NAME = "name"
    """node2 before node10."""
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class ListedRow:
    """What searching and sorting go by."""

    index: int
    """Its place in the list."""
    name: str
    address: str
    mark: Mark
    weight: int = 0
    """Of two with the same mark, the heavier is the worse."""


@dataclass(slots=True)
class ListView:
    """What an operator wants to see of a list."""

    query: str = ""
    """Words that all have to stand in what is known of a row; capitals do not matter."""
    problems_only: bool = False
    order: Order = Order.FILE

    @property
    def narrowed(self) -> bool:
        """Whether some rows may be out of sight."""
        return bool(self.query.strip()) or self.problems_only

    def show_all(self) -> None:
        """Narrow the list no more."""
        self.query, self.problems_only = "", False

    def next_order(self) -> None:
        """Sort by the next thing."""
        orders = list(Order)
        self.order = orders[(orders.index(self.order) + 1) % len(orders)]

    def matches(self, row: ListedRow, text: Callable[[int], str]) -> bool:
        """Whether a row is to be seen; ``text`` gives all that is searched of it."""
        if self.problems_only and row.mark < Mark.WARNING:
            return False
        words = folded(self.query).split()
        return not words or _has_all(folded(text(row.index)), words)

    def seen(self, rows: Sequence[ListedRow], text: Callable[[int], str], keep: int | None = None) -> list[int]:
        """Places of the rows to be seen, in order; the one at ``keep`` is among them in any case."""
        shown = [row for row in rows if row.index == keep or self.matches(row, text)]
        return [row.index for row in sorted(shown, key=_ORDERS[self.order])]


@dataclass(slots=True)
class RowView(ListView):
    """The same of the servers in cluster.yaml, and which of them are marked."""

    marked: set[int] = field(default_factory=set)
    """Places of marked servers, whether they are seen or not."""
    _known: list[tuple[int, str, str]] = field(default_factory=list)
    """Places, names and addresses as of the last `follow`."""

    @classmethod
    def marking(cls, data: Data, indexes: Iterable[int]) -> RowView:
        """All of a list, with these servers marked."""
        view = cls()
        view.follow(data)
        view.marked = set(indexes)
        return view

    def toggle(self, index: int) -> None:
        """Mark a server, or mark it no more."""
        self.marked ^= {index}

    def toggle_all(self, shown: Iterable[int]) -> None:
        """Mark all of these; none of them when all are marked already."""
        places = set(shown)
        self.marked = self.marked - places if places <= self.marked else self.marked | places

    def follow(self, data: Data) -> Mapping[int, int]:
        """Go along with servers that have come, gone or moved: new places by old ones, also for the marks.

        A server that cannot be told from another is left out, and so loses its mark.
        """
        known = [(index, field_of(node, "name"), field_of(node, "address")) for index, node in nodes_in(data)]
        if known == self._known:
            return {index: index for index, _, _ in known}
        places = moved_places(self._known, known)
        self.marked = {places[index] for index in self.marked if index in places}
        self._known = known
        return places


def _has_all(text: str, words: Iterable[str]) -> bool:
    return all(word in text for word in words)


def folded(text: str) -> str:
    """A text as it is compared: without the difference between capitals and others, and of wide letters and digits."""
    return unicodedata.normalize("NFKC", text).casefold()


_DIGITS: Final = re.compile(r"([0-9]+)")


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """What names are sorted by so that numbers in them count as such: node2 before node10."""
    return tuple(
        (int(part), "") if part.isdecimal() and part.isascii() else (-1, part)
        for part in _DIGITS.split(text.casefold())
        if part
    )


def _by_address(row: ListedRow) -> tuple[int, tuple[tuple[int, str], ...]]:
    """Addresses in their order, then what is none."""
    try:
        return int(IPv4Address(row.address)), ()
    except AddressValueError:
        return 1 << 32, natural(row.address)


_ORDERS: Final[Mapping[Order, Callable[[ListedRow], tuple[object, ...]]]] = {
    Order.FILE: lambda row: (row.index,),
    Order.WORST: lambda row: (-row.mark, -row.weight, row.index) if row.mark >= Mark.WARNING else (0, 0, row.index),
    Order.NAME: lambda row: (natural(row.name), row.index),
    Order.ADDRESS: lambda row: (_by_address(row), row.index),
}


Known = Sequence[tuple[int, str, str]]
"""Places, names and addresses."""


def moved_places(before: Known, after: Known) -> dict[int, int]:
    """Where servers are now, by where they were: told by a name, else by an address that only one of them has.

    Where none has come or gone, one that shares its name or its address with others is told by its place.
    """
    places: dict[int, int] = {}
    for what in (1, 2):
        old, new = _alone(before, what), _alone(after, what)
        taken = set(places.values())
        places |= {
            place: new[text]
            for text, place in old.items()
            if place not in places and text in new and new[text] not in taken
        }
    if len(before) == len(after):
        taken, now = set(places.values()), {place: (name, address) for place, name, address in after}
        for place, name, address in before:
            same = place in now and (now[place][0] == name or now[place][1] == address)
            if place not in places and place not in taken and same:
                places[place] = place
    return places


def _alone(known: Known, what: int) -> dict[str, int]:
    """Places by names or addresses that only one server has."""
    texts = [str(entry[what]) for entry in known]
    return {str(entry[what]): entry[0] for entry in known if entry[what] and texts.count(str(entry[what])) == 1}
