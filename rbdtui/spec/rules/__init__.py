"""Rules: what can be wrong with a spec as a whole; pure functions, quick enough to run on every key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rbdtui.findings import Finding, Place
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.references import check_local, missing_secrets
from rbdtui.spec.rules import (
    acknowledged,
    addresses,
    api,
    audited,
    balancers,
    ceph,
    etcd,
    existing,
    gateway,
    kubesphere,
    login,
    made,
    modes,
    mysql,
    names,
    networks,
    node_labels,
    parts,
    promises,
    rainbond,
    registry,
    settings,
    storage,
    topology,
)
from rbdtui.spec.rules.base import Rule, RuleInput

__all__ = ["check_local", "check_rules", "missing_secrets"]

_RULES: Final[tuple[Rule, ...]] = (
    promises.installs_no_rainbond,
    names.node_names,
    addresses.node_addresses,
    existing.kubeconfig,
    topology.builders,
    topology.roles_once,
    gateway.gateway_mode,
    gateway.gateway_nodes,
    balancers.enough,
    balancers.alone,
    made.alone,
    made.on_servers,
    modes.keys_of_modes,
    storage.storage_class,
    storage.mount_options,
    storage.nfs_server,
    storage.nfs_server_made,
    storage.nfs_copy,
    ceph.ceph,
    etcd.etcd,
    mysql.mysql,
    mysql.mysql_pair,
    registry.registry,
    rainbond.values,
    kubesphere.values,
    acknowledged.acknowledged_nodes,
)
_OF_OUR_CLUSTER: Final[tuple[Rule, ...]] = (
    names.api_domain,
    topology.control_plane,
    topology.etcd_members,
    topology.workers,
    node_labels.labels,
    node_labels.taints,
    gateway.vip,
    gateway.vip_network,
    balancers.something_behind,
    networks.networks_apart,
    networks.other_addresses,
    networks.network_sizes,
    api.api_on_vip,
    api.api_outside,
    api.api_on_first_server,
    api.api_port,
    settings.secrets,
    settings.refused,
    settings.known,
    settings.pod_network,
    settings.cluster_dns,
    settings.profile,
    parts.pod_networks,
    parts.ingress_controllers,
    login.ways_in,
    login.passphrases,
    promises.deaths,
)
_OF_AN_EXISTING_CLUSTER: Final[tuple[Rule, ...]] = (
    existing.profile,
    existing.unused,
    existing.keepalived,
    existing.etcd,
    existing.by_hand,
)
_OF_AN_AUDIT: Final[tuple[Rule, ...]] = (
    promises.installs_no_rainbond,
    names.node_names,
    addresses.node_addresses,
    topology.roles_once,
    modes.keys_of_modes,
    gateway.vip,
    gateway.vip_network,
    audited.three_servers,
    audited.server_names,
    audited.gateway_of_a_vip,
    login.ways_in,
    login.passphrases,
    acknowledged.acknowledged_nodes,
)
"""Of a profile that is only compared: nothing that is asked of a plan."""


def check_rules(spec: ClusterSpec, place: Callable[[str], Place]) -> list[Finding]:
    """Everything that the rules have to say, in the order of the file; ``place`` tells where a field stands."""
    rule_input = RuleInput(spec, place)
    findings = [finding for rule in _rules_for(spec) for finding in rule(rule_input)]
    return sorted(findings, key=lambda finding: (finding.place.line, finding.place.column))


def _rules_for(spec: ClusterSpec) -> tuple[Rule, ...]:
    if spec.profile.audit_only:
        return _OF_AN_AUDIT
    return (*_RULES, *(_OF_AN_EXISTING_CLUSTER if spec.is_existing else _OF_OUR_CLUSTER))
