"""What stands around every screen: one line above, the rail of sections on the left, one line of keys below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.cells import cell_len, set_cell_size
from rich.text import Text as Line
from textual.app import ComposeResult, RenderResult
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from rbdtui.words import T
from screens.theme import Glyphs


class SectionState(StrEnum):
    """How a section stands, as the rail shows it."""

    OK = "ok"
    PROBLEMS = "problems"
    CHECKING = "checking"
    UNUSED = "unused"
    IDLE = "idle"
    """Nothing to say."""


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
    right: reactive[str] = reactive("")

    def render(self) -> RenderResult:
        """Both ends of the line, the left one cut when there is no room for both."""
        room = max(0, self.size.width - 2)
        right = self.right if cell_len(self.right) < room else ""
        left = self.left
        space = room - cell_len(right)
        if cell_len(left) > space:
            left = set_cell_size(left, max(0, space - 1)) + " "
        line = Line(f" {left}{' ' * max(0, space - cell_len(left))}{right} ", no_wrap=True)
        line.stylize("bold", 1, 1 + len(left.split("  ")[0]))
        return line


class Rail(Widget, can_focus=False):
    """The sections with their keys and states."""

    entries: reactive[tuple[RailEntry, ...]] = reactive(())
    current: reactive[str] = reactive("")

    class Chosen(Message):
        """A section was clicked."""

        def __init__(self, section: str) -> None:
            super().__init__()
            self.section = section

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="rail")
        self._glyphs = glyphs

    def render(self) -> RenderResult:
        """One line for each section: key, name, state."""
        page = Line()
        for entry in self.entries:
            page.append_text(self._line(entry))
            page.append("\n")
        return page

    def _line(self, entry: RailEntry) -> Line:
        here = entry.section == self.current
        state, style = self._state(entry)
        room = max(4, self.size.width - 2)
        name = str(T(f"section.{entry.section}"))  # words: section.*
        name = set_cell_size(name, max(1, room - 3 - cell_len(state) - 1))
        pointer = self._glyphs.pointer if here else " "
        line = Line(f"{pointer}{entry.key} {name} ", style="bold" if here else "")
        line.append(state, style=style)
        return line

    def _state(self, entry: RailEntry) -> tuple[str, str]:
        colours = self.app.theme_variables
        match entry.state:
            case SectionState.OK:
                return self._glyphs.ok, colours["success"]
            case SectionState.PROBLEMS:
                return f"{entry.problems}{self._glyphs.bad}", colours["error"]
            case SectionState.CHECKING:
                return self._glyphs.busy, colours["warning"]
            case SectionState.UNUSED:
                return self._glyphs.dash, "dim"
            case _:
                return "", ""

    def on_click(self, event: object) -> None:
        """Lead to the section under the mouse, where a mouse is used."""
        row = getattr(event, "y", -1)
        if 0 <= row < len(self.entries):
            self.post_message(self.Chosen(self.entries[row].section))


class KeyLine(Widget, can_focus=False):
    """The keys that do something here, as many as fit; the rest is under ``?``."""

    keys: reactive[tuple[tuple[str, str], ...]] = reactive(())
    """(key as shown, what it does) pairs, the most important first."""

    def render(self) -> RenderResult:
        """The line, never longer than the terminal is wide; help always has its place at the end."""
        colour = self.app.theme_variables["footer-key-foreground"]
        *most, last = self.keys or (("?", str(T("key.help"))),)
        room = self.size.width - 1 - cell_len(" ".join(last))
        line = Line(" ", no_wrap=True)
        for key, word in most:
            if cell_len(line.plain) + cell_len(f"{key} {word}") + 2 > room:
                break
            line.append(key, style=f"bold {colour}")
            line.append(f" {word}  ")
        line.append(last[0], style=f"bold {colour}")
        line.append(f" {last[1]}")
        return line


def framed(head: HeadLine, rail: Rail, body: Sequence[Widget], keys: KeyLine) -> ComposeResult:
    """The three around a body."""
    yield head
    with Horizontal(id="middle"):
        yield rail
        yield from body
    yield keys
