"""YAML text to a small tree with positions, refusing everything of YAML that a spec has no use for.

Reads PyYAML's events one by one, so that neither depth nor aliases can cost more than the text is long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

import yaml

from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec.lookalikes import syntax_lookalike

MAX_DEPTH: Final = 24
"""Levels of nesting; the deepest field of the model lies at 7."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Mark(NamedTuple):
    """A position in the text, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as it stands in the text."""

    text: str
    plain: bool
    """Without quotes and not a block: the only kind whose type YAML guesses."""
    mark: Mark
    start: int
    """Offset of the first character in the text, quotes included."""
    end: int
    """Offset behind the last one."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[TreeNode, ...]
    flow: bool
    """In brackets."""
    mark: Mark
    start: int
    end: int
    """Behind the bracket, or behind the last item."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the text, duplicates included."""

    entries: tuple[tuple[TreeNode, TreeNode], ...]
    flow: bool
    mark: Mark
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that is not looked at any further: a finding about it is there already."""

    mark: Mark
    start: int
    end: int


TreeNode = Scalar | Sequence | Mapping | Refused


class _OpenCollection:
    """A list or mapping whose end has not been read; of a mapping keys and values take turns."""

    def __init__(self, event: yaml.CollectionStartEvent) -> None:
        self.is_mapping = isinstance(event, yaml.MappingStartEvent)
        self.flow = bool(event.flow_style)
        self.mark = _mark(event)
        self.start, self.end = _span(event)
        self.children: list[TreeNode] = []

    def closed(self, event: yaml.CollectionEndEvent) -> TreeNode:
        """The collection; one without brackets ends with its last child, not where the parser noticed."""
        end = _span(event)[1] if self.flow else self.children[-1].end if self.children else self.end
        if not self.is_mapping:
            return Sequence(tuple(self.children), self.flow, self.mark, self.start, end)
        entries = tuple(zip(self.children[::2], self.children[1::2], strict=True))
        return Mapping(entries, self.flow, self.mark, self.start, end)


class TreeReader:
    """Builds the tree of one text; ``findings`` holds what was refused on the way."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._open: list[_OpenCollection] = []
        self._root: TreeNode | None = None

    def read(self, text: str) -> TreeNode | None:
        """The tree; None when there is none (an empty text, or one that stops being YAML half-way)."""
        documents = 0
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._refuse("RBD-YAML-007", _mark(event))
                        return self._root
                elif not self._take(event):
                    return None
        except yaml.MarkedYAMLError as error:
            self.findings.append(_syntax_finding(error, text))
            return None
        except yaml.YAMLError:
            self._refuse("RBD-YAML-004", Mark(0, 0))
            return None
        return self._root

    def _take(self, event: yaml.Event) -> bool:
        """Grow the tree by one event; False when reading must stop."""
        mark = _mark(event)
        if isinstance(event, yaml.AliasEvent):
            self._refuse("RBD-YAML-009", mark)
            self._attach(Refused(mark, *_span(event)))
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_decoration(event, mark)
            self._attach(Scalar(event.value, not event.style, mark, *_span(event)))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_decoration(event, mark)
            if len(self._open) >= MAX_DEPTH:
                self._refuse("RBD-YAML-010", mark, limit=MAX_DEPTH)
                return False
            self._open.append(_OpenCollection(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._attach(self._open.pop().closed(event))
        return True

    def _attach(self, node: TreeNode) -> None:
        if self._open:
            self._open[-1].children.append(node)
        else:
            self._root = node

    def _refuse_decoration(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, mark: Mark) -> None:
        if event.anchor is not None:
            self._refuse("RBD-YAML-009", mark)
        if event.tag is not None:
            self._refuse("RBD-YAML-011", mark)

    def _refuse(self, code: str, mark: Mark, **params: str | int) -> None:
        self.findings.append(Finding(code, Severity.ERROR, Place(line=mark.line, column=mark.column), params))


def _mark(event: yaml.Event) -> Mark:
    if event.start_mark is None:
        return Mark(0, 0)
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _span(event: yaml.Event) -> tuple[int, int]:
    if event.start_mark is None or event.end_mark is None:
        return 0, 0
    return event.start_mark.index, event.end_mark.index


_SYNTAX_CODES: Final = (
    ("RBD-YAML-015", re.compile(r"character '\\t'|tab character")),
    ("RBD-YAML-011", re.compile(r"tag handle")),
    ("RBD-YAML-041", re.compile(r"quoted scalar|double-quoted")),
    ("RBD-YAML-042", re.compile(r"mapping values are not allowed")),
    ("RBD-YAML-044", re.compile(r"flow (mapping|sequence)")),
    ("RBD-YAML-045", re.compile(r"cannot start any token")),
    ("RBD-YAML-043", re.compile(r"block (end|mapping|sequence|collection)|simple key|sequence entries")),
)
"""Our codes by the words of both parsers (libyaml, and PyYAML's own); the first match counts."""

_OPENED_EARLIER: Final = frozenset({"RBD-YAML-041", "RBD-YAML-044"})
"""Findings that belong where the quote or bracket was opened, not where the parser gave up."""


def _syntax_finding(error: yaml.MarkedYAMLError, text: str) -> Finding:
    """What is wrong where the text stops being YAML; never a piece of the text, which may hold a secret."""
    said = f"{error.context or ''}; {error.problem or ''}"
    code = next((code for code, pattern in _SYNTAX_CODES if pattern.search(said)), "RBD-YAML-004")
    mark = error.problem_mark or error.context_mark
    if mark is not None and _tab_indents(text, mark.line):
        code = "RBD-YAML-015"
    elif mark is not None and (found := syntax_lookalike(text, mark.line)) is not None:
        return found
    elif code in _OPENED_EARLIER and error.context_mark is not None:
        mark = error.context_mark
    place = Place(line=mark.line + 1, column=mark.column + 1) if mark else Place()
    return Finding(code, Severity.ERROR, place)


def _tab_indents(text: str, line_index: int) -> bool:
    line = text.split("\n")[line_index : line_index + 1]
    return any("\t" in part[: len(part) - len(part.lstrip())] for part in line)
