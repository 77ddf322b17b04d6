"""What a plan amounts to, in the same words on the screen and on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rbdtui.words import T, Text
from rbdtui.workbench.review.plan_rows import PlanRow

MOST_NAMES: Final = 8
FIRST_NAMES: Final = 5
_MIB_PER_GIB: Final = 1024


def amount_words(rows: Sequence[PlanRow], nodes: int) -> Text:
    """How many steps on how many servers, and on how many of them something would be changed."""
    steps, change = sum(len(row.steps) for row in rows), sum(row.to_change for row in rows)
    later = sum(row.not_known_yet for row in rows)
    if not change and later:
        return T("review.plan.later", steps=steps, nodes=nodes, later=later)
    if not change:
        return T("review.plan.nothing", steps=steps, nodes=nodes)
    return T("review.plan.changes", steps=steps, nodes=nodes, change=change)


def slow_words(rows: Sequence[PlanRow]) -> Text:
    """What will take long, with what there is to be carried."""
    upload_mib = sum(row.upload_mib for row in rows)
    if not any(row.is_slow for row in rows):
        return T("review.plan.quick")
    if upload_mib:
        return T("review.plan.slow_upload", size=size_words(upload_mib))
    return T("review.plan.slow")


def size_words(mib: float) -> str:
    """A size as a person says it."""
    return f"{mib / _MIB_PER_GIB:.1f} GiB" if mib >= _MIB_PER_GIB else f"{mib:.0f} MiB" if mib >= 1 else "< 1 MiB"


def names_words(nodes: Sequence[str]) -> str:
    """Names of nodes, or the first of many; work of this machine has none."""
    if len(nodes) <= MOST_NAMES:
        return ", ".join(nodes) or str(T("review.whole"))
    return str(T("review.more_nodes", names=", ".join(nodes[:FIRST_NAMES]), more=len(nodes) - FIRST_NAMES))
