"""Understands a pasted text: which lines are titles, sections or servers, and which servers are taken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from rbdtui.words import T, Text
from rbdtui.workbench.draft import Data
from rbdtui.workbench.operations import MOST_NODES, field_of, following_name, names_in, nodes_in, room_for_nodes
from rbdtui.workbench.pasting.lines import Line, nodes_of, title_meanings
from rbdtui.workbench.pasting.ranges import looks_like_address
from rbdtui.workbench.pasting.taken import LineError, Pasted, PastedNode, Remark
from rbdtui.workbench.pasting.text import MOST_CHARS, MOST_LINES, cells_of, is_separated, plain_line

REMARKS_KEPT: Final = 200
_WORDS_LOOKED_AT: Final = 8
_SECTION: Final = re.compile(r"\[(?P<name>[A-Za-z0-9_.-]{1,80})(?::(?P<kind>[a-z]{1,20}))?\]\Z", re.ASCII)


def read_pasted(text: str, data: Data) -> Pasted:
    """Understand a text beside the nodes that are there; every node gets a name."""
    taking = _Taking(data)
    lines = text[:MOST_CHARS].splitlines()
    for line in _server_lines(lines[:MOST_LINES]):
        if taking.full:
            taking.refuse_rest(line.number, lines[line.number - 1 :], T("paste.no_room", most=MOST_NODES))
            break
        taking.take_line(line)
    else:
        taking.refuse_rest(MOST_LINES + 1, lines[MOST_LINES:], T("paste.too_many_lines", most=MOST_LINES))
    return taking.result()


def _server_lines(lines: Sequence[str]) -> Iterator[Line]:
    """The lines that speak of servers, each with what is known of it from the others."""
    plain = [plain_line(raw) for raw in lines]
    logins = _logins(plain)
    columns: Sequence[str] = ()
    section: re.Match[str] | None = None
    for number, text in enumerate(plain, start=1):
        if not text:
            continue
        if (heading := _SECTION.match(text)) is not None:
            section = heading
            continue
        if section is not None and section["kind"]:
            continue
        cells = cells_of(text)
        if (titles := title_meanings(cells, separated=is_separated(text))) is not None:
            columns = titles
            continue
        yield Line(number, text, cells, columns, logins, in_section=section is not None)


def _logins(lines: Sequence[str]) -> frozenset[str]:
    """The word that stands behind every address of several, and therefore names none of the servers."""
    behind: dict[str, str] = {}
    for line in lines:
        cells = cells_of(line)[:_WORDS_LOOKED_AT]
        behind |= {place: word for place, word in pairwise(cells) if looks_like_address(place) and word}
    words = set(behind.values())
    return frozenset(word for word in words if len(words) == 1 and len(behind) > 1 and not word[-1].isdigit())


@dataclass(slots=True)
class _Taking:
    """What has been taken so far, and what is taken already."""

    data: Data
    nodes: list[PastedNode] = field(default_factory=list)
    refusals: list[Remark] = field(default_factory=list)
    refused: int = 0
    remarks: list[Remark] = field(default_factory=list)
    remarked: int = 0
    filled: list[str] = field(default_factory=list)
    names: set[str] = field(init=False)
    addresses: set[str] = field(init=False)
    waiting: set[str] = field(init=False)
    """Names of nodes that lack an address."""
    last_name: str = field(init=False)
    room: int = field(init=False)

    def __post_init__(self) -> None:
        known = [node for _, node in nodes_in(self.data)]
        self.names = names_in(self.data)
        self.addresses = {address for node in known if (address := field_of(node, "address"))}
        self.waiting = {field_of(node, "name") for node in known if not field_of(node, "address")}
        self.last_name = field_of(known[-1], "name") if known else ""
        self.room = room_for_nodes(self.data)

    def take_line(self, line: Line) -> None:
        """Take the servers of a line, or note why not."""
        shown = line.text
        try:
            understood = nodes_of(line)
            if understood.password:
                shown = shown.replace(understood.password, "***")
            for node in understood.nodes:
                if line.in_section and not node.address and node.name in self.names:
                    continue
                self._take(node)
        except LineError as error:
            self._refuse(line.number, shown, error.why)
            return
        for why in understood.left_out:
            self.remarked += 1
            if len(self.remarks) < REMARKS_KEPT:
                self.remarks.append(Remark(line.number, shown, why))

    def _take(self, node: PastedNode) -> None:
        """Take a node; raises `LineError` when there is one like it, or no room."""
        if node.address and node.address in self.addresses:
            raise LineError(T("paste.known_address", address=node.address))
        if node.name and node.name in self.waiting and node.address:
            self.waiting.discard(node.name)
            self.filled.append(node.name)
        elif node.name and node.name in self.names:
            raise LineError(T("paste.known_name", name=node.name))
        elif not self.room:
            raise LineError(T("paste.no_room", most=MOST_NODES))
        else:
            node = node if node.name else replace(node, name=following_name(self.names, self.last_name))
            self.room -= 1
            self.last_name = node.name
        self.names.add(node.name)
        self.addresses.add(node.address)
        self.nodes.append(node)

    def _refuse(self, number: int, text: str, why: Text) -> None:
        self.refused += 1
        if len(self.refusals) < REMARKS_KEPT:
            self.refusals.append(Remark(number, text, why))

    def refuse_rest(self, first: int, lines: Sequence[str], why: Text) -> None:
        """Note that nothing is taken from a line on."""
        if any(filled := [line for line in lines if line.strip()]):
            self._refuse(first, plain_line(filled[0]), why)
            self.refused += len(filled) - 1

    @property
    def full(self) -> bool:
        """Whether nothing more can be taken."""
        return not self.room and not self.waiting

    def result(self) -> Pasted:
        """All of it."""
        return Pasted(
            tuple(self.nodes),
            tuple(self.refusals),
            self.refused,
            tuple(self.remarks),
            self.remarked,
            tuple(self.filled),
        )
