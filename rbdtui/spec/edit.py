"""Changes to a hand-written cluster.yaml: comments, order, quotes and blanks stay, and the result means what was asked.

An edit takes text and gives text, so that whoever edits can keep every state of the file and go back. The text need
not be a valid spec, only YAML: a file is often wrong while it is being filled in.
"""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rbdtui.atomic import write_atomic
from rbdtui.errors import SentenceError
from rbdtui.spec import fields
from rbdtui.spec.loader import BYTE_ORDER_MARK, parse_spec
from rbdtui.spec.surgery import (
    Plain,
    SourceText,
    SurgeryError,
    insert_item,
    insert_key,
    remove_entry,
    replace_value,
)
from rbdtui.spec.tree import Mapping as MappingNode
from rbdtui.spec.tree import Scalar, TreeNode, TreeReader
from rbdtui.spec.tree import Sequence as SequenceNode
from rbdtui.words import T

Steps = tuple[str | int, ...]


class EditError(SentenceError):
    """The file cannot be changed as asked, and was not; carries a sentence."""


@dataclass(frozen=True, slots=True)
class SetField:
    """Give a field a value; sections on the way to it are made."""

    path: str
    value: Plain


@dataclass(frozen=True, slots=True)
class UnsetField:
    """Take a field out, and sections that have nothing left; a field that is not there is fine."""

    path: str


@dataclass(frozen=True, slots=True)
class AddNode:
    """Add a node behind the last one, with its keys in the given order."""

    node: Mapping[str, Plain]


@dataclass(frozen=True, slots=True)
class RemoveNode:
    """Take a node out."""

    name: str


@dataclass(frozen=True, slots=True)
class RenameNode:
    """Give a node another name."""

    name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class ToggleRole:
    """Give a node a role, or take it away."""

    name: str
    role: str


