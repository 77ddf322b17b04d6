"""Services that the plan makes itself: the role of servers that carry nothing else, and where they may be."""

from __future__ import annotations

import pytest

from rbdtui.findings import Finding
from rbdtui.plan.builder import build_plan
from rbdtui.plan.removal.builder import build_reset
from rbdtui.rainbond import provisioner
from rbdtui.roles import Role
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.rules import check_rules
from rbdtui.spec.sections.storage import Storage
from rbdtui.spec.single_points import Loss, single_points
from rbdtui.spec.survival import Impact, what_if_dies
from rbdtui.words import LANGUAGES, say
from rbdtui.workbench.draft.operations import uses_services, usual_roles
from rbdtui.workbench.roles import Preset, apply_preset, sketch

PLAN = """\
apiVersion: rbdtui/v1
name: site-a
profile: rainbond-6
bundle: /data/offline-packages
nodes:
  - {name: n1, address: 10.0.0.11, roles: [control-plane, etcd, worker, gateway, build]}
  - {name: n2, address: 10.0.0.12, roles: [control-plane, etcd, worker, gateway, build]}
  - {name: n3, address: 10.0.0.13, roles: [control-plane, etcd, worker]}
  - {name: data1, address: 10.0.0.31, roles: [service]}
gateway: {mode: keepalived, vip: 10.0.0.100/24, virtual_router_id: 87}
storage: {mode: nfs, server: data1, path: /data}
"""


@pytest.fixture(autouse=True)
def _a_section_that_makes_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """On trial, as test_profiles.py has a profile: whatever section names servers is held to the same rules."""
    monkeypatch.setattr(Storage, "MADE_ON", {**Storage.MADE_ON, "nfs": ("server",)})


def judged(text: str) -> tuple[ClusterSpec, list[Finding]]:
    loaded = parse_spec(text)
    assert loaded.spec is not None, [str(finding.message) for finding in loaded.findings]
    return loaded.spec, [*loaded.findings, *check_rules(loaded.spec, loaded.place)]


CASES = [
    ("RBD-MADE-001", [("roles: [service]", "roles: [service, worker]")], "nodes[3].roles"),
    ("RBD-MADE-002", [("server: data1", "server: n1")], "nodes[3].roles[0]"),
    ("RBD-MADE-002", [("{mode: nfs, server: data1, path: /data}", "{mode: builtin}")], "nodes[3].roles[0]"),
    ("RBD-MADE-003", [("31, roles", "31, labels: {a: b}, roles")], "nodes[3].labels"),
    ("RBD-MADE-003", [("31, roles", "31, taints: ['a=b:NoSchedule'], roles")], "nodes[3].taints"),
    ("RBD-MADE-004", [("server: data1", "server: data2")], "storage.server"),
    (
        "RBD-MADE-005",
        [("mode: keepalived", "mode: haproxy"), ("roles: [service]", "roles: [balancer]")],
        "storage.server",
    ),
    (
        "RBD-MADE-006",
        [
            ("gateway: {mode: keepalived, vip: 10.0.0.100/24, virtual_router_id: 87}", "gateway: {mode: none}"),
            ("storage:", "kubernetes: {distribution: existing, kubeconfig: /k}\nstorage:"),
        ],
        "storage.server",
    ),
]


def test_a_server_that_is_missing_is_told_with_those_there_are() -> None:
    _, findings = judged(PLAN.replace("server: data1", "server: data2"))
    (missing,) = (finding for finding in findings if finding.code == "RBD-MADE-004")
    assert "(n1, n2, n3, data1)" in str(missing.message)


@pytest.mark.parametrize(("code", "replacements", "field"), CASES)
def test_each_mistake_is_found_at_its_place(code: str, replacements: list[tuple[str, str]], field: str) -> None:
    text = PLAN
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    found = {finding.code: finding for finding in judged(text)[1] if finding.code.startswith("RBD-MADE-")}
    assert code in found, sorted(found)
    assert found[code].place.field == field
    assert found[code].severity == "error"


@pytest.mark.parametrize("server", ["data1", "n1"])
def test_a_service_stands_beside_kubernetes_or_on_a_node(server: str) -> None:
    text = PLAN.replace("server: data1", f"server: {server}")
    if server != "data1":
        text = text.replace("  - {name: data1, address: 10.0.0.31, roles: [service]}\n", "")
    spec, findings = judged(text)
    assert not [finding for finding in findings if finding.severity == "error"]
    assert [(maker.field, maker.node) for maker in spec.makers] == [("storage.server", server)]
    assert [node.name for node in spec.outside_nodes] == (["data1"] if server == "data1" else [])
    assert [node.name for node in spec.cluster_nodes] == ["n1", "n2", "n3"]
    assert all(Role.SERVICE not in node.roles for node in [*spec.agents, *spec.servers])


def test_a_server_beside_kubernetes_gets_nothing_of_it() -> None:
    spec, _ = judged(PLAN)
    kinds = [step.name for step in build_plan(spec, {}).steps if step.node == "data1"]
    assert kinds == ["claim", "hosts-file"]
    nodes = [step.node for step in build_reset(spec, {"n1", "n2", "n3", "data1"}, whole=True).steps if step.node]
    assert nodes[-1] == "data1" or nodes.index("data1") > nodes.index("n3")


