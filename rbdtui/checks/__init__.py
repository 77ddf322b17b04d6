"""Pure judgements: facts and spec in, findings out.

Every check is a small function in one of the two tuples below. A check says nothing about facts that could not be had;
that they could not is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from rbdtui.checks.hosts import (
    addresses,
    canal,
    ceph,
    clocks,
    disks,
    installed,
    kernel,
    listening,
    names,
    software,
    system,
)
from rbdtui.checks.network import check_network
from rbdtui.checks.view import ClusterView, NodeView, PackageSource, PlaceOf
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding
from rbdtui.profiles.limits import BALANCER, SERVICE
from rbdtui.spec.model import ClusterSpec

NODE_CHECKS: Final[tuple[Callable[[NodeView], Iterable[Finding]], ...]] = (
    system.unreadable_facts,
    system.os_family,
    system.kernel_version,
    system.extra_modules_package,
    system.architecture,
    system.systemd_runs,
    system.processors,
    system.memory,
    system.swap,
    disks.free_space,
    disks.room_for_all,
    disks.fill,
    disks.writable,
    disks.usr_local,
    disks.executable,
    disks.xfs_knows_types,
    disks.quick_builds,
    disks.changeable,
    disks.local_file_systems,
    disks.symbolic_links,
    ceph.ceph_disks,
    ceph.mounts_ceph,
    ceph.memory_for_ceph,
    ceph.udev_runs,
    ceph.earlier_monitors,
    names.host_name,
    names.host_name_resolves,
    names.stale_host_lines,
    names.old_registry_lines,
    names.hosts_file_kept,
    names.machine_id_set,
    clocks.kept_right,
    clocks.synchronised,
    addresses.own_address,
    addresses.lent_address,
    addresses.default_route,
    addresses.cluster_networks,
    addresses.resolver,
    addresses.vip_interface,
    addresses.vip_on_host,
    kernel.control_groups,
    kernel.control_group_version,
    kernel.modules,
    kernel.settings,
    kernel.selinux,
    kernel.hardening_profile,
    kernel.apparmor,
    kernel.fapolicyd,
    software.tools,
    software.haproxy,
    software.keepalived,
    software.stale_keepalived,
    software.nfs_client,
    software.nfs_server,
    software.nfs_copy,
    software.mysql_server,
    software.firewall,
    software.network_managers,
    software.foreign_claim,
    software.leftovers,
    software.other_runtimes,
    installed.another_rke2,
    installed.older_rainbond,
    listening.ports_free,
)
_OF_KUBERNETES: Final = frozenset({
    system.kernel_version, system.extra_modules_package, system.swap, disks.usr_local, disks.executable,
    disks.xfs_knows_types, disks.quick_builds, disks.local_file_systems, disks.symbolic_links, addresses.default_route,
    addresses.cluster_networks, addresses.resolver, kernel.control_groups,
    kernel.control_group_version, kernel.modules, kernel.settings, kernel.selinux, kernel.hardening_profile,
    kernel.apparmor, kernel.fapolicyd, software.nfs_client, software.leftovers, software.other_runtimes,
    installed.another_rke2, installed.older_rainbond,
    ceph.ceph_disks, ceph.mounts_ceph, ceph.memory_for_ceph, ceph.udev_runs,
    ceph.earlier_monitors,
})  # fmt: skip
"""What only a node of Kubernetes is asked for, and no server beside it."""
CLUSTER_CHECKS: Final[tuple[Callable[[ClusterView], Iterable[Finding]], ...]] = (
    system.mixed_architectures,
    names.unique_host_names,
    names.unique_machine_ids,
    names.unique_product_uuids,
    names.unique_macs,
    clocks.skew,
    clocks.jump_host_clock,
    ceph.clocks_of_ceph,
    addresses.equal_mtu,
    addresses.vip_held_once,
    canal.pods_network_elsewhere,
)


def check_node(
    spec: ClusterSpec,
    facts: NodeFacts,
    place: PlaceOf,
    *,
    bundle: PackageSource | None = None,
    cluster_id: str = "",
) -> list[Finding]:
    """All findings on one host by itself; none on one that nothing is installed on."""
    if spec.profile.audit_only:
        return []
    node = spec.node(facts.node)
    limits = BALANCER if node.is_balancer else SERVICE if node.is_outside else spec.profile.limits
    view = NodeView(spec, node, facts, place, limits, bundle, cluster_id)
    checks = (check for check in NODE_CHECKS if not (node.is_outside and check in _OF_KUBERNETES))
    return [finding for check in checks for finding in check(view)]


def check_cluster(
    spec: ClusterSpec, facts_by_node: Mapping[str, NodeFacts], place: PlaceOf, *, cluster_id: str = ""
) -> list[Finding]:
    """All findings that show only when the hosts are seen side by side."""
    if spec.profile.audit_only:
        return []
    view = ClusterView(spec, facts_by_node, place, spec.profile.limits, cluster_id)
    return [finding for check in CLUSTER_CHECKS for finding in check(view)]


__all__ = ["check_cluster", "check_network", "check_node"]
