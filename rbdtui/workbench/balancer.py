"""The address in front of the gateways: who would hold it, what a balancer has to forward, and what fits into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from rbdtui.errors import StepError
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.cluster import gateway_priority, vip_interface
from rbdtui.probes.gateway import GATEWAY_PORTS
from rbdtui.spec.model import ApiMode, ClusterSpec, GatewayMode, Profile, Role
from rbdtui.workbench.draft import Data
from rbdtui.workbench.operations import put, text_at

RKE2_JOIN_PORT = 9345
"""Where servers and agents register (RKE2 documentation, "Inbound Network Rules")."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A gateway that may hold the virtual address."""

    node: str
    priority: int
    """VRRP: the highest that lives holds the address."""
    interface: str
    """Empty while the server has not been asked."""


@dataclass(frozen=True, slots=True)
class Forward:
    """What a balancer outside of the cluster has to forward."""

    port: int
    nodes: tuple[str, ...]


def holders(spec: ClusterSpec, facts: Mapping[str, NodeFacts]) -> list[Holder]:
    """The gateways, the first to hold the address on top; none when no keepalived is wanted."""
    if spec.gateway.mode is not GatewayMode.KEEPALIVED or not spec.servers:
        return []
    found = []
    for node in spec.gateways:
        try:
            interface = vip_interface(spec, node, facts)
        except StepError:
            interface = ""
        found.append(Holder(node.name, gateway_priority(spec, node), interface))
    return sorted(found, key=lambda holder: -holder.priority)


def forwards(spec: ClusterSpec) -> list[Forward]:
    """What external balancers have to forward as they stand; TCP, without looking into it."""
    found: list[Forward] = []
    if spec.gateway.mode is GatewayMode.EXTERNAL and spec.profile is Profile.RAINBOND_6:
        gateways = tuple(node.name for node in spec.gateways)
        found += [Forward(port, gateways) for port in GATEWAY_PORTS]
    if spec.kubernetes.api.mode is ApiMode.EXTERNAL:
        servers = tuple(node.name for node in spec.nodes_with(Role.CONTROL_PLANE))
        found += [Forward(port, servers) for port in (spec.kubernetes.api.port, RKE2_JOIN_PORT)]
    return found


def interfaces_of(facts: Iterable[NodeFacts]) -> list[str]:
    """Names of interfaces that every server which answered has, but for loopback."""
    named = [{each.name for each in known.interfaces if each.name != "lo"} for known in facts]
    return sorted(set.intersection(*named)) if named else []


def put_vip(data: Data, text: str) -> None:
    """Give the gateways a virtual address; the API's address goes with it while it is the same."""
    before, after = _address(text_at(data, "gateway.vip")), _address(text)
    put(data, "gateway.vip", text.strip())
    mode = text_at(data, "kubernetes.api.mode") or ApiMode.VIP.value
    if mode == ApiMode.VIP.value and text_at(data, "kubernetes.api.address") in ("", before):
        put(data, "kubernetes.api.address", after)


def _address(vip: str) -> str:
    return vip.strip().partition("/")[0]


def completed_vip(text: str, facts: Iterable[NodeFacts]) -> str:
    """A virtual address with the prefix length of the servers' network in which it lies, unless it has one."""
    try:
        address = IPv4Address(text.strip())
    except ValueError:
        return text.strip()
    networks: list[IPv4Interface] = [
        own for known in facts for each in known.interfaces if each.name != "lo" for own in each.addresses
    ]
    own = next((own for own in networks if address in own.network), None)
    return f"{address}/{own.network.prefixlen}" if own is not None else text.strip()
