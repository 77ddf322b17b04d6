"""cluster.yaml to a typed spec, or to findings: all at once, each with field, line, column and what is allowed."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from rbdtui.findings import Finding, Place, Severity
from rbdtui.profiles import PROFILES, USUAL, optional_sections, profile_named
from rbdtui.spec import fields, scalars
from rbdtui.spec.lookalikes import with_lookalikes
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.shape import UNKNOWN_KEY, shape_findings
from rbdtui.spec.tree import Mapping as MappingNode
from rbdtui.spec.tree import Mark, Refused, Scalar, TreeNode, TreeReader
from rbdtui.spec.tree import Sequence as SequenceNode

MAX_SIZE_BYTES: Final = 512 * 1024
"""More than a thousand nodes need; a larger file is something else."""
MAX_FINDINGS: Final = 200
SECRET_FIELDS: Final = ("password", "passphrase")
"""Ends of the names of fields whose value, however it is written, is judged as a secret and as nothing else."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NODE_PATH: Final = re.compile(r"nodes\[(\d+)\]")
BYTE_ORDER_MARK: Final = "\ufeff"


class RefusedValue:
    """Stands in the data where a value was refused, so that the rest can still be judged."""

    def __repr__(self) -> str:
        return "<refused>"


REFUSED: Final = RefusedValue()


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    """What came of a text: a spec unless there is an error among the findings, and where everything stands."""

    spec: ClusterSpec | None
    findings: tuple[Finding, ...]
    positions: Mapping[str, Mark] = field(default_factory=dict)
    """Field path to the position of its value (of its key where the value is a section or list)."""
    text: str = ""
    """The file as it was read, without a byte order mark."""
    data: Mapping[str, object] | None = None
    """The same as plain values, there also when the shape is wrong; None when the text is no YAML mapping."""

    def place(self, field_path: str) -> Place:
        """Where a field stands; for one that is not written, the nearest section around it."""
        nearest = field_path if self.positions else ""
        while nearest and nearest not in self.positions:
            nearest = fields.parent(nearest)
        line, column = self.positions.get(nearest, (0, 0))
        return Place(field_path, self._node_name(field_path), line, column)

    def with_node(self, finding: Finding) -> Finding:
        """The finding with the name of the node that its field belongs to."""
        return replace(finding, place=replace(finding.place, node=self._node_name(finding.place.field)))

    def _node_name(self, field_path: str) -> str:
        match = _NODE_PATH.match(field_path)
        nodes = self.data.get("nodes") if self.data else None
        if match is None or not isinstance(nodes, list) or int(match[1]) >= len(nodes):
            return ""
        node = nodes[int(match[1])]
        name = node.get("name") if isinstance(node, dict) else None
        return fields.printable(name) if isinstance(name, str) else ""


def load_spec(path: Path) -> LoadedSpec:
    """Read and judge a file; what keeps it from being read is a finding as well."""
    name = fields.printable(path.name)
    try:
        content = _read_limited(path)
    except OSError as error:
        return _unreadable("RBD-YAML-001", file=name, reason=error.strerror or "")
    return parse_spec(content, name) if content is not None else _unreadable("RBD-YAML-016", file=name)


