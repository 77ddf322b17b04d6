"""The typed shape of cluster.yaml: what the operator wants, never what a host is.

Validators raise `PydanticCustomError` whose type is the code of the finding (its sentences are in the catalogue).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, ClassVar, Final, Literal, NamedTuple

from pydantic import Discriminator, Field, PlainSerializer, PlainValidator, StrictBool, Tag, WithJsonSchema

from rbdtui.profiles import PROFILES, USUAL, Profile
from rbdtui.roles import OUTSIDE
from rbdtui.roles import Role as Role
from rbdtui.spec import values
from rbdtui.spec.sections.etcd import Etcd
from rbdtui.spec.sections.glusterfs import Glusterfs
from rbdtui.spec.sections.kubesphere import Kubesphere
from rbdtui.spec.sections.mysql import Mysql, MysqlMode
from rbdtui.spec.sections.rainbond import Rainbond
from rbdtui.spec.sections.registry import Registry
from rbdtui.spec.sections.storage import CephDisk, Storage, StorageMode
from rbdtui.spec.types import (
    Address,
    AddressWithPrefix,
    Domain,
    FilledText,
    FindingCode,
    HostAddress,
    InterfaceName,
    KeyPath,
    LabelKey,
    LabelValue,
    ModalSection,
    ModeKeys,
    Name,
    Network,
    Port,
    SecretName,
    Section,
    Setting,
    Taint,
    VirtualRouterId,
)

ONE_BASTION: Final = "@one"
"""Mark of the union in pydantic's error locations; no key of cluster.yaml can look like it."""
MANY_BASTIONS: Final = "@many"
UNION_MARKS: Final = frozenset({ONE_BASTION, MANY_BASTIONS})


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
    """Where SSH answers, and Kubernetes listens unless ``internal_address`` is given."""
    roles: Annotated[list[Role], Field(min_length=1)]
    internal_address: Address | None = None
    """Where Kubernetes listens and the other nodes reach it, in a network of their own; ``address`` unless given."""
    external_address: Address | None = None
    """Where users and others outside reach it, told to Kubernetes; the same as there unless given."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels that the node joins with; on a node that has joined Kubernetes leaves them as they are."""
    taints: list[Taint] = Field(default_factory=list)
    """Taints that the node joins with; likewise."""
    ssh: SshSettings = SshSettings()
    """Overrides of the site's ssh section for this node."""

    @property
    def cluster_address(self) -> IPv4Address:
        """Where Kubernetes and the other nodes reach it."""
        return self.internal_address or self.address

    @property
    def cluster_field(self) -> str:
        """The field that says so."""
        return "address" if self.internal_address is None else "internal_address"

    @property
    def addresses(self) -> frozenset[IPv4Address]:
        """All that are its own."""
        return frozenset((self.address, self.cluster_address))

    @property
    def is_server(self) -> bool:
        """Whether RKE2's server runs here (control plane, etcd or both)."""
        return Role.CONTROL_PLANE in self.roles or Role.ETCD in self.roles

    @property
    def is_balancer(self) -> bool:
        """Whether it balances."""
        return Role.BALANCER in self.roles

    @property
    def is_outside(self) -> bool:
        """Whether it is no node of Kubernetes: it only balances, or only carries a service."""
        return not OUTSIDE.isdisjoint(self.roles)


class ApiMode(StrEnum):
    """Where the Kubernetes API is reached."""

    VIP = "vip"
    EXTERNAL = "external"
    FIRST_SERVER = "first-server"


class Api(ModalSection):
    """The address of the Kubernetes API."""

    MODES: ClassVar[Mapping[str, ModeKeys]] = {
        ApiMode.VIP: ModeKeys(optional=("address", "port", "domain")),
        ApiMode.EXTERNAL: ModeKeys(needed=("address",), optional=("port", "domain")),
        ApiMode.FIRST_SERVER: ModeKeys(optional=("port", "domain")),
    }

    mode: ApiMode = ApiMode.VIP
    address: Address | None = None
    """The VIP or the external balancer; not used with ``first-server``."""
    port: Port = 6443
    domain: Domain | None = None
    """A name for the address, written to every node's hosts file."""


class Distribution(StrEnum):
    """Whose Kubernetes it is."""

    RKE2 = "rke2"
    """Ours: installed on the nodes."""
    EXISTING = "existing"
    """One that is there already and is reached by its kubeconfig alone; nothing is done on its hosts."""


