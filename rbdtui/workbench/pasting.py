"""Servers out of whatever an operator pastes: addresses, ranges, lines of a hosts file, CSV; and what was not taken.

Every line is judged by itself, so that one bad line costs nothing else. Nothing here raises, whatever the text is.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Final

from rbdtui.spec.model import Role
from rbdtui.spec.values import NAME_PATTERN, label_like
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.draft import Data
from rbdtui.workbench.operations import (
    MOST_NODES,
    NodeData,
    append_node,
    field_of,
    following_name,
    is_ipv4,
    names_in,
    nodes_in,
    put_in_node,
    room_for_nodes,
)

MOST_LINES: Final = 20_000
"""What is read of a text; nobody means more."""
MOST_CHARS: Final = 2_000_000
LONGEST_LINE: Final = 300
REFUSALS_KEPT: Final = 200

_COLUMNS: Final[Mapping[str, str]] = {
    "name": "name", "node": "name", "host": "name", "hostname": "name", "host name": "name", "server": "name",
    "address": "address", "ip": "address", "ip address": "address", "ipaddress": "address", "addr": "address",
    "user": "user", "username": "user", "login": "user", "port": "port", "ssh port": "port",
    "roles": "roles", "role": "roles",
    "名称": "name", "节点": "name", "主机名": "name", "主机": "name", "服务器": "name",
    "地址": "address", "ip地址": "address", "用户": "user", "用户名": "user", "端口": "port", "角色": "roles",
}  # fmt: skip
"""Titles of columns that are understood."""
_SPAN: Final = re.compile(
    r"(?P<first>[0-9]{1,3}(?:\.[0-9]{1,3}){3})\s*(?:-|–|\.\.|~)\s*(?P<last>[0-9.]{1,15})\Z", re.ASCII
)
_WHERE: Final = re.compile(
    r"(?:(?P<user>[^@\s]{1,64})@)?(?P<address>[0-9.]+)(?:/(?P<prefix>[0-9]{1,2}))?(?::(?P<port>[0-9]{1,5}))?\Z",
    re.ASCII,
)
_NAMES: Final = re.compile(
    r"(?P<stem>[^\[\]{}]*)[\[{](?P<first>[0-9]{1,6})\s*(?:-|–|\.\.|:|~)\s*(?P<last>[0-9]{1,6})[\]}](?P<end>[^\[\]{}]*)\Z",
    re.ASCII,
)
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}\Z", re.ASCII)
_IPV6: Final = re.compile(r"(?=[^:]*:[^:]*:)[0-9a-fA-F:.]{2,45}(?:%\w{1,32})?(?:/[0-9]{1,3})?\Z", re.ASCII)
_LARGEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class PastedNode:
    """A server as it was understood."""

    name: str = ""
    """Empty: it gets a free one."""
    address: str = ""
    user: str = ""
    port: int | None = None
    roles: tuple[str, ...] = ()
    renamed_from: str = ""
    """What the name was before it was made to fit."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not taken, and why."""

    line: int
    """From 1."""
    text: str
    """What stood there, made harmless."""
    why: Text


