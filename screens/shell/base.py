"""What every screen is made on, and how the screen of a section is written.

A section screen is one module ``screens/<section>.py`` with one class and one file ``assets/tcss/<section>.tcss``
(rules of all files hold everywhere, so nest them: ``NodesScreen { #table { … } }``):

    class NodesScreen(SectionScreen):
        SECTION = sections.NODES
        CSS_PATH = css("nodes")                          # optional, see `css`
        AUTO_FOCUS = "#table"
        BINDINGS = [key("a", "add", "add")]              # key, action, and its word T("key.add")

        def body(self) -> ComposeResult:                 # what stands right of the rail
            yield NodeTable(id="table")

        def refresh_view(self) -> None:                  # draw what is new; called after mounting, on every change
            self.query_one(NodeTable).show(self.workbench.draft.data, self.workbench.live)

        def action_add(self) -> None:                    # an intent
            self.workbench.change(operations.add_node)

and one line in `rbdtui.workbench.sections.SECTIONS`. Words stand in ``assets/words/{en,zh}/screens_<section>.toml``:
``section.<name>`` (rail) and ``help.<name>`` (the page behind ``?``; blank lines part paragraphs), ``key.<word>`` for
words of keys that ``screens_shell.toml`` does not have yet. Everything else comes with the base:

- ``self.workbench`` is the site (`rbdtui.workbench.workbench.Workbench`): properties are snapshots, methods return at
  once. A change calls `refresh_view` at most a few times a second, on the screen that is seen; one that comes back
  into view is called too. So `refresh_view` compares with what it drew and touches only what differs; a one-cell label
  is updated with ``layout=False``.
- Nothing is drawn from a word that was said earlier: `refresh_view` says all words anew, and after a switch of the
  language (or of ASCII) it is called with ``self.redraw`` true, when everything is to be drawn again. `Words` is a
  label that says its `Text` whenever it is drawn and needs no care.
- A section that is a form is a `screens.shell.form.FormScreen`: its fields are declared. They rest: letters are taken
  only after Enter or once the cursor was brought to them, so that single keys (1, 2, q, …) keep their meaning; in
  dialogs they take letters at once.
- Signs come from ``self.glyphs``; colours from the theme's names in tcss (``$success``, ``$text-muted``…), in a rich
  Text by ``self.style("error")``. Text of hosts goes through `rbdtui.terminal_text`; the last gate,
  for what was forgotten, is `screens.terminal.gate`.
- ``next_hint`` says quietly above the keys what leads on from here, while nothing else is said there.
- ``self.tell(T(…), bad=True)`` says a sentence above the keys until the next key; a good one goes by itself, too;
  ``await self.done(future)`` waits in a worker for a future of the workbench and tells its error.
- ``await self.program.ask(Dialog(…))`` in an ``@work`` method asks something; dialogs are `Dialog[T]`.
- `jump` is called with the field path when a finding of this section was chosen elsewhere.
- `copy_text` is what Ctrl+Y copies: what is under the cursor, as text.
- Textual calls ``on_mount`` and other handlers of every class, yours first: define yours, never call the base's.
- The classes ``-narrow`` (below 100 columns) and ``-wide``, ``-beside`` (120 and more), ``-broad`` (150), ``-low``
  (below 30 rows) and ``-tall``, ``-ascii`` and ``-colourless`` (also with sixteen colours: the cursor is told by
  reversed letters) stand on the screen for tcss.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar, cast

from rich.text import Text as Line
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from rbdtui.paths import asset
from rbdtui.terminal_text import sanitize
from rbdtui.words import Text, current_language
from screens.shell.head import head_left, head_mark, head_right, rail_entries
from screens.shell.messages import Changed
from screens.shell.next_step import next_step
from screens.shell.program import Program
from screens.terminal.theme import Glyphs
from screens.widgets.frame import HeadLine, KeyLine, MessageLine, Rail, TooSmall
from screens.widgets.hanging import Sentence

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench

R = TypeVar("R")

LEAST_COLUMNS: Final = 60
LEAST_ROWS: Final = 20
BESIDE_COLUMNS: Final = 120
"""From here on what is under the cursor stands beside the list where half of the room is enough for each."""
BROAD_COLUMNS: Final = 150
"""From here on that is so for tables, too, which then have more columns."""
NARROW_COLUMNS: Final = 72
"""In fewer the rail has keys and states alone; the name of the section stands in the line above."""
SHORT_ROWS: Final = 24
"""In fewer rows than these, pages within dialogs give up some of theirs."""


def css(*names: str) -> list[str | PurePath]:
    """Paths of style sheets for ``CSS_PATH``."""
    return [asset("tcss", f"{name}.tcss") for name in names]


def key(keys: str, action: str, word: str, *, show: bool = True, priority: bool = False) -> Binding:
    """A key whose word is ``key.<word>`` of the catalogue; shown in the line of keys unless told otherwise."""
    return Binding(keys, action, f"key.{word}", id=word, show=show, priority=priority)


class Words(Sentence):
    """A label that says its sentence whenever it is drawn, so that it follows the language."""

    DEFAULT_CSS = "Words { width: auto; height: auto; }"
    text: reactive[Text | Callable[[], Text | str | Line] | str] = reactive("", layout=True)

    def __init__(
        self,
        text: Text | Callable[[], Text | str | Line] | str = "",
        *,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.set_reactive(Words.text, text)

    def sentence(self) -> Line:
        """The sentence in the language of now."""
        said = self.text() if callable(self.text) else self.text
        return said if isinstance(said, Line) else Line(sanitize(str(said)))


class BaseScreen(Screen[R]):
    """What section screens, dialogs and the start screen share."""

    HORIZONTAL_BREAKPOINTS = [(0, "-tiny-x"), (LEAST_COLUMNS, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-tiny-y"), (LEAST_ROWS, "-low"), (30, "-tall")]  # noqa: RUF012 - as above

    redraw = False
    """Whether everything is to be drawn again: the language or the signs have changed."""
    _looks: tuple[str, bool, bool] = ("", False, False)

    @property
    def program(self) -> Program:
        """The program, as screens know it."""
        return cast("Program", self.app)

    @property
    def glyphs(self) -> Glyphs:
        """Signs for states."""
        return self.program.glyphs

    def style(self, name: str, *, bold: bool = False) -> str:
        """A rich style of the theme: ``success``, ``warning``, ``error``, ``accent``, ``muted``."""
        colour = self.program.colour(name)
        return f"bold {colour}" if bold else colour

    @property
    def help_text(self) -> Text:
        """The page behind ``?``."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """The screen, and what stands in its place while the terminal is too small."""
        yield from self.content()
        yield TooSmall()

    def content(self) -> Iterable[Widget]:
        """The screen itself."""
        raise NotImplementedError

    def refresh_view(self) -> None:
        """Draw what is new."""

    def retranslate(self) -> None:
        """Draw everything again, after the language or the signs have changed."""
        self._note_looks()
        self.redraw = True
        try:
            self.refresh_view()
        finally:
            self.redraw = False
        for widget in self.walk_children(Widget):
            widget.refresh(layout=isinstance(widget, Words))
        self.refresh(layout=True)

    def _note_looks(self) -> None:
        """Remember in which language and signs this is drawn."""
        self._looks = self._looks_now()
        self.set_class(self.program.settings.ascii_only, "-ascii")
        self.set_class(self.program.reverses, "-colourless")

    def _looks_now(self) -> tuple[str, bool, bool]:
        return current_language(), self.program.settings.ascii_only, self.program.reverses

    def on_mount(self) -> None:
        """Draw for the first time."""
        self._note_looks()
        self.refresh_view()

    def on_changed(self, message: Changed) -> None:
        """Draw what is new."""
        message.stop()
        if self.is_mounted:
            self.refresh_view()

    def on_screen_resume(self, _: events.ScreenResume) -> None:
        """Draw what has become new meanwhile."""
        if self.is_mounted and self._looks != self._looks_now():
            self.retranslate()
        elif self.is_mounted:
            self.refresh_view()

    def tell(self, text: Text | str, *, bad: bool = False) -> None:
        """Say a sentence above the keys; see `Program.tell`."""
        self.program.tell(text, bad=bad)

    async def done(self, future: Future[None]) -> bool:
        """Wait, in a worker, until something of the workbench is done; an error is told, and the answer is False."""
        try:
            await asyncio.wrap_future(future)
        except Exception as error:  # whatever it is, it has its sentence
            self.tell(self.program.sentence(error), bad=True)
            return False
        return True

    def copy_text(self) -> str:
        """What Ctrl+Y copies."""
        return self.program.text_on_screen()


class SectionScreen(BaseScreen[None]):
    """One section of a site: head, rail, body and keys."""

    SECTION: ClassVar[str] = ""
    AUTO_FOCUS = "*"

    def content(self) -> Iterable[Widget]:
        """The frame around the body."""
        yield HeadLine()
        with Horizontal(id="middle"):
            yield Rail()
            with Vertical(id="body"):
                yield from self.body()
        yield MessageLine()
        yield KeyLine()

    def body(self) -> Iterable[Widget]:
        """What stands right of the rail."""
        raise NotImplementedError

    @property
    def workbench(self) -> Workbench:
        """The site."""
        workbench = self.program.workbench
        assert workbench is not None, "a section is shown only while a site is open"
        return workbench

    @property
    def help_text(self) -> Text:
        """The page behind ``?``."""
        return Text(f"help.{self.SECTION}")  # words: help.*

    def on_mount(self) -> None:
        """Follow what may change the keys."""
        self.bindings_updated_signal.subscribe(self, lambda _: self.show_keys())
        self.draw_frame()
        self.program.keep_in_memory()

    def on_resize(self, _: events.Resize) -> None:
        """Lay out what stands beside what, and the rail."""
        columns = self.size.width
        self.set_class(columns >= BESIDE_COLUMNS, "-beside")
        self.set_class(columns >= BROAD_COLUMNS, "-broad")
        if self.is_mounted:
            self.draw_frame()

    def on_changed(self, _: Changed) -> None:
        """Draw what is new around the body."""
        self.draw_frame()
        self.program.offer_question()

    def on_screen_resume(self, _: events.ScreenResume) -> None:
        """Draw what has become new around the body meanwhile."""
        if self.is_mounted:
            self.draw_frame()
            self.program.offer_question()

    def retranslate(self) -> None:
        """Draw everything again."""
        self.draw_frame()
        super().retranslate()

    def draw_frame(self) -> None:
        """Head, rail and keys."""
        head = self.query_one(HeadLine)
        rail, narrow = self.query_one(Rail), self.size.width < NARROW_COLUMNS
        head.left = head_left(self.workbench, self.SECTION if narrow else "")
        head.right, head.mark = self.head_right(), head_mark(self.workbench)
        rail.current, rail.narrow = self.SECTION, narrow
        rail.entries = rail_entries(self.workbench)
        self.query_one(MessageLine).hint = self.next_hint
        self.show_keys()

    @property
    def next_hint(self) -> Text | None:
        """What leads on from here, said quietly above the keys while nothing else is; see `screens.shell.next_step`."""
        return next_step(self.SECTION, self.workbench)

    def head_right(self) -> str:
        """How it stands, at the right end of the line above."""
        return head_right(self.workbench)

    def show_keys(self) -> None:
        """Say the keys that do something now."""
        if self.is_mounted and self.is_current:
            self.query_one(KeyLine).keys = self.program.key_words(self)

    def jump(self, field: str) -> None:
        """Put the cursor on a field of cluster.yaml, after a finding there was chosen elsewhere."""


class Dialog(ModalScreen[R], BaseScreen[R]):
    """A question or a page in front of a screen; Escape leaves it without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape", "dismiss_none", "close", priority=True),
        Binding("ctrl+c", "app.simulate_key('escape')", show=False, priority=True),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def content(self) -> Iterable[Widget]:
        """A box in the middle, its title above and its keys below."""
        with Vertical(id="dialog"):
            yield Words(self.title_text, id="dialog-title")
            with Vertical(id="dialog-body"):
                yield from self.body()
            with Vertical(id="dialog-foot"):
                yield MessageLine()
                yield KeyLine()

    def title_text(self) -> Text | str:
        """The first line of the box: what is asked or shown."""
        raise NotImplementedError

    def body(self) -> Iterable[Widget]:
        """What stands in the box."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Follow what may change the keys."""
        self.bindings_updated_signal.subscribe(self, lambda _: self.show_keys())
        self.show_keys()

    def retranslate(self) -> None:
        """Draw everything again."""
        super().retranslate()
        self.show_keys()

    def show_keys(self) -> None:
        """Say the keys that do something now."""
        if self.is_mounted:
            self.query_one(KeyLine).keys = self.program.key_words(self)

    def on_resize(self) -> None:
        """Leave room for title and keys."""
        self.set_class(self.size.height < SHORT_ROWS, "-short")
        self._keep_in_sight()

    def on_descendant_focus(self) -> None:
        """See what has the focus."""
        self._keep_in_sight()

    def tell(self, text: Text | str, *, bad: bool = False) -> None:
        """The message takes its rows from what stands above it."""
        super().tell(text, bad=bad)
        self._keep_in_sight()

    def _keep_in_sight(self) -> None:
        """Scroll to what has the focus once the box has its new size."""
        self.call_after_refresh(self._scroll_to_focused)

    def _scroll_to_focused(self) -> None:
        """Foot and title lie over what scrolls below them; the field's hint is seen, too, where there is room."""
        focused = self.focused
        box, title, foot = (self.query_one(f"#dialog{part}") for part in ("", "-title", "-foot"))
        if focused is None or foot in focused.ancestors:
            return
        field = focused.parent if isinstance(focused.parent, Widget) else focused
        room = foot.region.y - title.region.bottom
        around = field if field.region.height <= room else focused
        below, above = around.region.bottom - foot.region.y, title.region.bottom - focused.region.y
        if below > 0:
            box.scroll_relative(y=below, animate=False, immediate=True)
        elif above > 0:
            box.scroll_relative(y=-above, animate=False, immediate=True)

    def action_dismiss_none(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


__all__ = ["LEAST_COLUMNS", "LEAST_ROWS", "BaseScreen", "Changed", "Dialog", "SectionScreen", "Words", "css", "key"]
