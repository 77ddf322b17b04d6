"""The typed shape of cluster.yaml: what the operator wants, never what a host is.

Validators raise `PydanticCustomError` whose type is the code of the finding (its sentences are in the catalogue).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    StrictBool,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

from rbdtui.profiles import PROFILES, USUAL, Profile
from rbdtui.roles import Role as Role
from rbdtui.spec import values

ONE_BASTION: Final = "@one"
"""Mark of the union in pydantic's error locations; no key of cluster.yaml can look like it."""
MANY_BASTIONS: Final = "@many"
UNION_MARKS: Final = frozenset({ONE_BASTION, MANY_BASTIONS})


def _numbers(low: int, high: int) -> object:
    return Field(strict=True, ge=low, le=high)


def _in_range(low: int, high: int) -> BeforeValidator:
    return BeforeValidator(values.whole_number_between(low, high))


def _shaped(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(check)


Port = Annotated[int, _numbers(1, 65535), _in_range(1, 65535)]
VirtualRouterId = Annotated[int, _numbers(1, 255), _in_range(1, 255)]
Name = Annotated[str, StringConstraints(pattern=values.NAME_PATTERN), BeforeValidator(values.label)]
"""An RFC 1123 label in lower case: what Kubernetes takes for a node name."""
Domain = Annotated[str, StringConstraints(pattern=values.DOMAIN_PATTERN), BeforeValidator(values.domain)]
"""A DNS name in lower case."""
SecretName = Annotated[str, StringConstraints(pattern=values.SECRET_PATTERN), BeforeValidator(values.secret_reference)]
"""A reference into the vault, ``secret:name``; the value itself never stands in cluster.yaml."""
Address = Annotated[IPv4Address, BeforeValidator(values.ipv4_address)]
AddressWithPrefix = Annotated[IPv4Interface, BeforeValidator(values.ipv4_with_prefix)]
Network = Annotated[IPv4Network, BeforeValidator(values.ipv4_network)]
HostAddress = Annotated[str, _shaped(values.host_address)]
"""An address or a name."""
FilledText = Annotated[str, _shaped(values.filled_text)]
"""Text of one line that is not empty."""
KeyPath = Annotated[str, _shaped(values.local_file)]
"""A path that begins with ``/`` or ``~/``."""
InterfaceName = Annotated[str, _shaped(values.interface_name)]
KnownProfile = Annotated[
    Profile,
    PlainValidator(values.known_profile),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "description": "What is being installed.",
            "enum": [profile.name for profile in PROFILES],
            "type": "string",
        }
    ),
]
"""A profile by its name."""
Setting = Annotated[str | int | bool | list[str], BeforeValidator(values.setting)]


class Section(BaseModel):
    """A part of cluster.yaml; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bastion(Section):
    """A host in between, through which nodes are reached."""

    address: HostAddress
    """Address or name, as seen from the jump host (or from the bastion before)."""
    port: Port = 22
    user: FilledText = "root"
    key: KeyPath | None = None
    """Path of a private key on the jump host; ``~`` is expanded."""
    password: SecretName | None = None
    passphrase: SecretName | None = None


class SshSettings(Section):
    """How to log in; a node may override any of these."""

    user: FilledText | None = None
    port: Port | None = None
    key: KeyPath | None = None
    """Path of a private key on the jump host; ``~`` is expanded."""
    passphrase: SecretName | None = None
    """Passphrase of the key."""
    password: SecretName | None = None
    """Password of the login."""
    sudo_password: SecretName | None = None
    agent: StrictBool | None = None
    """Whether the SSH agent of the jump host may be asked (default: yes)."""
    bastion: (
        Annotated[
            Annotated[Bastion, Tag(ONE_BASTION)] | Annotated[list[Bastion], Tag(MANY_BASTIONS)],
            Discriminator(lambda value: MANY_BASTIONS if isinstance(value, list) else ONE_BASTION),
        ]
        | None
    ) = None
    """One host in between, or several in the order in which they are passed; an empty list on a node means none."""

    @property
    def bastions(self) -> list[Bastion] | None:
        """The hosts in between in the order in which they are passed; None when nothing is said about them."""
        return [self.bastion] if isinstance(self.bastion, Bastion) else self.bastion


class Node(Section):
    """A server and what it is for."""

    name: Name
    address: Address
    """Where SSH answers and Kubernetes listens."""
    roles: Annotated[list[Role], Field(min_length=1)]
    ssh: SshSettings = SshSettings()
    """Overrides of the site's ssh section for this node."""

    @property
    def is_server(self) -> bool:
        """Whether RKE2's server runs here (control plane, etcd or both)."""
        return Role.CONTROL_PLANE in self.roles or Role.ETCD in self.roles


