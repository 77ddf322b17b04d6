"""Pod networks and ingress controllers in the settings: those that RKE2 has, in ways in which it starts."""

from __future__ import annotations

import pytest

from rbdtui.spec.loader import parse_spec
from rbdtui.spec.rules import check_rules
from tests.spec.samples import changed


def codes(settings: str) -> list[str]:
    loaded = parse_spec(changed(("{mode: vip}", f"{{}}\n  settings: {{{settings}}}")))
    assert loaded.spec is not None, [str(finding.message) for finding in loaded.findings]
    findings = [each for each in check_rules(loaded.spec, loaded.place) if each.code.startswith("RBD-CNI")]
    for finding in findings:
        assert "{" not in str(finding.message) + str(finding.remedy)
        assert finding.place.line > 0
    return [finding.code[-3:] for finding in findings]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", []),
        ("cni: canal", []),
        ("cni: [cilium]", []),
        ("cni: [multus, canal]", []),
        ('cni: "multus,flannel"', []),
        ('"cni+": calico', []),
        ("cni: [multus], cni+: [calico]", []),
        ("cni: weave", ["001"]),
        ("cni: [multus, weave]", ["001"]),
        ("cni: Canal", ["001"]),
        ("cni: multus", ["002"]),
        ("cni: [multus]", ["002"]),
        ("cni: [multus, multus]", ["002"]),
        ("cni: [canal, multus]", ["002"]),
        ("cni: [canal, calico]", ["002"]),
        ("cni: [multus, canal, calico]", ["002"]),
        ("cni: none", ["003"]),
        ("cni: [multus, none]", ["003"]),
        ("ingress-controller: traefik", []),
        ("ingress-controller: [ingress-nginx, traefik]", []),
        ("ingress-controller: none", []),
        ("ingress-controller: nginx", ["004"]),
        ('ingress-controller: "traefik,haproxy"', ["004"]),
    ],
)
def test_what_rke2_starts_with(settings: str, expected: list[str]) -> None:
    assert codes(settings) == expected
