"""The address in front of the gateways: who would hold it, what a balancer has to forward, and what fits into it.

All of it is told as far as it can be known while something else in the plan is still wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

from rbdtui.checks.hosts.addresses import POD_INTERFACES
from rbdtui.checks.services.vip import VipQuestion
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.cluster import vip_priority
from rbdtui.plan.steps.keepalived import has_check
from rbdtui.spec.balanced import API_PORT, Behind, Forwarded, forwarded_by_pair, to_gateways, to_servers
from rbdtui.spec.model import ApiMode, ClusterSpec, GatewayMode, Node
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import field_of, nodes_in, put, text_at
from rbdtui.workbench.live.live import LiveSnapshot
from rbdtui.workbench.roles import Sketch, sketch

AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class Holder:
    """A server that may hold the virtual address."""

    node: str
    priority: int
    """VRRP: at the start, the highest that lives holds the address."""
    interface: str
    """Empty while the server has not been asked."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server behind a balancer."""

    node: str
    address: str
    """Empty while it is not known."""


@dataclass(frozen=True, slots=True)
class Forward:
    """What a balancer outside of the cluster has to forward."""

    port: int
    """Where the balancer listens."""
    target_port: int
    targets: tuple[Target, ...]

    def __str__(self) -> str:
        """As a line to be handed to whoever runs the balancer."""
        to = ", ".join(f"{target.address or target.node}:{self.target_port}" for target in self.targets)
        return f"tcp {self.port} -> {to}"


class _Plan:
    """The sketch of a draft, with the names and addresses that the operator wrote."""

    def __init__(self, data: Data, known: Sketch) -> None:
        self.data, self.spec = data, known.spec
        listed = dict(nodes_in(data))
        self._own = {name: listed[index] for index, name in known.names.items()}

    def name(self, node: Node) -> str:
        return field_of(self._own[node.name], "name") or node.name

    def address(self, node: Node, key: str = "address") -> IPv4Address | None:
        try:
            return IPv4Address(field_of(self._own[node.name], key))
        except ValueError:
            return None

    def vrrp_address(self, node: Node) -> IPv4Address | None:
        """As `ClusterSpec.vrrp_address`, of what is written; the sketch has addresses of its own."""
        written = {"address": self.address(node), "internal_address": self.address(node, "internal_address")}
        own = {name: address for name, address in written.items() if address is not None}
        return self.spec.vrrp_address(node.model_copy(update=own)) if "address" in own else None

    def targets(self, nodes: Iterable[Node]) -> tuple[Target, ...]:
        return tuple(Target(self.name(node), str(self.address(node) or "")) for node in nodes)


def _plan(data: Data) -> _Plan | None:
    known = sketch(data)
    return _Plan(data, known) if known is not None else None


def gateways_in(data: Data) -> list[str]:
    """Names of the gateways, in the order of the list."""
    plan = _plan(data)
    return [plan.name(node) for node in plan.spec.gateways] if plan is not None else []


def carriers_in(data: Data) -> list[str]:
    """Names of those that may hold the virtual address, in the order of the list."""
    plan = _plan(data)
    return [plan.name(node) for node in plan.spec.vip_nodes] if plan is not None else []


def holders(data: Data, facts: Mapping[str, NodeFacts]) -> list[Holder]:
    """Those that may hold the address, the first on top; none when no keepalived is wanted."""
    plan = _plan(data)
    carried = (GatewayMode.KEEPALIVED, GatewayMode.HAPROXY)
    if plan is None or plan.spec.gateway.mode not in carried or not plan.spec.servers:
        return []
    found = [
        Holder(plan.name(node), vip_priority(plan.spec, node), _interface(plan, node, facts))
        for node in plan.spec.vip_nodes
    ]
    return sorted(found, key=lambda holder: -holder.priority)


def _interface(plan: _Plan, node: Node, facts: Mapping[str, NodeFacts]) -> str:
    chosen = text_at(plan.data, "gateway.interface") or AUTO
    known, address = facts.get(plan.name(node)), plan.vrrp_address(node)
    if chosen != AUTO or known is None or address is None:
        return chosen if chosen != AUTO else ""
    interface = known.interface_of(address)
    return interface.name if interface is not None else ""


def forwards(data: Data) -> list[Forward]:
    """What external balancers have to forward as they stand; TCP, without looking into it."""
    plan = _plan(data)
    if plan is None:
        return []
    spec = plan.spec
    wanted = [*to_gateways(spec)] if spec.gateway.mode is GatewayMode.EXTERNAL else []
    wanted += to_servers(spec) if spec.kubernetes.api.mode is ApiMode.EXTERNAL else ()
    return _told(plan, data, wanted)


def forwarded_here(data: Data) -> list[Forward]:
    """What HAProxy on our own balancers will forward."""
    plan = _plan(data)
    return _told(plan, data, forwarded_by_pair(plan.spec)) if plan is not None else []


def _told(plan: _Plan, data: Data, wanted: Iterable[Forwarded]) -> list[Forward]:
    return [
        Forward(_api_port(data) if each.behind is Behind.API else each.port, each.target_port, plan.targets(each.nodes))
        for each in wanted
    ]


def _api_port(data: Data) -> int:
    written = text_at(data, "kubernetes.api.port")
    return int(written) if written.isdecimal() else API_PORT


def gives_up_on_failed_api(spec: ClusterSpec | None) -> bool:
    """Whether a gateway gives the virtual address away when its own API server no longer answers."""
    return spec is not None and any(has_check(spec, node) for node in spec.gateways)


def interfaces_of(facts: Iterable[NodeFacts]) -> list[str]:
    """Names of interfaces with an address that every server which answered has; none of loopback or of pods."""
    named = [
        {
            each.name
            for each in known.interfaces
            if each.name != "lo" and each.addresses and not each.name.startswith(POD_INTERFACES)
        }
        for known in facts
    ]
    return sorted(set.intersection(*named)) if named else []


class VipState(StrEnum):
    """What is known of the virtual address as it stands in the draft."""

    UNKNOWN = "unknown"
    """No gateway has answered yet, or the address is not finished."""
    ASKING = "asking"
    FREE = "free"
    OURS = "ours"
    """A gateway of this site holds it."""


def vip_state(data: Data, live: LiveSnapshot) -> VipState:
    """Whether the address was found to be free; who else has it is a finding."""
    look = live.vip
    if not isinstance(look.question, VipQuestion) or look.findings:
        return VipState.UNKNOWN
    if str(look.question.address) != _address(text_at(data, "gateway.vip")):
        return VipState.UNKNOWN
    if look.asking:
        return VipState.ASKING
    if any(answer.own or answer.macs for answer in look.answers.values()):
        return VipState.OURS
    return VipState.FREE if vip_witnesses(live) else VipState.UNKNOWN


def vip_witnesses(live: LiveSnapshot) -> int:
    """How many gateways could tell something about the virtual address."""
    return sum(answer.is_witness for answer in live.vip.answers.values())


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