class Kubernetes(Section):
    """How Kubernetes gets there."""

    distribution: Distribution = Distribution.RKE2
    kubeconfig: KeyPath | None = None
    """Of the cluster that is there already (``existing``), a file on this machine."""
    api: Api = Api()
    pod_cidr: Network = IPv4Network("10.42.0.0/16")
    service_cidr: Network = IPv4Network("10.43.0.0/16")
    settings: dict[str, Setting] = Field(default_factory=dict)
    """Further keys for RKE2's config.yaml, passed through as they are."""


class GatewayMode(StrEnum):
    """Who balances the gateway ports."""

    KEEPALIVED = "keepalived"
    """Nobody: a VIP that keepalived moves between the gateways themselves."""
    HAPROXY = "haproxy"
    """A pair of servers of our own, with a VIP between them."""
    EXTERNAL = "external"
    NONE = "none"


class Gateway(ModalSection):
    """The gateway address and who keeps it alive."""

    MODES: ClassVar[Mapping[str, ModeKeys]] = {
        GatewayMode.KEEPALIVED: ModeKeys(needed=("vip", "virtual_router_id"), optional=("interface", "unicast")),
        GatewayMode.HAPROXY: ModeKeys(needed=("vip", "virtual_router_id"), optional=("interface", "unicast")),
        GatewayMode.EXTERNAL: ModeKeys(needed=("address",)),
        GatewayMode.NONE: ModeKeys(),
    }
    ALIKE: ClassVar[frozenset[str]] = frozenset({"vip", "virtual_router_id", "interface", "unicast"})

    mode: GatewayMode = GatewayMode.KEEPALIVED
    vip: AddressWithPrefix | None = None
    """The virtual address with its prefix length, e.g. ``10.0.0.100/24`` (keepalived and haproxy)."""
    virtual_router_id: VirtualRouterId | None = None
    """VRRP's router id, unique in the segment (keepalived and haproxy)."""
    interface: InterfaceName = "auto"
    """Network interface of the VIP; ``auto`` takes the one that holds the node's address."""
    unicast: StrictBool = True
    """VRRP by unicast between the servers that carry the VIP instead of multicast."""
    address: Address | None = None
    """Address of the balancer that is there already (external)."""


class Acknowledgement(Section):
    """A warning that the operator accepts."""

    code: FindingCode
    node: Name | None = None
    """Where it is accepted; everywhere without it."""
    reason: FilledText
    """Why; it is shown beside the warning."""


