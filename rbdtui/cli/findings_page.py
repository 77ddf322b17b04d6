"""The pages of all findings, ``docs/findings*.md``; ``python -m rbdtui.cli.findings_page`` writes them anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rbdtui.paths import assets_dir
from rbdtui.words import LANGUAGES, T, Text, as_listed, catalogue, say

_CODE: Final = re.compile(r"finding\.(RBD-([A-Z]+)-[0-9]+)\.message")


def page_file(language: str) -> Path:
    """Where a page stands in the checkout."""
    suffix = "" if language == LANGUAGES[0] else f".{language}"
    return assets_dir().parent / "docs" / f"findings{suffix}.md"


def page(language: str) -> str:
    """All findings in one language: a table for each area, in the order in which the areas are told."""
    words = catalogue(language)
    codes: dict[str, list[str]] = {}
    for key in sorted(words):
        if (match := _CODE.fullmatch(key)) is not None:
            codes.setdefault(match[2], []).append(match[1])
    prefix = "findings_page.area."
    order = [key.removeprefix(prefix) for key in words if key.startswith(prefix)]
    lines = [f"# {say(T('findings_page.title'), language)}", "", say(T("findings_page.intro"), language)]
    heads = (T("findings_page.code"), T("findings_page.message"), T("findings_page.remedy"))
    head = " | ".join(say(text, language) for text in heads)
    for area in sorted(codes, key=order.index):
        title = say(Text(f"findings_page.area.{area}"), language)  # words: findings_page.area.*
        lines += ["", f"## {title}", "", f"| {head} |", "|---|---|---|", *_rows(codes[area], language)]
    return "\n".join(lines) + "\n"


def _rows(codes: list[str], language: str) -> Iterator[str]:
    words = catalogue(language)
    for code in codes:
        cells = (as_listed(words[f"finding.{code}.{part}"]).replace("|", "\\|") for part in ("message", "remedy"))
        yield f"| {code} | {' | '.join(cells)} |"


def main() -> None:
    """Write the pages."""
    for language in LANGUAGES:
        page_file(language).write_text(page(language), encoding="utf-8")


if __name__ == "__main__":
    main()
