"""Addresses and names of one cell, which may be ranges: ``10.0.0.11-13``, ``10.0.0.[11-13,20]``, ``node[01:03]``."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Final

from rbdtui.importers.imported import ImportedNode, LineError
from rbdtui.spec.values import MAX_NODES, NAME_PATTERN, is_ipv4, label_like
from rbdtui.words import T

TO: Final = r"\s*(?:-|–|\.\.|:|~|至|到)\s*"
"""What people write between the ends of a range."""
_SPAN: Final = re.compile(
    r"(?P<first>[0-9]{1,3}(?:\.[0-9]{1,3}){3})\s*(?:-|–|\.\.|~|至|到)\s*(?P<last>[0-9.]{1,15})\Z", re.ASCII
)
_WHERE: Final = re.compile(
    r"(?:(?P<user>[^@\s]{1,64})@)?(?P<address>[0-9]+(?:\.[0-9]+){2,})(?:/(?P<prefix>[0-9]{1,2}))?(?::(?P<port>[0-9]{1,5}))?\Z",
    re.ASCII,
)
_IN_BRACKETS: Final = re.compile(
    r"(?P<stem>[^\[\]{}]*)(?:\[(?P<square>[^\[\]{}]{1,200})\]|\{(?P<curly>[^\[\]{}]{1,200})\})(?P<end>[^\[\]{}]*)\Z"
)
_SECTION: Final = re.compile(rf"(?P<first>[0-9]{{1,6}})(?:{TO}(?P<last>[0-9]{{1,6}}))?\Z", re.ASCII)
_BEGINS_ADDRESS: Final = re.compile(r"(?:[^@\s]{1,64}@)?[0-9]{1,3}(?:\.[0-9]{1,3}){0,2}\.[0-9]{0,2}\Z", re.ASCII)
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}\Z", re.ASCII)
_IPV6: Final = re.compile(r"(?=[^:]*:[^:]*:)[0-9a-fA-F:.]{2,45}(?:%\w{1,32})?(?:/[0-9]{1,3})?\Z", re.ASCII)
_LOOPBACK: Final = re.compile(r"127\.0\.[01]\.1\Z|0\.0\.0\.0\Z|255\.255\.255\.255\Z", re.ASCII)
_LOOPBACK_IPV6: Final = re.compile(r"::1?\Z|f[ef]0[0-9]::", re.IGNORECASE)
_LARGEST_PORT: Final = 65535


def addresses_in(text: str) -> list[str]:
    """The addresses of a range such as ``10.0.0.11-13``; none when it is no range that can be used."""
    text = text.strip()
    try:
        return [place.address for place in places_of(text)] if _is_range(text) else []
    except LineError:
        return []


def looks_like_address(cell: str) -> bool:
    """Whether a cell is meant as an address or a range of them."""
    if _WHERE.match(cell) or _SPAN.match(cell) or _IPV6.match(cell):
        return True
    return _is_range(cell)


def _is_range(cell: str) -> bool:
    brackets = _IN_BRACKETS.match(cell)
    return bool(_SPAN.match(cell)) or bool(brackets and _BEGINS_ADDRESS.match(brackets["stem"]))


def places_of(text: str) -> list[ImportedNode]:
    """Where the servers of one cell are; raises `LineError`."""
    if not text:
        return []
    if _IPV6.match(text):
        raise LineError(T("paste.loopback", text=text[:40]) if _LOOPBACK_IPV6.match(text) else T("paste.ipv6"))
    if (span := _SPAN.match(text)) is not None:
        return [ImportedNode(address=address) for address in _addresses(span["first"], span["last"])]
    if _is_range(text):
        return [place for one in expanded(text) for place in places_of(one)]
    return [_place(text)]


def _place(text: str) -> ImportedNode:
    match = _WHERE.match(text)
    if match is None or not is_ipv4(match["address"]):
        raise LineError(T("paste.no_address", text=text[:40]))
    if _LOOPBACK.match(match["address"]):
        raise LineError(T("paste.loopback", text=match["address"]))
    if match["prefix"] and _is_network(match["address"], int(match["prefix"])):
        raise LineError(T("paste.network", text=text[:40]))
    port = port_of(match["port"]) if match["port"] else None
    return ImportedNode(address=match["address"], user=match["user"] or "", port=port)


def _is_network(address: str, prefix: int) -> bool:
    return prefix < 31 and int(IPv4Address(address)) % (1 << (32 - prefix)) == 0


def _addresses(first: str, last: str) -> list[str]:
    """All addresses of a range, both ends included; the last one may be its last part only."""
    last = last if last.count(".") == 3 else f"{first.rpartition('.')[0]}.{last.removeprefix('.')}"
    if not is_ipv4(first) or not is_ipv4(last):
        raise LineError(T("paste.no_range"))
    low, high = int(IPv4Address(first)), int(IPv4Address(last))
    _hold_to_limit(low, high)
    return [str(IPv4Address(number)) for number in range(low, high + 1)]


def _hold_to_limit(low: int, high: int) -> None:
    if high < low:
        raise LineError(T("paste.backwards"))
    if high - low >= MAX_NODES:
        raise LineError(T("paste.long_range", count=high - low + 1, most=MAX_NODES))


def expanded(text: str) -> list[str]:
    """A cell with brackets, once for each number that they name; other cells as they are. Raises `LineError`."""
    match = _IN_BRACKETS.match(text)
    if match is None:
        return [text]
    numbers: list[str] = []
    for section in re.split(r"\s*,\s*", (match["square"] or match["curly"]).strip()):
        ends = _SECTION.match(section)
        if ends is None:
            raise LineError(T("paste.no_numbers", text=section[:20]))
        low, high = int(ends["first"]), int(ends["last"] or ends["first"])
        _hold_to_limit(low, high)
        numbers += [f"{number:0{len(ends['first'])}d}" for number in range(low, high + 1)]
        _hold_to_limit(1, len(numbers))
    return [f"{match['stem']}{number}{match['end']}" for number in numbers]


def names_of(text: str) -> list[tuple[str, str]]:
    """Names of one cell, each with what it was before it was made to fit (empty when it did); raises `LineError`."""
    return [_fitting(name) for name in expanded(text)] if text else []


def _fitting(text: str) -> tuple[str, str]:
    """A name that Kubernetes takes; of a domain name its first part."""
    if re.fullmatch(NAME_PATTERN, text):
        return text, ""
    fitting = label_like(text.partition(".")[0])
    if not fitting or not _HOST_NAME.match(text):
        raise LineError(T("paste.no_name", text=text[:40]))
    return fitting, text


def port_of(text: str) -> int:
    """The port that a cell names; raises `LineError`."""
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= _LARGEST_PORT:
        raise LineError(T("paste.no_port", text=text[:20]))
    return int(text)