class Maker(NamedTuple):
    """A node that a section names for a service that is made there."""

    field: str
    node: str


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
    storage: Storage = Storage()
    etcd: Etcd = Etcd()
    registry: Registry = Registry()
    mysql: Mysql = Mysql()
    rainbond: Rainbond = Rainbond()
    glusterfs: Glusterfs = Glusterfs()
    kubesphere: Kubesphere = Kubesphere()
    acknowledged: list[Acknowledgement] = Field(default_factory=list)

    @property
    def is_existing(self) -> bool:
        """Whether the cluster is there already, so that only what runs in it is installed."""
        return self.kubernetes.distribution is Distribution.EXISTING

    @property
    def installs_rainbond(self) -> bool:
        """Whether the plan brings Rainbond itself up; to a cluster that is there already nothing else is brought."""
        return self.profile.installs_rainbond or (self.is_existing and self.profile.versions is not None)

    @property
    def installs_kubesphere(self) -> bool:
        """Whether the plan brings KubeSphere to the cluster that it makes."""
        return "kubesphere" in self.profile.sections and self.kubesphere.install and not self.is_existing

    @property
    def managed_nodes(self) -> list[Node]:
        """Nodes that are logged in to: all of a cluster of ours, none of one that is there already."""
        return [] if self.is_existing else self.nodes

    @property
    def managed_cluster_nodes(self) -> list[Node]:
        """Nodes of Kubernetes that are logged in to."""
        return [] if self.is_existing else self.cluster_nodes

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
    def cluster_nodes(self) -> list[Node]:
        """Nodes of Kubernetes."""
        return [node for node in self.nodes if not node.is_outside]

    @property
    def outside_nodes(self) -> list[Node]:
        """Nodes that are none of Kubernetes."""
        return [node for node in self.nodes if node.is_outside]

    @property
    def makers(self) -> list[Maker]:
        """The fields that name where the plan makes a service itself, in the order of the profile's sections."""
        sections = [(name, getattr(self, name)) for name in self.profile.sections]
        return [
            Maker(f"{name}.{key}", node)
            for name, section in sections
            if isinstance(section, ModalSection)
            for key in section.MADE_ON.get(section.mode_name, ())
            if (node := getattr(section, key))
        ]

    @property
    def nfs_node(self) -> Node | None:
        """The node that the plan makes an NFS server of."""
        if "storage" not in self.profile.sections or self.storage.mode is not StorageMode.NFS_SERVER:
            return None
        return next((node for node in self.nodes if node.name == self.storage.node), None)

    @property
    def nfs_copy_node(self) -> Node | None:
        """The node that gets a copy of the made NFS server's directory; never that server itself."""
        if self.nfs_node is None or self.storage.copy_node == self.storage.node:
            return None
        return next((node for node in self.nodes if node.name == self.storage.copy_node), None)

    @property
    def nfs_server(self) -> str:
        """Where volumes are mounted from; empty where storage is no NFS."""
        if node := self.nfs_node:
            return str(node.cluster_address)
        return (self.storage.server or "") if self.storage.mode is StorageMode.NFS else ""

    @property
    def ceph_disks(self) -> list[CephDisk]:
        """The disks that the plan gives to Ceph."""
        used = "storage" in self.profile.sections and self.storage.mode is StorageMode.ROOK_CEPH
        return self.storage.disks if used else []

    @property
    def ceph_nodes(self) -> list[Node]:
        """Nodes of Kubernetes with such disks, in the order of the file."""
        named = {disk.node for disk in self.ceph_disks}
        return [node for node in self.cluster_nodes if node.name in named]

    @property
    def mysql_pair(self) -> tuple[Node, Node] | None:
        """Source and replica that the plan makes; None where it makes none, or one of the two is not there."""
        if "mysql" not in self.profile.sections or self.mysql.mode is not MysqlMode.PAIR:
            return None
        named = {node.name: node for node in self.nodes}
        source, replica = named.get(self.mysql.source or ""), named.get(self.mysql.replica or "")
        return (source, replica) if source is not None and replica is not None else None

    @property
    def mysql_host(self) -> str:
        """Where Rainbond reaches both databases; empty where they are built in."""
        if pair := self.mysql_pair:
            return str(pair[0].cluster_address)
        return (self.mysql.host or "") if self.mysql.mode is MysqlMode.EXTERNAL else ""

    @property
    def agents(self) -> list[Node]:
        """Nodes that run RKE2's agent only."""
        return [node for node in self.cluster_nodes if not node.is_server]

    @property
    def has_vip(self) -> bool:
        """Whether keepalived carries an address, on the gateways or in front of HAProxy."""
        return self.gateway.mode in (GatewayMode.KEEPALIVED, GatewayMode.HAPROXY) and self.gateway.vip is not None

    @property
    def has_balancers(self) -> bool:
        """Whether HAProxy on servers of our own stands in front of the cluster."""
        return self.gateway.mode is GatewayMode.HAPROXY

    @property
    def balancers(self) -> list[Node]:
        """Nodes that only balance."""
        return self.nodes_with(Role.BALANCER)

    @property
    def vip_nodes(self) -> list[Node]:
        """Nodes that carry or may carry the VIP."""
        return self.balancers if self.has_balancers else self.gateways

    def vrrp_address(self, node: Node) -> IPv4Address:
        """Which of a node's own addresses is in the VIP's network; the one of the cluster where none is."""
        network = self.gateway.vip.network if self.gateway.vip is not None else None
        own = (node.cluster_address, node.address)
        return next((each for each in own if network is not None and each in network), node.cluster_address)

    @property
    def gateways(self) -> list[Node]:
        """Nodes that take in the traffic of applications."""
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
        return (api_servers or self.cluster_nodes or self.nodes)[0].cluster_address

    @property
    def gateway_address(self) -> str:
        """Where users and nodes reach the gateways: the VIP, the balancer that is there, or the only gateway."""
        if self.has_vip and self.gateway.vip is not None:
            return str(self.gateway.vip.ip)
        if self.gateway.mode is GatewayMode.EXTERNAL and self.gateway.address is not None:
            return str(self.gateway.address)
        return str(self.gateways[0].cluster_address) if self.gateways else ""


def made_sections() -> dict[str, type[ModalSection]]:
    """Sections with a mode in which something is made on a node."""
    kinds = {name: field.annotation for name, field in ClusterSpec.model_fields.items()}
    return {
        name: kind
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, ModalSection) and kind.MADE_ON
    }
