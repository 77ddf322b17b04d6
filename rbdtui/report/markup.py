"""Markup that is escaped by being made: everything that is not `Html` already is a text, whoever wrote it."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable
from typing import Final

from rbdtui.terminal_text import sanitize
from rbdtui.words import Text

_VOID: Final = frozenset({"meta", "br"})


class Html(str):
    """Markup; only this room makes any."""

    __slots__ = ()


Content = Html | str | Text | Iterable["Html | str | Text"]


def escaped(text: str | Text) -> Html:
    """A text as markup, without anything that acts or that HTML cannot hold."""
    return text if isinstance(text, Html) else Html(html.escape(sanitize(str(text)), quote=True))


def tag(name: str, /, *content: Content, **attributes: str | float | Text | None) -> Html:
    """An element; ``class_`` and ``text_anchor`` stand for ``class`` and ``text-anchor``, None for none at all."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{join(*content)}</{name}>")


def join(*content: Content) -> Html:
    """Several pieces behind one another."""
    parts: list[str] = []
    for piece in content:
        if isinstance(piece, str | Text):
            parts.append(escaped(piece))
        else:
            parts += map(escaped, piece)
    return Html("".join(parts))


def _number(value: str | float | Text) -> str | Text:
    return (
        f"{value:.1f}".removesuffix(".0")
        if isinstance(value, float)
        else value
        if isinstance(value, str | Text)
        else str(value)
    )


def width_of(text: str, size: float) -> float:
    """About how wide a text is drawn, in the units of its size: nobody knows the font."""
    wide = sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.56 for letter in text)
    return wide * size


def fitted(text: str | Text, size: float, room: float) -> str:
    """The text, or its beginning with an ellipsis, so that it is not wider than the room; empty when nothing fits."""
    said = sanitize(str(text))
    if width_of(said, size) <= room:
        return said
    while said and width_of(f"{said}…", size) > room:
        said = said[:-1]
    return f"{said.rstrip()}…" if said else ""
