"""What a plan amounts to is never said to be nothing while something is not known yet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.plan.preview import PreviewedStep
from rbdtui.words import T
from rbdtui.workbench.review.plan_rows import PlanRow, plan_rows
from rbdtui.workbench.review.plan_words import amount_words
from tests.screens.reviewing import in_state


@pytest.fixture
def rows(tmp_path: Path) -> tuple[PlanRow, ...]:
    """A plan of which everything is up to date."""
    seen = in_state(tmp_path, "unchanged").preflight
    assert seen.plan is not None
    return plan_rows(seen.plan, seen.previewed)


def with_open_step(rows: tuple[PlanRow, ...]) -> tuple[PlanRow, ...]:
    *others, last = rows
    open_yet = tuple(PreviewedStep(step, satisfied=False, unknown=T("review.later")) for step in last.steps)
    return (*others, replace(last, previewed=open_yet))


def test_nothing_is_said_to_change_only_when_all_of_it_is_known(rows: tuple[PlanRow, ...]) -> None:
    assert amount_words(rows, 4).key == "review.plan.nothing"
    words = amount_words(with_open_step(rows), 4)
    assert words.key == "review.plan.later"
    assert words.params["later"] == len(rows[-1].steps)
    assert "up to date" not in str(words)
