"""The check of an external MySQL against real servers: 8.0 and 5.7 (Maven), MariaDB (Debian), each spoilt in turn."""

from __future__ import annotations

import asyncio
import string
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import pymysql
import pytest

from rbdtui.checks.services import THIS_MACHINE, Asking, judge_service, mysql
from rbdtui.checks.services.mysql import CHECK, MysqlQuestion
from rbdtui.checks.services.mysql_answer import MysqlAnswer
from rbdtui.checks.services.mysql_session import MARK
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import LANGUAGES, say
from tests.checks.real_node import real_node
from tests.checks.support import claimed, good_facts, place, spec_of
from tests.lab.servers.databases import Database, database, unavailable
from tests.lab.servers.process import free_port

# The first start unpacks and initialises two servers.
pytestmark = pytest.mark.timeout(600)

PASSWORD = "Rainbond-1"
NATIVE = "IDENTIFIED WITH mysql_native_password BY"
SPECIALS = string.printable.strip()


@dataclass(frozen=True)
class Fault:
    """What is spoilt, and what must be told of it."""

    name: str
    codes: dict[str, str]
    series: str = "8.0"
    spoil: Sequence[str] = ()
    """Statements of root on a server with both databases and an account that may do everything in them."""
    mend: Sequence[str] = ()
    question: dict[str, object] = field(default_factory=dict)
    profile: str = "rainbond-6"
    field: str = ""
    evidence: str = ""
    password: str | None = PASSWORD


