"""From a spec to the steps of its installation, in an order in which each stands behind those it waits for.

Every node has a lane of its own: its steps wait for one another and, at gates, for what the whole cluster must have
reached. Nothing else ties nodes together, so a slow node holds nobody back. The same spec always gives the same ids;
what a host has already is for the steps to find out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rbdtui.facts.model import NodeFacts
from rbdtui.host_programs import host_programs
from rbdtui.plan.cluster import api_is_on_vip, first_server, precedes_the_api
from rbdtui.plan.step import JUMP_LANE, Plan, Step
from rbdtui.plan.steps.claim import ClaimHost
from rbdtui.plan.steps.finish import ClusterProof, LabelNode
from rbdtui.plan.steps.gates import VipToServer, VipUp
from rbdtui.plan.steps.haproxy import GatewaysBalanced, Haproxy, ServersBalanced
from rbdtui.plan.steps.images import ImportImages, ImportKubesphereImages, ImportRookImages
from rbdtui.plan.steps.keepalived import (
    Keepalived,
    KeepalivedBalancer,
    KeepalivedCheck,
    KeepalivedGatewayCheck,
    has_check,
    has_gateway_check,
)
from rbdtui.plan.steps.kubeconfig import WriteKubeconfig
from rbdtui.plan.steps.kubeconfig_given import TakeKubeconfig
from rbdtui.plan.steps.kubesphere.proof import KubesphereProof
from rbdtui.plan.steps.kubesphere.ready import KubesphereReady
from rbdtui.plan.steps.kubesphere.release import InstallKubesphere, MakeKubesphereNamespace
from rbdtui.plan.steps.mysql_pair import MysqlReplica, MysqlSource
from rbdtui.plan.steps.mysql_server import MysqlDump, MysqlServer
from rbdtui.plan.steps.nfs_copy import NfsCopy, NfsCopyServer
from rbdtui.plan.steps.nfs_server import NfsServer
from rbdtui.plan.steps.prepare import HostsFile, PrepareSystem
from rbdtui.plan.steps.push import PushImages
from rbdtui.plan.steps.rainbond.cluster import PatchCluster
from rbdtui.plan.steps.rainbond.definitions import RenewDefinitions
from rbdtui.plan.steps.rainbond.etcd_secret import EtcdSecret
from rbdtui.plan.steps.rainbond.gateway_config import AdoptGatewayConfig
from rbdtui.plan.steps.rainbond.namespace import MakeNamespace
from rbdtui.plan.steps.rainbond.proof import RainbondProof
from rbdtui.plan.steps.rainbond.ready import ComponentsReady
from rbdtui.plan.steps.rainbond.release import InstallRelease
from rbdtui.plan.steps.rainbond.settle import CarryToWorkloads
from rbdtui.plan.steps.rainbond.stateful_sets import RemakeStatefulSets
from rbdtui.plan.steps.rainbond.storage import MakeProvisioner, ProvisionerReady
from rbdtui.plan.steps.rainbond.storage_proof import StorageProof
from rbdtui.plan.steps.rainbond.trial import RainbondTrial
from rbdtui.plan.steps.rainbond.upgrade import UpgradeAllowed
from rbdtui.plan.steps.rke2_config import ConfigureRke2
from rbdtui.plan.steps.rke2_start import ApiReached, ServerReady, StartAgent, StartFirstServer, StartServer
from rbdtui.plan.steps.rook.ceph import CephReady, MakeCeph
from rbdtui.plan.steps.rook.proof import CephBlockProof, CephFilesProof
from rbdtui.plan.steps.rook.release import InstallRook, MakeRookNamespace, RookReady
from rbdtui.plan.steps.ship import InstallHostPackages, ShipBundle, UnpackRke2
from rbdtui.rainbond import provisioner
from rbdtui.rainbond.values import needs_etcd_secret
from rbdtui.spec.model import ClusterSpec, Node, Role
from rbdtui.spec.sections.registry import RegistryMode


@dataclass(slots=True)
class _Lanes:
    """Steps laid out so far; a step waits for the one before it in its lane and for what it is told."""

    steps: list[Step] = field(default_factory=list)
    last: dict[str, str] = field(default_factory=dict)
    """Id of the last step of each node's lane."""

    def add(self, kind: type[Step], node: str, *after: str) -> str:
        """Append a step; its id."""
        before = [self.last[node]] if node and node in self.last else []
        step = kind(node, after=tuple(dict.fromkeys((*before, *after))))
        self.steps.append(step)
        if node:
            self.last[node] = step.id
        return step.id


