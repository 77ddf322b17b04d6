"""What is lost and what holds when a node dies, as far as the spec can tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.spec.model import ApiMode, ClusterSpec, GatewayMode, Node, Role
from rbdtui.words import T, Text

_MOST_NAMES: Final = 4


class Impact(StrEnum):
    """What a node's death means for one thing."""

    UNTOUCHED = "untouched"
    """The node has no part in it."""
    HOLDS = "holds"
    """Others take over."""
    LOST = "lost"
    UNUSED = "unused"
    """This cluster does not have it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The impact of one thing, and a few words on it."""

    impact: Impact
    text: Text


@dataclass(frozen=True, slots=True)
class Survival:
    """What the death of one node means."""

    node: str
    etcd: Outcome
    """The members' quorum."""
    api: Outcome
    """The Kubernetes API under its address."""
    gateway: Outcome
    """The address of the applications: the VIP, or whoever balances."""
    builds: Outcome
    """Rainbond's builder."""
    storage: Outcome
    """Volumes on an NFS server that the plan makes."""
    database: Outcome
    """Rainbond's databases on a pair that the plan makes."""
    etcd_members: int
    etcd_members_left: int
    etcd_members_needed: int
    """For quorum."""

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All of them, the most important first."""
        made = tuple(each for each in (self.storage, self.database) if each.impact is not Impact.UNUSED)
        return (self.etcd, self.api, self.gateway, *made, self.builds)


@dataclass(frozen=True, slots=True)
class _Others:
    """The nodes of a role but for one."""

    count: int
    shown: tuple[str, ...]
    """The first of them, few enough to be told."""

    def __str__(self) -> str:
        more = self.count - len(self.shown)
        return ", ".join(self.shown) + (f" +{more}" if more else "")


class _Roster:
    """Nodes by what they do; told apart by identity, as names may be used twice by mistake."""

    def __init__(self, spec: ClusterSpec) -> None:
        self.spec = spec
        self.nodes = {role: spec.nodes_with(role) for role in Role}
        self.carrier = Role.BALANCER if spec.has_balancers else Role.GATEWAY
        """What those do that carry the VIP."""
        self.first_server = next((node.name for node in spec.servers if Role.CONTROL_PLANE in node.roles), "")

    def others(self, role: Role, node: Node) -> _Others:
        """The nodes of a role that are left without that one."""
        first = [other.name for other in self.nodes[role][: _MOST_NAMES + 1] if other is not node]
        return _Others(len(self.nodes[role]) - (role in node.roles), tuple(first[:_MOST_NAMES]))


def what_if_dies(spec: ClusterSpec, node: str) -> Survival:
    """What the death of the node of that name means; raises `KeyError` when there is none."""
    return _survival(_Roster(spec), spec.node(node))


def survivals(spec: ClusterSpec) -> Iterator[Survival]:
    """The same for every node, in the order of the file."""
    roster = _Roster(spec)
    return (_survival(roster, node) for node in spec.nodes)


def _survival(roster: _Roster, node: Node) -> Survival:
    members = len(roster.nodes[Role.ETCD])
    left = members - (Role.ETCD in node.roles)
    needed = members // 2 + 1
    etcd = _etcd(node, members, left, needed)
    return Survival(
        node=node.name,
        etcd=etcd,
        api=_api(roster, node, etcd),
        gateway=_gateway(roster, node),
        builds=_builds(roster, node),
        storage=_storage(roster.spec, node),
        database=_database(roster.spec, node),
        etcd_members=members,
        etcd_members_left=left,
        etcd_members_needed=needed,
    )


def _etcd(node: Node, members: int, left: int, needed: int) -> Outcome:
    if Role.ETCD not in node.roles:
        return Outcome(Impact.UNTOUCHED, T("survival.etcd.untouched", members=members))
    if left >= needed:
        return Outcome(Impact.HOLDS, T("survival.etcd.holds", left=left, members=members))
    return Outcome(Impact.LOST, T("survival.etcd.lost", left=left, members=members, needed=needed))


def _api(roster: _Roster, node: Node, etcd: Outcome) -> Outcome:
    left = roster.others(Role.CONTROL_PLANE, node)
    mode = roster.spec.kubernetes.api.mode
    if etcd.impact is Impact.LOST:
        return Outcome(Impact.LOST, T("survival.api.without_etcd"))
    if not left.count:
        return Outcome(Impact.LOST, T("survival.api.no_server"))
    if mode is ApiMode.FIRST_SERVER and node.name == roster.first_server:
        return Outcome(Impact.LOST, T("survival.api.first_server", node=node.name))
    if mode is ApiMode.VIP:
        carriers = roster.nodes[roster.carrier]
        if node in carriers and len(carriers) == 1:
            return Outcome(Impact.LOST, T("survival.api.vip_gone"))
        impact = Impact.HOLDS if Role.CONTROL_PLANE in node.roles or node in carriers else Impact.UNTOUCHED
        return Outcome(impact, T("survival.api.on_vip"))
    impact = Impact.HOLDS if Role.CONTROL_PLANE in node.roles else Impact.UNTOUCHED
    if mode is ApiMode.EXTERNAL:
        return Outcome(impact, T("survival.api.on_balancer", nodes=str(left)))
    return Outcome(impact, T("survival.api.on_first_server", node=roster.first_server))


def _gateway(roster: _Roster, node: Node) -> Outcome:
    mode = roster.spec.gateway.mode
    if mode is GatewayMode.HAPROXY and Role.BALANCER in node.roles:
        return _vip_moves(roster.others(Role.BALANCER, node))
    left = roster.others(Role.GATEWAY, node)
    if not roster.nodes[Role.GATEWAY]:
        return Outcome(Impact.UNUSED, T("survival.gateway.unused"))
    if Role.GATEWAY not in node.roles:
        return Outcome(Impact.UNTOUCHED, T("survival.gateway.untouched", nodes=str(left)))
    if not left.count:
        return Outcome(Impact.LOST, T("survival.gateway.lost"))
    if mode is GatewayMode.NONE:
        return Outcome(Impact.HOLDS, T("survival.gateway.own_addresses", nodes=str(left)))
    if mode in (GatewayMode.EXTERNAL, GatewayMode.HAPROXY):
        return Outcome(Impact.HOLDS, T("survival.gateway.balanced", nodes=str(left)))
    return _vip_moves(left)


def _vip_moves(left: _Others) -> Outcome:
    if not left.count:
        return Outcome(Impact.LOST, T("survival.gateway.vip_lost"))
    if left.count == 1:
        return Outcome(Impact.HOLDS, T("survival.gateway.moves", node=left.shown[0]))
    return Outcome(Impact.HOLDS, T("survival.gateway.moves_to_one_of", nodes=str(left)))


def _builds(roster: _Roster, node: Node) -> Outcome:
    left = roster.others(Role.BUILD, node)
    if not roster.spec.profile.has_builds or not roster.nodes[Role.BUILD]:
        return Outcome(Impact.UNUSED, T("survival.builds.unused"))
    if Role.BUILD not in node.roles:
        return Outcome(Impact.UNTOUCHED, T("survival.builds.on", nodes=str(left)))
    if left.count:
        return Outcome(Impact.HOLDS, T("survival.builds.on", nodes=str(left)))
    return Outcome(Impact.LOST, T("survival.builds.lost"))


_COPIES_NEEDED: Final = 2
"""Of Ceph's three: with one alone it neither reads nor writes."""


