"""The program's manners: what it says, in which language and signs, on which terminals, and how it fails."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from textual import events
from textual.app import App, SuspendNotSupported
from textual.css.query import NoMatches
from textual.filter import LineFilter, Monochrome, NoColor
from textual.geometry import Size
from textual.screen import ModalScreen, Screen

from rbdtui.atomic import write_atomic
from rbdtui.terminal_text import sanitize
from rbdtui.words import T, Text, current_language, switch_language
from rbdtui.workbench.errors import sentence_of
from screens.shell.base import LEAST_COLUMNS, LEAST_ROWS, BaseScreen
from screens.shell.key_order import KeyOrder
from screens.shell.keys import key_words
from screens.terminal.gate import TerminalGate
from screens.terminal.paths import short_path
from screens.terminal.settings import Settings, save_settings
from screens.terminal.theme import DARK, LIGHT, SIXTEEN, Glyphs, rich_colour
from screens.widgets.frame import MessageLine

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench

Answer = TypeVar("Answer")

TERMINAL_GATE: Final = TerminalGate()
MOST_COLUMNS: Final = 400
MOST_ROWS: Final = 200
"""A terminal that says it is larger is not believed: a picture of that size would take seconds to draw."""
READING_S: Final = 1.0
"""Without a key for so long, somebody reads; the next key takes a sentence away."""


class TerminalApp(App[int]):
    """A program that screens may rely on; what it is for comes with `screens.app`."""

    workbench: Workbench | None = None
    """The site that is open."""

    def __init__(self, settings: Settings, kept: Settings, settings_file: Path) -> None:
        super().__init__()
        self.settings = settings
        """What holds now."""
        self._kept, self._settings_file = kept, settings_file
        self.glyphs = Glyphs(ascii_only=settings.ascii_only)
        """Signs for states."""
        self.key_order = KeyOrder(self, self._hand_on)
        self._handed_on: events.Event | None = None
        self.farewell: list[Text] = []
        """What is said on the terminal after the screen is gone."""
        self._last_key_at = 0.0
        switch_language(settings.language or current_language())
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.register_theme(SIXTEEN)
        if self.no_color:
            self._filters = [NoColor() if isinstance(each, Monochrome) else each for each in self._filters]
        self.theme = self._theme_of(settings)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every line goes through before it is written; nothing goes round the gate."""
        return [TERMINAL_GATE, *super().get_line_filters()]

    def _theme_of(self, settings: Settings) -> str:
        """Without colours there is one theme only; Textual would turn the others into greys."""
        return SIXTEEN.name if self.no_color else settings.theme or DARK.name

    @property
    def reverses(self) -> bool:
        """Whether the cursor is told by reversed letters, because colours are few or none."""
        return self.no_color or self.theme == SIXTEEN.name

    def leave(self, status: int) -> None:
        """Leave at once; draft and run stay."""
        raise NotImplementedError

    def colour(self, name: str) -> str:
        """A colour of the theme for rich."""
        return rich_colour(self, name)

    def remember(self, change: Callable[[Settings], Settings]) -> None:
        """Change the settings that hold and those that are kept; what only this start was told is not kept."""
        self.settings, self._kept = change(self.settings), change(self._kept)
        problem = save_settings(self._settings_file, self._kept)
        if problem and self.is_running:
            self.tell(T("shell.settings_not_kept", file=short_path(self._settings_file), reason=problem), bad=True)

    def apply(self, change: Callable[[Settings], Settings]) -> None:
        """Change settings, keep them, and show them at work."""
        before = self.settings
        self.remember(change)
        settings = self.settings
        if settings.language is not None:
            switch_language(settings.language)
        self.glyphs = Glyphs(ascii_only=settings.ascii_only)
        self.theme = self._theme_of(settings)
        drawn_with = ("language", "ascii_only", "theme")
        if any(getattr(before, name) != getattr(settings, name) for name in drawn_with):
            self.retranslate()

    def retranslate(self) -> None:
        """Draw every screen that is seen again; those out of sight see to it themselves when they come back."""
        for screen in self.screen_stack:
            if isinstance(screen, BaseScreen) and screen.is_mounted:
                screen.retranslate()

    def tell(self, text: Text | str, *, bad: bool = False) -> None:
        """Say a sentence above the keys of the screen that is seen, until the next key; a good one goes by itself."""
        try:
            line = self.screen.query_one(MessageLine)
        except NoMatches:
            return
        line.bad, line.said = bad, text

    async def ask(self, dialog: ModalScreen[Answer]) -> Answer | None:
        """Put a dialog up, in a worker, and wait for its answer; None also when one of its kind is up already.

        That is what a key pressed twice, faster than anything can come up, would do.
        """
        if isinstance(self.screen, type(dialog)):
            return None
        return await self.push_screen_wait(dialog)

    @property
    def reading(self) -> bool:
        """Whether a sentence that no key has asked for would be read: nobody is typing."""
        return time.monotonic() - self._last_key_at >= READING_S

    @property
    def says_something(self) -> bool:
        """Whether a sentence stands above the keys; also where there is no room for one."""
        lines = self.screen.query(MessageLine)
        return not lines or any(line.said for line in lines)

    def _fall_silent(self) -> None:
        self._last_key_at = time.monotonic()
        for line in self.screen.query(MessageLine):
            line.said, line.bad = "", False

    def key_words(self, screen: Screen[Any], *, everything: bool = False) -> tuple[tuple[str, str], ...]:
        """The keys that do something on a screen now, with their words; see `screens.shell.keys`."""
        return key_words(screen, ascii_only=self.settings.ascii_only, everything=everything)

    def edit_file(self, file: Path) -> None:
        """Open a file in the operator's editor, in place of the screen."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        try:
            with self.suspend():
                status = subprocess.call([*shlex.split(editor), str(file)])
        except (OSError, ValueError, SuspendNotSupported) as error:
            self.tell(T("shell.no_editor", editor=editor, reason=str(error)), bad=True)
        else:
            if status != 0:
                self.tell(T("shell.editor_failed", editor=editor, status=status), bad=True)

    def action_copy(self) -> None:
        """Copy what the screen offers: to the terminal's clipboard, and into a file."""
        if isinstance(self.screen, BaseScreen):
            self.copy_out(self.screen.copy_text())

    def copy_out(self, text: str) -> None:
        """Put a text into the terminal's clipboard (OSC 52) and into a file, because few terminals take it."""
        self.copy_to_clipboard(text)
        place = self.workbench.site.path if self.workbench is not None else self._settings_file.parent
        file = place / "copied.txt"
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(file, f"{text}\n".encode("utf-8", "replace"))
        except OSError as error:
            self.tell(T("shell.copied_only", reason=error.strerror or ""), bad=True)
        else:
            self.tell(T("shell.copied", lines=text.count("\n") + 1, file=short_path(file)))

    def text_on_screen(self) -> str:
        """The screen as plain text."""
        lines = ["".join(segment.text for segment in strip) for strip in self.screen._compositor.render_strips()]
        return "\n".join(line.rstrip() for line in lines)

    @property
    def too_small(self) -> bool:
        """Whether there is no room to work."""
        return self.size.width < LEAST_COLUMNS or self.size.height < LEAST_ROWS

    def _hand_on(self, event: events.Event) -> None:
        """Have a key act now; see `KeyOrder`."""
        self._handed_on = event
        self.post_message(event)

    async def on_event(self, event: events.Event) -> None:
        """Disbelieve impossible sizes, let keys act one after the other, and none on what cannot be seen."""
        if isinstance(event, events.Resize):
            event = _believable(event)
        elif isinstance(event, events.Key | events.Paste) and not event.is_forwarded and event is not self._handed_on:
            self.key_order.take(event)
            return
        elif isinstance(event, events.Key) and not event.is_forwarded:
            if self.too_small:
                if event.key in ("q", "ctrl+c", "ctrl+q"):
                    self.leave(0)
                return
            self._fall_silent()
        elif isinstance(event, events.Paste) and self.too_small:
            return
        await super().on_event(event)

    def _fatal_error(self) -> None:
        """A defect of ours: leave with a sentence, and with the trace in a file; nothing of memory is shown."""
        place = self.workbench.site.path if self.workbench is not None else self._settings_file.parent
        file = place / "crash.txt"
        with suppress(OSError):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(file, sanitize(traceback.format_exc()).encode())
        if self.workbench is not None:
            self.workbench.keep_now()
        self.farewell.append(T("shell.crashed", file=short_path(file)))
        self._close_messages_no_wait()

    def sentence(self, error: BaseException) -> Text:
        """An error in words."""
        return sentence_of(error)


def _believable(event: events.Resize) -> events.Resize:
    width, height = min(event.size.width, MOST_COLUMNS), min(event.size.height, MOST_ROWS)
    if (width, height) == tuple(event.size):
        return event
    size = Size(width, height)
    return events.Resize(size, size, event.container_size, event.pixel_size)
