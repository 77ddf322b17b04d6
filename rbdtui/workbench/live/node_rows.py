"""The servers of a draft as a table: what was typed beside what the real servers answered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.terminal_text import clean_line
from rbdtui.transport.endpoints import DEFAULT_PORT, DEFAULT_USER
from rbdtui.words import T, Text
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import NodeData, field_of, nodes_in, text_at
from rbdtui.workbench.live.live import LiveNode, LiveSnapshot, LiveState
from rbdtui.workbench.roles import roles_of

_GIB: Final = 1024**3
DATA_PATH: Final = "/var/lib/rancher"
"""Where RKE2 keeps images and data; the table shows the room there."""
USUAL_LOGIN: Final[Mapping[str, str]] = {"user": DEFAULT_USER, "port": str(DEFAULT_PORT), "key": ""}
"""What holds of the ssh section where neither the node nor the site says anything."""


class Mark(IntEnum):
    """How something stands, the worst last."""

    NONE = 0
    """Nothing is known or nothing is to be said."""
    OK = 1
    BUSY = 2
    WARNING = 3
    ERROR = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """One answer in the table."""

    text: Text | str = ""
    mark: Mark = Mark.NONE


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One server."""

    index: int
    """Its place in the list of nodes."""
    name: str
    address: str
    user: str
    """As it logs in; from the site unless it has its own."""
    port: str
    roles: str
    """With blanks between them."""
    own_user: bool
    own_port: bool
    mark: Mark
    """The worst that is known of it."""
    login: Cell
    os: Cell
    cpu: Cell
    memory: Cell
    disk: Cell
    clock: Cell
    bad_fields: Mapping[str, Mark]
    """What is wrong with what was typed, by field (``name``, ``address``, ``ssh.user``…)."""


_CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "os": ("RBD-OS-",),
    "cpu": ("RBD-HW-101", "RBD-HW-102"),
    "memory": ("RBD-HW-103", "RBD-HW-104", "RBD-HW-105", "RBD-HW-106"),
    "disk": ("RBD-DISK-",),
    "clock": ("RBD-TIME-",),
}
"""Which column a finding on a host belongs to, by the beginning of its code."""
SEVERITY_MARK: Final = {Severity.ERROR: Mark.ERROR, Severity.WARNING: Mark.WARNING, Severity.INFO: Mark.NONE}
_FAILURES: Final = {
    "RBD-SSH-001": "refused", "RBD-SSH-002": "silent", "RBD-SSH-003": "no_way", "RBD-SSH-004": "denied",
    "RBD-SSH-007": "lost", "RBD-SSH-008": "own_key", "RBD-SSH-009": "no_ssh", "RBD-SSH-010": "bastion",
    "RBD-SSH-011": "sudo_wrong", "RBD-SSH-012": "sudo_denied", "RBD-SSH-013": "sudo_asks", "RBD-SSH-014": "sudo_tty",
    "RBD-SSH-015": "no_sudo", "RBD-SSH-016": "no_shell", "RBD-SSH-017": "known_hosts",
    "RBD-SSH-020": "not_simulated",
}  # fmt: skip
_NEW_KEY: Final = "RBD-SSH-005"
"""Nothing is wrong with such a server: there is something to be done."""
_STATES: Final = {
    LiveState.INCOMPLETE: ("", Mark.NONE),
    LiveState.WAITING: ("waiting", Mark.BUSY),
    LiveState.ASKING: ("asking", Mark.BUSY),
    LiveState.KEY_UNKNOWN: ("new_key", Mark.WARNING),
    LiveState.KEY_CHANGED: ("key_changed", Mark.ERROR),
}
_NODE_FIELD: Final = re.compile(r"nodes\[(\d+)\](?:\.(.*))?$")


def node_rows(data: Data, live: LiveSnapshot, findings: Iterable[Finding]) -> list[NodeRow]:
    """All servers in the order of the list."""
    rows = nodes_in(data)
    by_node = findings_by_node(data, findings)
    return [
        _row(data, index, node, live.nodes.get(field_of(node, "name")), by_node.get(index, ())) for index, node in rows
    ]


