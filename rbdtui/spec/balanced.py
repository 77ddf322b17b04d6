"""What a balancer in front of the cluster has to forward, whoever runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.profiles.profile import Reach
from rbdtui.spec.model import ApiMode, ClusterSpec, Node, Role

API_PORT: Final = 6443
SUPERVISOR_PORT: Final = 9345
STATUS_PORT: Final = 8404
"""Where HAProxy on our own balancers says how it is, on loopback only; the port that its documentation uses."""


class Behind(StrEnum):
    """What answers behind a port."""

    API = "api"
    SUPERVISOR = "supervisor"
    """RKE2's own port for nodes that join."""
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A TCP port, and the nodes that it leads to."""

    port: int
    """Where the balancer listens."""
    target_port: int
    behind: Behind
    nodes: Sequence[Node]


def to_gateways(spec: ClusterSpec) -> Iterator[Forwarded]:
    """The ports of the profile that users reach."""
    for port in spec.profile.ports(Reach.USERS):
        yield Forwarded(port, port, Behind.GATEWAY, spec.gateways)


def to_servers(spec: ClusterSpec) -> Iterator[Forwarded]:
    """The API, and the port for nodes that join, of all nodes with an API."""
    servers = spec.nodes_with(Role.CONTROL_PLANE)
    yield Forwarded(spec.kubernetes.api.port, API_PORT, Behind.API, servers)
    yield Forwarded(SUPERVISOR_PORT, SUPERVISOR_PORT, Behind.SUPERVISOR, servers)


def forwarded_by_pair(spec: ClusterSpec) -> list[Forwarded]:
    """What HAProxy on our own balancers forwards; none where there are none."""
    if not spec.has_balancers:
        return []
    on_vip = spec.kubernetes.api.mode is ApiMode.VIP
    return [*(to_servers(spec) if on_vip else ()), *to_gateways(spec)]
