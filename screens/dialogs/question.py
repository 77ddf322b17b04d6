"""A question of a run: what failed, what helps, what may be answered; gone when any terminal has answered it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import work
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.engine.events import Choice, QuestionAsked, StepFailed
from rbdtui.log_words import log_messages
from rbdtui.terminal_text import clean_lines
from rbdtui.words import T, Text
from rbdtui.workbench.run.run_view import RunFollower
from screens.shell.base import Dialog, Words, css, key
from screens.terminal import clock
from screens.widgets.choices import Choices

EVIDENCE_LINES: Final = 5
GRACE_S: Final = 0.8
"""So long a new dialog takes no answer: keys that were meant for what was there before must not decide anything."""
_LETTERS: Final = {Choice.RETRY: "r", Choice.SKIP: "k", Choice.QUARANTINE: "x", Choice.STOP: "s"}


class QuestionDialog(Dialog[None]):
    """One question; the answer is sent, and the dialog goes when the run says that it is settled."""

    CSS_PATH = css("question")
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            key(letter, f"choose('{choice.value}')", f"choose_{choice.value}", show=False)
            for choice, letter in _LETTERS.items()
        ),
        key("enter", "choose_here", "do"),
        key("escape", "dismiss_none", "later", priority=True),
    ]
    AUTO_FOCUS = "#choices"

    def __init__(self, asked: QuestionAsked) -> None:
        super().__init__()
        self.asked = asked
        self._shown_at = clock.now()
        self._sent = False

    def title_text(self) -> Text:
        """That the run asks, with the count of questions when there are several."""
        run = self._run
        count = len(run.state().questions) if run is not None else 1
        return T("question_dialog.title_of_more", count=count) if count > 1 else T("question_dialog.title")

    def body(self) -> Iterable[Widget]:
        """What failed, what helps, what the host said, and what can be answered."""
        yield Words(self.asked.text, id="asked")
        yield Words(self._remedy, id="remedy")
        yield Words(self._evidence, id="evidence")
        yield Choices(id="choices", compact=True, markup=False)

    @property
    def _run(self) -> RunFollower | None:
        workbench = self.program.workbench
        return workbench.run if workbench is not None else None

    def _failure(self) -> StepFailed | None:
        run = self._run
        step = run.state().steps.get(self.asked.step) if run is not None else None
        return step.failure if step is not None else None

    def _evidence(self) -> Line:
        failure = self._failure()
        said = log_messages(failure.evidence.rstrip()) if failure is not None else ""
        lines = clean_lines(said) if said else []
        return Line("\n".join(lines[-EVIDENCE_LINES:]), style="dim")

    def _remedy(self) -> Text | str:
        failure = self._failure()
        return failure.remedy if failure is not None else ""

    def on_mount(self) -> None:
        """Leave out what has nothing to say."""
        failure = self._failure()
        self.query_one("#evidence").display = failure is not None and bool(failure.evidence.strip())
        self.query_one("#remedy").display = failure is not None

    def refresh_view(self) -> None:
        """Go when the question is settled; else say the choices."""
        run = self._run
        if run is None or self.asked.question not in run.state().questions or not run.alive:
            self._settled(run)
            return
        choices = self.query_one("#choices", OptionList)
        if choices.option_count and not self.redraw:
            return
        before = choices.highlighted
        choices.clear_options()
        choices.add_options([Option(self._line(choice), id=choice.value) for choice in self.asked.choices])
        choices.highlighted = before or 0

    def _line(self, choice: Choice) -> Line:
        line = Line()
        line.append(f" {_LETTERS[choice]}  ", style=self.style("accent", bold=True))
        line.append(
            str(T(f"question_dialog.choice.{choice.value}")), style="default"
        )  # words: question_dialog.choice.*
        return line

    def _settled(self, run: RunFollower | None) -> None:
        """Say who was faster, where it was somebody else."""
        if not self.is_current:
            return
        self.dismiss(None)
        answer = run.state().answers.get(self.asked.question) if run is not None else None
        if answer is not None and not self._sent:
            choice = T(f"run.choice.{answer.choice.value}")  # words: run.choice.*
            program = self.program
            self.app.call_later(program.tell, T("question_dialog.settled", choice=choice, by=answer.by))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what may be answered."""
        return action != "choose" or str(parameters[0]) in [choice.value for choice in self.asked.choices]

    def action_choose(self, choice: str) -> None:
        """Answer by letter."""
        self._answer(Choice(choice))

    def action_choose_here(self) -> None:
        """Answer with what is under the cursor."""
        self.query_one("#choices", OptionList).action_select()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with what was chosen."""
        event.stop()
        self._answer(Choice(str(event.option_id)))

    def _answer(self, choice: Choice) -> None:
        run = self._run
        if run is None or self._sent or clock.now() - self._shown_at < GRACE_S:
            return
        self._sent = True
        self.tell(T("question_dialog.sent"))
        self._send(run, choice)

    @work(exit_on_error=False)
    async def _send(self, run: RunFollower, choice: Choice) -> None:
        question = self.asked.question
        self._sent = await self.done(run.send(lambda client: client.answer(question, choice)))

    def action_dismiss_none(self) -> None:
        """Put it off: the run waits, and ``a`` on its screen brings the question back."""
        if self._run is not None:
            self._run.put_off.add(self.asked.question)
        self.dismiss(None)
