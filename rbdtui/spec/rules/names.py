"""Names: used once, and not what something else already answers to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec.rules.base import RuleInput

_HOSTS_FILE_NAMES: Final = frozenset(
    {
        "localhost",
        "localhost4",
        "localhost6",
        "ip6-localhost",
        "ip6-loopback",
        "ip6-localnet",
        "ip6-mcastprefix",
        "ip6-allnodes",
        "ip6-allrouters",
    }
)
"""Names that Linux distributions put into /etc/hosts themselves."""

_READS_AS_NUMBER: Final = re.compile(r"([0-9]+|0x[0-9a-f]+)\Z")
"""inet_aton, and with it most resolvers, takes a bare number for an address."""


def node_names(rule: RuleInput) -> Iterator[Finding]:
    """Node names are unique and mean nothing else."""
    first_seen: dict[str, int] = {}
    for index, node in enumerate(rule.spec.nodes):
        if node.name in first_seen:
            first = rule.place(f"nodes[{first_seen[node.name]}].name").line
            yield rule.node_finding("RBD-NAME-001", Severity.ERROR, index, "name", node.name, first=first)
        first_seen.setdefault(node.name, index)
        if node.name in _HOSTS_FILE_NAMES:
            yield rule.node_finding("RBD-NAME-002", Severity.ERROR, index, "name", node.name)
        if _READS_AS_NUMBER.match(node.name):
            yield rule.node_finding("RBD-NAME-003", Severity.ERROR, index, "name", node.name)


def api_domain(rule: RuleInput) -> Iterator[Finding]:
    """The name of the API belongs to nothing else on the nodes."""
    domain = rule.spec.kubernetes.api.domain
    if domain is None:
        return
    path = "kubernetes.api.domain"
    if any(node.name == domain for node in rule.spec.nodes):
        yield rule.finding("RBD-NAME-004", Severity.ERROR, path, domain, domain=domain)
    local = domain in _HOSTS_FILE_NAMES or domain.endswith((".localhost", ".localdomain"))
    if local or domain in rule.spec.profile.host_names:
        yield rule.finding("RBD-NAME-005", Severity.ERROR, path, domain, domain=domain)
