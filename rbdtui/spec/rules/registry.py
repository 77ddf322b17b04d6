"""The image registry: whose it is, and what of an external one can be wrong without asking it.

How names of images are read: distribution/reference, normalize.go. What counts as the built-in one:
goodrain/rainbond-operator, controllers/handler/hub.go (with any port since v6.4.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.findings import Finding, Severity
from rbdtui.profiles.rainbond_6 import REGISTRY_NAME
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.rules.storage import is_own_loopback
from rbdtui.spec.sections.registry import Registry, RegistryMode, RegistryScheme


def registry(rule: RuleInput) -> Iterator[Finding]:
    """Name, login and protection of an external one; what the built-in one loses tells `single_points`."""
    registry = rule.spec.registry
    if "registry" not in rule.spec.profile.sections or registry.mode is not RegistryMode.EXTERNAL:
        return
    if registry.domain is not None:
        yield from _domain(rule, registry.domain, registry.scheme)
    if registry.username is not None and registry.password is None:
        yield rule.finding("RBD-REG-003", Severity.ERROR, "registry.username", user=registry.username)
    if registry.password is not None and registry.username is None:
        yield rule.finding("RBD-REG-004", Severity.ERROR, "registry.password")
    yield from _protection(rule, registry)


def _domain(rule: RuleInput, domain: str, scheme: RegistryScheme) -> Iterator[Finding]:
    host, colon, _ = domain.partition(":")
    field = "registry.domain"
    if host == REGISTRY_NAME:
        yield rule.finding("RBD-REG-009", Severity.ERROR, field, domain=domain)
    elif is_own_loopback(host):
        yield rule.finding("RBD-REG-008", Severity.ERROR, field, domain=domain)
    elif not colon and "." not in host:
        yield rule.finding("RBD-REG-010", Severity.ERROR, field, domain=domain)
    elif scheme is RegistryScheme.HTTP and not colon:
        yield rule.finding("RBD-REG-002", Severity.ERROR, field, domain=domain)


def _protection(rule: RuleInput, registry: Registry) -> Iterator[Finding]:
    if registry.scheme is RegistryScheme.HTTP:
        yield rule.finding("RBD-REG-007", Severity.WARNING, "registry.scheme")
        if registry.ca is not None:
            yield rule.finding("RBD-REG-005", Severity.ERROR, "registry.ca", key="registry.ca")
        if registry.insecure_skip_verify:
            key = "registry.insecure_skip_verify"
            yield rule.finding("RBD-REG-005", Severity.ERROR, key, key=key)
    elif registry.insecure_skip_verify:
        field = "registry.insecure_skip_verify"
        yield rule.finding("RBD-REG-006", Severity.WARNING, field, domain=registry.domain or "")
