"""The login: that there is a way to prove who one is, and nothing that could not be used."""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import SshSettings
from rbdtui.spec.rules.base import RuleInput


def ways_in(rule: RuleInput) -> Iterator[Finding]:
    """Every node can be logged in to by agent, key or password."""
    site = rule.spec.ssh
    for index, node in enumerate(rule.spec.nodes):
        ssh = _merged(site, node.ssh)
        if ssh.agent is False and ssh.key is None and ssh.password is None:
            yield rule.node_finding("RBD-LOGIN-001", Severity.ERROR, index, "ssh")


def passphrases(rule: RuleInput) -> Iterator[Finding]:
    """A passphrase stands where a key stands."""
    site = rule.spec.ssh
    if site.passphrase is not None and site.key is None and all(node.ssh.key is None for node in rule.spec.nodes):
        yield rule.finding("RBD-LOGIN-002", Severity.WARNING, "ssh.passphrase")
    for index, node in enumerate(rule.spec.nodes):
        if node.ssh.passphrase is not None and node.ssh.key is None and site.key is None:
            yield rule.node_finding("RBD-LOGIN-002", Severity.WARNING, index, "ssh.passphrase")
    for path, bastion in rule.bastions():
        if bastion.passphrase is not None and bastion.key is None:
            yield rule.finding("RBD-LOGIN-002", Severity.WARNING, f"{path}.passphrase")


def _merged(site: SshSettings, node: SshSettings) -> SshSettings:
    return site.model_copy(update={name: getattr(node, name) for name in node.model_fields_set})
