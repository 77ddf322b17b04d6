"""Questions of a run come up in front of whatever section is seen, on every terminal that looks at the site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from rbdtui.engine.events import QuestionAsked
from rbdtui.workbench.run.run_phase import phase_of
from screens.dialogs.question import QuestionDialog
from screens.shell.base import SectionScreen

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench


def waits_for_answer(workbench: Workbench | None) -> QuestionAsked | None:
    """The oldest open question of the run under way."""
    run = workbench.run if workbench is not None else None
    if run is None or not phase_of(run).live:
        return None
    return next(iter(run.state().questions.values()), None)


def offered_question(screen: Screen[Any], workbench: Workbench | None) -> QuestionDialog | None:
    """What is to come up: an open question, unless something is in front already or the operator has put it off."""
    if not isinstance(screen, SectionScreen) or not screen.is_mounted or screen.program.too_small:
        return None
    asked = waits_for_answer(workbench)
    run = workbench.run if workbench is not None else None
    if asked is None or run is None or asked.question in run.put_off:
        return None
    return QuestionDialog(asked)
