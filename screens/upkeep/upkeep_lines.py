"""Lines and details of the upkeep: one of a snapshot, one of a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rbdtui.plan.snapshots import SnapshotState
from rbdtui.sizes import size_of
from rbdtui.words import T, Text
from rbdtui.workbench.live.node_rows import Mark as Standing
from rbdtui.workbench.upkeep.certificate_survey import CertificateLine
from rbdtui.workbench.upkeep.snapshot_survey import age_of
from rbdtui.workbench.upkeep.upkeep import ServerLine, SnapshotLine
from screens.terminal import clock
from screens.widgets.canvas import Span, Spans, cut
from screens.widgets.marks import Mark

Row = SnapshotLine | ServerLine | CertificateLine
_GOOD: Final = Mark("✓", "+", "success")
_OPEN: Final = Mark("?", "?", "warning")
_BAD: Final = Mark("✗", "x", "error")
_NONE: Final = Mark("–", "-", "muted")
_STATES: Final = {
    SnapshotState.WHOLE: _GOOD,
    SnapshotState.ZIP: _OPEN,
    SnapshotState.PART: _OPEN,
    SnapshotState.CUT: _BAD,
    SnapshotState.DAMAGED: _BAD,
}
_WIDE: Final = 58
"""Cells of a line in which there is room for the date with its year, and for the size."""


def _columns(texts: Iterable[tuple[str, str, int]], width: int, *, ascii_only: bool) -> Spans:
    """Texts with their looks and cells side by side, as far as there is room."""
    spans, x = [], 1
    for text, look, cells in texts:
        room = min(cells, width - x)
        if room <= 0:
            break
        spans.append(Span(x, cut(text, room, "~" if ascii_only else "…"), look, room))
        x += room + 2
    return tuple(spans)


def snapshot_spans(line: SnapshotLine, at: float, width: int, *, ascii_only: bool) -> Spans:
    """When it was taken, how old and large it is, what it is worth, where it lies."""
    taken, mark = clock.day(line.taken_at), _STATES[line.state]
    word = f"{mark.sign(ascii_only=ascii_only)} {T(f'upkeep.state.{line.state.value}')}"  # words: upkeep.state.*
    wide = width >= _WIDE
    texts = [
        (taken if wide else taken[5:], "", 16 if wide else 11),
        (str(age_of(at - line.taken_at)), "muted", 8),
        *([(size_of(line.size_bytes), "muted", 8)] if wide else []),
        (word, mark.look, 12 if wide else 10),
        (_places(line), "", 200),
    ]
    return _columns(texts, width, ascii_only=ascii_only)


def _places(line: SnapshotLine) -> str:
    return ", ".join(place or str(T("upkeep.here")) for place in line.places)


def snapshot_details(line: SnapshotLine, at: float) -> Iterable[tuple[Text, str]]:
    """What it is worth, and what restoring it would mean."""
    yield Text(f"snapshots.state.{line.state.value}"), _STATES[line.state].look  # words: snapshots.state.*
    servers = ", ".join(place for place in line.places if place)
    size = size_of(line.size_bytes)
    if servers:
        yield T("upkeep.lies_on", nodes=servers, size=size), ""
    if "" in line.places:
        yield T("upkeep.lies_here", size=size), ""
    else:
        yield T("upkeep.no_copy"), "muted"
    if line.can_be_restored:
        yield T("upkeep.restoring", age=age_of(at - line.taken_at)), "muted"


def server_spans(line: ServerLine, width: int, *, ascii_only: bool) -> Spans:
    """Its name, whether it answers, its member of etcd, and whether it can leave."""
    answers, etcd, leaves = _answers(line), _etcd(line), _leaves(line)
    told = [(f"{mark.sign(ascii_only=ascii_only)} {word}", mark.look) for mark, word in (answers, etcd, leaves)]
    name = 16 if width >= _WIDE else 10
    return _columns(
        [(line.node, "", name), (*told[0], 12), (*told[1], 12), (*told[2], 40)], width, ascii_only=ascii_only
    )


def _answers(line: ServerLine) -> tuple[Mark, Text]:
    return (_GOOD, T("upkeep.answers")) if line.silent is None else (_BAD, T("upkeep.silent"))


def _etcd(line: ServerLine) -> tuple[Mark, Text | str]:
    if line.etcd is None:
        return _NONE, "etcd"
    if line.etcd.errors or not line.etcd.has_leader:
        return _BAD, "etcd"
    return _GOOD, "etcd"


def _leaves(line: ServerLine) -> tuple[Mark, Text]:
    return (_NONE, T("upkeep.may_leave")) if line.stays is None else (_OPEN, T("upkeep.is_needed"))


def server_details(line: ServerLine) -> Iterable[tuple[Text, str]]:
    """What it is, what is wrong with it, and what keeps it from leaving."""
    yield T("upkeep.roles", roles=", ".join(role.value for role in line.roles)), ""
    if line.silent is not None:
        yield line.silent, "error"
    elif line.etcd is not None and not line.is_well:
        yield T("upkeep.member_unwell", said="; ".join(line.etcd.errors) or "no leader"), "error"
    if line.stays is not None:
        yield line.stays, "warning"
        if line.remedy is not None:
            yield line.remedy, "muted"
    elif line.silent is not None:
        yield T("upkeep.leaves_dead"), "muted"
    else:
        yield T("upkeep.leaves"), "muted"


def certificate_name(line: CertificateLine) -> str:
    """Where it lies, and what it is for."""
    kind = Text(f"certs.kind.{line.kind}")  # words: certs.kind.*
    return f"{line.node}: {kind}" if line.node else str(kind)


def certificate_spans(line: CertificateLine, at: float, width: int, *, ascii_only: bool) -> Spans:
    """When it ends, how long that is, where it lies, what it is for."""
    left = line.days_left(at)
    mark = _BAD if left < 0 else _OPEN if line.is_soon(at) else _GOOD
    days = f"{mark.sign(ascii_only=ascii_only)} {T('certs.days', count=left)}"
    kind = Text(f"certs.kind.{line.kind}")  # words: certs.kind.*
    where = line.node or str(T("upkeep.here"))
    texts = [(clock.day(line.end)[:10], "", 10), (days, mark.look, 10), (where, "", 16 if width >= _WIDE else 10)]
    return _columns([*texts, (str(kind), "", 60)], width, ascii_only=ascii_only)


def certificate_details(line: CertificateLine, at: float) -> Iterable[tuple[Text, str]]:
    """Until when it is good, and what renews it."""
    date, left = clock.day(line.end), line.days_left(at)
    if left < 0:
        yield T("upkeep.expired", date=date, file=line.first), "error"
    else:
        said = T("upkeep.first_ends", count=line.count, date=date, file=line.first)
        if line.count == 1:
            said = T("upkeep.ends", date=date, file=line.first)
        yield said, "warning" if line.is_soon(at) else ""
    if line.renewed_from is not None:
        yield T("upkeep.renews_itself", date=clock.day(line.renewed_from)[:10]), "muted"
    else:
        yield Text(f"upkeep.renewing.{line.kind}"), "muted"  # words: upkeep.renewing.*


def mark_of(row: Row, at: float) -> Standing:
    """Whether something is wrong with what stands in a row."""
    if isinstance(row, SnapshotLine):
        is_well = row.can_be_restored
    elif isinstance(row, CertificateLine):
        is_well = not row.is_soon(at)
    else:
        is_well = row.is_well
    return Standing.OK if is_well else Standing.WARNING


def same_row(row: Row, other: Row) -> bool:
    """Whether two rows tell of one thing, as it was and as it is."""
    return _identity(row) == _identity(other)


def _identity(row: Row) -> tuple[str, ...]:
    if isinstance(row, SnapshotLine):
        return ("snapshot", row.name)
    return ("certificate", row.node, row.kind) if isinstance(row, CertificateLine) else ("server", row.node)


def searched(row: Row, addresses: Mapping[str, str]) -> str:
    """All of a row that is searched: names, dates, states, and the addresses of servers by their names."""
    if isinstance(row, SnapshotLine):
        state = str(T(f"upkeep.state.{row.state.value}"))  # words: upkeep.state.*
        places = [f"{place} {addresses.get(place, '')}" for place in row.places]
        return " ".join([row.name, clock.day(row.taken_at), state, _places(row), *places])
    if isinstance(row, CertificateLine):
        where = row.node or str(T("upkeep.here"))
        return " ".join([where, addresses.get(row.node, ""), certificate_name(row), row.first, clock.day(row.end)])
    told = [str(word) for _, word in (_answers(row), _etcd(row), _leaves(row))]
    return " ".join([row.node, addresses.get(row.node, ""), *(role.value for role in row.roles), *told])
