"""Questions of a run come up in front of whatever section is seen, on every terminal that looks at the site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbdtui.engine.events import QuestionAsked
from rbdtui.workbench.run_phase import phase_of
from screens.base import SectionScreen
from screens.dialogs.question import QuestionDialog

if TYPE_CHECKING:
    from screens.app import RbdTuiApp


def waits_for_answer(program: RbdTuiApp) -> QuestionAsked | None:
    """The oldest open question of the run under way."""
    run = program.workbench.run if program.workbench is not None else None
    if run is None or not phase_of(run).live:
        return None
    return next(iter(run.state().questions.values()), None)


def offer_question(program: RbdTuiApp) -> None:
    """Bring an open question up, unless something is in front already or the operator has put it off."""
    screen = program.screen
    if not isinstance(screen, SectionScreen) or not screen.is_mounted or program.too_small:
        return
    asked = waits_for_answer(program)
    run = program.workbench.run if program.workbench is not None else None
    if asked is not None and run is not None and asked.question not in run.put_off:
        program.push_screen(QuestionDialog(asked))