def _read_limited(path: Path) -> bytes | None:
    """At most one byte more than is allowed, None when this is no ordinary file; never waits for a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_SIZE_BYTES + 1)
    finally:
        os.close(descriptor)


def parse_spec(text: str | bytes, name: str = "cluster.yaml") -> LoadedSpec:
    """Judge the content of a file of that name."""
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(content) > MAX_SIZE_BYTES:
        return _unreadable("RBD-YAML-002", file=name, limit_kib=MAX_SIZE_BYTES // 1024)
    try:
        decoded = content.decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        return _not_utf8(content, error.start)
    control = _CONTROL.search(decoded)
    if control is not None:
        line, column = _position(decoded, control.start())
        finding = Finding("RBD-YAML-005", Severity.ERROR, Place(line=line, column=column), _codepoint(control[0]))
        return LoadedSpec(None, (finding,), text=decoded)
    return _judge(decoded)


def _unreadable(code: str, **params: str | int) -> LoadedSpec:
    return LoadedSpec(None, (Finding(code, Severity.ERROR, params=params),))


def _not_utf8(content: bytes, offset: int) -> LoadedSpec:
    place = Place(line=content.count(b"\n", 0, offset) + 1, column=offset - content.rfind(b"\n", 0, offset))
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        place = Place(line=1, column=1)
    return LoadedSpec(None, (Finding("RBD-YAML-003", Severity.ERROR, place),))


def _position(text: str, offset: int) -> Mark:
    return Mark(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _codepoint(letter: str) -> dict[str, str]:
    return {"codepoint": f"U+{ord(letter):04X}"}


def parse_values(data: Mapping[str, object]) -> LoadedSpec:
    """Judge plain values that come from no file, such as a draft: the same findings, without lines."""
    builder = _DataBuilder([])
    values = {key: builder.plain(value, key) for key, value in data.items()}
    builder.refuse_unused_sections(values)
    spec, shape, more = _validate(values, builder)
    loaded = LoadedSpec(spec, (), data=values)
    findings = [loaded.with_node(finding) for finding in (*builder.findings, *shape)]
    return replace(loaded, findings=_capped(findings, more), spec=None if findings else spec)


def parse_mapping(text: str) -> tuple[dict[str, object] | None, list[Finding]]:
    """The values of a text that is a YAML mapping by the rules of cluster.yaml, or what keeps it from being one.

    Its findings have lines of this text. An empty text is an empty mapping.
    """
    if not text.strip():
        return {}, []
    if (control := _CONTROL.search(text)) is not None:
        place = Place("", "", *_position(text, control.start()))
        return None, [Finding("RBD-YAML-005", Severity.ERROR, place, _codepoint(control[0]))]
    reader = TreeReader()
    root = reader.read(text)
    builder = _DataBuilder(reader.findings)
    if not isinstance(root, MappingNode):
        if not builder.findings:
            builder.refuse("RBD-YAML-008", root.mark if root is not None else Mark(1, 1))
        return None, builder.findings
    data = builder.mapping(root, "")
    return (None if builder.findings else data), builder.findings


def _judge(text: str) -> LoadedSpec:
    reader = TreeReader()
    root = reader.read(text)
    builder = _DataBuilder(reader.findings)
    if root is None and not builder.findings:
        builder.refuse("RBD-YAML-006", Mark(1, 1))
    if isinstance(root, Scalar | SequenceNode):
        empty = isinstance(root, Scalar) and root.plain and not root.text
        builder.refuse("RBD-YAML-006" if empty else "RBD-YAML-008", root.mark)
    if not isinstance(root, MappingNode):
        return LoadedSpec(None, tuple(with_lookalikes(builder.findings, text)), text=text)
    builder.positions[""] = root.mark
    data = builder.mapping(root, "")
    builder.refuse_unused_sections(data)
    spec, shape, more = _validate(data, builder)
    loaded = LoadedSpec(spec, (), builder.positions, text, data)
    findings = [loaded.with_node(finding) for finding in builder.findings]
    findings += [_with_place(finding, loaded, builder.keys) for finding in shape]
    in_order = sorted(findings, key=lambda finding: (finding.place.line, finding.place.column))
    return replace(
        loaded, findings=tuple(with_lookalikes(_capped(in_order, more), text)), spec=None if findings else spec
    )


def _validate(data: dict[str, object], builder: _DataBuilder) -> tuple[ClusterSpec | None, list[Finding], int]:
    """The spec, or what is wrong with its shape and how many mistakes there are beyond those."""
    used = {key: value for key, value in data.items() if key not in builder.unused_sections}
    try:
        return ClusterSpec.model_validate(used), [], 0
    except ValidationError as error:
        findings = shape_findings(error, builder.texts, builder.refused, limit=MAX_FINDINGS)
        return None, findings, max(0, error.error_count() - MAX_FINDINGS)


def _with_place(finding: Finding, loaded: LoadedSpec, keys: Mapping[str, Mark]) -> Finding:
    """Look up where the field stands; of an unknown field it is the key that counts."""
    place = loaded.place(finding.place.field)
    mark = keys.get(place.field) if finding.code == UNKNOWN_KEY else None
    return replace(finding, place=replace(place, line=mark.line, column=mark.column) if mark else place)


def _capped(findings: Sequence[Finding], more: int) -> tuple[Finding, ...]:
    more += max(0, len(findings) - MAX_FINDINGS)
    last = [Finding("RBD-YAML-050", Severity.ERROR, params={"more": more})] if more else []
    return (*findings[:MAX_FINDINGS], *last)


class _DataBuilder:
    """Turns the tree into plain values; remembers where each stands and what was refused."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        self.positions: dict[str, Mark] = {}
        self.keys: dict[str, Mark] = {}
        self.texts: dict[str, str] = {}
        """The scalars as they are written."""
        self.refused: set[str] = set()
        """Paths of values that nothing more shall be said about."""
        self.unused_sections: set[str] = set()
        """Sections that are not judged: the profile has no use for them."""

    def refuse(self, code: str, mark: Mark, path: str = "", evidence: str = "", **params: str | int) -> None:
        """Note a finding about the value at a path and look at it no further."""
        self._note(code, mark, path, evidence, **params)
        self.refused.add(path)

    def _note(self, code: str, mark: Mark, path: str, evidence: str = "", **params: str | int) -> None:
        shown = "" if fields.is_secret(path) else fields.printable(evidence)
        self.findings.append(Finding(code, Severity.ERROR, Place(path, "", *mark), params, shown))

    def mapping(self, node: MappingNode, path: str) -> dict[str, object]:
        """The values of a mapping by key; of a duplicate the first counts."""
        data: dict[str, object] = {}
        for key_node, value_node in node.entries:
            key = self._key(key_node, path)
            if key is None:
                continue
            below = fields.join(path, key)
            if key in data:
                first = self.keys[below].line
                self._note("RBD-YAML-012", key_node.mark, below, key=fields.printable(key), first=first)
                continue
            self.keys[below] = key_node.mark
            data[key] = self._value(value_node, below, key_node.mark)
        return data

    def _key(self, node: TreeNode, path: str) -> str | None:
        """The key, None when it cannot be one."""
        if not isinstance(node, Scalar):
            self._note("RBD-YAML-014", node.mark, path)
            return None
        if node.plain and node.text == "<<":
            self._note("RBD-YAML-013", node.mark, path)
            return None
        try:
            key = scalars.value_of(node)
        except scalars.TrapError:
            key = None
        if not isinstance(key, str):
            self._note("RBD-YAML-014", node.mark, path, node.text)
            return None
        return key

    def _value(self, node: TreeNode, path: str, key_mark: Mark) -> object:
        if isinstance(node, MappingNode | SequenceNode):
            self.positions[path] = key_mark
            if isinstance(node, MappingNode):
                return self.mapping(node, path)
            steps = [fields.join(path, index) for index in range(len(node.items))]
            return [self._value(item, below, item.mark) for item, below in zip(node.items, steps, strict=True)]
        self.positions[path] = node.mark
        if isinstance(node, Refused):
            self.refused.add(path)
            return REFUSED
        try:
            value = scalars.value_of(node)
        except scalars.TrapError as trap:
            if path.endswith(SECRET_FIELDS) and node.text:
                return node.text
            mark = key_mark if trap.code == "RBD-YAML-026" else node.mark
            self.refuse(trap.code, mark, path, node.text)
            return REFUSED
        self.texts[path] = node.text
        return value

    def plain(self, value: object, path: str) -> object:
        """A value that was never written, taken as if it had been."""
        if isinstance(value, dict):
            return {key: self.plain(below, fields.join(path, key)) for key, below in value.items()}
        if isinstance(value, list):
            return [self.plain(below, fields.join(path, index)) for index, below in enumerate(value)]
        if value is None:
            self.refuse("RBD-YAML-026", Mark(0, 0), path, "null")
            return REFUSED
        self.texts[path] = json.dumps(value) if isinstance(value, bool) else str(value)
        return value

    def refuse_unused_sections(self, data: Mapping[str, object]) -> None:
        """Say of each section that the profile has no use for why that is so."""
        profile = profile_named(data.get("profile", USUAL.name))
        if profile is None:
            return
        for section in optional_sections():
            if section in data and section not in profile.sections:
                self.unused_sections.add(section)
                mark = self.positions.get(section, Mark(0, 0))
                having = ", ".join(other.name for other in PROFILES if section in other.sections)
                self.refuse("RBD-SPEC-040", mark, section, section=section, profile=profile.name, profiles=having)
