"""Checks on what tells hosts apart: names, machine ids, hardware ids, MAC addresses; and on what names resolve to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Final

from rbdtui.checks.view import ClusterView, NodeView
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import Node

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def host_name(view: NodeView) -> Iterator[Finding]:
    """The host's own name is one that Kubernetes takes: labels of RFC 1123 in lower case.

    A warning only: the plan gives each node its name by ``node-name``.
    """
    name = view.facts.hostname
    if name and not all(_LABEL.fullmatch(label) for label in name.split(".")):
        yield view.finding("RBD-NAME-101", Severity.WARNING, hostname=name, evidence=name)


def host_name_resolves(view: NodeView) -> Iterator[Finding]:
    """The host's own name leads to the host itself; loopback counts, as distributions set it up so."""
    facts, addresses = view.facts, view.facts.hostname_addresses
    if addresses is None or not facts.hostname or "hostname_addresses" in facts.failed:
        return
    foreign = [address for address in addresses if not _is_own(facts, address)]
    if foreign:
        shown = ", ".join(foreign)
        yield view.finding("RBD-NAME-103", Severity.ERROR, hostname=facts.hostname, addresses=shown, evidence=shown)
    elif not addresses and facts.hostname != view.node.name:
        yield view.finding("RBD-NAME-104", Severity.WARNING, hostname=facts.hostname)


def _is_own(facts: NodeFacts, text: str) -> bool:
    try:
        address = IPv4Address(text)
    except ValueError:
        return False
    return address.is_loopback or facts.interface_of(address) is not None


def stale_host_lines(view: NodeView) -> Iterator[Finding]:
    """No line of /etc/hosts gives a node of the plan an address that is not its own."""
    right = {node.name: str(node.cluster_address) for node in view.spec.nodes}
    for entry in view.facts.hosts_file:
        for name in entry.names:
            if name == view.facts.hostname and entry.address in (view.facts.hostname_addresses or ()):
                continue  # `host_name_resolves` says what its own name leads to
            own_loopback = name == view.node.name and entry.address.startswith(("127.", "::1"))
            if right.get(name, entry.address) != entry.address and not own_loopback:
                line = f"{entry.address} {' '.join(entry.names)}"
                yield view.finding(
                    "RBD-NAME-105", Severity.WARNING, name=name, address=entry.address, right=right[name], evidence=line
                )


def old_registry_lines(view: NodeView) -> Iterator[Finding]:
    """No line of an earlier installation leads Rainbond's registry name elsewhere."""
    if view.ours:
        return
    gateway = view.spec.gateway
    shared = (gateway.vip.ip if gateway.vip else None, gateway.address)
    right = {str(address) for address in shared if address} or {
        str(node.cluster_address) for node in view.spec.gateways
    }
    for entry in view.facts.hosts_file:
        names = [name for name in entry.names if name in view.spec.profile.host_names]
        if names and entry.address not in right:
            line = f"{entry.address} {' '.join(entry.names)}"
            yield view.finding("RBD-OLD-103", Severity.WARNING, name=names[0], address=entry.address, evidence=line)


def hosts_file_kept(view: NodeView) -> Iterator[Finding]:
    """The lines of the plan in /etc/hosts outlive the next boot."""
    if view.facts.hosts_rewritten:
        yield view.finding("RBD-NAME-106", Severity.WARNING)


def machine_id_set(view: NodeView) -> Iterator[Finding]:
    """The machine id has been made; an image that was never booted has an empty one."""
    if "machine_id" not in view.facts.failed and not re.fullmatch(r"[0-9a-f]{32}", view.facts.machine_id):
        yield view.finding("RBD-ID-104", Severity.WARNING, evidence=view.facts.machine_id)


def unique_host_names(view: ClusterView) -> Iterator[Finding]:
    """No two hosts have the same name."""
    yield from _doubles(view, "RBD-NAME-102", Severity.WARNING, lambda _, facts: facts.hostname.lower())


def unique_machine_ids(view: ClusterView) -> Iterator[Finding]:
    """No two hosts have the same machine id: cloned machines do."""
    yield from _doubles(view, "RBD-ID-101", Severity.WARNING, lambda _, facts: facts.machine_id)


def unique_product_uuids(view: ClusterView) -> Iterator[Finding]:
    """No two hosts have the same hardware id, as far as the firmware gives one at all."""

    def uuid(_: Node, facts: NodeFacts) -> str:
        text = facts.product_uuid.lower()
        return text if re.fullmatch(r"[0-9a-f-]{36}", text) and len(set(text)) > 3 else ""

    yield from _doubles(view, "RBD-ID-102", Severity.WARNING, uuid)


def unique_macs(view: ClusterView) -> Iterator[Finding]:
    """No two hosts answer on the wire with the same hardware address."""

    def mac(node: Node, facts: NodeFacts) -> str:
        interface = facts.interface_of(node.cluster_address)
        return interface.mac if interface else ""

    yield from _doubles(view, "RBD-ID-103", Severity.ERROR, mac)


def _doubles(
    view: ClusterView, code: str, severity: Severity, value_of: Callable[[Node, NodeFacts], str]
) -> Iterator[Finding]:
    """One finding per value that more than one host has."""
    holders: dict[str, list[str]] = {}
    for node, facts in view.answered():
        if value := value_of(node, facts):
            holders.setdefault(value, []).append(node.name)
    for value, names in holders.items():
        if len(names) > 1:
            yield view.finding(code, severity, node=names[-1], nodes=", ".join(names), value=value, evidence=value)
