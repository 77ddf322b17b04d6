"""CSV, tables out of spreadsheets, and lists as people type them: one server a line, or a range of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from rbdtui.importers.imported import MOST_SERVERS, Imported, ImportedNode, LineError, Notes, without_secrets
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.lists.lines import Line, nodes_of, title_meanings
from rbdtui.importers.lists.ranges import looks_like_address
from rbdtui.importers.lists.text import MOST_LINES, cells_of, is_separated, plain_line
from rbdtui.importers.lists.vocabulary import PASSWORD, SUDO_PASSWORD
from rbdtui.words import T

_ADDRESS: Final = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9\[{]", re.ASCII)
_SOMETHING_ELSE: Final = re.compile(r"^apiVersion:|\A\s{0,40}(?:<[!a-zA-Z?]|\{\s{0,40}\")", re.MULTILINE)
"""Objects of Kubernetes and of rbdtui itself, HTML, XML and JSON: addresses in them are no list."""
_WORDS_LOOKED_AT: Final = 8
_SECTION: Final = re.compile(r"\[(?P<name>[A-Za-z0-9_.-]{1,80})(?::(?P<kind>[a-z]{1,20}))?\]\Z", re.ASCII)
_LINES_LOOKED_AT: Final = 20
_LINES_COMPARED: Final = 2000
"""To see what stands behind every address."""


class _Tables:
    name = "csv"

    def matches(self, text: str) -> Match:
        """Titles of columns are a table; any address may be a line of a list."""
        if _SOMETHING_ELSE.search(text):
            return Match.NO
        lines = [plain for raw in text.splitlines()[:_LINES_LOOKED_AT] if (plain := plain_line(raw))]
        if any(is_separated(line) and title_meanings(cells_of(line), separated=True) is not None for line in lines):
            return Match.LIKELY
        return Match.POSSIBLE if _ADDRESS.search(text) else Match.NO

    def read(self, text: str) -> Imported:
        """Every line is judged by itself, so that one bad line costs nothing else."""
        notes, nodes = Notes(), list[ImportedNode]()
        lines = text.splitlines()
        for line in _server_lines(lines[:MOST_LINES]):
            if len(nodes) > MOST_SERVERS:
                notes.refuse_more(line.number, sum(1 for rest in lines[line.number - 1 :] if rest.strip()))
                break
            nodes += _taken(line, notes)
        else:
            _tell_rest(lines, notes)
        return notes.imported(self.name, nodes)


def _shown(line: Line) -> str:
    """A line as it may be shown: of a table what says which server it is, without the cells of passwords."""
    told = [cell for cell, column in zip(line.cells, line.columns, strict=False) if column in ("name", "address")]
    return " ".join(filter(None, told)) if line.columns else without_secrets(line.text)


def _tell_rest(lines: Sequence[str], notes: Notes) -> None:
    if any(filled := [line for line in lines[MOST_LINES:] if line.strip()]):
        why = T("paste.too_many_lines", most=MOST_LINES)
        notes.refuse(MOST_LINES + 1, plain_line(filled[0]), why, count=len(filled))


def _taken(line: Line, notes: Notes) -> list[ImportedNode]:
    """The servers of a line, with notes of what was left out."""
    try:
        understood = nodes_of(line)
    except LineError as error:
        notes.refuse(line.number, _shown(line), error.why)
        return []
    shown = line.text
    for password in understood.passwords:
        shown = shown.replace(password, "***")
    for why in understood.left_out:
        notes.remark(line.number, shown, why)
    return understood.nodes


def _server_lines(lines: Sequence[str]) -> Iterator[Line]:
    """The lines that speak of servers, each with what is known of it from the others."""
    logins = _logins([plain_line(raw) for raw in lines[:_LINES_COMPARED]])
    columns: Sequence[str] = ()
    separated = False
    for number, raw in enumerate(lines, start=1):
        text = plain_line(raw)
        if not text or _SECTION.match(text):
            continue
        cells = cells_of(text)
        if (titles := title_meanings(cells, separated=is_separated(text))) is not None:
            columns, separated = titles, is_separated(text)
            continue
        if columns and "#" in raw:
            text, cells = _row(raw, text, cells, columns)
        is_row = not separated or is_separated(text)
        yield Line(number, text, cells, columns if is_row else (), logins, raw=raw)


def _row(raw: str, text: str, cells: list[str], columns: Sequence[str]) -> tuple[str, list[str]]:
    """A row of a table with a sign for comments: it begins one only behind the last cell, unless that is a password."""
    whole = plain_line(raw, comments=False)
    if not is_separated(whole):
        return text, cells
    all_cells = cells_of(whole)
    last = columns[len(all_cells) - 1] if len(all_cells) <= len(columns) else ""
    kept = len(all_cells) == len(cells) and last not in (PASSWORD, SUDO_PASSWORD)
    return (text, cells) if kept else (whole, all_cells)


def _logins(lines: Sequence[str]) -> frozenset[str]:
    """The word that stands behind every address of several, and therefore names none of the servers."""
    behind: dict[str, str] = {}
    for line in lines:
        cells = cells_of(line)[:_WORDS_LOOKED_AT]
        behind |= {place: word for place, word in pairwise(cells) if looks_like_address(place) and word}
    words = set(behind.values())
    return frozenset(word for word in words if len(words) == 1 and len(behind) > 1 and not word[-1].isdigit())


IMPORTER: Final[Importer] = _Tables()
