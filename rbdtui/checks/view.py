"""What a check gets to see: the spec, the facts of one host or of all, and where in the spec things stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from rbdtui.facts.model import Interface, NodeFacts
from rbdtui.findings import Finding, Place, Severity
from rbdtui.profiles.limits import Limits
from rbdtui.rainbond.releases import Release, release_of
from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.model import ClusterSpec, Node, Role
from rbdtui.words import Text

PlaceOf = Callable[[str], Place]
"""From a field's path in cluster.yaml to its place there."""


class PackageFile(Protocol):
    """A package of the bundle."""

    @property
    def path(self) -> Path:
        """Where it is; its name begins with what it brings."""
        ...


class PackageSource(Protocol):
    """What checks ask of the offline bundle."""

    def packages(self, os_id: str, os_version: str, arch: str) -> Iterable[PackageFile]:
        """Host packages for an operating system; empty when the bundle has none, `StepError` when it cannot be read."""
        ...

    def rke2_version(self, arch: str) -> Rke2Version | None:
        """The version of RKE2 for an architecture; None when it cannot be told. Never raises."""
        ...

    def rainbond_releases(self) -> tuple[str, ...]:
        """Tags of the releases of Rainbond that it can install. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class NodeView:
    """One host and what the plan wants of it."""

    spec: ClusterSpec
    node: Node
    facts: NodeFacts
    place: PlaceOf
    limits: Limits
    bundle: PackageSource | None = None
    cluster_id: str = ""
    """Of this site's cluster; empty when not known, then the site's name alone decides whose a claim is."""

    def finding(
        self, code: str, severity: Severity, *, field: str = "", evidence: str = "", **params: str | int | float | Text
    ) -> Finding:
        """A finding on this host; ``field`` is a path in the spec, the node's own by default."""
        place = self.place(field or node_field(self.spec, self.node))
        return Finding(
            code, severity, replace(place, node=self.node.name), {"node": self.node.name, **params}, evidence
        )

    @property
    def rke2_version(self) -> Rke2Version | None:
        """The version that the bundle brings; None when nobody can tell."""
        return self.bundle.rke2_version(self.facts.arch) if self.bundle is not None else None

    @property
    def rainbond(self) -> Release | None:
        """The release that the plan names, else the only one of the bundle; None when nobody can tell."""
        named = self.spec.rainbond.version
        tags = (named,) if named is not None else self.bundle.rainbond_releases() if self.bundle is not None else ()
        return release_of(tags[0]) if len(tags) == 1 else None

    @property
    def ours(self) -> bool:
        """Whether an earlier run of ours for this very site worked on the host."""
        return is_ours(self.spec, self.facts, self.cluster_id)

    @property
    def is_gateway(self) -> bool:
        """Whether the host takes in the traffic of applications."""
        return Role.GATEWAY in self.node.roles

    @property
    def carries_vip(self) -> bool:
        """Whether keepalived is to run here."""
        return self.spec.has_vip and self.node in self.spec.vip_nodes

    @property
    def vip_interface(self) -> Interface | None:
        """The interface that the VIP goes to; None when the host has none of that name or with the node's address."""
        wanted = self.spec.gateway.interface
        if wanted == "auto":
            return self.facts.interface_of(self.spec.vrrp_address(self.node))
        return next((interface for interface in self.facts.interfaces if interface.name == wanted), None)


@dataclass(frozen=True, slots=True)
class ClusterView:
    """All hosts that answered."""

    spec: ClusterSpec
    facts: Mapping[str, NodeFacts]
    place: PlaceOf
    limits: Limits
    cluster_id: str = field(default="")

    def finding(
        self,
        code: str,
        severity: Severity,
        *,
        node: str = "",
        field: str = "",
        evidence: str = "",
        **params: str | int | float | Text,
    ) -> Finding:
        """A finding on the cluster, or on a node as compared with the others."""
        path = field or (node_field(self.spec, self.spec.node(node)) if node else "nodes")
        named = {"node": node, **params} if node else params
        return Finding(code, severity, replace(self.place(path), node=node), named, evidence)

    def answered(self) -> Iterator[tuple[Node, NodeFacts]]:
        """Nodes with their facts, in the order of the spec."""
        for node in self.spec.nodes:
            if node.name in self.facts:
                yield node, self.facts[node.name]

    def is_ours(self, name: str) -> bool:
        """Whether an earlier run of ours for this very site worked on a node."""
        return name in self.facts and is_ours(self.spec, self.facts[name], self.cluster_id)


def node_field(spec: ClusterSpec, node: Node) -> str:
    """The path in the spec of a node's name."""
    return f"nodes[{spec.nodes.index(node)}].name"


def is_ours(spec: ClusterSpec, facts: NodeFacts, cluster_id: str) -> bool:
    """Whether a host's claim names this site and, where known, this cluster."""
    claim = facts.claim
    return claim is not None and claim.site == spec.name and (not cluster_id or claim.cluster_id == cluster_id)
