"""What keeps two servers from becoming the plan's MySQL pair: what is there, who has the port, which password it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rbdtui.checks import check_node
from rbdtui.checks.hosts.ports import Way, ways
from rbdtui.checks.services.mysql_answer import PasswordTrouble, password_trouble
from rbdtui.checks.services.mysql_made import CHECK, MadeAnswer, MadeQuestion
from rbdtui.checks.view import ClusterView
from rbdtui.facts.model import Listener, NodeFacts
from rbdtui.findings import Severity
from rbdtui.probes.mysql_host_state import MysqlHostState, parse_host_state
from rbdtui.spec.model import ClusterSpec
from tests.checks.support import Packages, good_facts, place, spec_of


def made_on(source: str, replica: str) -> ClusterSpec:
    data = spec_of(5).model_dump(mode="json", exclude_unset=True)
    data["profile"] = "rainbond-6"
    for node in data["nodes"]:
        node["roles"] = ["service"] if node["name"] in ("node4", "node5") else [*node["roles"], "build"]
    data["mysql"] = {
        "mode": "pair", "source": source, "replica": replica, "username": "rbd", "password": "secret:mysql",
    }  # fmt: skip
    return ClusterSpec.model_validate(data)


SPEC = made_on("node4", "node5")
QUESTION = MadeQuestion("node4", "node5", 3306, "rbd", "mysql")
LOOKED = """\
program\t/usr/sbin/mysqld  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)
unit\tmysql.service\tactive
config\t/etc/mysql/mysql.conf.d/zz-rbdtui.cnf
site\tsite-a
database\tconsole
database\tregion
space\text4\t104857600\t83886080\t/
dump\t1700000000\t3
"""
GOOD = MysqlHostState("", "mysql.service", "absent", "/etc/my.cnf", "", (), "xfs", 500 * 1024**2, 400 * 1024**2, "/")
PROGRAM = "/usr/sbin/mysqld  Ver {} for Linux on x86_64 (MySQL Community Server - GPL)"
MARIADB = "mysqld  Ver 10.11.6-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)"


def told(state: MysqlHostState, facts: NodeFacts | None = None, password: str = "good") -> dict[str, Severity]:
    assert CHECK.question(SPEC) == QUESTION
    view = ClusterView(SPEC, {"node5": facts or good_facts(5)}, place, SPEC.profile.limits)
    answers = {"node5": MadeAnswer(state, password_trouble(password))}
    found = list(CHECK.judge(QUESTION, answers, view))
    assert all(finding.place.field in ("mysql.replica", "mysql.password") for finding in found)
    return {finding.code: finding.severity for finding in found}


def test_the_script_is_read_to_its_last_line() -> None:
    state = parse_host_state(LOOKED)
    assert (state.version, state.site, state.databases) == ("8.0.36", "site-a", ("console", "region"))
    assert (state.is_good_version, state.newest_dump_s, state.dumps) == (True, 1700000000, 3)
    for damaged in ("unit\tmysql.service", "", "dump\tlate\t1\n", LOOKED.replace("dump\t1700000000", "dump")):
        with pytest.raises(ValueError, match=r"."):
            parse_host_state(damaged)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (GOOD, {}),
        (replace(GOOD, program=PROGRAM.format("8.0.15")), {}),
        (replace(GOOD, program=PROGRAM.format("8.4.3")), {"RBD-MYSQL-163": "error"}),
        (replace(GOOD, program=PROGRAM.format("5.7.44")), {"RBD-MYSQL-163": "error"}),
        (replace(GOOD, program=MARIADB), {"RBD-MYSQL-163": "error"}),
        (replace(GOOD, databases=("shop",)), {"RBD-MYSQL-162": "error"}),
        (replace(GOOD, databases=("console", "region")), {"RBD-MYSQL-162": "error"}),
        (replace(GOOD, databases=("console", "region"), site=SPEC.name), {}),
        (replace(GOOD, site="another"), {"RBD-MYSQL-165": "error"}),
        (replace(GOOD, free_kib=2 * 1024**2), {"RBD-MYSQL-166": "warning"}),
    ],
)
def test_each_thing_that_stands_in_the_way_is_told(state: MysqlHostState, expected: dict[str, str]) -> None:
    assert told(state) == expected


def test_a_password_that_rainbond_would_not_bring_over_is_told() -> None:
    assert told(GOOD, password="a$$b") == {"RBD-MYSQL-151": "error"}
    assert told(GOOD, password="a@b") == {"RBD-MYSQL-152": "warning"}
    assert password_trouble("a@b") is PasswordTrouble.DELICATE


def test_who_has_the_port_is_named_unless_it_is_mysql() -> None:
    def with_port(process: str) -> NodeFacts:
        facts = good_facts(5)
        return replace(facts, listeners=(*facts.listeners, Listener("tcp", "0.0.0.0", 3306, process)))

    assert told(GOOD, with_port("mariadbd")) == {"RBD-MYSQL-164": "error"}
    assert told(GOOD, with_port("mysqld")) == {}


def test_only_the_two_are_asked_and_nobody_where_none_are_made() -> None:
    assert CHECK.hosts(SPEC) == ["node4", "node5"]
    other = spec_of(4)
    assert (CHECK.question(other), CHECK.hosts(other)) == (None, [])


def test_programs_come_from_the_host_or_from_the_bundle() -> None:
    facts = good_facts(5)
    without = replace(facts, tools=facts.tools - {"mysqld", "mysqldump"})

    def found(facts: NodeFacts, **more: Any) -> dict[str, Severity]:
        return {finding.code: finding.severity for finding in check_node(SPEC, facts, place, **more)}

    assert found(without) == {}
    assert found(without, bundle=Packages("debian-12-amd64 with mysql")) == {"RBD-MYSQL-160": "info"}
    assert found(without, bundle=Packages()) == {"RBD-MYSQL-161": "error"}
    assert found(replace(without, tools=without.tools | {"mysqld", "mysqldump"}), bundle=Packages()) == {}


def test_every_node_reaches_both_and_they_reach_each_other() -> None:
    found = set(ways(SPEC))
    for way in (Way("node1", "node4", 3306), Way("node1", "node5", 3306)):
        assert way in found
    assert {Way("node4", "node5", 3306), Way("node5", "node4", 3306)} <= found