def build_plan(spec: ClusterSpec, facts: Mapping[str, NodeFacts]) -> Plan:
    """The plan for a spec."""
    lanes = _Lanes()
    if spec.is_existing:
        _rainbond(lanes, spec, lanes.add(TakeKubeconfig, JUMP_LANE), *_images(lanes, spec))
        return Plan(tuple(lanes.steps))
    first = first_server(spec)
    for node in (first, *(node for node in spec.nodes if node is not first)):
        _prepare(lanes, spec, node)
    _mysql(lanes, spec)
    _nfs_copy(lanes, spec)
    opened = _open_cluster(lanes, spec)
    _join(lanes, spec, facts, opened)
    _finish(lanes, spec, opened)
    return Plan(tuple(lanes.steps))


def _prepare(lanes: _Lanes, spec: ClusterSpec, node: Node) -> None:
    """What a node does without looking at the others."""
    kinds: list[type[Step]] = [ClaimHost, HostsFile]
    if node.is_balancer:
        kinds += [InstallHostPackages, Haproxy, KeepalivedBalancer]
    elif node.is_outside:
        kinds += [InstallHostPackages] if host_programs(spec, node) else []
    else:
        kinds.append(PrepareSystem)
        kinds += [InstallHostPackages] if host_programs(spec, node) else []
        kinds += [Keepalived] if spec.has_vip and node in spec.vip_nodes else []
        kinds += [ShipBundle, UnpackRke2]
    if node is spec.nfs_node:
        kinds.insert(kinds.index(InstallHostPackages) + 1, NfsServer)
    if node in (spec.mysql_pair or ()):
        kinds.insert(kinds.index(InstallHostPackages) + 1, MysqlServer)
    first = first_server(spec)
    follows = [f"{Keepalived.name}@{first.name}"] if _first_carries(spec) and node is not first else []
    for kind in kinds:
        lanes.add(kind, node.name, *(follows if kind is Keepalived else ()))


def _first_carries(spec: ClusterSpec) -> bool:
    """Whether the first server itself carries the address through which the others join: it is to hold it first.

    Whoever begins holds it, and keeps it; held by another, it would have to be taken away before anybody can join.
    """
    first = first_server(spec)
    return has_check(spec, first) and first in spec.vip_nodes


def _mysql(lanes: _Lanes, spec: ClusterSpec) -> None:
    """The pair, as soon as both servers run; Rainbond, which waits for all lanes, finds it."""
    if spec.mysql_pair is None:
        return
    source, replica = spec.mysql_pair
    opened = lanes.add(MysqlSource, source.name)
    lanes.add(MysqlReplica, replica.name, opened)
    for node in (source, replica):
        lanes.add(MysqlDump, node.name)


def _nfs_copy(lanes: _Lanes, spec: ClusterSpec) -> None:
    """Who takes the copy, then who gives it; the cluster waits for neither."""
    source, copy = spec.nfs_node, spec.nfs_copy_node
    if source is not None and copy is not None:
        lanes.add(NfsCopy, source.name, lanes.add(NfsCopyServer, copy.name))


def _open_cluster(lanes: _Lanes, spec: ClusterSpec) -> list[str]:
    """The first server; ids of what must be done before others may join."""
    first, gates = first_server(spec), []
    carried = KeepalivedBalancer if spec.has_balancers else Keepalived
    carriers = [f"{carried.name}@{node.name}" for node in spec.vip_nodes] if spec.has_vip else []
    if carriers:
        needed = [f"{carried.name}@{first.name}"] if _first_carries(spec) else carriers
        gates.append(lanes.add(VipUp, JUMP_LANE, *needed))
    lanes.add(ConfigureRke2, first.name)
    started = lanes.add(StartFirstServer, first.name, *gates)
    if has_check(spec, first):
        return [started, lanes.add(VipToServer, JUMP_LANE, started, *carriers)]
    return [started]


def _join(lanes: _Lanes, spec: ClusterSpec, facts: Mapping[str, NodeFacts], opened: list[str]) -> None:
    """Servers one at a time, because etcd takes one new member at a time; agents as soon as there is a cluster.

    The next server comes once the one before votes; where servers run already, which may be started anew, once its node
    is ready, so that never two are away.
    Whoever joins is configured once the cluster has begun, because its token names the cluster's CA. Where servers run
    already, agents come last: they may be given a token, or a newer kubelet, that the servers must know before
    (docs.rke2.io, upgrades/manual_upgrade).
    """
    for node in [*spec.servers[1:], *spec.agents]:
        lanes.add(ConfigureRke2, node.name, opened[0])
    turn, ready, are_there = opened, list[str](), _has_servers(spec, facts)
    for node in spec.servers[1:]:
        lanes.add(ApiReached, node.name, *turn)
        joined = lanes.add(StartServer, node.name)
        ready.append(lanes.add(ServerReady, node.name))
        turn = [ready[-1] if are_there else joined]
    api_comes_late = Role.CONTROL_PLANE not in first_server(spec).roles
    for node in spec.agents:
        lanes.add(ApiReached, node.name, *(ready or turn if api_comes_late or are_there else opened))
        lanes.add(StartAgent, node.name)


