"""What stands around every screen: one line above, the rail of sections on the left, one line of keys below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text as Line
from textual import events
from textual.app import RenderResult
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from rbdtui.terminal_text import sanitize
from rbdtui.words import T, Text
from rbdtui.workbench.sections import SectionState
from screens.terminal.theme import Glyphs, rich_colour
from screens.widgets.hanging import Sentence


def signs(widget: Widget) -> Glyphs:
    """The signs in use."""
    glyphs = getattr(widget.app, "glyphs", None)
    return glyphs if isinstance(glyphs, Glyphs) else Glyphs(ascii_only=False)


@dataclass(frozen=True, slots=True)
class RailEntry:
    """One section in the rail."""

    key: str
    """The key that leads there."""
    section: str
    """Its name; the words are ``section.<name>``."""
    state: SectionState = SectionState.IDLE
    problems: int = 0


class HeadLine(Widget):
    """The line above: what this is on the left, how it stands on the right."""

    left: reactive[str] = reactive("")
    """Parts with two blanks between them; the first is the name of the site."""
    mark: reactive[str] = reactive("")
    """A word that must never be overlooked, behind what stands on the left."""
    right: reactive[str] = reactive("")

    def render(self) -> RenderResult:
        """Both ends of the line, the left one cut when there is no room for both."""
        room = max(0, self.size.width - 2)
        mark = f" {self.mark} " if self.mark else ""
        right = self.right if cell_len(self.right) + cell_len(mark) + 12 < room else ""
        space = room - cell_len(right) - cell_len(mark) - (2 if mark else 0)
        left = self.left if cell_len(self.left) <= space else _cut(self.left, space)
        line = Line(f" {left}", no_wrap=True)
        line.stylize("bold", 1, 1 + len(left.split("  ")[0]))
        if mark:
            line.append("  ")
            line.append(mark, style="bold reverse")
        line.append(" " * max(0, room + 1 - cell_len(line.plain) - cell_len(right)))
        line.append(f"{right} ")
        return line


def _cut(text: str, cells: int) -> str:
    return set_cell_size(text, max(0, cells - 1)) + " " if cells > 0 else ""


class Rail(Widget, can_focus=False):
    """The sections with their keys and states."""

    entries: reactive[tuple[RailEntry, ...]] = reactive(())
    current: reactive[str] = reactive("")
    narrow: reactive[bool] = reactive(False)
    """Whether names of sections have no room."""

    class Chosen(Message):
        """A section was clicked."""

        def __init__(self, section: str) -> None:
            super().__init__()
            self.section = section

    def watch_narrow(self, narrow: bool) -> None:
        """Take no more room than is used."""
        self.set_class(narrow, "-narrow")

    def render(self) -> RenderResult:
        """One line for each section: key, name, state."""
        glyphs = signs(self)
        page = Line(no_wrap=True)
        for entry in self.entries:
            page.append_text(self._line(entry, glyphs))
            page.append("\n")
        return page

    def _line(self, entry: RailEntry, glyphs: Glyphs) -> Line:
        here = entry.section == self.current
        state, style = self._state(entry, glyphs)
        room = max(4, self.size.width - 1)
        name = "" if self.narrow else str(T(f"section.{entry.section}"))  # words: section.*
        space = max(1, room - 5 - cell_len(state))
        name = set_cell_size(name, space + 1 if cell_len(name) == space + 1 else space)
        accent = rich_colour(self.app, "accent")
        line = Line(no_wrap=True)
        line.append(glyphs.pointer if here else " ", style=f"bold {accent}")
        line.append(f"{entry.key} ", style=f"bold {accent}" if here else "dim")
        line.append(f"{name} ", style="bold" if here else "")
        line.append(state, style=style)
        return line

    def _state(self, entry: RailEntry, glyphs: Glyphs) -> tuple[str, str]:
        match entry.state:
            case SectionState.OK:
                return glyphs.ok, rich_colour(self.app, "success")
            case SectionState.PROBLEMS:
                return f"{entry.problems} {glyphs.bad}", rich_colour(self.app, "error")
            case SectionState.CHECKING:
                return glyphs.busy, rich_colour(self.app, "warning")
            case SectionState.UNUSED:
                return glyphs.dash, "dim"
            case _:
                return "", ""

    def on_click(self, event: events.Click) -> None:
        """Lead to the section under the mouse, where a mouse is used."""
        at = event.get_content_offset(self)
        if at is not None and at.y < len(self.entries):
            self.post_message(self.Chosen(self.entries[at.y].section))


class MessageLine(Sentence, can_focus=False):
    """A sentence for the operator above the keys, else quietly what comes next; there only while there is either.

    A sentence goes once it could be read, for it may not be true for long; a refusal stays.
    """

    STAYS_S: ClassVar[float] = 8.0
    said: reactive[Text | str] = reactive("", layout=True)
    bad: reactive[bool] = reactive(False)
    hint: reactive[Text | None] = reactive(None, layout=True)
    """What comes next, said while nothing else is."""
    _reading: Timer | None = None

    def sentence(self) -> Line:
        """What is said, else what comes next."""
        if self.said or self.hint is None:
            return Line(sanitize(str(self.said)))
        return Line.assemble((f"{signs(self).pointer} ", rich_colour(self.app, "accent")), str(self.hint))

    def watch_said(self) -> None:
        """Take no room when there is nothing to say."""
        self._show_or_hide()
        if self._reading is not None:
            self._reading.stop()
        if self.said:
            self._reading = self.set_timer(self.STAYS_S, self._read)

    def watch_hint(self) -> None:
        """As above."""
        self._show_or_hide()

    def _read(self) -> None:
        if not self.bad:
            self.said = ""

    def _show_or_hide(self) -> None:
        self.display = bool(self.said or self.hint)
        self.set_class(not self.said, "-hint")

    def watch_bad(self, bad: bool) -> None:
        """Set a refusal apart."""
        self.set_class(bad, "-bad")


class KeyLine(Widget, can_focus=False):
    """The keys that do something here, as many as fit; the rest is under ``?``."""

    keys: reactive[tuple[tuple[str, str], ...]] = reactive(())
    """(key as shown, what it does) pairs, the most important first; the way back and help are the last."""

    def render(self) -> RenderResult:
        """The line, never longer than the terminal is wide, with the way back and help at its end."""
        colour = rich_colour(self.app, "footer-key-foreground")
        if not self.keys:
            return Line("")
        kept = 2 if len(self.keys) > 1 and self.keys[-2][0] == "Esc" else 1
        last = self.keys[-kept:]
        room = self.size.width - 1 - cell_len("  ".join(" ".join(pair) for pair in last))
        line = Line(" ", no_wrap=True)
        for key, word in self.keys[:-kept]:
            if cell_len(line.plain) + cell_len(f"{key} {word}") + 2 > room:
                break
            line.append(key, style=f"bold {colour}")
            line.append(f" {word}  ")
        for index, (key, word) in enumerate(last):
            line.append(f"{'  ' if index else ''}{key}", style=f"bold {colour}")
            line.append(f" {word}")
        return line


class TooSmall(Widget, can_focus=False):
    """What stands in place of a screen while the terminal is too small for it."""

    def render(self) -> RenderResult:
        """How large it is, how large it should be, and that nothing is lost."""
        width, height = self.app.size
        page = Line(str(T("shell.too_small", width=width, height=height)), justify="center")
        return page