FAULTS = [
    Fault("all is well", {}),
    Fault("8.0 with 5.17", {}, profile="rainbond-5.17"),
    Fault("5.7 with 6", {"RBD-MYSQL-125": "warning", "RBD-MYSQL-141": "warning"}, "5.7", evidence="5.7.22"),
    Fault("5.7 with 5.17", {"RBD-MYSQL-141": "warning"}, "5.7", profile="rainbond-5.17", evidence="latin1"),
    Fault("MariaDB", {"RBD-MYSQL-123": "error"}, "mariadb", field="mysql.host", evidence="10.11"),
    Fault("a name that does not resolve", {"RBD-MYSQL-101": "warning"}, question={"host": "no.such.invalid"}),
    Fault("no route", {"RBD-MYSQL-102": "warning"}, question={"host": "255.255.255.255"}),
    Fault("refused", {"RBD-MYSQL-103": "warning"}, question={"port": free_port()}, field="mysql.port"),
    Fault("no password", {"RBD-MYSQL-114": "warning"}, password=None, field="mysql.password"),
    Fault("wrong password", {"RBD-MYSQL-111": "error"}, password="wrong", evidence="Access denied"),
    Fault("unknown user", {"RBD-MYSQL-111": "error"}, question={"username": "nobody"}, field="mysql.password"),
    Fault(
        "locked account",
        {"RBD-MYSQL-112": "error"},
        spoil=["ALTER USER rbd@'%' ACCOUNT LOCK"],
        mend=["ALTER USER rbd@'%' ACCOUNT UNLOCK"],
        evidence="locked",
    ),
    Fault(
        "expired password",
        {"RBD-MYSQL-112": "error"},
        spoil=["ALTER USER rbd@'%' PASSWORD EXPIRE"],
        field="mysql.username",
    ),
    Fault("account for TLS only", {"RBD-MYSQL-109": "error"}, spoil=["ALTER USER rbd@'%' REQUIRE SSL"]),
    Fault(
        "server for TLS only",
        {"RBD-MYSQL-109": "error"},
        spoil=["SET GLOBAL require_secure_transport = ON"],
        mend=["SET GLOBAL require_secure_transport = OFF"],
    ),
    Fault(
        "method of the login",
        {"RBD-MYSQL-142": "warning"},
        spoil=[f"ALTER USER rbd@'%' IDENTIFIED WITH caching_sha2_password BY '{PASSWORD}'"],
        field="mysql.username",
        evidence="caching_sha2_password",
    ),
    Fault("console is missing", {"RBD-MYSQL-131": "error"}, spoil=["DROP DATABASE console"]),
    Fault(
        "both are missing, and the account has nothing",
        {"RBD-MYSQL-133": "error"},
        spoil=["DROP DATABASE console", "DROP DATABASE region", "REVOKE ALL, GRANT OPTION FROM rbd@'%'"],
    ),
    Fault(
        "missing, and not to be made",
        {"RBD-MYSQL-132": "error"},
        spoil=["DROP DATABASE region", "REVOKE ALL ON region.* FROM rbd@'%'", "GRANT SELECT ON region.* TO rbd@'%'"],
    ),
    Fault(
        "tables of somebody else",
        {"RBD-MYSQL-134": "error"},
        spoil=["CREATE TABLE region.wp_posts (id INT)"],
        evidence="wp_posts",
    ),
    Fault(
        "tables of an earlier Rainbond",
        {"RBD-MYSQL-135": "warning"},
        spoil=["CREATE TABLE console.region_info (id INT)", "CREATE TABLE console.user_info (id INT)"],
        evidence="region_info, user_info",
    ),
    Fault(
        "latin1 in a database",
        {"RBD-MYSQL-137": "error"},
        spoil=["ALTER DATABASE console CHARACTER SET latin1"],
        evidence="latin1",
    ),
    *(
        Fault(
            f"no {privilege}",
            {"RBD-MYSQL-136": "error"},
            spoil=[f"REVOKE {privilege} ON console.* FROM rbd@'%'"],
            field="mysql.username",
            evidence=privilege,
        )
        for privilege in ("CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "INSERT", "SELECT", "UPDATE", "DELETE")
    ),
    Fault(
        "read-only",
        {"RBD-MYSQL-146": "error"},
        spoil=["SET GLOBAL read_only = ON"],
        mend=["SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF"],
    ),
    Fault(
        "few connections",
        {"RBD-MYSQL-145": "warning"},
        spoil=["SET GLOBAL max_connections = 20"],
        mend=["SET GLOBAL max_connections = 151"],
        evidence="max_connections=20",
    ),
    Fault(
        "quotes mean something else",
        {"RBD-MYSQL-144": "error"},
        spoil=["SET GLOBAL sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')"],
        mend=["SET GLOBAL sql_mode = REPLACE(@@global.sql_mode, 'ANSI_QUOTES', '')"],
        evidence="ANSI_QUOTES",
    ),
    Fault(
        "the server's character set",
        {"RBD-MYSQL-141": "warning"},
        spoil=["SET GLOBAL character_set_server = latin1"],
        mend=["SET GLOBAL character_set_server = utf8mb4"],
    ),
    Fault(
        "a password that Kubernetes changes",
        {"RBD-MYSQL-151": "error"},
        spoil=[f"ALTER USER rbd@'%' {NATIVE} 'a$$b'"],
        password="a$$b",
        field="mysql.password",
    ),
    Fault(
        "a delicate password",
        {"RBD-MYSQL-152": "warning"},
        spoil=[f"ALTER USER rbd@'%' {NATIVE} 'p@ss:/w(o)rd?'"],
        password="p@ss:/w(o)rd?",
    ),
]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Database]]:
    with ExitStack() as stack:
        started = {}
        for series in ("8.0", "5.7", "mariadb"):
            if reason := unavailable(series):
                pytest.skip(f"NOT TESTED AGAINST A REAL SERVER: {reason}")
            started[series] = stack.enter_context(database(series))
        yield started


def fresh(server: Database, series: str = "8.0") -> None:
    """Both databases empty, and an account that may do everything in them."""
    method = "IDENTIFIED BY" if series == "mariadb" else NATIVE
    server.root(
        "DROP DATABASE IF EXISTS console",
        "DROP DATABASE IF EXISTS region",
        "DROP USER IF EXISTS rbd@'%'",
        "CREATE DATABASE console CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        "CREATE DATABASE region CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        f"CREATE USER rbd@'%' {method} '{PASSWORD}'",
        "GRANT ALL ON console.* TO rbd@'%'",
        "GRANT ALL ON region.* TO rbd@'%'",
    )


