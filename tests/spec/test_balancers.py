"""A pair of HAProxy servers in front of the cluster: its rules, what dies with whom, and what exists only once."""

from __future__ import annotations

import pytest

from rbdtui.findings import Finding
from rbdtui.spec.balanced import Behind, forwarded_by_pair
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.rules import check_rules
from rbdtui.spec.single_points import single_points
from rbdtui.spec.survival import Impact, what_if_dies
from rbdtui.words import LANGUAGES, say

PAIR = """\
apiVersion: rbdtui/v1
name: site-a
profile: rainbond-6
bundle: /data/offline-packages
nodes:
  - {name: n1, address: 10.0.0.11, roles: [control-plane, etcd, worker, gateway, build]}
  - {name: n2, address: 10.0.0.12, roles: [control-plane, etcd, worker, gateway, build]}
  - {name: n3, address: 10.0.0.13, roles: [control-plane, etcd, worker]}
  - {name: lb1, address: 10.0.0.21, roles: [balancer]}
  - {name: lb2, address: 10.0.0.22, roles: [balancer]}
kubernetes: {api: {mode: vip}}
gateway: {mode: haproxy, vip: 10.0.0.100/24, virtual_router_id: 87}
"""
LB2 = "  - {name: lb2, address: 10.0.0.22, roles: [balancer]}\n"
QUIET = {"RBD-MYSQL-001", "RBD-STORAGE-001"}


def judged(text: str) -> tuple[ClusterSpec, list[Finding]]:
    loaded = parse_spec(text)
    assert loaded.spec is not None, [str(finding.message) for finding in loaded.findings]
    return loaded.spec, [*loaded.findings, *check_rules(loaded.spec, loaded.place)]


def spec_of(*replacements: tuple[str, str]) -> ClusterSpec:
    text = PAIR
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    return judged(text)[0]


CASES = [
    ("RBD-GATEWAY-003", "error", [("vip: 10.0.0.100/24, ", "")], "gateway.vip"),
    ("RBD-GATEWAY-004", "error", [(", virtual_router_id: 87", "")], "gateway.virtual_router_id"),
    ("RBD-GATEWAY-005", "error", [("router_id: 87", "router_id: 87, address: 10.0.0.9")], "gateway.address"),
    ("RBD-GATEWAY-008", "error", [("worker, gateway, build", "worker, build")], "nodes"),
    ("RBD-GATEWAY-010", "error", [("roles: [balancer]", "roles: [worker]")], "nodes"),
    ("RBD-GATEWAY-011", "warning", [(LB2, "")], "nodes[3].roles"),
    ("RBD-GATEWAY-012", "error", [("22, roles: [balancer]", "22, roles: [balancer, worker]")], "nodes[4].roles"),
    ("RBD-GATEWAY-013", "error", [("mode: haproxy", "mode: keepalived")], "nodes[3].roles[0]"),
    ("RBD-GATEWAY-014", "error", [("22, roles", "22, labels: {a: b}, roles")], "nodes[4].labels"),
    ("RBD-GATEWAY-014", "error", [("22, roles", "22, taints: ['a=b:NoSchedule'], roles")], "nodes[4].taints"),
    (
        "RBD-GATEWAY-015", "error",
        [("rainbond-6", "kubernetes-only"), (", build", ""), ("mode: vip", "mode: first-server")], "gateway.mode",
    ),
    ("RBD-GATEWAY-021", "error", [("10.0.0.100/24", "10.0.0.255/24")], "gateway.vip"),
    ("RBD-GATEWAY-022", "error", [("10.0.0.100/24", "10.0.0.22/24")], "gateway.vip"),
    ("RBD-GATEWAY-028", "error", [("10.0.0.22", "10.0.1.22")], "nodes[4].address"),
    ("RBD-API-002", "error", [("mode: vip", "mode: vip, address: 10.0.0.9")], "kubernetes.api.address"),
    ("RBD-API-009", "error", [("mode: vip", "mode: vip, port: 8443")], "kubernetes.api.port"),
    ("RBD-API-009", "error", [("mode: vip", "mode: vip, port: 8404")], "kubernetes.api.port"),
    ("RBD-API-009", "error", [("mode: vip", "mode: vip, port: 9345")], "kubernetes.api.port"),
    ("RBD-API-014", "error", [("mode: vip", "mode: external, address: 10.0.0.100")], "kubernetes.api.mode"),
    (
        "RBD-EXISTING-006", "error",
        [("kubernetes: {api: {mode: vip}}", "kubernetes: {distribution: existing, kubeconfig: /k}")], "gateway.mode",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "severity", "replacements", "field"), CASES)
