"""What all writers of a report put into words in the same way."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from rbdtui.findings import Severity
from rbdtui.probes.model import Health
from rbdtui.report.lanes import took
from rbdtui.report.model import Report, RunPart
from rbdtui.sizes import size_of
from rbdtui.words import T, Text
from rbdtui.workbench.run.run_phase import RunPhase
from rbdtui.workbench.run.timeline import Tone

MOST_COLUMNS: Final = 7
"""Nodes that a table of steps has columns for."""


def day_and_time(at: float) -> str:
    """A moment on this machine's clock, with its distance from UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))


def short_time(at: float) -> str:
    """The same where the distance from UTC stands elsewhere."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def bytes_words(count: int) -> str:
    """A size; a dash where none is known."""
    return size_of(count) if count else "–"


def verdicts(report: Report) -> Sequence[tuple[Text, Tone]]:
    """How it stands in a few words: the installation, the health, what is left to be fixed."""
    found: list[tuple[Text, Tone]] = []
    newest = report.runs[0] if report.runs else None
    if newest is None:
        found.append((T("report.verdict.not_installed"), Tone.WARN))
    else:
        tone = {RunPhase.DONE: Tone.GOOD, RunPhase.FAILED: Tone.BAD}.get(newest.phase, Tone.WARN)
        found.append((Text(f"report.verdict.run_{newest.phase.value}"), tone))  # words: report.verdict.*
    if report.health is not None:
        tones = {Health.OK: Tone.GOOD, Health.DEGRADED: Tone.WARN, Health.DOWN: Tone.BAD}
        health = report.health.health
        found.append((Text(f"report.verdict.health_{health.value}"), tones.get(health, Tone.WARN)))
    else:
        found.append((T("report.verdict.health_not_asked"), Tone.PLAIN))
    if any(not drill.passed for drill in report.drills):
        found.append((T("report.verdict.drill_not_passed"), Tone.BAD))
    elif report.drills:
        found.append((T("report.verdict.drill_passed"), Tone.GOOD))
    return found


def figures(report: Report) -> Sequence[tuple[str, Text]]:
    """The figures at the top, each with what it counts."""
    if not report.nodes:
        return ()
    main = report.main_run
    errors = sum(finding.severity is Severity.ERROR for finding in report.findings)
    open_words = f"{errors} / {len(report.findings) - errors}"
    stopping = sum(point.loss.value == "stops" for point in report.single_points)
    return (
        (str(len(report.nodes)), T("report.figure.nodes")),
        (took(main.active_s) if main is not None else "–", T("report.figure.took")),
        (open_words, T("report.figure.findings")),
        (str(stopping), T("report.figure.single_points")),
    )


def durations(run: RunPart) -> Mapping[tuple[str, str], float]:
    """Seconds by step and node, over all attempts."""
    found: dict[tuple[str, str], float] = {}
    for lane in run.lanes:
        for span in lane.spans:
            found[span.step, lane.node] = found.get((span.step, lane.node), 0.0) + span.end - span.start
    return found
