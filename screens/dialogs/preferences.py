"""Settings that last: language, colours, symbols, link, bell, mouse. Each takes effect as it is chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Final

from textual.widget import Widget

from rbdtui.words import LANGUAGES, T, Text, current_language
from screens.shell.base import Dialog, Words
from screens.terminal.settings import Settings
from screens.terminal.theme_names import DARK, THEME_NAMES
from screens.widgets.field import Choice, ChoiceLine

_OFF_ON: Final = ("off", "on")


def _word(kind: str, value: str) -> Text:
    return Text(f"preferences.{kind}_{value}")  # words: preferences.*


class PreferencesDialog(Dialog[None]):
    """Language, colours, ASCII, slow link, bell and mouse."""

    def title_text(self) -> Text:
        """That these are the settings of the program."""
        return T("preferences.title")

    def body(self) -> Iterable[Widget]:
        """One line for each."""
        yield Choice(T("preferences.language"), LANGUAGES, lambda v: _word("language", v), path="language")
        yield Choice(T("preferences.colours"), THEME_NAMES, lambda v: _word("theme", v), path="theme")
        yield Choice(T("preferences.signs"), _OFF_ON, lambda v: _word("ascii", v), path="ascii_only")
        yield Choice(T("preferences.link"), _OFF_ON, lambda v: _word("link", v), path="slow_link")
        yield Choice(T("preferences.bell"), _OFF_ON, lambda v: _word("bell", v), path="bell")
        yield Choice(T("preferences.mouse"), _OFF_ON, lambda v: _word("mouse", v), path="mouse")
        yield Words(T("preferences.note"), classes="paragraph below")

    def refresh_view(self) -> None:
        """Show what holds."""
        settings = self.program.settings
        values = {
            "language": settings.language or current_language(),
            "theme": settings.theme or DARK,
            "ascii_only": _OFF_ON[settings.ascii_only],
            "slow_link": _OFF_ON[settings.slow_link],
            "bell": _OFF_ON[settings.bell],
            "mouse": _OFF_ON[settings.mouse],
        }
        for choice in self.query(Choice):
            choice.show(values[choice.path])

    def on_choice_line_changed(self, event: ChoiceLine.Changed) -> None:
        """Take a choice over at once."""
        self.program.apply(partial(_changed, field=event.choice.path, value=event.value))


def _changed(settings: Settings, *, field: str, value: str) -> Settings:
    match field:
        case "language":
            return replace(settings, language=value)
        case "theme":
            return replace(settings, theme=value)
        case "ascii_only":
            return replace(settings, ascii_only=value == "on")
        case "bell":
            return replace(settings, bell=value == "on")
        case "mouse":
            return replace(settings, mouse=value == "on")
        case _:
            return replace(settings, slow_link=value == "on")
