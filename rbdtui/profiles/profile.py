"""What a profile says of itself: everything in which one installation differs from another, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from rbdtui.profiles.limits import Limits
from rbdtui.rainbond_version import RainbondVersion
from rbdtui.roles import Role


class Reach(IntEnum):
    """From how far away a port of the gateway is used."""

    NODE = 1
    """On the gateway's own node only."""
    ADDRESS = 2
    """Also at the address in front of the gateways."""
    USERS = 3
    """Also by users: a balancer has to forward it, and its health is watched."""


@dataclass(frozen=True, slots=True)
class GatewayPort:
    """A TCP port that a profile's gateway listens on."""

    number: int
    reach: Reach = Reach.NODE
    essential: bool = True
    """Whether the installation fails when the port is taken."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is being installed."""

    name: str
    """As it stands in cluster.yaml."""
    roles: tuple[Role, ...]
    """What nodes may be there for; a role that is missing here has nothing to do."""
    limits: Limits
    """What a host must have."""
    sections: tuple[str, ...] = ()
    """Sections of cluster.yaml that not every profile has."""
    versions: tuple[RainbondVersion, RainbondVersion] | None = None
    """The first release of Rainbond that it installs, and the first that it no longer does; None without Rainbond."""
    kubernetes_since: tuple[int, int] | None = None
    """The oldest Kubernetes that it runs on, and where known the newest that its maker names."""
    kubernetes_until: tuple[int, int] | None = None
    mysql_proven: tuple[tuple[int, int], ...] = ()
    """Series of MySQL that its maker recommends."""
    mysql_tolerated: tuple[tuple[int, int], ...] = ()
    """Series that work as well, but are not recommended."""
    storage_class: str = ""
    """Name of the class that a provisioner of ours makes, unless the plan gives another."""
    gateway_ports: tuple[GatewayPort, ...] = ()
    """Where the profile's own gateway listens; empty when RKE2's ingress keeps 80 and 443."""
    gateway_program: str = ""
    """What listens there."""
    host_names: tuple[str, ...] = ()
    """Names that lead to the address of the gateways on every node."""
    directories: tuple[str, ...] = ()
    """Directories on every host that the profile fills, beside those of RKE2."""
    disabled_parts: tuple[str, ...] = ()
    """Parts that RKE2 brings and must not start here."""
    registries_asset: str = ""
    """The asset that becomes RKE2's registries.yaml; empty when the profile has no registry of its own."""
    is_complete: bool = True
    """Whether this version installs all of it, not the Kubernetes part only."""
    audit_only: bool = False
    """Whether a site that stands is only compared with the page of its makers: nothing is installed or changed."""

    def __str__(self) -> str:
        return self.name

    @property
    def installs_rainbond(self) -> bool:
        """Whether the plan brings Rainbond itself up, so that chart, helm and images are needed."""
        return self.versions is not None and self.is_complete

    @property
    def has_gateway(self) -> bool:
        """Whether it brings a gateway of its own."""
        return bool(self.gateway_ports)

    @property
    def has_builds(self) -> bool:
        """Whether build nodes have something to do, and one is needed."""
        return Role.BUILD in self.roles

    def ports(self, reach: Reach) -> tuple[int, ...]:
        """Ports of the gateway that are used from at least so far away."""
        return tuple(port.number for port in self.gateway_ports if port.reach >= reach)