def _ceph(spec: ClusterSpec, node: Node) -> Outcome:
    left = [each for each in spec.ceph_nodes if each is not node]
    if node not in spec.ceph_nodes:
        return Outcome(Impact.UNTOUCHED, T("survival.storage.ceph_on", count=len(left)))
    if len(left) < _COPIES_NEEDED:
        return Outcome(Impact.LOST, T("survival.storage.ceph_lost", count=len(left)))
    return Outcome(Impact.HOLDS, T("survival.storage.ceph_holds", count=len(left)))


def _storage(spec: ClusterSpec, node: Node) -> Outcome:
    if spec.ceph_disks:
        return _ceph(spec, node)
    server = spec.nfs_node
    if server is None:
        return Outcome(Impact.UNUSED, T("survival.storage.unused"))
    copy = spec.nfs_copy_node
    if node is server and copy is not None:
        return Outcome(Impact.LOST, T("survival.storage.lost_copied", node=copy.name))
    if node is server:
        return Outcome(Impact.LOST, T("survival.storage.lost"))
    if node is copy:
        return Outcome(Impact.HOLDS, T("survival.storage.alone", node=server.name))
    return Outcome(Impact.UNTOUCHED, T("survival.storage.on", node=server.name))


def _database(spec: ClusterSpec, node: Node) -> Outcome:
    if spec.mysql_pair is None:
        return Outcome(Impact.UNUSED, T("survival.database.unused"))
    source, replica = spec.mysql_pair
    if node is source:
        return Outcome(Impact.LOST, T("survival.database.lost", node=replica.name))
    if node is replica:
        return Outcome(Impact.HOLDS, T("survival.database.alone", node=source.name))
    return Outcome(Impact.UNTOUCHED, T("survival.database.on", node=source.name))
