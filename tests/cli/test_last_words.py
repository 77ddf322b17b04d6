"""The last word on a run: only an installation is said to be taken up where it ended."""

from __future__ import annotations

import pytest

from rbdtui.cli.lanes import record_lines
from rbdtui.engine.events import Record, RunFinished, RunOutcome
from rbdtui.engine.state import RunState
from rbdtui.words import LANGUAGES, use_language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", list(RunOutcome))
@pytest.mark.parametrize("installs", [True, False])
def test_what_can_be_gone_on_with_is_said_to_be(language: str, outcome: RunOutcome, installs: bool) -> None:
    use_language(language)
    record = Record(2, 0.0, RunFinished(outcome, 3, 61.0))
    (line,) = record_lines(record, RunState(), installs=installs)
    goes_on = installs and outcome in (RunOutcome.FAILED, RunOutcome.STOPPED)
    assert ("rbdtui run" in line) == goes_on
