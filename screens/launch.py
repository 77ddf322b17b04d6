"""From the command line to the screen: whether this terminal will do, and what holds on it."""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rbdtui.words import T, Text, current_language
from screens.terminal import env
from screens.terminal.settings import Settings, load_settings, settings_file
from screens.terminal.theme_names import SIXTEEN

if TYPE_CHECKING:
    from rbdtui.session import PassphraseSource
    from rbdtui.workbench.workbench import Workbench

_POOR_TERMINALS: Final = ("linux", "vt", "cons", "ansi")
"""Beginnings of TERM for terminals whose fonts lack our signs."""
_RICH_TERMINALS: Final = ("256color", "kitty", "truecolor", "direct", "alacritty", "wezterm", "ghostty", "foot")


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """What the command line asks for."""

    ascii_only: bool = False
    slow_link: bool = False
    color: bool = True
    mouse: bool = False
    language: str | None = None
    """Of ``--lang``; None when it was not given."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def refusal(environment: Mapping[str, str] = os.environ) -> Text | None:
    """Why there can be no screen here, and what works instead; None when there can be."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return T("launch.no_terminal")
    term = environment.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        return T("launch.dumb", term=term or "-")
    encoding = locale.getpreferredencoding(False).lower().replace("-", "")
    if encoding not in ("utf8", "ascii", "ansi_x3.41968"):
        return T("launch.not_utf8", encoding=encoding)
    return None


def settings_for(wish: LaunchOptions, kept: Settings) -> Settings:
    """What holds for this start: what was kept, what the terminal can, what the command line says, in this order."""
    term = wish.environment.get("TERM", "")
    many_colours = any(word in term for word in _RICH_TERMINALS) or bool(wish.environment.get("COLORTERM"))
    slow = kept.slow_link or wish.slow_link
    plain = not many_colours or not wish.color or slow
    return replace(
        kept,
        language=wish.language or kept.language or current_language(),
        ascii_only=kept.ascii_only or wish.ascii_only or term.startswith(_POOR_TERMINALS),
        slow_link=slow,
        theme=SIXTEEN if plain else kept.theme,
    )


def launch(
    wish: LaunchOptions,
    *,
    site: Path | None = None,
    opener: Callable[[], Workbench] | None = None,
    opening: Text | None = None,
    passphrase_source: PassphraseSource | None = None,
) -> tuple[int, list[Text]]:
    """Show the screen until the operator leaves; exit status, and what is to be said afterwards."""
    file = settings_file(wish.environment)
    kept = load_settings(file)
    settings = settings_for(wish, kept)
    env.prepare(slow_link=settings.slow_link, color=wish.color)
    from screens.app import RbdTuiApp, Start

    start = Start(
        site=site, opener=opener, opening=opening, passphrase_source=passphrase_source, settings=settings, kept=kept,
        settings_file=file, own_process=True,
    )  # fmt: skip
    app = RbdTuiApp(start)
    status = app.run(mouse=wish.mouse or settings.mouse)
    return (app.return_code or 0) if status is None else status, app.farewell
