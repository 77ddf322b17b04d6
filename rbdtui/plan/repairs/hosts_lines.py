"""Lines of /etc/hosts that give names of the plan other addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.repairs.repair import Repair
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.edited import EditedFile
from rbdtui.plan.resources.files import BEGIN, END
from rbdtui.spec.model import ClusterSpec


@dataclass(frozen=True, slots=True)
class StaleHostsLines(Repair):
    """Take such names out; a line that has no other name goes as a whole."""

    name: ClassVar[str] = "repair-hosts-lines"
    codes: ClassVar[frozenset[str]] = frozenset({"RBD-NAME-105", "RBD-OLD-103"})

    def resources(self, spec: ClusterSpec, facts: NodeFacts) -> Sequence[Resource]:
        """The file; what the host calls itself is its own matter."""
        right = {node.name: str(node.cluster_address) for node in spec.nodes if node.name != facts.hostname}
        if spec.gateway_address:
            right |= dict.fromkeys(spec.profile.host_names, spec.gateway_address)
        return (EditedFile("/etc/hosts", lambda text: without_stale(text, right)),)


def without_stale(text: str, right: Mapping[str, str]) -> str:
    """A hosts file in which no line outside of our block gives one of these names another address than its own."""
    kept, is_ours = [], False
    for line in text.splitlines(keepends=True):
        marker = line.rstrip().encode("utf-8", "surrogateescape")
        is_ours = marker == BEGIN or (is_ours and marker != END)
        kept.append(line if is_ours or marker == END else _kept(line, right))
    return "".join(kept)


def _kept(line: str, right: Mapping[str, str]) -> str:
    said, sign, comment = line.partition("#")
    fields = said.split()
    if len(fields) < 2 or all(right.get(name, fields[0]) == fields[0] for name in fields[1:]):
        return line
    names = [name for name in fields[1:] if right.get(name, fields[0]) == fields[0]]
    if not names:
        return ""
    return f"{fields[0]} {' '.join(names)}{' ' + sign + comment if sign else chr(10)}"
