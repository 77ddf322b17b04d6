"""Rules: what can be wrong with a spec as a whole; pure functions, quick enough to run on every key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rbdtui.findings import Finding, Place
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.references import check_local, missing_secrets
from rbdtui.spec.rules import addresses, api, gateway, login, names, networks, parts, promises, settings, topology
from rbdtui.spec.rules.base import Rule, RuleInput

__all__ = ["check_local", "check_rules", "missing_secrets"]

_RULES: Final[tuple[Rule, ...]] = (
    promises.installs_no_rainbond,
    names.node_names,
    names.api_domain,
    addresses.node_addresses,
    topology.control_plane,
    topology.etcd_members,
    topology.workers,
    topology.builders,
    topology.roles_once,
    gateway.gateway_mode,
    gateway.gateway_nodes,
    gateway.vip,
    gateway.vip_network,
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


def check_rules(spec: ClusterSpec, place: Callable[[str], Place]) -> list[Finding]:
    """Everything that the rules have to say, in the order of the file; ``place`` tells where a field stands."""
    rule_input = RuleInput(spec, place)
    findings = [finding for rule in _RULES for finding in rule(rule_input)]
    return sorted(findings, key=lambda finding: (finding.place.line, finding.place.column))
