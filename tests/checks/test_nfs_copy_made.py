"""What keeps a server from taking the copy of the NFS server, and what health makes of both servers' words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rbdtui.checks import check_node
from rbdtui.checks.hosts.ports import Way, ways
from rbdtui.checks.services import nfs_made
from rbdtui.checks.services.nfs_copy_made import CHECK, CopyQuestion
from rbdtui.checks.view import ClusterView
from rbdtui.facts.model import Listener, NodeFacts
from rbdtui.findings import Severity
from rbdtui.probes.model import CLUSTER, ProbeKey, ProbeState
from rbdtui.probes.nfs_copy import COPY, TAKER, WATCHES, judge_copy, judge_taker, judge_watches
from rbdtui.probes.nfs_copy_state import NfsCopyState, parse_copy_state
from rbdtui.probes.nfs_state import NfsState, PathKind
from rbdtui.spec.model import ClusterSpec
from tests.checks.support import Packages, good_facts, place, spec_of

PATH = "/data/rainbond"
SOURCE, TAKING = "node3", "node4"


def copied() -> ClusterSpec:
    data = spec_of(4).model_dump(mode="json", exclude_unset=True)
    data["profile"] = "rainbond-6"
    for each in data["nodes"][2:]:
        each["roles"] = ["service"]
    data["storage"] = {"mode": "nfs-server", "node": SOURCE, "copy_node": TAKING, "path": PATH}
    return ClusterSpec.model_validate(data)


SPEC = copied()
GIB = 1024**2
FREE = NfsState(PathKind.ABSENT, 0, "absent", "xfs", 500 * GIB, 400 * GIB, "/data")
OURS = replace(FREE, kind=PathKind.DIRECTORY, entries=9, role="copy", site=SPEC.name)
STATE = NfsCopyState("active", "active", 1000, 990, 2, 50, 1000, "yes")


def told(copy: NfsState, source: NfsState = FREE, facts: NodeFacts | None = None) -> dict[str, Severity]:
    question = CHECK.question(SPEC)
    assert question == CopyQuestion(SOURCE, TAKING, PATH)
    view = ClusterView(SPEC, {TAKING: facts or good_facts(4)}, place, SPEC.profile.limits)
    answers = {SOURCE: source, TAKING: copy}
    return {found.code: found.severity for found in CHECK.judge(question, answers, view)}


@pytest.mark.parametrize(
    ("copy", "source", "expected"),
    [
        (FREE, FREE, {}),
        (OURS, FREE, {}),
        (replace(FREE, kind=PathKind.LINK), FREE, {"RBD-NFS-154": "error"}),
        (replace(FREE, filesystem="tmpfs"), FREE, {"RBD-NFS-154": "error"}),
        (replace(FREE, kind=PathKind.DIRECTORY, entries=1), FREE, {"RBD-NFS-150": "error"}),
        (replace(OURS, site="another"), FREE, {"RBD-NFS-150": "error"}),
        (replace(OURS, role="source"), FREE, {"RBD-NFS-151": "error"}),
        (replace(FREE, served=(f"{PATH} 10.0.0.0/24(rw)",)), FREE, {"RBD-NFS-151": "error"}),
        (FREE, replace(FREE, size_kib=900 * GIB), {"RBD-NFS-153": "warning"}),
        (replace(OURS, free_kib=GIB), replace(FREE, size_kib=800 * GIB), {}),
    ],
)
def test_what_would_be_overwritten_or_does_not_fit_is_told(
    copy: NfsState, source: NfsState, expected: dict[str, str]
) -> None:
    assert told(copy, source) == expected


def test_a_copy_is_no_directory_for_an_nfs_server_until_somebody_has_decided_that() -> None:
    question = nfs_made.CHECK.question(SPEC)
    assert question is not None

    def found(state: NfsState) -> set[str]:
        view = ClusterView(SPEC, {}, place, SPEC.profile.limits)
        return {each.code for each in nfs_made.CHECK.judge(question, {SOURCE: state}, view)}

    assert found(OURS) == {"RBD-NFS-155"}
    assert found(replace(OURS, role="source")) == set()
    assert found(replace(OURS, role="source", site="another")) == {"RBD-NFS-142"}


def test_who_has_rsyncs_port_is_named() -> None:
    def with_port(process: str) -> NodeFacts:
        facts = good_facts(4)
        return replace(facts, listeners=(*facts.listeners, Listener("tcp", "0.0.0.0", 873, process)))

    assert told(FREE, facts=with_port("xinetd")) == {"RBD-NFS-152": "error"}
    assert told(FREE, facts=with_port("rsync")) == {}


def test_both_servers_are_asked_and_the_source_has_to_reach_the_copy() -> None:
    assert CHECK.hosts(SPEC) == [SOURCE, TAKING]
    found = set(ways(SPEC))
    assert Way(SOURCE, TAKING, 873) in found
    assert Way("node1", TAKING, 873) not in found
    assert Way(TAKING, SOURCE, 873) not in found


def test_programs_come_from_the_host_or_from_the_bundle() -> None:
    facts = good_facts(4)
    without = replace(facts, tools=facts.tools - {"rsync", "inotifywait"})

    def found(facts: NodeFacts, **more: Any) -> dict[str, Severity]:
        return {finding.code: finding.severity for finding in check_node(SPEC, facts, place, **more)}

    assert found(without) == {}
    assert found(without, bundle=Packages("debian-12-amd64 with rsync")) == {"RBD-NFS-136": "info"}
    assert found(without, bundle=Packages()) == {"RBD-NFS-137": "error"}
    assert found(facts, bundle=Packages()) == {}


def test_the_script_is_read_to_its_last_line() -> None:
    said = "push\tactive\ncopy\tabsent\ncomplete\t990\ndirectories\t50\nwatching\tyes\nwatches\t1000\nnow\t1000\n"
    state = parse_copy_state(said)
    assert (state.push, state.copy, state.behind_s, state.failed) == ("active", "absent", 10, "")
    assert parse_copy_state("push\tabsent\ncopy\tabsent\nwatches\t1\nnow\t5\n").behind_s is None
    for damaged in ("", "push", "push\tactive\n", said.replace("990", "many")):
        with pytest.raises(ValueError, match=r"."):
            parse_copy_state(damaged)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (STATE, ProbeState.OK),
        (replace(STATE, now_s=990 + 121), ProbeState.DEGRADED),
        (replace(STATE, now_s=990 + 901), ProbeState.DOWN),
        (replace(STATE, failed="10 refused"), ProbeState.DEGRADED),
        (replace(STATE, failed="10 refused", now_s=990 + 901), ProbeState.DOWN),
        (replace(STATE, complete_s=0), ProbeState.DEGRADED),
        (replace(STATE, complete_s=0, failed="10 refused"), ProbeState.DOWN),
        (replace(STATE, push="failed"), ProbeState.DOWN),
        (replace(STATE, now_s=900), ProbeState.OK),
    ],
)
def test_health_says_how_far_behind_the_copy_is(state: NfsCopyState, expected: ProbeState) -> None:
    answer = judge_copy(ProbeKey(COPY, CLUSTER), SOURCE, TAKING, state)
    assert answer.state is expected
    assert "seconds" in answer.detail.params


@pytest.mark.parametrize(
    ("directory", "copy", "expected"),
    [
        (OURS, "active", ProbeState.OK),
        (OURS, "failed", ProbeState.DOWN),
        (replace(OURS, role="source"), "active", ProbeState.DOWN),
        (replace(OURS, role=""), "active", ProbeState.DOWN),
        (replace(OURS, free_kib=10 * GIB), "active", ProbeState.DEGRADED),
    ],
)
def test_health_says_whether_the_copy_is_taken(directory: NfsState, copy: str, expected: ProbeState) -> None:
    answer = judge_taker(ProbeKey(TAKER, CLUSTER), TAKING, PATH, replace(STATE, copy=copy), directory)
    assert answer.state is expected


def test_health_says_when_too_little_may_be_watched() -> None:
    key = ProbeKey(WATCHES, CLUSTER)
    assert judge_watches(key, SOURCE, STATE).state is ProbeState.OK
    assert judge_watches(key, SOURCE, replace(STATE, directories=801)).state is ProbeState.DEGRADED
    unwatched = judge_watches(key, SOURCE, replace(STATE, watching="no Failed to watch /data"))
    assert unwatched.state is ProbeState.DEGRADED
    assert "Failed to watch" in str(unwatched.detail)
