"""Gateway ports and the holder of the virtual address, from a run's journal or from the health of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rbdtui.engine.state import RunState
from rbdtui.probes.model import BALANCER, VIP, HealthSnapshot, ProbeState
from rbdtui.profiles import USUAL, Reach, ports_in_front, profile_named
from rbdtui.words import Text

HOLDER: Final = "vip-holder"
"""Id of the probe of who holds the virtual address, as it stands in journals."""
GATEWAY: Final = "gateway-"
"""Beginning of the ids of probes of gateway ports."""
_UNUSED: Final = ("probe.gateway.unused_closed", "probe.gateway.unused_open")


@dataclass(frozen=True, slots=True)
class Light:
    """One answer."""

    state: ProbeState
    detail: Text
    latency_ms: float | None
    since: float
    """Unix time from which it has been so."""

    @property
    def unused(self) -> bool:
        """Whether nothing will ever answer there, because the profile has no such thing."""
        return says_unused(self.detail)


def says_unused(detail: Text) -> bool:
    """Whether an answer of a port is that the profile has no such thing."""
    return innermost(detail).key in _UNUSED


@dataclass(frozen=True, slots=True)
class GatewayView:
    """What is known of the gateways."""

    targets: tuple[str, ...]
    """Gateways, and last the address in front of them (`VIP` or `BALANCER`)."""
    lights: Mapping[tuple[str, int], Light]
    """By target and port; what has not been asked yet is not there."""
    holder: Light | None = None
    """Who holds the virtual address; None when nobody has been asked."""
    ports: tuple[int, ...] = ports_in_front(USUAL, Reach.USERS)
    """In the order in which they are shown."""

    @property
    def holder_node(self) -> str:
        """The one node that holds the virtual address; empty when it is not exactly one."""
        if self.holder is None or not self.holder.state.good:
            return ""
        detail = innermost(self.holder.detail)
        return str(detail.params.get("node", "")) if detail.key == "probe.vip.held" else ""

    @property
    def unused(self) -> bool:
        """Whether the profile has no gateway at all."""
        return bool(self.lights) and all(light.unused for light in self.lights.values())

    @property
    def not_yet(self) -> bool:
        """Whether nothing answers anywhere, and that is right so far."""
        return bool(self.lights) and all(light.state is ProbeState.EXPECTED for light in self.lights.values())

    @property
    def bad(self) -> list[tuple[str, int, Light]]:
        """Ports that are not as they should be."""
        return [(target, port, light) for (target, port), light in self.lights.items() if not light.state.good]


def gateways_of_run(state: RunState) -> GatewayView:
    """As the runner of a run has last seen them."""
    lights: dict[tuple[str, int], Light] = {}
    holder = None
    for probe, seen in state.probes.items():
        event = seen.event
        try:
            worth = ProbeState(event.state)
        except ValueError:  # of a newer version
            worth = ProbeState.UNKNOWN
        light = Light(worth, event.detail, event.latency_ms, seen.since)
        if probe == HOLDER:
            holder = light
        elif probe.startswith(GATEWAY) and event.port:
            lights[event.target, event.port] = light
    return GatewayView(
        _ordered((target for target, _ in lights), state.nodes), lights, holder, _ports_of(state, lights)
    )


def gateways_of_health(snapshot: HealthSnapshot) -> GatewayView:
    """As they have last answered."""
    lights: dict[tuple[str, int], Light] = {}
    holder = None
    nodes: list[str] = []
    ports: list[int] = []
    for status in snapshot.probes:
        light = Light(status.state, status.detail, status.latency_ms, status.since)
        if status.key.kind.by_port:
            nodes.append(status.key.target)
            ports.append(status.key.port)
            if status.newest is not None:
                lights[status.key.target, status.key.port] = light
        elif status.key.id == HOLDER and status.newest is not None:
            holder = light
    return GatewayView(_ordered(nodes, nodes), lights, holder, tuple(dict.fromkeys(ports)) or USUAL.ports(Reach.USERS))


def _ports_of(state: RunState, lights: Mapping[tuple[str, int], Light]) -> tuple[int, ...]:
    """Those of the profile as this version knows it, then others that the runner has seen."""
    known = ports_in_front(profile_named(state.profile) or USUAL, Reach.USERS)
    return tuple(dict.fromkeys((*known, *(port for _, port in lights))))


def innermost(text: Text) -> Text:
    """A sentence without the words around it that tell from where was asked."""
    while text.key == "probe.via" and isinstance(inner := text.params.get("detail"), Text):
        text = inner
    return text


def _ordered(targets: Iterable[str], nodes: Iterable[str]) -> tuple[str, ...]:
    """Nodes in the order of the plan, then the shared address."""
    found = set(targets)
    shared = [name for name in (VIP, BALANCER) if name in found]
    return (*(node for node in dict.fromkeys(nodes) if node in found and node not in shared), *shared)