def _has_servers(spec: ClusterSpec, facts: Mapping[str, NodeFacts]) -> bool:
    """Whether RKE2 was found on one of the servers, so that this is not the first run to its end."""
    known = [facts[node.name] for node in spec.servers if node.name in facts]
    return any(StartServer.unit in each.active_units | each.enabled_units for each in known)


def _finish(lanes: _Lanes, spec: ClusterSpec, opened: list[str]) -> None:
    """Images, labels, the check of the gateways one after the other, kubeconfig, proof."""
    joined = [*opened, *(lanes.last[node.name] for node in spec.servers)]
    pushed = _images(lanes, spec)
    for node in spec.nodes_with(Role.WORKER):
        lanes.add(LabelNode, node.name, *(joined if precedes_the_api(spec, node) else ()))
    if not _checks_beside(spec):
        _check_servers(lanes, spec, joined)
    if spec.has_balancers and api_is_on_vip(spec):
        joined = [*joined, lanes.add(ServersBalanced, JUMP_LANE, *joined)]
    kubeconfig = lanes.add(WriteKubeconfig, JUMP_LANE, *joined)
    proven = lanes.add(ClusterProof, JUMP_LANE, kubeconfig, *pushed, *lanes.last.values())
    if spec.installs_rainbond:
        _rainbond(lanes, spec, proven)
    if spec.installs_kubesphere:
        _kubesphere(lanes, proven)


def _images(lanes: _Lanes, spec: ClusterSpec) -> list[str]:
    """A platform's images where the nodes look for them; the step that pushes them waits for nothing."""
    if spec.installs_kubesphere:
        for node in spec.cluster_nodes:
            lanes.add(ImportKubesphereImages, node.name)
    for node in spec.cluster_nodes if spec.ceph_disks else ():
        lanes.add(ImportRookImages, node.name)
    if not spec.installs_rainbond:
        return []
    if spec.registry.mode is RegistryMode.EXTERNAL:
        return [lanes.add(PushImages, JUMP_LANE)]
    for node in spec.managed_cluster_nodes:
        lanes.add(ImportImages, node.name)
    return []


def _checks_beside(spec: ClusterSpec) -> bool:
    """Whether gateways get their checks while Rainbond comes up: it is waited for anyway, and needs none of them."""
    return spec.installs_rainbond and has_gateway_check(spec)


def _check_servers(lanes: _Lanes, spec: ClusterSpec, turn: Iterable[str]) -> tuple[str, ...]:
    """The check of the server on its gateways, one after the other; the last of them."""
    turn = tuple(turn)
    for node in reversed(spec.gateways):
        if has_check(spec, node):
            turn = (lanes.add(KeepalivedCheck, node.name, *turn),)
    return turn


def _rainbond(lanes: _Lanes, spec: ClusterSpec, *proven: str) -> None:
    """Rainbond on the cluster that stands, one step behind the other; beside them the checks of its gateways.

    That of the server comes while components start, that of the gateway once all are ready; each takes a gateway at
    a time, and what is beside it bears that the address moves.
    """
    turn, checks = proven, tuple[str, ...]()
    for kind in rainbond_steps(spec):
        turn = (lanes.add(kind, JUMP_LANE, *turn),)
        if kind is CarryToWorkloads and _checks_beside(spec):
            checks = _check_servers(lanes, spec, turn)
        if kind is ComponentsReady:
            _check_gateways(lanes, spec, (*turn, *checks))
    if spec.has_balancers:
        lanes.add(GatewaysBalanced, JUMP_LANE, *turn)


def _check_gateways(lanes: _Lanes, spec: ClusterSpec, turn: tuple[str, ...]) -> None:
    """The check of Rainbond's gateway, one gateway after the other."""
    for node in reversed(spec.gateways) if has_gateway_check(spec) else ():
        turn = (lanes.add(KeepalivedGatewayCheck, node.name, *turn),)


def _kubesphere(lanes: _Lanes, proven: str) -> None:
    """KubeSphere on the cluster that stands, one step behind the other."""
    turn = proven
    for kind in (MakeKubesphereNamespace, InstallKubesphere, KubesphereReady, KubesphereProof):
        turn = lanes.add(kind, JUMP_LANE, turn)


def rainbond_steps(spec: ClusterSpec) -> Iterator[type[Step]]:
    """What turns a cluster into a proven Rainbond; none of it needs RKE2."""
    yield UpgradeAllowed
    yield MakeNamespace
    if needs_etcd_secret(spec):
        yield EtcdSecret
    if provisioner.is_used(spec):
        yield from (MakeProvisioner, ProvisionerReady, StorageProof)
    if spec.ceph_disks:
        yield from (MakeRookNamespace, InstallRook, RookReady, MakeCeph, CephReady, CephFilesProof, CephBlockProof)
    yield from (
        RenewDefinitions,
        AdoptGatewayConfig,
        InstallRelease,
        PatchCluster,
        RemakeStatefulSets,
        CarryToWorkloads,
        ComponentsReady,
        RainbondProof,
        RainbondTrial,
    )
