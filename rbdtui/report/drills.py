"""The failover drills of a site, as lines of a report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rbdtui.drill.record import Outcome, PartResult, Record, records
from rbdtui.masking import mask
from rbdtui.report.model import DrillLine
from rbdtui.words import T, Text


def drill_lines(site_dir: Path) -> Iterator[DrillLine]:
    """Each part of each drill, oldest first; a file that cannot be read is left out."""
    for record in records(site_dir):
        for part in record.parts:
            yield _line(record, part)


def _line(record: Record, part: PartResult) -> DrillLine:
    known = [gap.gap_s for gap in part.gaps]
    lasting = [gap for gap in known if gap is not None]
    return DrillLine(
        title=Text(f"report.drill.{part.part.value}", {"node": part.node}),  # words: report.drill.*
        passed=part.outcome is Outcome.PASSED,
        result=_result(record, part),
        gap_s=max(lasting) if lasting and len(lasting) == len(known) else None,
        at=part.began_at,
    )


def _result(record: Record, part: PartResult) -> Text:
    if part.outcome is not Outcome.PASSED and record.stopped:
        left = ", ".join(f"{each.unit} ({each.node})" for each in record.stopped)
        return T("report.drill.not_restored", units=left)
    if part.outcome is Outcome.INTERRUPTED:
        return T("report.drill.interrupted")
    if part.reason:
        return T("report.drill.reason", reason=mask(part.reason)[:500])
    gaps = ", ".join(f"{gap.address}:{gap.port} {_seconds(gap.gap_s)}" for gap in part.gaps)
    normal = _seconds(part.normal_after_s)
    if part.took_over:
        return T("report.drill.taken", node=part.took_over, gaps=gaps, normal=normal)
    return T("report.drill.gaps", gaps=gaps, normal=normal)


def _seconds(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f} s"
