"""What keeps a node from becoming the plan's NFS server: what stands there, who gives it away, who has its ports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rbdtui.checks import check_node
from rbdtui.checks.hosts.ports import Way, ways
from rbdtui.checks.services import left
from rbdtui.checks.services.nfs_made import CHECK, MadeQuestion
from rbdtui.checks.view import ClusterView
from rbdtui.facts.model import Claim, Listener, NodeFacts
from rbdtui.findings import Severity
from rbdtui.probes.model import CLUSTER, ProbeKey, ProbeState
from rbdtui.probes.nfs import NFS, judge_server
from rbdtui.probes.nfs_state import EXPORTS_FILE, NfsState, PathKind, parse_state
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import LANGUAGES, say
from tests.checks.support import Packages, good_facts, place, spec_of

PATH = "/data/rainbond"


def made_on(node: str, **changed: Any) -> ClusterSpec:
    data = spec_of(4).model_dump(mode="json", exclude_unset=True)
    data["profile"] = "rainbond-6"
    for each in data["nodes"][:3]:
        each["roles"] = [*each["roles"], "build"]
    data["nodes"][3]["roles"] = ["service"] if node == "node4" else ["worker"]
    data["storage"] = {"mode": "nfs-server", "node": node, "path": PATH}
    return ClusterSpec.model_validate({**data, **changed})


SPEC = made_on("node4")
LOOKED = """\
path\tdirectory\t0
space\text4\t104857600\t83886080\t/data
unit\tactive
table\t/etc/exports.d/rbdtui.exports\t/data/rainbond 10.0.0.0/24(rw,sync) 10.1.0.0/24(rw,sync)
served\t/data/rainbond  10.0.0.0/24(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash,no_all_squash)
served\t/data/rainbond  10.1.0.0/24(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash,no_all_squash)
"""
GOOD = NfsState(PathKind.ABSENT, 0, "inactive", "xfs", 500 * 1024**2, 400 * 1024**2, "/data")


def told(state: NfsState, facts: NodeFacts | None = None) -> dict[str, Severity]:
    question = CHECK.question(SPEC)
    assert question == MadeQuestion("node4", PATH)
    view = ClusterView(SPEC, {"node4": facts or good_facts(4)}, place, SPEC.profile.limits)
    return {found.code: found.severity for found in CHECK.judge(question, {"node4": state}, view)}


def test_the_script_is_read_to_its_last_line() -> None:
    state = parse_state(LOOKED)
    assert (state.kind, state.entries, state.runs, state.mount) == (PathKind.DIRECTORY, 0, True, "/data")
    assert state.clients(PATH) == {"10.0.0.0/24", "10.1.0.0/24"}
    assert state.clients("/data") == frozenset()
    assert (state.is_ours, state.others) == (True, ())
    for damaged in ("path\tdirectory", "", "path\tdirectory\tmany\n", LOOKED.replace("space\text4", "space")):
        with pytest.raises(ValueError, match=r"."):
            parse_state(damaged)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (GOOD, {}),
        (replace(GOOD, kind=PathKind.DIRECTORY), {}),
        (replace(GOOD, kind=PathKind.LINK), {"RBD-NFS-140": "error"}),
        (replace(GOOD, kind=PathKind.OTHER), {"RBD-NFS-140": "error"}),
        (replace(GOOD, tables=(("/etc/exports", "/srv *(rw)"),)), {"RBD-NFS-141": "error"}),
        (replace(GOOD, kind=PathKind.DIRECTORY, entries=2), {"RBD-NFS-142": "error"}),
        (replace(GOOD, kind=PathKind.DIRECTORY, entries=2, tables=((EXPORTS_FILE, f"{PATH} *(rw)"),)), {}),
        (replace(GOOD, tables=((EXPORTS_FILE, "/data/before 10.0.0.0/24(rw)"),)), {"RBD-NFS-147": "error"}),
        (replace(GOOD, free_kib=5 * 1024**2), {"RBD-NFS-144": "warning"}),
        (replace(GOOD, filesystem="tmpfs"), {"RBD-NFS-145": "error"}),
        (replace(GOOD, mount="/"), {"RBD-NFS-146": "warning"}),
    ],
)
def test_each_thing_that_stands_in_the_way_is_told(state: NfsState, expected: dict[str, str]) -> None:
    assert told(state) == expected


def test_who_has_a_port_of_the_server_is_named_unless_it_is_one_itself() -> None:
    def with_port(port: int, process: str) -> NodeFacts:
        facts = good_facts(4)
        return replace(facts, listeners=(*facts.listeners, Listener("tcp", "0.0.0.0", port, process)))

    assert told(GOOD, with_port(20048, "sshd")) == {"RBD-NFS-143": "error"}
    assert told(GOOD, with_port(20048, "rpc.mountd")) == {}
    assert told(GOOD, with_port(2049, "")) == {}, "the kernel's own"


def test_only_the_node_itself_is_asked_and_nobody_where_none_is_made() -> None:
    assert CHECK.hosts(SPEC) == ["node4"]
    other = spec_of(4)
    assert (CHECK.question(other), CHECK.hosts(other)) == (None, [])


def test_a_server_of_an_earlier_plan_that_goes_on_is_told_with_what_to_type() -> None:
    ours = Claim("site-a", "ours", "r")
    facts = {name: replace(good_facts(int(name[-1])), claim=ours) for name in ("node1", "node3", "node4")}
    facts["node1"] = replace(facts["node1"], tools=facts["node1"].tools - {"exportfs"})
    facts["node2"] = good_facts(2)
    spec = made_on("node4", name="site-a")
    view = ClusterView(spec, facts, place, spec.profile.limits, "ours")
    question = left.NFS_LEFT.question(view)
    assert question == left.LeftQuestion(("node3",)), "not the planned one, nor who lacks the programs or the mark"
    none = {"mode": "nfs", "server": "198.51.100.9", "path": "/data"}
    without = replace(view, spec=made_on("node4", name="site-a", storage=none))
    assert left.NFS_LEFT.question(without) == left.LeftQuestion(("node3", "node4"))

    def told(text: str) -> list[str]:
        findings = list(left.NFS_LEFT.judge(question, {"node3": parse_state(text)}, view))
        for finding in findings:
            for language in LANGUAGES:
                assert PATH in say(finding.message, language)
                assert f"rm {EXPORTS_FILE}" in say(finding.remedy, language)
        return [finding.code for finding in findings]

    assert told(LOOKED) == ["RBD-NFS-156"]
    assert told("\n".join(line for line in LOOKED.splitlines() if not line.startswith("served"))) == [], "it is off"
    assert told(LOOKED.replace(EXPORTS_FILE, "/etc/exports")) == [], "somebody else's"
    assert list(left.NFS_LEFT.judge(question, None, view)) == []


def test_programs_come_from_the_host_or_from_the_bundle() -> None:
    facts = good_facts(4)
    without = replace(facts, tools=facts.tools - {"exportfs"})

    def found(facts: NodeFacts, **more: Any) -> dict[str, Severity]:
        return {finding.code: finding.severity for finding in check_node(SPEC, facts, place, **more)}

    assert found(without) == {}
    assert found(without, bundle=Packages("debian-12-amd64 with nfs server")) == {"RBD-NFS-134": "info"}
    assert found(without, bundle=Packages()) == {"RBD-NFS-135": "error"}
    assert found(replace(without, tools=without.tools | {"exportfs"}), bundle=Packages()) == {}


def test_every_node_has_to_reach_the_server() -> None:
    found = set(ways(SPEC))
    for port in (111, 662, 2049, 4045, 20048):
        assert Way("node1", "node4", port) in found
    assert Way("node4", "node1", 10250) not in found
    assert Way("node1", "node3", 2049) in set(ways(made_on("node3")))


def test_health_says_whether_it_serves_and_how_much_room_is_left() -> None:
    key, state = ProbeKey(NFS, CLUSTER), parse_state(LOOKED)

    def judged(state: NfsState) -> tuple[ProbeState, str]:
        answer = judge_server(key, state, PATH, "asked")
        return answer.state, str(answer.detail)

    assert judged(state)[0] is ProbeState.OK
    assert "10.0.0.0/24, 10.1.0.0/24" in judged(state)[1]
    assert judged(replace(state, free_kib=state.size_kib // 20))[0] is ProbeState.DEGRADED
    assert judged(replace(state, served=()))[0] is ProbeState.DOWN
    assert judged(replace(state, unit="failed"))[0] is ProbeState.DOWN
