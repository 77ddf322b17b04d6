"""Parts of RKE2 that the settings choose among: pod networks and ingress controllers that there are.

RKE2 ends at its start with anything else. Source: rancher/rke2 pkg/cli/cmds/server.go, validateCNI and
disableExceptSelected (v1.30.4+rke2r1, v1.36.3+rke2r1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec import fields, rke2_keys
from rbdtui.spec.rke2_keys import words_of
from rbdtui.spec.rules.base import RuleInput

POD_NETWORKS: Final = ("canal", "calico", "cilium", "flannel")
INGRESS_CONTROLLERS: Final = ("ingress-nginx", "traefik")
MULTUS: Final = "multus"
_NONE: Final = "none"


def chosen(settings: Mapping[str, object], name: str) -> list[str]:
    """The words of a setting under all the keys that it may have: ``cni+`` adds to ``cni``."""
    keys = sorted(key for key in settings if rke2_keys.base_key(key) == name)
    return [word for key in keys for word in words_of(settings[key])]  # type: ignore[arg-type]


def path_of(settings: Mapping[str, object], name: str) -> str:
    """Where a setting stands, under whichever of its keys."""
    keys = sorted(key for key in settings if rke2_keys.base_key(key) == name)
    return fields.join("kubernetes.settings", keys[0] if keys else name)


def pod_networks(rule: RuleInput) -> Iterator[Finding]:
    """One pod network that RKE2 has, with multus before it or without."""
    settings = rule.spec.kubernetes.settings
    words, path = chosen(settings, "cni"), path_of(settings, "cni")
    written = ", ".join(words)
    networks = words[1:] if words[:1] == [MULTUS] else words
    unknown = [word for word in words if word not in (*POD_NETWORKS, MULTUS, _NONE)]
    if unknown:
        known = ", ".join((*POD_NETWORKS, MULTUS))
        yield rule.finding("RBD-CNI-001", Severity.ERROR, path, written, word=unknown[0], known=known)
    elif words and (len(networks) != 1 or networks == [MULTUS]):
        yield rule.finding("RBD-CNI-002", Severity.ERROR, path, written, written=written)
    elif networks == [_NONE]:
        yield rule.finding("RBD-CNI-003", Severity.ERROR, path, written)


def ingress_controllers(rule: RuleInput) -> Iterator[Finding]:
    """Ingress controllers that RKE2 has, or none."""
    settings = rule.spec.kubernetes.settings
    path = path_of(settings, "ingress-controller")
    for word in chosen(settings, "ingress-controller"):
        if word not in (*INGRESS_CONTROLLERS, _NONE):
            known = ", ".join((*INGRESS_CONTROLLERS, _NONE))
            yield rule.finding("RBD-CNI-004", Severity.ERROR, path, word, word=word, known=known)
