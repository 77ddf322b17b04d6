"""What every rule is given: the spec, where its fields stand, and a short way to make findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec.model import Bastion, ClusterSpec, Node, Role
from rbdtui.spec.references import login_sections
from rbdtui.words import Text


@dataclass(frozen=True, slots=True)
class RuleInput:
    """A spec and the places of its fields."""

    spec: ClusterSpec
    place: Callable[[str], Place]

    def finding(
        self, code: str, severity: Severity, path: str, evidence: str = "", **params: str | int | Text
    ) -> Finding:
        """A finding about a field that belongs to no single node."""
        return Finding(code, severity, self.place(path), params, evidence)

    def node_finding(
        self, code: str, severity: Severity, index: int, field: str, evidence: str = "", **params: str | int | Text
    ) -> Finding:
        """A finding about a field of the node at an index; its name is among the parameters as ``node``."""
        name = self.spec.nodes[index].name
        at = self.place(f"nodes[{index}].{field}")
        return Finding(code, severity, Place(at.field, name, at.line, at.column), {"node": name, **params}, evidence)

    def nodes_with(self, role: Role) -> list[tuple[int, Node]]:
        """Nodes of a role with their indexes."""
        return [(index, node) for index, node in enumerate(self.spec.nodes) if role in node.roles]

    def bastions(self) -> Iterator[tuple[str, Bastion]]:
        """All hosts in between with the paths of their sections."""
        return ((path, section) for path, section in login_sections(self.spec) if isinstance(section, Bastion))


Rule = Callable[[RuleInput], Iterator[Finding]]


OWN_LOOPBACK: Final = IPv4Network("127.0.0.0/16")
"""What every system uses for itself (127.0.0.1, 127.0.0.53, 127.0.1.1); simulated hosts live elsewhere in 127/8."""


def is_usable(address: IPv4Address) -> bool:
    """Whether a host can have this address (not one's own, link-local, multicast, reserved or 0.x)."""
    return not (
        address in OWN_LOOPBACK
        or address.is_multicast
        or address.is_link_local
        or address.is_reserved
        or address.packed[0] == 0
    )
