"""The network card that carries the pods' network: canal's flannel takes that of the default route by itself.

Source: rancher/rke2-docs, networking/basic_network_options; a HelmChartConfig rke2-canal with ``flannel.iface`` names
another one, the same for all nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Final

from rbdtui.checks.hosts.ports import uses_canal
from rbdtui.checks.view import ClusterView
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec, Node

_DEFAULT: Final = IPv4Network("0.0.0.0/0")


def pods_interface(spec: ClusterSpec, facts: Mapping[str, NodeFacts]) -> str:
    """The card that canal has to be told; empty where its own choice is right, or where names of cards differ."""
    nodes = [(node, facts[node.name]) for node in spec.managed_cluster_nodes if node.name in facts]
    own = [known.interface_of(node.cluster_address) for node, known in nodes]
    names = {each.name for each in own if each is not None}
    if not uses_canal(spec) or not any(_default_elsewhere(node, known) for node, known in nodes) or len(names) != 1:
        return ""
    return names.pop()


def pods_network_elsewhere(view: ClusterView) -> Iterator[Finding]:
    """Canal takes the card with the node's address, by itself or told by the plan, which takes one name for all."""
    if not uses_canal(view.spec):
        return
    told = pods_interface(view.spec, view.facts)
    for node, facts in view.answered():
        default = "" if node.is_outside else _default_elsewhere(node, facts)
        own = facts.interface_of(node.cluster_address)
        if default and own is not None and own.name != told:
            yield view.finding(
                "RBD-NET-109", Severity.WARNING, node=node.name,
                address=str(node.cluster_address), interface=own.name, default=default,
                evidence=f"default dev {default}",
            )  # fmt: skip


def _default_elsewhere(node: Node, facts: NodeFacts) -> str:
    """The card of the default route where it is not that of the node's address; empty where it is."""
    own = facts.interface_of(node.cluster_address)
    there = {interface.name for interface in facts.interfaces}
    defaults = [route.interface for route in facts.routes if route.destination == _DEFAULT and route.interface in there]
    return defaults[0] if own is not None and defaults and own.name not in defaults else ""
