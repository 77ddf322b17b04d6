"""What stands below the lists of Review: the finding, or the step of the plan, that is under the cursor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.console import Group
from rich.padding import Padding
from rich.text import Text as Line

from rbdtui.findings import Finding, Severity
from rbdtui.plan.step import Change
from rbdtui.terminal_text import clean_line, clean_lines
from rbdtui.words import T
from rbdtui.workbench.review.plan_rows import Outlook, PlanRow
from rbdtui.workbench.review.plan_words import names_words, size_words
from screens.dialogs.changes import detail_text
from screens.shell.base import BaseScreen
from screens.widgets.field import severity_look
from screens.widgets.hanging import broken_page

EVIDENCE_LINES: Final = 40
Part = tuple[int, Line]
"""A paragraph with how far it is set in."""


def drawn(parts: Iterable[Part], cells: int) -> Group:
    """The parts below each other, what does not fit into so many cells going on below itself."""
    return Group(*(Padding(broken_page(line, cells - indent), (0, 0, 0, indent)) for indent, line in parts))


def plain(parts: Iterable[Part]) -> str:
    """The parts as text."""
    return "\n".join(" " * indent + row for indent, line in parts for row in line.plain.split("\n"))


def finding_page(screen: BaseScreen[Any], finding: Finding, nodes: Sequence[str] = ()) -> list[Part]:
    """All that is known of a finding, and what to do about it; with all ``nodes`` on which it is the same."""
    colour, sign = severity_look(screen, finding.severity)
    weight = "bold " if finding.severity is not Severity.INFO else ""
    parts = [
        (0, Line.assemble((f"{sign} ", f"bold {colour}"), (clean_line(str(finding.message)), weight.strip()))),
        (2, Line(f"{finding.code}  {clean_line(str(finding.place))}".rstrip(), style="dim")),
    ]
    if finding.acknowledged:
        parts.append((2, Line(clean_line(str(T("review.acknowledged", reason=finding.acknowledged))))))
    if finding.evidence:
        parts += [(2, Line(line, style="dim")) for line in clean_lines(finding.evidence.rstrip(), EVIDENCE_LINES)]
    parts.append((2, Line(clean_line(str(finding.remedy)))))
    if len(nodes) > 1:
        parts.append((2, Line(clean_line(str(T("review.same_on", nodes=", ".join(nodes)))), style="dim")))
    return parts


def step_page(screen: BaseScreen[Any], row: PlanRow, *, asking: bool) -> list[Part]:
    """What a kind of step does, when, how long it takes, and what it would change on which nodes."""
    after = ", ".join(str(title) for title in row.after)
    parts = [(0, Line(str(row.title), style=screen.style("accent", bold=True)))]
    if after:
        parts[0][1].append(f"   {T('review.after', steps=after)}", style="not bold dim")
    if row.is_slow:
        parts.append((0, Line(str(T(f"review.slow.{row.name}")))))  # words: review.slow.*
    if row.upload_mib:
        parts.append((0, Line(str(T("review.upload", size=size_words(row.upload_mib), nodes=row.to_change)))))
    if row.is_gate:
        return [*parts, (0, Line(str(T("review.gate_explain"))))]
    if not row.previewed:
        words = T("review.looking_at_changes") if asking else T("review.not_previewed")
        return [*parts, (0, Line(str(words), style="dim"))]
    for index, outlook in enumerate(row.outlooks()):
        parts += [*([(0, Line())] if index else []), *_outlook(screen, outlook)]
    return parts


def _outlook(screen: BaseScreen[Any], outlook: Outlook) -> list[Part]:
    head = Line(names_words(outlook.nodes), style="bold")
    if outlook.satisfied:
        head.append(f"   = {T('review.same')}", style=screen.style("success"))
    elif outlook.unknown is not None:
        head.append(f"   {T('review.later')}", style="not bold dim")
        return [(0, head), (2, Line(clean_line(str(outlook.unknown)), style="dim"))]
    parts = [(0, head)]
    for change in outlook.changes:
        parts += _change(screen, change)
    return parts


def _change(screen: BaseScreen[Any], change: Change) -> list[Part]:
    title = clean_line(str(change.title))
    detail = detail_text(screen, change.detail)
    detail.rstrip()
    lines = [line for line in detail.split("\n", allow_blank=True) if line.plain.strip() != title]
    return [(2, Line(title)), *((4, line) for line in lines)]