def question(server: Database, **changes: object) -> MysqlQuestion:
    asked: dict[str, object] = {"host": server.address, "port": server.port, "username": "rbd", "secret": "mysql"}
    return MysqlQuestion(**{**asked, **changes})  # type: ignore[arg-type]


def here(password: str | None = PASSWORD) -> Asking:
    return Asking({"mysql": password}.get)


def judged(
    answers: dict[str, MysqlAnswer], spec: ClusterSpec, asked: MysqlQuestion, *, ours: bool = False
) -> list[Finding]:
    facts = {"node1": claimed(good_facts(1))} if ours else {}
    findings = list(CHECK.judge(asked, answers, ClusterView(spec, facts, place, spec.profile.limits)))
    for finding in findings:
        for language in LANGUAGES:
            for part in (finding.message, finding.remedy):
                assert "finding." not in say(part, language)
                assert "{" not in say(part, language)
        assert PASSWORD not in finding.evidence
    return findings


def judged_nearby(
    answers: dict[str, MysqlAnswer], spec: ClusterSpec, asked: MysqlQuestion, *, ours: bool = False
) -> list[Finding]:
    """The same of servers on this machine: how far away they are is its load, and no finding."""
    return [each for each in judged(answers, spec, asked, ours=ours) if each.code != "RBD-MYSQL-148"]


def rainbond(profile: str = "rainbond-6", **mysql_section: object) -> ClusterSpec:
    written = spec_of().model_dump(mode="json", exclude_unset=True)
    section = {"mode": "external", "host": "db.corp", "username": "rbd", "password": "secret:mysql", **mysql_section}
    return ClusterSpec.model_validate({**written, "profile": profile, "mysql": section})