@dataclass(frozen=True, slots=True)
class Pasted:
    """What came of a text."""

    nodes: tuple[PastedNode, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    """The first of them."""
    refused: int = 0
    """How many lines were not taken."""
    filled: tuple[str, ...] = ()
    """Names among the nodes that were there already and get the address that they lack."""

    @property
    def renamed(self) -> list[PastedNode]:
        """Nodes whose names had to be made to fit."""
        return [node for node in self.nodes if node.renamed_from]


class _LineError(Exception):
    """A line that is not understood."""

    def __init__(self, why: Text) -> None:
        super().__init__(why.key)
        self.why = why


def read_pasted(text: str, data: Data) -> Pasted:
    """Understand a text beside the nodes that are there; every node gets a name."""
    taking = _Taking(data)
    columns: Sequence[str] | None = None
    lines = text[:MOST_CHARS].splitlines()
    for number, raw in enumerate(lines[:MOST_LINES], start=1):
        if taking.full:
            taking.refuse_rest(number, lines[number - 1 :], T("paste.no_room", most=MOST_NODES))
            break
        line = _harmless(raw)
        if not line:
            continue
        cells = _cells(line)
        if columns is None:
            columns = _titles(cells) or ()
            if columns:
                continue
        try:
            for node in _read_line(cells, columns):
                taking.take(node)
        except _LineError as error:
            taking.refuse(number, line, error.why)
    else:
        taking.refuse_rest(MOST_LINES + 1, lines[MOST_LINES:], T("paste.too_many_lines", most=MOST_LINES))
    return taking.result()


def add_pasted(data: Data, pasted: Pasted) -> None:
    """Put what was understood into the draft."""
    places = {field_of(node, "name"): index for index, node in nodes_in(data)}
    for node in pasted.nodes:
        if node.name in pasted.filled and node.name in places:
            put_in_node(data, places[node.name], "address", node.address)
        elif room_for_nodes(data):
            append_node(data, _as_data(node))


def addresses_in(text: str) -> list[str]:
    """The addresses of a range such as ``10.0.0.11-13``; none when it is no range that can be used."""
    span = _SPAN.match(text.strip())
    try:
        return _addresses(span["first"], span["last"]) if span is not None else []
    except _LineError:
        return []


def put_addresses(data: Data, index: int, addresses: Sequence[str]) -> None:
    """Give a node the first of several addresses, and add nodes for the others."""
    put_in_node(data, index, "address", addresses[0])
    add_pasted(data, read_pasted("\n".join(addresses[1:]), data))


def _as_data(node: PastedNode) -> NodeData:
    made: NodeData = {"name": node.name}
    if node.address:
        made["address"] = node.address
    if node.roles:
        made["roles"] = list(node.roles)
    ssh = {key: value for key, value in (("user", node.user), ("port", node.port)) if value}
    return {**made, "ssh": ssh} if ssh else made


@dataclass(slots=True)
class _Taking:
    """What has been taken so far, and what is taken already."""

    data: Data
    nodes: list[PastedNode] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    refused: int = 0
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

    def take(self, node: PastedNode) -> None:
        """Take a node; raises `_LineError` when there is one like it, or no room."""
        if node.address and node.address in self.addresses:
            raise _LineError(T("paste.known_address", address=node.address))
        if node.name and node.name in self.waiting and node.address:
            self.waiting.discard(node.name)
            self.filled.append(node.name)
        elif node.name and node.name in self.names:
            raise _LineError(T("paste.known_name", name=node.name))
        elif not self.room:
            raise _LineError(T("paste.no_room", most=MOST_NODES))
        else:
            node = node if node.name else replace(node, name=following_name(self.names, self.last_name))
            self.room -= 1
            self.last_name = node.name
        self.names.add(node.name)
        self.addresses.add(node.address)
        self.nodes.append(node)

    def refuse(self, number: int, text: str, why: Text) -> None:
        """Note a line that is not taken."""
        self.refused += 1
        if len(self.refusals) < REFUSALS_KEPT:
            self.refusals.append(Refusal(number, text, why))

    def refuse_rest(self, first: int, lines: Sequence[str], why: Text) -> None:
        """Note that nothing is taken from a line on."""
        if any(filled := [line for line in lines if line.strip()]):
            self.refuse(first, _harmless(filled[0]), why)
            self.refused += len(filled) - 1

    @property
    def full(self) -> bool:
        """Whether nothing more can be taken."""
        return not self.room and not self.waiting

    def result(self) -> Pasted:
        """All of it."""
        return Pasted(tuple(self.nodes), tuple(self.refusals), self.refused, tuple(self.filled))


def harmless_lines(text: str) -> str:
    """A pasted text in which nothing acts on a terminal; what stands behind its limits is left out."""
    ending = "\n" if text[-1:] in ("\n", "\r") else ""
    return "\n".join(_without_controls(line) for line in text[:MOST_CHARS].splitlines()[:MOST_LINES]) + ending


def _without_controls(raw: str) -> str:
    """A line in which nothing acts; tabs stay."""
    return "\t".join(clean_line(part, LONGEST_LINE) for part in raw[: LONGEST_LINE * 4].split("\t"))


def _harmless(raw: str) -> str:
    """A line without comment, list mark and anything that acts; tabs stay."""
    line = _without_controls(raw)
    return re.sub(r"^\s*(?:[-*•]|[0-9]{1,3}[.)])\s+", "", line.partition("#")[0]).strip()


def _cells(line: str) -> list[str]:
    """The parts of a line: between commas, semicolons, tabs or bars where there are any, else between blanks."""
    separator = next((sign for sign in ("\t", ",", ";", "|") if sign in line), None)
    if separator is None:
        return [part.strip("\"'") for part in line.split()]
    try:
        parts = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    except (csv.Error, StopIteration):
        parts = line.split(separator)
    return [part.strip().strip("\"'") for part in parts]


def _titles(cells: Sequence[str]) -> list[str] | None:
    """The meaning of each column when this is a line of titles; None when it is not."""
    meanings = [_COLUMNS.get(cell.casefold(), "") for cell in cells]
    return meanings if "address" in meanings or meanings == ["name"] else None


def _read_line(cells: Sequence[str], columns: Sequence[str]) -> Iterator[PastedNode]:
    """The nodes of one line; raises `_LineError`."""
    filled = [cell for cell in cells if cell]
    if len(filled) > 1 and all(_looks_like_address(cell) for cell in filled):
        for cell in filled:
            yield from _places(cell)
        return
    named = dict(zip(columns, cells, strict=False)) if any(columns) else _guessed(filled)
    names, places = _names(named.get("name", "")), _places(named.get("address", ""))
    if not names and not places:
        raise _LineError(T("paste.not_understood"))
    if names and places and len(names) != len(places):
        raise _LineError(T("paste.counts_differ", names=len(names), addresses=len(places)))
    port = _port(named["port"]) if named.get("port") else None
    roles = _roles(named.get("roles", ""))
    for place in range(max(len(names), len(places))):
        node = places[place] if places else PastedNode()
        name, original = names[place] if names else ("", "")
        yield replace(
            node, name=name, renamed_from=original, user=named.get("user") or node.user, port=port or node.port,
            roles=roles,
        )  # fmt: skip


def _guessed(cells: Sequence[str]) -> dict[str, str]:
    """Address and name when no titles say which is which: ``name address``, or as in a hosts file with more names."""
    places = [place for place, cell in enumerate(cells) if _looks_like_address(cell)]
    if not places:
        return {"name": cells[0]} if len(cells) == 1 else {}
    if len(places) > 1:
        raise _LineError(T("paste.two_addresses"))
    if places == [0]:
        others_are_names = all(_HOST_NAME.match(cell) for cell in cells[2:])
        return {"address": cells[0], "name": "".join(cells[1:2])} if others_are_names else {}
    return {"name": cells[0], "address": cells[1]} if places == [1] and len(cells) == 2 else {}


def _looks_like_address(cell: str) -> bool:
    return bool(_WHERE.match(cell) or _SPAN.match(cell) or _IPV6.match(cell))


def _places(text: str) -> list[PastedNode]:
    """Where the servers of one cell are; raises `_LineError`."""
    if not text:
        return []
    if _IPV6.match(text):
        raise _LineError(T("paste.ipv6"))
    if (span := _SPAN.match(text)) is not None:
        return [PastedNode(address=address) for address in _addresses(span["first"], span["last"])]
    match = _WHERE.match(text)
    if match is None or not is_ipv4(match["address"]):
        raise _LineError(T("paste.no_address", text=text[:40]))
    if match["prefix"] and _is_network(match["address"], int(match["prefix"])):
        raise _LineError(T("paste.network", text=text[:40]))
    port = _port(match["port"]) if match["port"] else None
    return [PastedNode(address=match["address"], user=match["user"] or "", port=port)]


def _is_network(address: str, prefix: int) -> bool:
    return prefix < 31 and int(IPv4Address(address)) % (1 << (32 - prefix)) == 0


def _addresses(first: str, last: str) -> list[str]:
    """All addresses of a range, both ends included; the last one may be its last part only."""
    last = last if last.count(".") == 3 else f"{first.rpartition('.')[0]}.{last.removeprefix('.')}"
    if not is_ipv4(first) or not is_ipv4(last):
        raise _LineError(T("paste.no_range"))
    low, high = int(IPv4Address(first)), int(IPv4Address(last))
    if high < low:
        raise _LineError(T("paste.backwards"))
    if high - low >= MOST_NODES:
        raise _LineError(T("paste.long_range", count=high - low + 1, most=MOST_NODES))
    return [str(IPv4Address(number)) for number in range(low, high + 1)]


def _names(text: str) -> list[tuple[str, str]]:
    """Names of one cell, each with what it was before it was made to fit (empty when it did)."""
    if not text:
        return []
    match = _NAMES.match(text)
    if match is None:
        return [_fitting(text)]
    low, high = int(match["first"]), int(match["last"])
    if high < low:
        raise _LineError(T("paste.backwards"))
    if high - low >= MOST_NODES:
        raise _LineError(T("paste.long_range", count=high - low + 1, most=MOST_NODES))
    digits = len(match["first"])
    return [_fitting(f"{match['stem']}{number:0{digits}d}{match['end']}") for number in range(low, high + 1)]


def _fitting(text: str) -> tuple[str, str]:
    """A name that Kubernetes takes; of a domain name its first part."""
    if re.fullmatch(NAME_PATTERN, text):
        return text, ""
    fitting = label_like(text.partition(".")[0])
    if not fitting or not _HOST_NAME.match(text):
        raise _LineError(T("paste.no_name", text=text[:40]))
    return fitting, text


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= _LARGEST_PORT:
        raise _LineError(T("paste.no_port", text=text[:20]))
    return int(text)


def _roles(text: str) -> tuple[str, ...]:
    named = [word for word in re.split(r"[\s,;+/|]+", text.lower()) if word]
    known = {role.value for role in Role}
    wrong = next((word for word in named if word not in known), None)
    if wrong is not None:
        raise _LineError(T("paste.no_role", role=wrong[:30], known=", ".join(role.value for role in Role)))
    return tuple(dict.fromkeys(named))
