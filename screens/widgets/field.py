"""Fields of a form: a label, what is typed or chosen, and beneath it what is wrong with it or what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text as Line
from textual import actions, events
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from rbdtui.findings import Finding, Severity
from rbdtui.terminal_text import clean_line
from rbdtui.words import Text
from screens.terminal.theme import rich_colour
from screens.widgets.frame import signs
from screens.widgets.hanging import Sentence

LABEL_CELLS = 18
GAP_CELLS: Final = 3
"""Between the values of a choice."""
MORE_LEFT, MORE_RIGHT = "<", ">"
"""Where there is more than has room."""
_NEVER_BEGIN: Final = frozenset(("question_mark", "space"))
"""Keys that begin no value: help, and the one that chooses."""


_SCROLLS: Final = ("scroll_", "page_")
"""Actions that Textual's field inherits: in one line they do nothing, and would keep its keys from the form."""


class TextLine(Input):
    """A text field of one line, without a frame, with a cursor that stands still.

    A ``resting`` one takes letters only between Enter and Enter (or Escape), so that single keys lead elsewhere until
    then; while it is ``ready`` the first letter begins, too, in place of what stands there. The others take letters
    whenever they have the focus.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "begin_edit", "key.edit", id="edit"),
        Binding("enter", "submit", "Submit", show=False),
        Binding("escape", "end_edit", "key.done", id="done"),
        Binding("escape", "give_up_edit", "key.discard", id="discard"),
        Binding("escape", "leave_letters", "key.other_keys", id="other_keys"),
    ]

    class EditingChanged(Message):
        """Letters are taken from now on, or none any more."""

        def __init__(self, editing: bool) -> None:
            super().__init__()
            self.editing = editing

    editing: reactive[bool] = reactive(False, toggle_class="-editing")
    ready: reactive[bool] = reactive(False)
    """Whether the first letter that is typed begins to edit."""
    _before: str | None = None
    """What the first letter took the place of."""

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        password: bool = False,
        resting: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(
            value, placeholder=placeholder, password=password, compact=True, select_on_focus=False, id=id,
            classes=classes,
        )  # fmt: skip
        self._resting = resting
        self.set_reactive(TextLine.editing, not resting)
        self.set_class(not resting, "-editing")
        self.cursor_blink = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """At rest nothing edits; Enter and Escape are for resting fields, and up and down lead from field to field."""
        if action in ("scroll_up", "scroll_down"):
            return False
        if action == "begin_edit":
            return not self.editing
        if action == "end_edit":
            return self.editing and self._resting and self._before is None
        if action == "give_up_edit":
            return self.editing and self._before is not None
        if action == "leave_letters":
            return self.ready and not self.editing
        return self.editing and not action.startswith(_SCROLLS)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """At rest no key is taken, unless a letter begins to edit."""
        taken = self.editing or (self.ready and key not in _NEVER_BEGIN)
        return taken and super().check_consume_key(key, character)

    async def _on_key(self, event: events.Key) -> None:
        """At rest no letter is taken; keys that act here act before the letters that were typed after them.

        Textual runs the action of a key only once the key has gone up to the program, and what a slow line delivers
        at a stroke would overtake it.
        """
        event.prevent_default()
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            _, action, parameters = actions.parse(binding.action)
            if self.check_action(action, parameters):
                event.stop()
                await self.run_action(binding.action)
                return
        if self.ready and not self.editing and event.is_printable and event.key not in _NEVER_BEGIN:
            self._before = self.value
            self.editing = True
            self.action_select_all()
        if self.editing:
            await super()._on_key(event)

    def _on_blur(self, event: events.Blur) -> None:
        """Another field has the cursor now, unless it is only the terminal that somebody looked away from."""
        if self._resting and self.app.app_focus:
            self.editing = False

    def watch_editing(self) -> None:
        """Say the keys anew; a field that is done leaves the next letter to the screen."""
        if not self.editing:
            self.ready, self._before = False, None
        self.post_message(self.EditingChanged(self.editing))
        self.refresh_bindings()

    def watch_ready(self) -> None:
        """Say the keys anew."""
        self.refresh_bindings()

    def action_begin_edit(self) -> None:
        """Take letters from now on."""
        self.editing = True
        self.cursor_position = len(self.value)

    def action_end_edit(self) -> None:
        """Take none any more."""
        self.editing = False

    def action_give_up_edit(self) -> None:
        """Have what stood there before the first letter."""
        self.value = self._before or ""
        self.editing = False

    def action_leave_letters(self) -> None:
        """Leave letters to the screen."""
        self.ready = False

    async def action_submit(self) -> None:
        """Enter: done with this field."""
        if self._resting:
            self.editing = False
        await super().action_submit()

    def _on_paste(self, event: events.Paste) -> None:
        """Take the first line of what is pasted, without anything that acts."""
        first = next((line for line in event.text.splitlines() if line.strip()), "")
        if self.editing:
            self.insert_text_at_cursor(clean_line(first).strip())
        event.prevent_default()
        event.stop()


class Form(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Fields below each other: up and down lead from one to the next, and the one with the cursor is in sight."""