def nothing_is_left(server: Database) -> bool:
    mine = MARK.replace("_", r"\_")
    return server.root(f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_NAME LIKE '{mine}%'") == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_each_fault_is_named(servers: dict[str, Database], fault: Fault) -> None:
    server = servers[fault.series]
    fresh(server, fault.series)
    server.root(*fault.spoil)
    asked = question(server, **fault.question)
    try:
        answer = await CHECK.ask(asked, here(fault.password))
    finally:
        server.root(*fault.mend)
    findings = judged_nearby({THIS_MACHINE: answer}, rainbond(fault.profile), asked)
    # From this machine alone nothing about the way is an error: the nodes may fare better.
    assert {finding.code: str(finding.severity) for finding in findings} == fault.codes
    assert len(findings) == len(fault.codes) or fault.codes.keys() & {"RBD-MYSQL-133"}
    if fault.field:
        assert {finding.place.field for finding in findings if finding.code in fault.codes} >= {fault.field}
    assert fault.evidence in " ".join(finding.evidence for finding in findings)
    assert nothing_is_left(server)


async def test_every_printable_character_of_a_password_gets_through(servers: dict[str, Database]) -> None:
    server = servers["8.0"]
    fresh(server)
    for method in ("mysql_native_password", "caching_sha2_password"):
        with (
            pymysql.connect(host=server.address, port=server.port, user="root", autocommit=True) as link,
            link.cursor() as cursor,
        ):
            cursor.execute(f"ALTER USER rbd@'%%' IDENTIFIED WITH {method} BY %s", (SPECIALS,))
        answer = await CHECK.ask(question(server), here(SPECIALS))
        assert answer.stop is None
        assert [schema.lacking for schema in answer.schemas] == [(), ()]


async def test_a_check_that_is_cancelled_leaves_nothing_behind(servers: dict[str, Database]) -> None:
    server = servers["8.0"]
    fresh(server)
    for wait_s in (0.005, 0.02, 0.04, 0.06, 0.1, 0.15):
        asking = asyncio.ensure_future(CHECK.ask(question(server), here()))
        await asyncio.sleep(wait_s)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert nothing_is_left(server), f"cancelled after {wait_s} s"


async def test_what_a_killed_check_left_goes_with_the_next(servers: dict[str, Database]) -> None:
    server = servers["8.0"]
    fresh(server)
    server.root(f"CREATE TABLE console.{MARK}0 (id INT PRIMARY KEY)")
    child = f"CREATE TABLE console.{MARK}0_c (id INT, FOREIGN KEY (id) REFERENCES console.{MARK}0 (id))"
    server.root(child)
    answer = await CHECK.ask(question(server), here())
    assert answer.schemas[0].tables == ()
    assert not nothing_is_left(server), "another check may be using it right now"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rbdtui.checks.services.mysql_session._OLD_MINUTES", -1)
        await CHECK.ask(question(server), here())
    assert nothing_is_left(server)


async def test_data_of_this_sites_own_run_are_no_finding(servers: dict[str, Database]) -> None:
    server = servers["8.0"]
    fresh(server)
    server.root("CREATE TABLE region.tenants (id INT)")
    answer = await CHECK.ask(question(server), here())
    assert [finding.code for finding in judged_nearby({"node1": answer}, rainbond(), question(server))] == [
        "RBD-MYSQL-135"
    ]
    assert judged_nearby({"node1": answer}, rainbond(), question(server), ours=True) == []


@pytest.fixture
async def node() -> AsyncIterator[Asking]:
    """A node behind a real sshd."""
    async with real_node({"mysql": PASSWORD}) as asking:
        yield asking


async def test_from_a_node_by_its_sshd(servers: dict[str, Database], node: Asking) -> None:
    server = servers["8.0"]
    fresh(server)
    asked = question(server)
    answers = {"node1": await CHECK.ask(asked, node), THIS_MACHINE: await CHECK.ask(asked, here())}
    assert judged_nearby(answers, rainbond(), asked) == []
    assert nothing_is_left(server)
    for fault, code in (({"port": free_port()}, "RBD-MYSQL-103"), ({"host": "no.such.invalid"}, "RBD-MYSQL-101")):
        broken = question(server, **fault)
        answers = {"node1": await CHECK.ask(broken, node), THIS_MACHINE: await CHECK.ask(broken, here())}
        found = judged_nearby(answers, rainbond(), broken)
        assert [(each.code, str(each.severity)) for each in found] == [(code, "error")]
        assert "node1 and this machine" in say(found[0].message, "en")


async def test_a_port_that_is_open_from_here_and_closed_from_a_node(servers: dict[str, Database]) -> None:
    server = servers["8.0"]
    fresh(server)
    well = await CHECK.ask(question(server), here())
    closed = await CHECK.ask(question(server, port=free_port()), here())
    found = judged_nearby({"node1": well, "node2": closed, THIS_MACHINE: well}, rainbond(), question(server))
    assert [(each.code, str(each.severity)) for each in found] == [("RBD-MYSQL-103", "error")]
    assert "node2" in say(found[0].message, "en")
    assert "node1: ok 8.0.15" in found[0].evidence
    found = judged_nearby({"node1": well, THIS_MACHINE: closed}, rainbond(), question(server))
    assert [(each.code, str(each.severity)) for each in found] == [("RBD-MYSQL-103", "info")]


def test_who_is_asked_and_when() -> None:
    spec = rainbond()
    assert CHECK.question(spec) == MysqlQuestion("db.corp", 3306, "rbd", "mysql")
    assert CHECK.hosts(spec) == ["node1", "node2", "node3", THIS_MACHINE]
    for lacking in ({"host": None}, {"username": None}, {"password": None}, {"mode": "builtin"}):
        assert CHECK.question(rainbond(**lacking)) is None
    assert CHECK.question(spec_of()) is None
    assert judge_service(mysql.CHECK, {}, ClusterView(spec, {}, place, spec.profile.limits)) == []


async def test_ten_nodes_at_once_are_quick(servers: dict[str, Database]) -> None:
    server = servers["8.0"]
    fresh(server)
    began_at = time.monotonic()
    answers = await asyncio.gather(*(CHECK.ask(question(server), here()) for _ in range(10)))
    assert time.monotonic() - began_at < 15
    assert (
        judged_nearby({f"node{i}": answer for i, answer in enumerate(answers, 1)}, rainbond(), question(server)) == []
    )
