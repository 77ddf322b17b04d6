"""Settings that are passed through to RKE2: that it knows them, and that they leave standing what rbdtui relies on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec import fields, rke2_keys
from rbdtui.spec.rke2_keys import words_of
from rbdtui.spec.rules.base import RuleInput
from rbdtui.words import T, Text

_SECRET_WORDS: Final = ("token", "password", "secret", "access-key")
_PASSWORD_IN_ADDRESS: Final = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
"""``scheme://user:password@``."""
_CANAL: Final = "rke2-canal"

Settings = Mapping[str, str | int | bool | list[str]]


def _path(key: str) -> str:
    return fields.join("kubernetes.settings", key)


def secrets(rule: RuleInput) -> Iterator[Finding]:
    """No setting holds a secret, by its name or inside an address."""
    for key, value in rule.spec.kubernetes.settings.items():
        name = rke2_keys.base_key(key)
        by_name = name not in rke2_keys.NOT_SECRET and any(word in name for word in _SECRET_WORDS)
        items = value if isinstance(value, list) else [value]
        if by_name or any(_PASSWORD_IN_ADDRESS.search(str(item)) for item in items):
            yield rule.finding("RBD-API-021", Severity.ERROR, _path(key), key=key)


def refused(rule: RuleInput) -> Iterator[Finding]:
    """No setting takes the place of another key of the spec, or of what rbdtui relies on."""
    for key in rule.spec.kubernetes.settings:
        name = rke2_keys.base_key(key)
        if name in rke2_keys.WRITTEN_BY_US:
            yield rule.finding("RBD-API-020", Severity.ERROR, _path(key), key=key)
        elif name in rke2_keys.REFUSED:
            yield rule.finding("RBD-API-022", Severity.ERROR, _path(key), key=key, why=_why(rke2_keys.REFUSED[name]))
        elif name == "private-registry" and "registry" in rule.spec.profile.sections:
            yield rule.finding("RBD-API-022", Severity.ERROR, _path(key), key=key, why=_why("registries"))


def _why(reason: str) -> Text:
    return T(f"setting.refused.{reason}")  # words: setting.refused.*


def known(rule: RuleInput) -> Iterator[Finding]:
    """RKE2 knows the settings: it skips others without a word."""
    for key in rule.spec.kubernetes.settings:
        name = rke2_keys.base_key(key)
        if name in rke2_keys.KNOWN or any(word in name for word in _SECRET_WORDS):
            continue
        if name in rke2_keys.K3S_ONLY:
            yield rule.finding("RBD-API-025", Severity.ERROR, _path(key), key=key)
        elif nearest := rke2_keys.nearest(key):
            yield rule.finding("RBD-API-023", Severity.ERROR, _path(key), key=key, nearest=nearest)
        else:
            yield rule.finding("RBD-API-024", Severity.WARNING, _path(key), key=key)


def pod_network(rule: RuleInput) -> Iterator[Finding]:
    """Pods keep a network, and something that leads them to services."""
    settings: Settings = rule.spec.kubernetes.settings
    cni = words_of(settings.get("cni")) or ["canal"]
    if "canal" in cni and _CANAL in words_of(settings.get("disable")):
        yield rule.finding("RBD-API-026", Severity.ERROR, _path("disable"), part=_CANAL)
    if settings.get("disable-kube-proxy") in (True, "true") and "cilium" not in cni:
        yield rule.finding("RBD-API-028", Severity.ERROR, _path("disable-kube-proxy"), cni=", ".join(cni))


def cluster_dns(rule: RuleInput) -> Iterator[Finding]:
    """The address of the cluster's DNS is one of the services' network."""
    service_cidr = rule.spec.kubernetes.service_cidr
    for word in words_of(rule.spec.kubernetes.settings.get("cluster-dns")):
        try:
            inside = IPv4Address(word) in service_cidr
        except ValueError:
            inside = False
        if not inside:
            yield rule.finding(
                "RBD-API-029", Severity.ERROR, _path("cluster-dns"), word, address=word, cidr=str(service_cidr)
            )


def profile(rule: RuleInput) -> Iterator[Finding]:
    """The hardening profile is one that RKE2 knows; with another it does not start. What it wants is said."""
    for word in words_of(rule.spec.kubernetes.settings.get("profile")):
        if word in rke2_keys.PROFILES:
            yield rule.finding("RBD-API-030", Severity.WARNING, _path("profile"), word, profile=word)
        else:
            known_ones = ", ".join(sorted(rke2_keys.PROFILES))
            yield rule.finding("RBD-API-027", Severity.ERROR, _path("profile"), word, profile=word, known=known_ones)