Edit = SetField | UnsetField | AddNode | RemoveNode | RenameNode | ToggleRole


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text with all edits made, one after the other; raises `EditError`, and then none is made."""
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    for edit in edits:
        text = _apply(text.removeprefix(mark), edit)
    return mark + text.removeprefix(mark)


def _apply(text: str, edit: Edit) -> str:
    data = _data(text)
    root = TreeReader().read(text)
    if data is None or not isinstance(root, MappingNode):
        raise EditError(T("edit.unreadable"))
    operation = _operation(data, edit)
    if operation is None:
        return text
    intended = copy.deepcopy(data)
    operation.on_data(intended)
    try:
        changed = operation.on_text(SourceText(text, root))
    except SurgeryError:
        raise EditError(T("edit.unsafe", field=operation.shown)) from None
    result = _data(changed)
    if result is None or _canonical(result) != _canonical(intended):
        raise EditError(T("edit.unsafe", field=operation.shown))
    return changed


def _data(text: str) -> dict[str, object] | None:
    data = parse_spec(text).data
    return dict(data) if data is not None else None


def _canonical(data: object) -> str:
    """Equal only for equal values of equal types in equal order."""
    return json.dumps(data, default=repr)


def _operation(data: dict[str, object], edit: Edit) -> _Operation | None:
    """What an edit comes down to; None when there is nothing to do."""
    if isinstance(edit, SetField):
        return _Put(_steps(edit.path), edit.value)
    if isinstance(edit, UnsetField):
        steps = _steps(edit.path)
        return _Remove(_with_emptied_sections(data, steps)) if _lookup(data, steps) is not None else None
    if isinstance(edit, AddNode):
        has_list = isinstance(data.get("nodes"), list)
        return _Append(("nodes",), dict(edit.node)) if has_list else _Put(("nodes",), [dict(edit.node)])
    index = _node_index(data, edit.name)
    if isinstance(edit, RemoveNode):
        return _Remove(("nodes", index))
    if isinstance(edit, RenameNode):
        return _Put(("nodes", index, "name"), edit.new_name)
    roles = _lookup(data, ("nodes", index, "roles"))
    if not isinstance(roles, list):
        return _Put(("nodes", index, "roles"), [edit.role])
    if edit.role in roles:
        return _Remove(("nodes", index, "roles", roles.index(edit.role)))
    return _Append(("nodes", index, "roles"), edit.role)


def _steps(path: str) -> Steps:
    try:
        steps = tuple(fields.steps_of(path))
    except ValueError:
        steps = ()
    if not steps or isinstance(steps[0], int):
        raise EditError(T("edit.no_field", field=fields.printable(path)))
    return steps


def _node_index(data: dict[str, object], name: str) -> int:
    nodes = data.get("nodes")
    for index, node in enumerate(nodes if isinstance(nodes, list) else ()):
        if isinstance(node, dict) and node.get("name") == name:
            return index
    raise EditError(T("edit.no_node", node=fields.printable(name)))


def _lookup(data: object, steps: Steps) -> object | None:
    """The value at the end of a path, None when there is none."""
    for step in steps:
        data = _below(data, step)
    return data


def _below(data: object, step: str | int) -> object | None:
    if isinstance(data, dict) and isinstance(step, str):
        return data.get(step)
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return data[step]  # type: ignore[no-any-return]
    return None


def _with_emptied_sections(data: dict[str, object], steps: Steps) -> Steps:
    """The path of the outermost section that has nothing but what is to be removed."""
    while len(steps) > 1 and isinstance(steps[-2], str):
        section = _lookup(data, steps[:-1])
        if not isinstance(section, dict) or len(section) > 1:
            break
        steps = steps[:-1]
    return steps


@dataclass(frozen=True, slots=True)
class _Operation:
    """The same change to plain values and to text."""

    steps: Steps

    @property
    def shown(self) -> str:
        """The field for a message."""
        return fields.path_of(self.steps)

    def on_data(self, data: dict[str, object]) -> None:
        """Change the values."""
        raise NotImplementedError

    def on_text(self, patient: SourceText) -> str:
        """The changed text; raises `SurgeryError`."""
        raise NotImplementedError

    def _missing(self) -> EditError:
        return EditError(T("edit.no_field", field=self.shown))


@dataclass(frozen=True, slots=True)
class _Put(_Operation):
    value: Plain

    def on_data(self, data: dict[str, object]) -> None:
        *sections, last = self.steps
        current: object = data
        for position, step in enumerate(sections):
            below = _below(current, step)
            if isinstance(current, dict) and isinstance(step, str) and not isinstance(below, dict | list):
                below = current[step] = {}
                if not all(isinstance(later, str) for later in self.steps[position + 1 :]):
                    raise self._missing()
            current = below
        is_key = isinstance(current, dict) and isinstance(last, str)
        is_item = isinstance(current, list) and isinstance(last, int) and last < len(current)
        if not is_key and not is_item:
            raise self._missing()
        current[last] = copy.deepcopy(self.value)  # type: ignore[index]  # checked above

    def on_text(self, patient: SourceText) -> str:
        key, node, reached = _walk(patient.root, self.steps)
        value = self.value
        for step in reversed(self.steps[reached + 1 :]):
            value = {str(step): value}
        if reached == len(self.steps):
            return replace_value(patient, key, node, self.value)
        if isinstance(node, MappingNode):
            return insert_key(patient, node, str(self.steps[reached]), value)
        return replace_value(patient, key, node, {str(self.steps[reached]): value})


@dataclass(frozen=True, slots=True)
class _Append(_Operation):
    value: Plain

    def on_data(self, data: dict[str, object]) -> None:
        items = _lookup(data, self.steps)
        assert isinstance(items, list)
        items.append(copy.deepcopy(self.value))

    def on_text(self, patient: SourceText) -> str:
        key, node, _ = _walk(patient.root, self.steps)
        if not isinstance(node, SequenceNode):
            raise SurgeryError
        if not node.items:
            return replace_value(patient, key, node, [self.value])
        return insert_item(patient, node, self.value)


@dataclass(frozen=True, slots=True)
class _Remove(_Operation):
    def on_data(self, data: dict[str, object]) -> None:
        container = _lookup(data, self.steps[:-1])
        del container[self.steps[-1]]  # type: ignore[attr-defined]  # the path was looked up before

    def on_text(self, patient: SourceText) -> str:
        key, container, _ = _walk(patient.root, self.steps[:-1])
        last = self.steps[-1]
        if isinstance(container, SequenceNode) and isinstance(last, int):
            return remove_entry(patient, key, container, last)
        if isinstance(container, MappingNode):
            for index, (entry_key, _) in enumerate(container.entries):
                if isinstance(entry_key, Scalar) and entry_key.text == last:
                    return remove_entry(patient, key, container, index)
        raise SurgeryError


def _walk(root: MappingNode, steps: Steps) -> tuple[TreeNode | None, TreeNode, int]:
    """As far as the path goes: the key of the node reached (None in a list), the node, and how many steps it took."""
    key: TreeNode | None = None
    node: TreeNode = root
    for taken, step in enumerate(steps):
        below = _child(node, step)
        if below is None:
            return key, node, taken
        key, node = below
    return key, node, len(steps)


def _child(node: TreeNode, step: str | int) -> tuple[TreeNode | None, TreeNode] | None:
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.items):
        return None, node.items[step]
    if isinstance(node, MappingNode):
        for key, value in node.entries:
            if isinstance(key, Scalar) and key.text == step:
                return key, value
    return None


def unified_diff(before: str, after: str, name: str = "cluster.yaml") -> str:
    """The change as a unified diff, empty when there is none."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def save(path: Path, text: str, *, loaded: str) -> str:
    """Write a changed file and keep what was there as ``.bak``; returns the unified diff, empty when nothing changed.

    ``loaded`` is the text that the changes started from: raises `EditError` when the file holds another by now.
    """
    target = path.resolve()
    try:
        current = target.read_bytes()
        mark = BYTE_ORDER_MARK.encode() if current.startswith(BYTE_ORDER_MARK.encode()) else b""
        if current.removeprefix(mark) != loaded.removeprefix(BYTE_ORDER_MARK).encode():
            raise EditError(T("edit.changed_meanwhile", file=path.name))
        content = mark + text.removeprefix(BYTE_ORDER_MARK).encode()
        if content == current:
            return ""
        mode = target.stat().st_mode & 0o777
        write_atomic(target.with_name(target.name + ".bak"), current, mode)
        write_atomic(target, content, mode)
    except OSError as error:
        raise EditError(T("edit.cannot_write", file=path.name, reason=error.strerror or "")) from error
    return unified_diff(loaded, text, path.name)
