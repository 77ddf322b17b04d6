"""What every rule is given: the spec, where its fields stand, and a short way to make findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec.model import Bastion, ClusterSpec, Node, Role
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
        place = replace(self.place(f"nodes[{index}].{field}"), node=name)
        return Finding(code, severity, place, {"node": name, **params}, evidence)

    def nodes_with(self, role: Role) -> list[tuple[int, Node]]:
        """Nodes of a role with their indexes."""
        return [(index, node) for index, node in enumerate(self.spec.nodes) if role in node.roles]

    def bastions(self) -> Iterator[tuple[str, Bastion]]:
        """All hosts in between with the paths of their sections, the site's first, each written one once."""
        sections = [("ssh", self.spec.ssh)]
        sections += [(f"nodes[{index}].ssh", node.ssh) for index, node in enumerate(self.spec.nodes)]
        for path, settings in sections:
            if isinstance(settings.bastion, Bastion):
                yield f"{path}.bastion", settings.bastion
            for index, bastion in enumerate(settings.bastion if isinstance(settings.bastion, list) else ()):
                yield f"{path}.bastion[{index}]", bastion


Rule = Callable[[RuleInput], Iterator[Finding]]


def is_usable(address: IPv4Address) -> bool:
    """Whether a host can have this address (not loopback, link-local, multicast, reserved or 0.x)."""
    return not (
        address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or address.is_reserved
        or address.packed[0] == 0
    )
