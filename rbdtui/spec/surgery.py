"""Changes to YAML text that touch nothing but what they are about: every other character stays as it was typed.

Works on the positions of the parsed tree instead of writing the file anew, which no YAML writer does without moving
comments or blanks. The caller reads the result again and compares; a change that went wrong is never used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from typing import Final

from rbdtui.spec import scalars
from rbdtui.spec.tree import Mapping, Mark, Scalar, Sequence, TreeNode

Plain = str | int | float | bool | None | AbstractMapping[str, "Plain"] | list["Plain"]
"""A value as it may be written into cluster.yaml."""

_SAFE_PLAIN: Final = re.compile(r"[A-Za-z0-9_./~]([A-Za-z0-9_./~@+-]|:(?=[A-Za-z0-9]))*\Z")
_COMMA: Final = re.compile(r"[ \t]*,[ \t]*")
_COMMENT_GAP: Final = re.compile(r" {2,}(?=#)")
_LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")
_DASH_LINE: Final = re.compile(r"[ \t]*-([ \t\r]|$)")
_SINGLE, _DOUBLE = "'", '"'


class SurgeryError(Exception):
    """The text is written in a way that this change has no answer to."""


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text with its tree."""

    text: str
    root: Mapping

    @property
    def newline(self) -> str:
        """The line break that the text uses."""
        match = _LINE_BREAK.search(self.text)
        return match[0] if match else "\n"

    def line_start(self, offset: int) -> int:
        """Where the line of an offset begins."""
        return max(self.text.rfind("\n", 0, offset), self.text.rfind("\r", 0, offset)) + 1

    def line_end(self, offset: int) -> int:
        """Behind the line break of the line of an offset."""
        match = _LINE_BREAK.search(self.text, offset)
        return match.end() if match else len(self.text)

    def in_flow(self, offset: int) -> bool:
        """Whether an offset is inside braces or brackets, where nothing has lines of its own."""
        within: list[TreeNode] = [self.root]
        while within:
            node = within.pop()
            if not isinstance(node, Mapping | Sequence) or not node.start <= offset < node.end:
                continue
            if node.flow:
                return True
            below = node.items if isinstance(node, Sequence) else [value for _, value in node.entries]
            within += below
        return False

    def last_offset(self, node: TreeNode) -> int:
        """Behind the last visible character of a node (a block of text ends with its last line, not behind it)."""
        return node.start + len(self.text[node.start : node.end].rstrip())

    def last_comment_of(self, item: TreeNode, indent: int) -> int:
        """An offset in the last line of an item, comments below that stand deeper than its dash included."""
        offset = self.last_offset(item)
        comment = re.compile(rf" {{{indent}}} +#")
        while (below := self.line_end(offset)) < len(self.text) and comment.match(self.text, below):
            offset = below
        return offset

    def with_lines_after(self, offset: int, lines: list[str]) -> str:
        """The text with lines inserted below the line of an offset."""
        at = self.line_end(offset)
        before = self.text[:at]
        if before and before[-1] not in "\r\n":
            before += self.newline
        return before + "".join(line + self.newline for line in lines) + self.text[at:]

    def without_lines(self, start: int, end: int) -> str:
        """The text without the lines from one offset to another."""
        return self.text[: self.line_start(start)] + self.text[self.line_end(end) :]


