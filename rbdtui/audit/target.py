"""What the page wants of this site: its servers, addresses and names, out of cluster.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rbdtui.spec.model import ClusterSpec, Role
from rbdtui.spec.sections.glusterfs import GlusterfsMode

ROOT: Final = "/opt/rainbond"
"""``rbd-path`` of the installer, whose ``dc-compose`` and ``domain`` scripts know no other."""
GRDATA: Final = "/grdata"
OF_VIP: Final = ("goodrain.me", "lang.goodrain.me", "maven.goodrain.me")
OF_MANAGE: Final = ("kubeapi.goodrain.me", "region.goodrain.me", "console.goodrain.me")
LB_API_PORT: Final = 10002
REPO_PORT: Final = 8081
HUB_PORT: Final = 5000
DNS_HEALTH_PORT: Final = 8089


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the three."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Target:
    """The whole of it."""

    manage: Server
    computes: tuple[Server, Server]
    vip: str
    prefix_length: int
    router_id: int
    disk: str
    """Empty where cluster.yaml names none."""
    brick: str
    volume: str
    arbiter: bool

    @property
    def servers(self) -> tuple[Server, ...]:
        """All three, the managing one first."""
        return (self.manage, *self.computes)

    @property
    def brick_mount(self) -> str:
        """Where the data disk is mounted: the directory above the brick."""
        return self.brick.rstrip("/").rpartition("/")[0] or "/"

    @property
    def bricks(self) -> tuple[str, ...]:
        """The bricks of the volume, as gluster names them."""
        holders = (*self.computes, self.manage) if self.arbiter else self.computes
        return tuple(f"{server.name}:{self.brick}" for server in holders)

    def brick_by_name(self, brick: str) -> str:
        """A brick whose server may be given by its address, with the server's name."""
        host, colon, path = brick.partition(":")
        return next((server.name for server in self.servers if server.address == host), host) + colon + path

    @property
    def lb_urls(self) -> str:
        """What rbd-entrance is told, with a hyphen between the addresses."""
        return "-".join(f"http://{server.address}:{LB_API_PORT}" for server in self.computes)

    @property
    def dns_servers(self) -> str:
        """What kubelet gives to containers."""
        return ",".join(server.address for server in self.computes)

    def volume_server(self, server: Server) -> tuple[Server, Server]:
        """Which compute node a server mounts the volume from, and which is its spare."""
        first, second = self.computes
        return (second, first) if server == second else (first, second)

    def fstab_line(self, server: Server) -> str:
        """The line for the shared data on a server, with what keeps a boot from hanging."""
        own, spare = self.volume_server(server)
        options = (
            f"backupvolfile-server={spare.name},use-readdirp=no,log-level=WARNING,"
            "log-file=/var/log/gluster.log,_netdev,nofail"
        )
        return f"{own.name}:/{self.volume} {GRDATA} glusterfs {options} 0 0"


def target_of(spec: ClusterSpec) -> Target:
    """The target of a spec without errors; raises `ValueError` on one whose rules were not obeyed."""
    managing, computing = spec.nodes_with(Role.CONTROL_PLANE), spec.gateways
    vip, router_id, gluster = spec.gateway.vip, spec.gateway.virtual_router_id, spec.glusterfs
    if len(managing) != 1 or len(computing) != 2 or vip is None or router_id is None:
        raise ValueError("the rules of a profile that is only compared were not obeyed")
    servers = [Server(node.name, str(node.cluster_address)) for node in (*managing, *computing)]
    return Target(
        manage=servers[0],
        computes=(servers[1], servers[2]),
        vip=str(vip.ip),
        prefix_length=vip.network.prefixlen,
        router_id=router_id,
        disk=gluster.disk or "",
        brick=gluster.brick,
        volume=gluster.volume,
        arbiter=gluster.mode is GlusterfsMode.ARBITER,
    )
