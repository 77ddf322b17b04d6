"""A foreign YAML file, asked key by key; what nobody asked for is told at the end, each with its line.

Read with the spec's own reader, so that neither aliases nor depth cost more than the text is long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from rbdtui.importers.imported import MOST_SERVERS, Notes
from rbdtui.spec.tree import Mapping, Scalar, Sequence, TreeNode, TreeReader
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text

_EMPTY: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "yes", "on", "y"})
_FALSE: Final = frozenset({"false", "no", "off", "n"})
_DOCUMENT: Final = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
_MOST_DOCUMENTS: Final = 16
_ROOM_FOR_KEY: Final = 60


@dataclass(slots=True)
class Fields:
    """A mapping and where it lies; asking for a key marks it as understood."""

    path: str
    notes: Notes
    line: int = 0
    offset: int = 0
    """Lines of the file before this document."""
    _entries: dict[str, TreeNode] = field(default_factory=dict)
    _lines: dict[str, int] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _below: list[Fields] = field(default_factory=list)
    _sections: dict[str, Fields] = field(default_factory=dict)

    @classmethod
    def of(cls, node: TreeNode | None, path: str, notes: Notes, offset: int = 0) -> Fields:
        """The mapping that a node is; empty for one that is none."""
        fields = cls(path, notes, node.mark.line + offset if node is not None else 0, offset)
        if not isinstance(node, Mapping):
            return fields
        for key, value in node.entries:
            if not isinstance(key, Scalar):
                continue
            name = key.text
            line = key.mark.line + offset
            if name in fields._entries:
                first = fields._lines[name]
                notes.remark(line, fields._shown(name), T("import.twice", key=_shown(name), line=first))
            fields._entries[name], fields._lines[name] = value, line
        return fields

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def is_single(self, key: str) -> bool:
        """Whether a single value stands at a key."""
        return isinstance(self._entries.get(key), Scalar)

    def is_mapping(self, key: str) -> bool:
        """Whether a section stands at a key."""
        return isinstance(self._entries.get(key), Mapping)

    def names(self) -> list[str]:
        """The keys in their order."""
        return list(self._entries)

    def line_of(self, key: str) -> int:
        """Where a key stands; the mapping's own line for one that is not there."""
        return self._lines.get(key, self.line)

    def text(self, *keys: str) -> str:
        """The single value of the first of these keys that has one; empty for none."""
        found = ""
        for key in keys:
            self._asked.add(key)
            node = self._entries.get(key)
            if isinstance(node, Scalar) and not (node.plain and node.text in _EMPTY):
                found = found or node.text
            elif node is not None and not isinstance(node, Scalar):
                self.remark(key, T("import.no_single_value"))
        return found

    def pairs(self) -> list[tuple[str, str]]:
        """All single values with their keys, as labels are."""
        return [(key, self.text(key)) for key in self.names() if self.is_single(key)]

    def number(self, key: str, low: int = 1, high: int = 65535) -> int | None:
        """A whole number, by default a port; None for none, and for another value, of which is said that it is none."""
        text = self.text(key)
        if not text:
            return None
        if re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) and low <= int(text) <= high:
            return int(text)
        self.remark(key, T("import.no_number", low=low, high=high))
        return None

    def flag(self, key: str) -> bool | None:
        """A truth value; None for none."""
        text = self.text(key).lower()
        if text in _TRUE:
            return True
        return False if text in _FALSE else None

    def below(self, key: str) -> Fields:
        """The mapping below a key; an empty one for none."""
        self._asked.add(key)
        if key in self._sections:
            return self._sections[key]
        node = self._entries.get(key)
        if node is not None and not isinstance(node, Mapping) and not _is_empty(node):
            self.remark(key, T("import.no_section"))
        self._sections[key] = self._added(node, self._shown(key))
        return self._sections[key]

    def items(self, key: str) -> list[Fields]:
        """The mappings of a list."""
        listed = self._list(key)
        if more := listed[MOST_SERVERS:]:
            self.notes.refuse_more(more[0][1].mark.line + self.offset, len(more))
        return [self._added(item, f"{self._shown(key)}[{place}]") for place, item in listed[:MOST_SERVERS]]

    def texts(self, key: str) -> list[tuple[str, int]]:
        """The single values of a list, each with its line; one value alone is a list of one."""
        return [
            (item.text, item.mark.line + self.offset)
            for _, item in self._list(key)
            if isinstance(item, Scalar) and not (item.plain and item.text in _EMPTY)
        ]

    def _list(self, key: str) -> list[tuple[int, TreeNode]]:
        self._asked.add(key)
        node = self._entries.get(key)
        if isinstance(node, Sequence):
            return list(enumerate(node.items))
        if isinstance(node, Scalar) and not _is_empty(node):
            return [(0, node)]
        if isinstance(node, Mapping) and node.entries:
            self.remark(key, T("import.no_list"))
        return []

    def _added(self, node: TreeNode | None, path: str) -> Fields:
        fields = Fields.of(node, path, self.notes, self.offset)
        self._below.append(fields)
        return fields

    def known(self, *keys: str) -> None:
        """Keys that mean nothing for a site, or say what is so anyway: nothing is to be told of them."""
        self._asked.update(keys)

    def remark(self, key: str, why: Text) -> None:
        """Say why what stands at a key was not taken."""
        self._asked.add(key)
        self.notes.remark(self.line_of(key), self._shown(key), why)

    def explain(self, key: str, why: Text) -> None:
        """As `remark`, where the key is there and holds something."""
        if not _is_empty(self._entries.get(key)):
            self.remark(key, why)
        self._asked.add(key)

    def tell_rest(self) -> None:
        """Say of every key that nobody asked for that it was not taken."""
        for key, node in self._entries.items():
            if key not in self._asked and not _is_empty(node):
                self.remark(key, T("import.no_place"))
        for fields in self._below:
            fields.tell_rest()

    def _shown(self, key: str) -> str:
        return f"{self.path}.{_shown(key)}" if self.path else _shown(key)


def _shown(key: str) -> str:
    return clean_line(key, _ROOM_FOR_KEY)


def _is_empty(node: TreeNode | None) -> bool:
    if isinstance(node, Scalar):
        return not node.text or (node.plain and node.text in _EMPTY)
    if isinstance(node, Mapping):
        return all(_is_empty(value) for _, value in node.entries)
    return node is None or (isinstance(node, Sequence) and not node.items)


def documents(text: str, notes: Notes) -> Iterator[Fields]:
    """The mappings of a file with one document or several; what is no YAML is said with its line."""
    starts = [0, *(match.start() for match in _DOCUMENT.finditer(text) if match.start())][:_MOST_DOCUMENTS]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part, offset = text[start:end], text.count("\n", 0, start)
        reader = TreeReader()
        root = reader.read(part)
        for finding in reader.findings:
            line = finding.place.line + offset
            if root is None:
                notes.refuse(line, "", finding.message)
            else:
                notes.remark(line, "", finding.message)
        if isinstance(root, Mapping):
            yield Fields.of(root, "", notes, offset)
        elif root is not None and not _is_empty(root):
            notes.refuse(root.mark.line + offset, "", T("import.no_mapping"))
