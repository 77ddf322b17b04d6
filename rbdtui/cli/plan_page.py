"""The plan for reading: a line for each kind of step, as on the screen; every command and difference on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from rbdtui.cli.output import pad, styled
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.step import JUMP_LANE
from rbdtui.words import T
from rbdtui.workbench.review.plan_rows import Outlook, PlanRow
from rbdtui.workbench.review.plan_words import amount_words, names_words, slow_words


def plan_lines(rows: Sequence[PlanRow], *, nodes: int, with_diff: bool) -> list[str]:
    """As many lines as there are kinds of steps, and two; with ``with_diff`` what each changes on which servers."""
    lines = row_lines(rows, with_diff=with_diff)
    return [*lines, styled(amount_words(rows, nodes)), styled(slow_words(rows))]


def row_lines(rows: Sequence[PlanRow], *, with_diff: bool) -> list[str]:
    """A line for each kind of step, and with ``with_diff`` what it changes on which servers."""
    names = max((cell_len(row.name) for row in rows), default=0) + 2
    titles = max((cell_len(str(row.title)) for row in rows), default=0) + 2
    lines: list[str] = []
    for row in rows:
        head = styled("- " if row.is_gate else "= " if _is_done(row) else "+ ")
        lines.append(head + pad(styled(row.name), names) + pad(styled(str(row.title)), titles) + _what(row))
        if with_diff and not row.is_gate:
            lines += _details(row)
    return lines


def plan_json(steps: Sequence[PreviewedStep]) -> dict[str, object]:
    """The steps and what each would change, in the shape of plan.schema.json."""
    return {"steps": [_step_json(item) for item in steps]}


def _step_json(item: PreviewedStep) -> dict[str, object]:
    changes = [{"kind": c.kind.value, "title": str(c.title), "detail": c.detail} for c in item.changes]
    step = item.step
    return {
        "id": step.id,
        "title": str(step.title),
        "node": step.node,
        "after": list(step.after),
        "satisfied": item.satisfied,
        "changes": changes,
    }


def _is_done(row: PlanRow) -> bool:
    return bool(row.previewed) and row.satisfied == len(row.previewed)


def _what(row: PlanRow) -> str:
    """What becomes of a kind of step, with the servers that it would change."""
    if row.is_gate:
        return str(T("review.gate"))
    if _is_done(row):
        return str(T("review.same"))
    changing = [seen.step.node for seen in row.previewed if seen.changes]
    open_yet = [seen.step.node for seen in row.previewed if not seen.changes and not seen.satisfied]
    parts = [(T("review.to_change", count=len(changing)), changing)] if changing else []
    parts += [(T("review.later"), open_yet)] if open_yet else []
    return "; ".join(str(T("cli.plan.on", what=what, nodes=_names(on))) for what, on in parts)


def _names(lanes: Sequence[str]) -> str:
    return names_words([lane for lane in lanes if lane != JUMP_LANE])


def _details(row: PlanRow) -> Iterator[str]:
    """What would be done, servers on which it is the same together."""
    for outlook in row.outlooks():
        if not outlook.satisfied:
            yield styled(f"    {names_words(outlook.nodes)}")
            yield from _changes(outlook)


def _changes(outlook: Outlook) -> Iterator[str]:
    if outlook.unknown is not None:
        yield styled(f"      {outlook.unknown}")
    for change in outlook.changes:
        yield styled(f"      - {change.title}")
        yield from (f"        {line}" for line in change.detail.splitlines())
