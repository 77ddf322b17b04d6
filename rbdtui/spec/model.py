"""The typed shape of cluster.yaml: what the operator wants, never what a host is."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
"""An RFC 1123 label in lower case: what Kubernetes takes for a node name."""
SecretName = Annotated[str, StringConstraints(pattern=r"^secret:[a-z0-9]([-a-z0-9_.]{0,62})$")]
"""A reference into the vault; the value itself never stands in cluster.yaml."""


class Role(StrEnum):
    """What a node does."""

    CONTROL_PLANE = "control-plane"
    ETCD = "etcd"
    WORKER = "worker"
    GATEWAY = "gateway"
    BUILD = "build"


class Section(BaseModel):
    """A part of cluster.yaml; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bastion(Section):
    """A host in between, through which nodes are reached."""

    address: str
    """Address or name, as seen from the jump host (or from the bastion before)."""
    port: Port = 22
    user: str = "root"
    key: str | None = None
    """Path of a private key on the jump host; ``~`` is expanded."""
    password: SecretName | None = None
    passphrase: SecretName | None = None


class SshSettings(Section):
    """How to log in; a node may override any of these."""

    user: str | None = None
    port: Port | None = None
    key: str | None = None
    """Path of a private key on the jump host; ``~`` is expanded."""
    passphrase: SecretName | None = None
    """Passphrase of the key."""
    password: SecretName | None = None
    """Password of the login."""
    sudo_password: SecretName | None = None
    agent: bool | None = None
    """Whether the SSH agent of the jump host may be asked (default: yes)."""
    bastion: Bastion | list[Bastion] | None = None
    """One host in between, or several in the order in which they are passed."""


class Node(Section):
    """A server and what it is for."""

    name: Name
    address: IPv4Address
    """Where SSH answers and Kubernetes listens."""
    roles: Annotated[list[Role], Field(min_length=1)]
    ssh: SshSettings = SshSettings()
    """Overrides of the site's ssh section for this node."""


class ApiMode(StrEnum):
    """Where the Kubernetes API is reached."""

    VIP = "vip"
    EXTERNAL = "external"
    FIRST_SERVER = "first-server"


class Api(Section):
    """The address of the Kubernetes API."""

    mode: ApiMode = ApiMode.VIP
    address: IPv4Address | None = None
    """The VIP or the external balancer; not used with ``first-server``."""
    port: Port = 6443
    domain: str | None = None
    """A name for the address, written to every node's hosts file."""


class Kubernetes(Section):
    """How Kubernetes gets there."""

    distribution: Literal["rke2"] = "rke2"
    api: Api = Api()
    pod_cidr: IPv4Network = IPv4Network("10.42.0.0/16")
    service_cidr: IPv4Network = IPv4Network("10.43.0.0/16")
    settings: dict[str, str | int | bool | list[str]] = {}
    """Further keys for RKE2's config.yaml, passed through as they are."""


class GatewayMode(StrEnum):
    """Who balances the gateway ports."""

    KEEPALIVED = "keepalived"
    EXTERNAL = "external"
    NONE = "none"


class Gateway(Section):
    """The gateway address and who keeps it alive."""

    mode: GatewayMode = GatewayMode.KEEPALIVED
    vip: IPv4Interface | None = None
    """The virtual address with its prefix length, e.g. ``10.0.0.100/24`` (keepalived)."""
    virtual_router_id: Annotated[int, Field(ge=1, le=255)] | None = None
    """VRRP's router id, unique in the segment (keepalived)."""
    interface: str = "auto"
    """Network interface of the VIP; ``auto`` takes the one that holds the node's address."""
    unicast: bool = True
    """VRRP by unicast between the gateways instead of multicast."""
    address: IPv4Address | None = None
    """Address of the balancer that is there already (external)."""


class Profile(StrEnum):
    """What is being installed."""

    RAINBOND_6 = "rainbond-6"
    KUBERNETES_ONLY = "kubernetes-only"


class ClusterSpec(Section):
    """The whole of cluster.yaml."""

    apiVersion: Literal["rbdtui/v1"]  # noqa: N815 - the key as it stands in the file
    name: Name
    profile: Profile = Profile.RAINBOND_6
    bundle: str
    """Directory of the offline packages on the jump host; relative to the site directory, ``~`` is expanded."""
    ssh: SshSettings = SshSettings()
    nodes: Annotated[list[Node], Field(min_length=1)]
    kubernetes: Kubernetes = Kubernetes()
    gateway: Gateway = Gateway()

    def node(self, name: str) -> Node:
        """The node of that name; raises `KeyError`."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def nodes_with(self, *roles: Role) -> list[Node]:
        """Nodes that have at least one of the roles, in the order of the file."""
        return [node for node in self.nodes if set(roles) & set(node.roles)]

    @property
    def servers(self) -> list[Node]:
        """Nodes that run RKE2's server (control plane or etcd), the first to be installed first."""
        both = [n for n in self.nodes if {Role.CONTROL_PLANE, Role.ETCD} <= set(n.roles)]
        some = [n for n in self.nodes_with(Role.CONTROL_PLANE, Role.ETCD) if n not in both]
        return both + some

    @property
    def agents(self) -> list[Node]:
        """Nodes that run RKE2's agent only."""
        return [node for node in self.nodes if node not in self.servers]

    @property
    def gateways(self) -> list[Node]:
        """Nodes that hold or may hold the gateway address."""
        return self.nodes_with(Role.GATEWAY)

    @property
    def api_address(self) -> IPv4Address:
        """The address under which nodes and the operator reach the API."""
        if self.kubernetes.api.mode is ApiMode.FIRST_SERVER:
            return self.servers[0].address
        if self.kubernetes.api.address is not None:
            return self.kubernetes.api.address
        if self.gateway.vip is not None:
            return self.gateway.vip.ip
        return self.servers[0].address
