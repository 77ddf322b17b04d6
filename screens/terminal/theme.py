"""Colours: one accent, calm greys, and a word or glyph wherever a colour carries meaning."""

from __future__ import annotations

from typing import Final

from textual.app import App
from textual.theme import Theme

from screens.terminal import theme_names

DARK: Final = Theme(
    name=theme_names.DARK,
    dark=True,
    primary="#5fb3d9",
    secondary="#7f93a8",
    accent="#5fb3d9",
    foreground="#d5dbe3",
    background="#11161d",
    surface="#161c25",
    panel="#1e2631",
    success="#7fc08a",
    warning="#dbb567",
    error="#e07a78",
    variables={
        "border": "#334052",
        "border-blurred": "#2a3443",
        "input-selection-background": "#5fb3d9 30%",
        "block-cursor-background": "#24394a",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#1b2631",
        "footer-key-foreground": "#5fb3d9",
    },
)
LIGHT: Final = Theme(
    name=theme_names.LIGHT,
    dark=False,
    primary="#0b6e99",
    secondary="#5b6b7c",
    accent="#0b6e99",
    foreground="#1d2630",
    background="#fbfbf9",
    surface="#f3f4f2",
    panel="#e6e9ea",
    success="#23743a",
    warning="#8a5a00",
    error="#b3261e",
    variables={
        "border": "#bcc5cc",
        "border-blurred": "#ccd3d8",
        "block-cursor-background": "#cfe4ee",
        "block-cursor-foreground": "#0a1a24",
        "block-cursor-blurred-background": "#e2ebef",
        "footer-key-foreground": "#0b6e99",
    },
)
SIXTEEN: Final = Theme(
    name=theme_names.SIXTEEN,
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_cyan",
    accent="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    variables={
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "border": "ansi_cyan",
        "border-blurred": "ansi_default",
        "block-cursor-foreground": "ansi_default",
        "block-cursor-background": "ansi_default",
        "block-cursor-text-style": "reverse",
        "block-cursor-blurred-background": "ansi_default",
        "footer-key-foreground": "ansi_cyan",
        "input-selection-background": "ansi_cyan",
        "input-selection-foreground": "ansi_black",
        "scrollbar-background": "ansi_default",
    },
)
"""The terminal's own sixteen colours and background, so that it is readable on light and dark ones.

No coloured background: a sign in that very colour would vanish on it, so the cursor reverses what it is on.
"""


def rich_colour(app: App[int], name: str) -> str:
    """A colour of the theme for rich, e.g. ``success``, ``accent``, ``footer-key-foreground``; ``muted`` is dim."""
    if name == "muted":
        return "dim"
    value = app.theme_variables.get(name, "default").partition(" ")[0]
    return value.removeprefix("ansi_") if value != "auto" else "default"


class Glyphs:
    """Signs for states, in Unicode or in ASCII; always beside a word."""

    def __init__(self, *, ascii_only: bool) -> None:
        self.ok = "ok" if ascii_only else "✓"
        self.bad = "x" if ascii_only else "✗"
        self.warn = "!"
        self.dash = "-" if ascii_only else "–"
        self.busy = self.cut = "~" if ascii_only else "…"
        self.on = "x" if ascii_only else "■"
        self.off = "." if ascii_only else "·"
        self.chosen = "*" if ascii_only else "■"
        self.other = " " if ascii_only else "·"
        self.bar_full = "#" if ascii_only else "▮"
        self.bar_empty = "." if ascii_only else "▯"
        self.rule = "-" if ascii_only else "─"
        self.upright = "|" if ascii_only else "│"
        self.separator = "|" if ascii_only else "·"
        self.pointer = ">" if ascii_only else "▸"
        self.spark = " .:-=+*#" if ascii_only else " ▁▂▃▄▅▆▇"
