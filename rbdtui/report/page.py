"""A page that holds its own style, loads nothing and runs nothing."""

from __future__ import annotations

from rbdtui.paths import asset
from rbdtui.report.markup import Content, Html, tag
from rbdtui.words import Text, current_language

_TAGS = {"zh": "zh-CN"}
"""Languages as HTML names them, where that is not our own name: it decides which shapes Chinese signs get."""


def page(title: Text, *content: Content) -> str:
    """A whole HTML file, in the current language."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'"),
        tag("title", title),
        tag("style", Html(asset("templates", "report.css").read_text(encoding="utf-8"))),
    )
    language = _TAGS.get(current_language(), current_language())
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', tag('main', *content)), lang=language)}\n"