def test_what_dies_with_an_nfs_server_that_is_made_is_told() -> None:
    text = PLAN.replace("{mode: nfs, server: data1, path: /data}", "{mode: nfs-server, node: data1, path: /data}")
    spec, findings = judged(text)
    assert what_if_dies(spec, "data1").storage.impact is Impact.LOST
    assert what_if_dies(spec, "n1").storage.impact is Impact.UNTOUCHED
    lost = [finding.place.field for finding in findings if finding.code == "RBD-LOSS-004"]
    assert lost == ["nodes[3].roles"]
    copied = text.replace("path: /data}", "path: /data, copy_node: n1}")
    told = {finding.code: finding for finding in judged(copied)[1] if finding.code.startswith("RBD-LOSS")}
    assert told["RBD-LOSS-006"].place.field == "nodes[3].roles"
    assert "RBD-LOSS-004" not in told
    for language in LANGUAGES:
        remedy = say(told["RBD-LOSS-006"].remedy, language)
        assert "n1" in remedy
        assert "`rbdtui failover SITE --of storage`" in remedy
    point = next(point for point in single_points(spec) if point.part == "nfs-server")
    assert (point.loss, point.choice, point.at) == (Loss.STOPS, "storage.mode", "data1")
    assert (spec.nfs_server, provisioner.class_name(spec)) == ("10.0.0.31", "nfs-storage")
    values = str(provisioner.objects(spec, "image"))
    assert "'NFS_SERVER', 'value': '10.0.0.31'" in values
    assert what_if_dies(judged(PLAN)[0], "n1").storage.impact is Impact.UNUSED


def test_what_dies_with_a_server_of_a_mysql_pair_is_told() -> None:
    mysql = "mysql: {mode: pair, source: data1, replica: data2, username: rbd, password: secret:mysql}"
    text = PLAN.replace("storage: {mode: nfs, server: data1, path: /data}", mysql)
    first = "  - {name: data1, address: 10.0.0.31, roles: [service]}\n"
    text = text.replace(first, first + first.replace("data1", "data2").replace("31", "32"))
    spec, findings = judged(text)
    assert [(maker.field, maker.node) for maker in spec.makers] == [
        ("mysql.source", "data1"), ("mysql.replica", "data2"),
    ]  # fmt: skip
    assert not [finding for finding in findings if finding.severity == "error"]
    impacts = {node: what_if_dies(spec, node).database.impact for node in ("data1", "data2", "n1")}
    assert impacts == {"data1": Impact.LOST, "data2": Impact.HOLDS, "n1": Impact.UNTOUCHED}
    assert [finding.place.field for finding in findings if finding.code == "RBD-LOSS-005"] == ["nodes[3].roles"]
    point = next(point for point in single_points(spec) if point.part == "mysql-source")
    assert (point.loss, point.at, "failover" in str(point.text)) == (Loss.STOPS, "data1", True)
    assert spec.mysql_host == "10.0.0.31"
    assert what_if_dies(judged(PLAN)[0], "n1").database.impact is Impact.UNUSED


def test_a_server_of_several_services_tells_for_each_what_helps() -> None:
    """More roles elsewhere do not help a share or a database; a node may also carry what its roles lose."""
    text = PLAN.replace("{mode: nfs, server: data1, path: /data}", "{mode: nfs-server, node: data1, path: /data}")
    text += "mysql: {mode: pair, source: data1, replica: n1, username: rbd, password: secret:mysql}\n"
    spec, findings = judged(text)
    told = {
        finding.code: str(finding.params["losses"])
        for finding in findings
        if finding.code.startswith("RBD-LOSS") and finding.place.field == "nodes[3].roles"
    }
    assert sorted(told) == ["RBD-LOSS-004", "RBD-LOSS-005"]
    dead = what_if_dies(spec, "data1")
    assert told == {"RBD-LOSS-004": str(dead.storage.text), "RBD-LOSS-005": str(dead.database.text)}
    one_server = PLAN.replace("{mode: nfs, server: data1, path: /data}", "{mode: nfs-server, node: n1, path: /data}")
    for name in ("n2", "n3"):
        one_server = "".join(line for line in one_server.splitlines(True) if f"name: {name}," not in line)
    codes = [finding.code for finding in judged(one_server)[1] if finding.place.field == "nodes[0].roles"]
    assert {"RBD-LOSS-001", "RBD-LOSS-004"} <= set(codes)


def test_the_role_is_given_by_nobody_but_the_operator_and_survives_a_preset() -> None:
    data: dict[str, object] = {"nodes": [{"name": "data1", "roles": ["service"]}, {"name": "n1", "roles": ["worker"]}]}
    assert Role.SERVICE.value not in usual_roles(data, 0)
    assert not uses_services(data)
    data["storage"] = {"mode": "nfs", "server": "data1"}
    assert uses_services(data)
    apply_preset(data, Preset.ALL_IN_ONE)
    nodes = data["nodes"]
    assert isinstance(nodes, list)
    assert nodes[0]["roles"] == ["service"]
    assert "control-plane" in nodes[1]["roles"]


def test_a_sketch_of_a_draft_knows_what_is_made_where() -> None:
    nodes = [{"name": "data1", "roles": ["service"]}, {"name": "Not A Name", "roles": ["worker"]}]
    known = sketch({"nodes": nodes, "storage": {"mode": "nfs", "server": "data1"}})
    assert known is not None
    assert [maker.node for maker in known.spec.makers] == ["data1"]