class ApiMode(StrEnum):
    """Where the Kubernetes API is reached."""

    VIP = "vip"
    EXTERNAL = "external"
    FIRST_SERVER = "first-server"


class Api(Section):
    """The address of the Kubernetes API."""

    mode: ApiMode = ApiMode.VIP
    address: Address | None = None
    """The VIP or the external balancer; not used with ``first-server``."""
    port: Port = 6443
    domain: Domain | None = None
    """A name for the address, written to every node's hosts file."""


class Kubernetes(Section):
    """How Kubernetes gets there."""

    distribution: Literal["rke2"] = "rke2"
    api: Api = Api()
    pod_cidr: Network = IPv4Network("10.42.0.0/16")
    service_cidr: Network = IPv4Network("10.43.0.0/16")
    settings: dict[str, Setting] = {}
    """Further keys for RKE2's config.yaml, passed through as they are."""


class GatewayMode(StrEnum):
    """Who balances the gateway ports."""

    KEEPALIVED = "keepalived"
    EXTERNAL = "external"
    NONE = "none"


class Gateway(Section):
    """The gateway address and who keeps it alive."""

    mode: GatewayMode = GatewayMode.KEEPALIVED
    vip: AddressWithPrefix | None = None
    """The virtual address with its prefix length, e.g. ``10.0.0.100/24`` (keepalived)."""
    virtual_router_id: VirtualRouterId | None = None
    """VRRP's router id, unique in the segment (keepalived)."""
    interface: InterfaceName = "auto"
    """Network interface of the VIP; ``auto`` takes the one that holds the node's address."""
    unicast: StrictBool = True
    """VRRP by unicast between the gateways instead of multicast."""
    address: Address | None = None
    """Address of the balancer that is there already (external)."""


class ClusterSpec(Section):
    """The whole of cluster.yaml."""

    apiVersion: Literal["rbdtui/v1"]  # noqa: N815 - the key as it stands in the file
    name: Name
    profile: KnownProfile = Field(default=USUAL.name, validate_default=True)
    bundle: FilledText
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
        return [node for node in self.nodes if any(role in node.roles for role in roles)]

    @property
    def servers(self) -> list[Node]:
        """Nodes that run RKE2's server, in the order of installation.

        Nodes with both halves come first, then etcd alone, then the control plane alone: a server without etcd waits
        until an etcd node is up.
        """
        servers = [node for node in self.nodes if node.is_server]
        return sorted(servers, key=lambda node: (Role.ETCD not in node.roles, Role.CONTROL_PLANE not in node.roles))

    @property
    def agents(self) -> list[Node]:
        """Nodes that run RKE2's agent only."""
        return [node for node in self.nodes if not node.is_server]

    @property
    def gateways(self) -> list[Node]:
        """Nodes that hold or may hold the gateway address."""
        return self.nodes_with(Role.GATEWAY)

    @property
    def api_address(self) -> IPv4Address:
        """The address under which nodes and the operator reach the API."""
        if self.kubernetes.api.mode is not ApiMode.FIRST_SERVER:
            if self.kubernetes.api.address is not None:
                return self.kubernetes.api.address
            if self.gateway.vip is not None:
                return self.gateway.vip.ip
        api_servers = [node for node in self.servers if Role.CONTROL_PLANE in node.roles]
        return (api_servers or self.nodes)[0].address