def rendered(value: Plain, quote: str = "") -> str:
    """A value on one line; texts in the given quotes if possible, else in as few as keep their meaning."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return _rendered_text(value, quote)
    if isinstance(value, AbstractMapping):
        return "{" + ", ".join(f"{rendered(key)}: {rendered(below)}" for key, below in value.items()) + "}"
    return "[" + ", ".join(rendered(item) for item in value) + "]"


def _rendered_text(value: str, quote: str) -> str:
    if not quote and _SAFE_PLAIN.match(value) and _means_itself(value):
        return value
    if quote != _DOUBLE and value.isprintable():
        return _SINGLE + value.replace(_SINGLE, _SINGLE * 2) + _SINGLE
    return json.dumps(value, ensure_ascii=False)


def _means_itself(value: str) -> bool:
    try:
        return scalars.value_of(Scalar(value, True, Mark(0, 0), 0, 0)) == value
    except scalars.TrapError:
        return False


def _rendered_lines(key: str, value: Plain, indent: str) -> list[str]:
    """``key: value`` as lines of a block; sections spread out, lists stay on their line."""
    if isinstance(value, AbstractMapping) and value:
        lines = [f"{indent}{rendered(key)}:"]
        for below, inner in value.items():
            lines += _rendered_lines(below, inner, indent + "  ")
        return lines
    if _is_list_of_sections(value):
        assert isinstance(value, list)
        return [f"{indent}{rendered(key)}:", *_item_lines(value, indent + "  ")]
    return [f"{indent}{rendered(key)}: {rendered(value)}"]


def _is_list_of_sections(value: Plain) -> bool:
    """Whether this is a list that would be one endless line unless each item had lines of its own."""
    return isinstance(value, list) and bool(value) and all(isinstance(i, AbstractMapping) and i for i in value)


def _item_lines(items: Iterable[Plain], indent: str) -> list[str]:
    lines: list[str] = []
    for item in items:
        assert isinstance(item, AbstractMapping)
        inside = [line for key, value in item.items() for line in _rendered_lines(key, value, indent + "  ")]
        lines += [f"{indent}- {inside[0].lstrip()}", *inside[1:]]
    return lines


def _spread_out(patient: SourceText, key: TreeNode, old: TreeNode, items: Plain) -> str | None:
    """The text with a list of sections below its key, an item after the other; None where only a line has room."""
    text = patient.text
    begins_line = not text[patient.line_start(key.start) : key.start].strip()
    if not isinstance(items, list) or not begins_line or patient.in_flow(key.start):
        return None
    lines = _item_lines(items, " " * (key.start - patient.line_start(key.start) + 2))
    below = patient.line_start(old.start) > key.start
    end = patient.last_offset(old) if old.end > old.start else text.index(":", key.end) + 1
    behind = text[end : patient.line_end(end)].rstrip("\r\n")
    if behind.strip() and not behind.lstrip().startswith("#"):
        return None
    head = text[: patient.line_start(old.start)] if below else text[: text.index(":", key.end) + 1]
    head = head if below else head + behind + patient.newline
    return head + "".join(line + patient.newline for line in lines) + text[patient.line_end(end) :]


def replace_value(patient: SourceText, key: TreeNode | None, old: TreeNode, new: Plain) -> str:
    """Put a value in place of another; ``key`` is None for an item of a list."""
    text = patient.text
    if key is not None and _is_list_of_sections(new):
        spread = _spread_out(patient, key, old, new)
        if spread is not None:
            return spread
    if isinstance(old, Mapping | Sequence) and not old.flow and old.start != old.end:
        return _replace_block(patient, key, old, new)
    quote = text[old.start] if old.start < len(text) and text[old.start] in (_SINGLE, _DOUBLE) else ""
    written = rendered(new, quote if isinstance(new, str) and isinstance(old, Scalar) else "")
    blank = " " if old.start == old.end and text[old.start - 1 : old.start] in (":", "-") else ""
    end = patient.last_offset(old)
    return text[: old.start] + blank + written + _realigned(text[end:], len(blank + written) - (end - old.start))


def _realigned(rest: str, growth: int) -> str:
    """The rest of a line with its comment in the column where it was, if there is room."""
    gap = _COMMENT_GAP.match(rest)
    return rest if gap is None else " " * max(1, len(gap[0]) - growth) + rest[gap.end() :]


def _replace_block(patient: SourceText, key: TreeNode | None, old: Mapping | Sequence, new: Plain) -> str:
    """Below a key the new value goes behind its colon and the lines of the old one go away."""
    text = patient.text
    if key is None:
        return text[: old.start] + rendered(new) + text[patient.last_offset(old) :]
    if patient.line_start(old.start) <= key.start:
        raise SurgeryError
    colon = text.index(":", key.end) + 1
    first_line = patient.line_start(old.start)
    rest = text[patient.line_end(patient.last_offset(old)) :]
    return f"{text[:colon]} {rendered(new)}{text[colon:first_line]}{rest}"


def insert_key(patient: SourceText, mapping: Mapping, key: str, value: Plain) -> str:
    """Add a key behind the last one of a section."""
    if mapping.flow:
        return _insert_flow(patient, mapping, mapping.entries[-1][1] if mapping.entries else None, {key: value})
    lines = _rendered_lines(key, value, " " * (mapping.mark.column - 1))
    return patient.with_lines_after(patient.last_offset(mapping), lines)


def insert_item(patient: SourceText, sequence: Sequence, value: Plain) -> str:
    """Add an item behind the last one of a list, written in the way of that one."""
    last = sequence.items[-1] if sequence.items else None
    if sequence.flow:
        return _insert_flow(patient, sequence, last, value)
    if last is None:
        raise SurgeryError
    indent = " " * (sequence.mark.column - 1)
    behind = patient.last_comment_of(last, len(indent))
    block = isinstance(last, Mapping) and not last.flow
    if not isinstance(value, AbstractMapping) or not value or not block:
        return patient.with_lines_after(behind, [f"{indent}- {rendered(value)}"])
    dash = "-".ljust(max(2, last.mark.column - sequence.mark.column))
    lines: list[str] = []
    for key, below in value.items():
        lines += _rendered_lines(key, below, indent + " " * len(dash))
    lines[0] = indent + dash + lines[0].lstrip()
    return patient.with_lines_after(behind, lines)


def _insert_flow(patient: SourceText, inside: Mapping | Sequence, last: TreeNode | None, value: Plain) -> str:
    written = rendered(value)
    if isinstance(inside, Mapping):
        written = written[1:-1]
    at = patient.last_offset(last) if last is not None else inside.start + 1
    return patient.text[:at] + (", " if last is not None else "") + written + patient.text[at:]


def remove_entry(patient: SourceText, key: TreeNode | None, container: Mapping | Sequence, index: int) -> str:
    """Take an entry out of a section or list; ``key`` is that of the container, None at the top or in a list."""
    count = len(container.entries if isinstance(container, Mapping) else container.items)
    if container.flow:
        return _remove_flow(patient, [_entry_span(patient, container, i) for i in range(count)], index)
    if count == 1:
        return replace_value(patient, key, container, {} if isinstance(container, Mapping) else [])
    start, end = _entry_span(patient, container, index)
    if isinstance(container, Sequence):
        return patient.without_lines(_dash_line(patient, start), end)
    if patient.text[patient.line_start(start) : start].strip() == "":
        return patient.without_lines(start, end)
    if index + 1 == count:
        raise SurgeryError
    return patient.text[:start] + patient.text[_entry_span(patient, container, index + 1)[0] :]


def _entry_span(patient: SourceText, container: Mapping | Sequence, index: int) -> tuple[int, int]:
    if isinstance(container, Sequence):
        item = container.items[index]
        return item.start, patient.last_offset(item)
    key, value = container.entries[index]
    return key.start, max(key.end, patient.last_offset(value))


def _remove_flow(patient: SourceText, spans: list[tuple[int, int]], index: int) -> str:
    """Take the entry and one comma, never a comment."""
    text = patient.text
    start, end = spans[index]
    comma = _COMMA.match(text, end)
    if comma is not None and index + 1 < len(spans):
        return text[:start] + text[comma.end() :]
    if index > 0:
        before = spans[index - 1][1]
        if _COMMA.fullmatch(text, before, start):
            return text[:before] + text[end:]
        return text[:start] + text[comma.end() if comma else end :]
    if len(spans) > 1:
        raise SurgeryError
    return text[:start] + text[comma.end() if comma else end :]


def _dash_line(patient: SourceText, item_start: int) -> int:
    """Offset in the line that holds the dash of an item."""
    line = patient.line_start(item_start)
    while not _DASH_LINE.match(patient.text[line : patient.line_end(line)].rstrip("\r\n")):
        if line == 0:
            raise SurgeryError
        line = patient.line_start(line - 1)
    return line