class Label(Widget, can_focus=False):
    """The word in front of a field."""

    def __init__(self, text: Text) -> None:
        super().__init__(classes="field-label")
        self._text = text

    def render(self) -> RenderResult:
        """The word, cut to its column."""
        word = str(self._text)
        return Line(word if cell_len(word) <= self.size.width else set_cell_size(word, self.size.width))


class Verdict(Sentence, can_focus=False):
    """What is wrong with a field, and what to do; nothing when it is right, or a hint."""

    findings: reactive[tuple[Finding, ...]] = reactive((), layout=True)
    hint: reactive[Text | None] = reactive(None, layout=True)
    good: reactive[bool] = reactive(False)
    """Whether the hint says that the field has been found to be right."""

    def sentence(self) -> Line:
        """The worst finding with its remedy, else the hint."""
        worst = worst_of(self.findings)
        if worst is None:
            line = Line()
            line.append(f"{signs(self).ok} " if self.good else "", style=rich_colour(self.app, "success"))
            return line.append(str(self.hint or ""), style="dim")
        colour, sign = severity_look(self, worst.severity)
        line = Line(f"{sign} {worst.message}", style=colour)
        line.append(f"\n{worst.remedy}", style="not bold default")
        return line

    def watch_findings(self) -> None:
        """Take no room when there is nothing to say."""
        self.display = bool(self.findings or self.hint)

    def watch_hint(self) -> None:
        """As above."""
        self.watch_findings()


def worst_of(findings: Sequence[Finding]) -> Finding | None:
    """The most severe of the findings, the first of its kind."""
    return min(findings, key=lambda finding: finding.severity.rank, default=None)


def severity_look(widget: Widget, severity: Severity) -> tuple[str, str]:
    """Colour and sign of a severity."""
    glyphs = signs(widget)
    names = {
        Severity.ERROR: ("error", glyphs.bad),
        Severity.WARNING: ("warning", glyphs.warn),
        Severity.INFO: ("secondary", glyphs.off),
    }
    name, sign = names[severity]
    return rich_colour(widget.app, name), sign


class Field(Widget):
    """A labelled text field with its verdict; says `Changed` for every letter."""

    class Changed(Message):
        """Something was typed into the field."""

        def __init__(self, field: Field, value: str) -> None:
            super().__init__()
            self.field, self.value = field, value

    class Submitted(Message):
        """Enter was pressed; comes after all that `Changed` had to say."""

        def __init__(self, field: Field, value: str) -> None:
            super().__init__()
            self.field, self.value = field, value

    def __init__(
        self,
        label: Text,
        *,
        path: str = "",
        hint: Text | None = None,
        password: bool = False,
        resting: bool = False,
        line: TextLine | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id)
        self._label, self._hint = label, hint
        self.line = line or TextLine(password=password, resting=resting)
        """The text field itself."""
        self.path = path
        """The field of cluster.yaml that it edits."""
        self._known: str | None = None
        """What was shown last, or taken over last of what was typed."""
        self._typed: list[str] = []
        """What was told of and has not been shown yet, the oldest first."""

    def compose(self) -> ComposeResult:
        """Label, line and verdict."""
        yield Label(self._label)
        yield self.line
        yield Verdict()

    def on_mount(self) -> None:
        """Show the hint."""
        self.query_one(Verdict).hint = self._hint

    @property
    def value(self) -> str:
        """What is in the field."""
        return self.line.value

    def show(self, value: str, findings: Sequence[Finding] = ()) -> None:
        """Show a value and what is wrong with it.

        One that is only what was typed a moment ago, or nothing new, leaves what has been typed since alone.
        """
        told = [typed.strip() for typed in self._typed]
        if value.strip() in told:
            del self._typed[: told.index(value.strip()) + 1]
        elif value != self._known:
            self._typed.clear()
            with self.line.prevent(Input.Changed):
                self.line.value = value
            if not self.line.has_focus:
                self.line.cursor_position = len(value)  # whoever comes in goes on behind it
        self._known = value
        self.query_one(Verdict).findings = tuple(findings)

    def advise(self, hint: Text | None, *, good: bool = False) -> None:
        """Say something else beneath it, as long as nothing is wrong; ``good`` when that is how it should be."""
        verdict = self.query_one(Verdict)
        verdict.hint, verdict.good = hint, good

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass a change on."""
        event.stop()
        self._typed.append(event.value)
        self.post_message(self.Changed(self, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Tell of Enter behind the letters that were typed before it."""
        self.post_message(self.Submitted(self, event.value))


