"""What will listen on a node, by its roles, the settings and the version of RKE2."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rbdtui.checks import check_node
from rbdtui.checks.hosts.ports import listening_needs
from rbdtui.facts.model import Listener
from rbdtui.findings import Severity
from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.model import ClusterSpec
from tests.checks.support import good_facts, place, spec_of


def roles_spec(*roles: list[str], **kubernetes: object) -> ClusterSpec:
    nodes = [{"name": f"n{i}", "address": f"10.0.0.{11 + i}", "roles": own} for i, own in enumerate(roles)]
    return ClusterSpec.model_validate(
        {
            "apiVersion": "rbdtui/v1", "name": "s", "profile": "kubernetes-only", "bundle": "b", "nodes": nodes,
            "gateway": {"mode": "none"}, "kubernetes": {"api": {"mode": "first-server"}, **kubernetes},
        }
    )  # fmt: skip


BOTH, ETCD, CONTROL, AGENT = ["control-plane", "etcd"], ["etcd"], ["control-plane"], ["worker"]
COMMON = {10010, 10248, 10249, 10250, 10256, 8472, 9099, 80, 443}
API = {6443, 10257, 10258, 10259}
TEMPORARY = {2399, 2400, 2401, 2402}


@pytest.mark.parametrize(
    ("roles", "version", "ports"),
    [
        pytest.param(BOTH, "v1.36.3+rke2r1", COMMON | API | {9345, 2379, 2380, 2381, 2382}, id="both halves"),
        pytest.param(ETCD, "v1.36.3+rke2r1", COMMON | {6443, 6444, 9345, 2379, 2380, 2381, 2382}, id="etcd alone"),
        pytest.param(CONTROL, "v1.36.3+rke2r1", COMMON | API | {9345, 2379}, id="the control plane alone"),
        pytest.param(AGENT, "v1.36.3+rke2r1", COMMON | {6443, 6444}, id="an agent"),
        pytest.param(ETCD, "v1.32.13+rke2r1", COMMON | {6443, 6444, 9345, 2379, 2380, 2381, 2382} | TEMPORARY,
                     id="etcd until 1.32"),
        pytest.param(AGENT, "v1.30.4+rke2r1", COMMON | {6443, 6444}, id="an agent until 1.32"),
    ],
)  # fmt: skip
def test_who_listens_where(roles: list[str], version: str, ports: set[int]) -> None:
    spec = roles_spec(roles)
    assert {need.port for need in listening_needs(spec, spec.nodes[0], Rke2Version.parse(version))} == ports


@pytest.mark.parametrize(
    ("settings", "version", "ports"),
    [
        pytest.param({"cni": "calico"}, None, {4789, 5473, 9099, 80, 443}, id="calico"),
        pytest.param({"cni": ["multus", "cilium"]}, None, {8472, 4240, 80, 443}, id="cilium behind multus"),
        pytest.param({"cni": "none"}, None, {80, 443}, id="a network of the operator's"),
        pytest.param({"disable": "rke2-ingress-nginx"}, "v1.30.4+rke2r1", {8472, 9099}, id="no nginx"),
        pytest.param({"disable": "rke2-ingress-nginx"}, "v1.36.0+rke2r1", {8472, 9099, 80, 443}, id="traefik is left"),
        pytest.param({"disable": ["rke2-traefik"]}, "v1.36.0+rke2r1", {8472, 9099}, id="no traefik"),
        pytest.param({"ingress-controller": "none"}, "v1.36.0+rke2r1", {8472, 9099}, id="no ingress"),
    ],
)
def test_what_the_settings_bring(settings: dict[str, object], version: str | None, ports: set[int]) -> None:
    spec = roles_spec(AGENT, settings=settings)
    needs = listening_needs(spec, spec.nodes[0], Rke2Version.parse(version) if version else None)
    always = {10010, 10248, 10249, 10250, 10256, 6443, 6444}
    assert {need.port for need in needs} == ports | always


@pytest.mark.parametrize("port", [6443, 6444, 10010])
def test_a_port_of_an_agents_own_balancer_is_named(port: int) -> None:
    spec = spec_of(4)
    taken = replace(good_facts(4), listeners=(Listener("tcp", "0.0.0.0", port, "haproxy", 99, "haproxy.service"),))
    (finding,) = check_node(spec, taken, place)
    assert (finding.code, finding.severity) == ("RBD-PORT-101", Severity.ERROR)
    assert f"{port}/tcp" in str(finding.message)
