"""Sets of MySQL's global transaction identifiers, as a server writes them: ``UUID:1-5:7,UUID:1``.

Source: MySQL reference manual, 17.1.3.1, GTID Format and Storage. Tags (8.3 and later) are not read.
"""

from __future__ import annotations

from collections.abc import Mapping

GtidSet = Mapping[str, tuple[tuple[int, int], ...]]
"""By the server that they come from, intervals of numbers with both ends, in order."""


def parse_gtids(text: str) -> GtidSet:
    """Read a set; raises `ValueError`."""
    found: dict[str, list[tuple[int, int]]] = {}
    for part in filter(None, (part.strip() for part in text.replace("\n", "").split(","))):
        server, *intervals = part.split(":")
        for interval in intervals:
            first, _, last = interval.partition("-")
            found.setdefault(server.lower(), []).append((int(first), int(last or first)))
    return {server: tuple(sorted(intervals)) for server, intervals in found.items()}


def missing_gtids(wanted: GtidSet, present: GtidSet) -> GtidSet:
    """Those of one set that are not in the other."""
    left = {server: _without(intervals, present.get(server, ())) for server, intervals in wanted.items()}
    return {server: intervals for server, intervals in left.items() if intervals}


def _without(
    intervals: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    left: list[tuple[int, int]] = []
    for first, last in intervals:
        begin = first
        for other_first, other_last in others:
            if other_last < begin or other_first > last:
                continue
            if other_first > begin:
                left.append((begin, other_first - 1))
            begin = other_last + 1
        if begin <= last:
            left.append((begin, last))
    return tuple(left)


def count_gtids(gtids: GtidSet) -> int:
    """How many transactions a set has."""
    return sum(last - first + 1 for intervals in gtids.values() for first, last in intervals)


def shown_gtids(gtids: GtidSet) -> str:
    """As a server writes it."""
    return ",".join(
        ":".join([server, *(str(first) if first == last else f"{first}-{last}" for first, last in intervals)])
        for server, intervals in gtids.items()
    )