class ChoiceLine(Widget, can_focus=True):
    """One of a few values, side by side; left, right and space choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "key.choose", id="choose"),
        Binding("right", "step(1)", "key.choose", id="choose"),
        Binding("space", "step(1)", "key.choose", id="choose", show=False),
    ]
    value: reactive[str] = reactive("")

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, choice: ChoiceLine, value: str) -> None:
            super().__init__()
            self.choice, self.value = choice, value

    def __init__(
        self,
        values: Sequence[str],
        word: Callable[[str], Text | str] = str,
        *,
        path: str = "",
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id, classes="field-line")
        self._values, self._word = tuple(values), word
        self.path = path

    def render(self) -> RenderResult:
        """The values, the chosen one marked by a sign and by weight; signs at the ends where there are more."""
        glyphs, (first, end) = signs(self), self._in_sight()
        line = Line(f"{MORE_LEFT} " if first else "", no_wrap=True)
        for place, value in enumerate(self._values[first:end], first):
            chosen = value == self.value
            style = f"bold {rich_colour(self.app, 'accent')}" if chosen else "dim"
            line.append(" " * GAP_CELLS if place > first else "")
            line.append(f"{glyphs.chosen if chosen else glyphs.other} {self._word(value)}", style=style)
        return line.append(f" {MORE_RIGHT}" if end < len(self._values) else "")

    def _in_sight(self) -> tuple[int, int]:
        """Place of the first value that has room, and of the one behind the last; the chosen one is among them."""
        at, room = self._values.index(self.value) if self.value in self._values else 0, self.content_size.width
        first, end = 0, len(self._values)
        while end > at + 1 and self._cells(first, end) > room:
            end -= 1
        while first < at and self._cells(first, end) > room:
            first += 1
        return first, end

    def _cells(self, first: int, end: int) -> int:
        words = sum(cell_len(str(self._word(value))) + 2 for value in self._values[first:end])
        return words + GAP_CELLS * (end - first - 1) + (2 if first else 0) + (2 if end < len(self._values) else 0)

    def action_step(self, by: int) -> None:
        """Choose the next value, or the one before."""
        index = self._values.index(self.value) if self.value in self._values else -by if by > 0 else 0
        self.choose(self._values[(index + by) % len(self._values)])

    def choose(self, value: str) -> None:
        """Choose a value as if by key."""
        self.value = value
        self.post_message(self.Changed(self, value))

    def on_click(self, event: events.Click) -> None:
        """Choose the value under the mouse."""
        at, (first, end) = event.get_content_offset(self), self._in_sight()
        start = 2 if first else 0
        for value in self._values[first:end]:
            width = cell_len(str(self._word(value))) + 2 + GAP_CELLS
            if at is not None and start <= at.x < start + width:
                self.choose(value)
                return
            start += width


class Choice(Widget):
    """A labelled `ChoiceLine` with its verdict."""

    def __init__(
        self,
        label: Text,
        values: Sequence[str],
        word: Callable[[str], Text | str] = str,
        *,
        path: str = "",
        hint: Text | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id)
        self._label, self._values, self._word, self._hint = label, values, word, hint
        self.path = path

    def compose(self) -> ComposeResult:
        """Label, values and verdict."""
        yield Label(self._label)
        yield ChoiceLine(self._values, self._word, path=self.path)
        yield Verdict()

    def on_mount(self) -> None:
        """Show the hint."""
        self.query_one(Verdict).hint = self._hint

    @property
    def line(self) -> ChoiceLine:
        """The values."""
        return self.query_one(ChoiceLine)

    def advise(self, hint: Text | None, *, good: bool = False) -> None:
        """Say something else beneath it, as long as nothing is wrong; ``good`` when that is how it should be."""
        verdict = self.query_one(Verdict)
        verdict.hint, verdict.good = hint, good

    def show(self, value: str, findings: Sequence[Finding] = ()) -> None:
        """Show what is chosen and what is wrong with it."""
        self.line.value = value
        self.query_one(Verdict).findings = tuple(findings)
