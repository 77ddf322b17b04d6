"""What an earlier plan made, and no new one stops: a copy of an NFS server, a pair of MySQL servers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rbdtui.checks.services import left
from rbdtui.checks.services.left import LeftQuestion
from rbdtui.checks.view import ClusterView
from rbdtui.facts.model import Claim
from rbdtui.probes.mysql_host_state import MysqlHostState
from rbdtui.probes.nfs_copy_state import NfsCopyState
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import LANGUAGES, say
from tests.checks.support import good_facts, place
from tests.checks.test_mysql_made import made_on as pair_on
from tests.checks.test_nfs_copy_made import copied

PROGRAMS = {"inotifywait", "rsync", "mysqld"}


def view_of(spec: ClusterSpec, *without: str) -> ClusterView:
    """Every server with all programs and this site's mark, but for those that lack the programs."""
    facts = {}
    for number, node in enumerate(spec.nodes, start=1):
        own = replace(good_facts(number), claim=Claim(spec.name, "ours", "r"))
        tools = own.tools - PROGRAMS if node.name in without else own.tools | PROGRAMS
        facts[node.name] = replace(own, tools=tools)
    return ClusterView(spec, facts, place, spec.profile.limits, "ours")


def changed(spec: ClusterSpec, **sections: Any) -> ClusterSpec:
    return ClusterSpec.model_validate({**spec.model_dump(mode="json", exclude_unset=True), **sections})


def codes(check: left.LeftCheck[Any], state: object, spec: ClusterSpec, *words: str) -> list[str]:
    findings = list(check.judge(LeftQuestion(("node1",)), {"node1": state}, view_of(spec)))
    for finding in findings:
        for language in LANGUAGES:
            assert all(word in say(finding.remedy, language) for word in words)
            assert "node1" in say(finding.message, language)
    return [finding.code for finding in findings]


def test_who_takes_part_in_a_copy_that_the_plan_does_not_have_is_told_with_what_to_type() -> None:
    spec = copied()
    both = {str(node.name) for node in (spec.nfs_node, spec.nfs_copy_node) if node is not None}
    others = tuple(node.name for node in spec.nodes if node.name not in both)
    assert left.COPY_LEFT.question(view_of(spec)) == LeftQuestion(others)
    assert left.COPY_LEFT.question(view_of(spec, *others)) is None
    storage = spec.model_dump(mode="json", exclude_unset=True)["storage"]
    without = changed(spec, storage={key: value for key, value in storage.items() if key != "copy_node"})
    question = left.COPY_LEFT.question(view_of(without))
    assert question is not None
    assert {*question.nodes} >= both, "without a copy nobody is to send one, the NFS server neither"

    off = NfsCopyState("absent", "inactive", 1700000000)
    assert codes(left.COPY_LEFT, off, spec) == []
    taking = replace(off, copy="active")
    told = ("systemctl disable --now nfs-copy-rbdtui.service",)
    assert codes(left.COPY_LEFT, taking, spec, *told) == ["RBD-NFS-157"]
    sending = replace(off, push="activating", copy="active")
    units = "nfs-push-rbdtui.service nfs-copy-rbdtui.service"
    assert codes(left.COPY_LEFT, sending, spec, units) == ["RBD-NFS-157"]


STATE = MysqlHostState("mysqld", "mysql.service", "active", "/etc/mysql/mysql.conf.d/zz-rbdtui.cnf", "site-a")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (STATE, ["RBD-MYSQL-167"]),
        (replace(STATE, active="inactive"), []),
        (replace(STATE, site=""), []),
        (replace(STATE, site="another"), []),
    ],
)
def test_a_mysql_of_ours_that_the_plan_does_not_have_is_told(state: MysqlHostState, expected: list[str]) -> None:
    spec = changed(pair_on("node4", "node5"), name="site-a")
    assert codes(left.MYSQL_LEFT, state, spec, "systemctl disable --now mysql.service") == expected


def test_the_pair_and_a_server_that_the_plan_names_as_outside_are_not_asked() -> None:
    spec = pair_on("node4", "node5")
    question = left.MYSQL_LEFT.question(view_of(spec))
    assert question is not None
    assert not {"node4", "node5"} & {*question.nodes}
    old = next(node for node in spec.nodes if node.name == "node5")
    outside = {"mode": "external", "host": str(old.address), "username": "rbd", "password": "secret:mysql"}
    named = left.MYSQL_LEFT.question(view_of(changed(spec, mysql=outside)))
    assert named is not None
    assert "node5" not in named.nodes
    assert "node4" in named.nodes