def test_each_mistake_is_found_at_its_place(
    code: str, severity: str, replacements: list[tuple[str, str]], field: str
) -> None:
    text = PAIR
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    found = [finding for finding in judged(text)[1] if finding.code == code]
    assert field in [finding.place.field for finding in found]
    assert {finding.severity.value for finding in found} == {severity}
    for language in LANGUAGES:
        assert not any(say(part, language).startswith("finding.") for f in found for part in (f.message, f.remedy))


def test_a_good_pair_has_nothing_that_stops_a_run_nor_a_warning_about_itself() -> None:
    found = judged(PAIR)[1]
    assert [finding.code for finding in found if finding.severity.value == "error"] == []
    assert not any(finding.code.startswith(("RBD-GATEWAY", "RBD-API", "RBD-LOSS")) for finding in found)


def test_gateways_need_no_control_plane_behind_a_pair() -> None:
    spec = spec_of(("13, roles: [control-plane, etcd, worker]", "13, roles: [control-plane, etcd]"),
                   ("11, roles: [control-plane, etcd, worker, gateway, build]", "11, roles: [control-plane, etcd]"),
                   (LB2, LB2 + "  - {name: g1, address: 10.0.0.31, roles: [worker, gateway, build]}\n"))  # fmt: skip
    assert "RBD-API-003" not in [finding.code for finding in check_rules(spec, parse_spec(PAIR).place)]


def test_balancers_are_logged_in_to_and_are_no_nodes_of_kubernetes() -> None:
    spec = spec_of()
    names = [node.name for node in spec.nodes]
    assert [node.name for node in spec.managed_nodes] == names
    assert [node.name for node in spec.cluster_nodes] == ["n1", "n2", "n3"]
    assert [node.name for node in spec.agents] == []
    assert [node.name for node in spec.vip_nodes] == ["lb1", "lb2"]
    assert [node.name for node in spec.gateways] == ["n1", "n2"]
    assert (str(spec.api_address), spec.gateway_address) == ("10.0.0.100", "10.0.0.100")


def test_the_pair_forwards_the_api_and_the_gateway_ports() -> None:
    spec = spec_of(("mode: vip", "mode: vip, port: 16443"))
    said = {each.port: (each.target_port, [node.name for node in each.nodes]) for each in forwarded_by_pair(spec)}
    servers, gateways = ["n1", "n2", "n3"], ["n1", "n2"]
    assert said == {16443: (6443, servers), 9345: (9345, servers)} | {
        port: (port, gateways) for port in (80, 443, 6060, 7070, 8443)
    }
    elsewhere = spec_of(("mode: vip", "mode: external, address: 10.0.0.9"))
    assert {each.behind for each in forwarded_by_pair(elsewhere)} == {Behind.GATEWAY}
    assert forwarded_by_pair(spec_of(("mode: haproxy", "mode: keepalived"))) == []


def test_what_dies_with_a_balancer_and_with_what_stands_behind() -> None:
    pair, alone = spec_of(), spec_of((LB2, ""))
    died = what_if_dies(pair, "lb1")
    assert [each.impact for each in died.outcomes] == [Impact.UNTOUCHED, Impact.HOLDS, Impact.HOLDS, Impact.UNTOUCHED]
    assert say(died.gateway.text, "en") == "VIP moves to lb2"
    died = what_if_dies(alone, "lb1")
    assert [each.impact for each in died.outcomes] == [Impact.UNTOUCHED, Impact.LOST, Impact.LOST, Impact.UNTOUCHED]
    # The last gateway takes the applications with it, not the address.
    one = spec_of(("12, roles: [control-plane, etcd, worker, gateway", "12, roles: [control-plane, etcd, worker"))
    died = what_if_dies(one, "n1")
    assert (died.gateway.impact, died.api.impact) == (Impact.LOST, Impact.HOLDS)
    assert say(what_if_dies(pair, "n1").gateway.text, "en") == "balancer continues with n2"


def test_a_single_balancer_is_a_single_point() -> None:
    def parts(spec: ClusterSpec) -> list[str]:
        return [point.part for point in single_points(spec)]

    assert "balancer-server" not in parts(spec_of())
    assert "balancer-server" in parts(spec_of((LB2, "")))
    assert "gateway" in parts(spec_of(("12, roles: [control-plane, etcd, worker, gateway", "12, roles: [worker")))