def findings_by_node(data: Data, findings: Iterable[Finding]) -> dict[int, list[Finding]]:
    """Findings on each node by its place, but for those on roles, which have a section of their own."""
    places = {field_of(node, "name"): index for index, node in nodes_in(data)}
    found: dict[int, list[Finding]] = {}
    for finding in findings:
        match = _NODE_FIELD.match(finding.place.field)
        if match is not None and (match[2] or "").startswith("roles"):
            continue
        if match is not None:
            found.setdefault(int(match[1]), []).append(finding)
        elif finding.place.node in places and not finding.place.field:
            found.setdefault(places[finding.place.node], []).append(finding)
    return found


def in_field(finding: Finding) -> str:
    """The field of a node that a finding blames; empty when it blames none."""
    match = _NODE_FIELD.match(finding.place.field)
    return (match[2] or "") if match is not None else ""


def _row(data: Data, index: int, node: NodeData, live: LiveNode | None, findings: Sequence[Finding]) -> NodeRow:
    facts = live.facts if live is not None else None
    login = _login(field_of(node, "ssh.user") or text_at(data, "ssh.user") or DEFAULT_USER, live)
    bad: dict[str, Mark] = {}
    for finding in findings:
        name = in_field(finding)
        bad[name] = max(bad.get(name, Mark.NONE), SEVERITY_MARK[finding.severity])
    bad.pop("", None)
    judged = [finding for finding in findings if finding.code != _NEW_KEY]
    worst = max((SEVERITY_MARK[finding.severity] for finding in judged), default=Mark.NONE)
    cells = {column: _fact_cell(column, facts, findings) for column in _CODES}
    return NodeRow(
        index=index,
        name=clean_line(field_of(node, "name"), 200),
        address=clean_line(field_of(node, "address"), 200),
        user=clean_line(field_of(node, "ssh.user") or text_at(data, "ssh.user") or DEFAULT_USER, 200),
        port=clean_line(field_of(node, "ssh.port") or text_at(data, "ssh.port") or str(DEFAULT_PORT), 200),
        roles=clean_line(" ".join(roles_of(node)), 200),
        own_user=bool(field_of(node, "ssh.user")),
        own_port=bool(field_of(node, "ssh.port")),
        mark=max(worst, login.mark),
        login=login,
        bad_fields=bad,
        **cells,
    )


def _login(user: str, live: LiveNode | None) -> Cell:
    if live is None:
        return Cell()
    if live.state is LiveState.OK:
        return Cell(T("node.login.root") if user == DEFAULT_USER else T("node.login.sudo"), Mark.OK)
    if live.state is LiveState.FAILED:
        word = _FAILURES.get(live.code, "failed")
        return Cell(Text(f"node.login.{word}"), Mark.ERROR)  # words: node.login.*
    word, mark = _STATES[live.state]
    return Cell(Text(f"node.login.{word}") if word else "", mark)  # words: node.login.*


def _fact_cell(column: str, facts: NodeFacts | None, findings: Sequence[Finding]) -> Cell:
    if facts is None:
        return Cell()
    about = [finding for finding in findings if finding.code.startswith(_CODES[column])]
    worst = max((SEVERITY_MARK[finding.severity] for finding in about), default=Mark.OK)
    return Cell(_fact(column, facts), max(worst, Mark.OK))


def _fact(column: str, facts: NodeFacts) -> str:
    match column:
        case "os":
            return clean_line(f"{facts.os.id} {facts.os.version_id}".strip(), 60)
        case "cpu":
            return str(facts.cpu_count) if facts.cpu_count else ""
        case "memory":
            return size(facts.memory.total_bytes) if facts.memory.total_bytes else ""
        case "disk":
            mount = facts.mount_of(DATA_PATH)
            return size(mount.available_bytes) if mount is not None else ""
        case _:
            return clock_offset(facts.clock.offset_s) if facts.clock is not None else ""


def size(size_bytes: int) -> str:
    """An amount of memory or disk in few letters."""
    gib = size_bytes / _GIB
    if gib >= 1000:
        return f"{gib / 1024:.1f}T"
    return f"{gib:.0f}G" if gib >= 9.95 else f"{gib:.1f}G"


def clock_offset(offset_s: float) -> str:
    """How far a clock is off, in few letters and with its sign."""
    magnitude, sign = abs(offset_s), "-" if offset_s < 0 else "+"
    if magnitude < 0.05:
        return "0.0s"
    if magnitude < 9.95:
        return f"{sign}{magnitude:.1f}s"
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if magnitude >= 2 * unit_s:
            return f"{sign}{magnitude / unit_s:.0f}{unit}"
    return f"{sign}{magnitude:.0f}s"
