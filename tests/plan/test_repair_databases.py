"""Rainbond's databases are made on a real server, by its own account, and nothing that holds data is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.findings import Finding, Place, Severity
from rbdtui.plan.preview import SilentReporter
from rbdtui.plan.recipes import Request, recipe_named
from rbdtui.plan.repairs import repairs_for
from rbdtui.plan.repairs.databases import MakeDatabases
from rbdtui.plan.step import StepContext
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from tests.lab.servers.databases import Database, database, unavailable

_LACKING = unavailable("mariadb")
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(_LACKING is not None, reason=f"NOT TESTED WITH A REAL SERVER: {_LACKING}"),
]
PASSWORD = 'Rainbond\'s "own" 1'
PLAN = """apiVersion: rbdtui/v1
name: site-a
profile: rainbond-6
bundle: /
nodes:
  - {{name: node1, address: 10.0.0.11, roles: [gateway, build]}}
kubernetes: {{distribution: existing, kubeconfig: /kubeconfig}}
gateway: {{mode: none}}
mysql: {{mode: external, host: 127.0.0.1, port: {port}, username: rbd, password: secret:mysql}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    with database("mariadb") as made:
        made.root(f"CREATE USER rbd@'%' IDENTIFIED BY {made_sql(PASSWORD)}")
        for name in ("console", "region"):
            made.root(f"GRANT ALL ON {name}.* TO rbd@'%'")
        yield made


def made_sql(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


@pytest.fixture(autouse=True)
def empty(server: Database) -> None:
    server.root("DROP DATABASE IF EXISTS console", "DROP DATABASE IF EXISTS region")


def spec_for(server: Database) -> ClusterSpec:
    loaded = parse_spec(PLAN.format(port=server.port))
    assert loaded.spec is not None, loaded.findings
    return loaded.spec


def context(server: Database, place: Path, password: str = PASSWORD) -> StepContext:
    return StepContext(
        run_id="r", spec=spec_for(server), facts={}, hosts={}, bundle=open_bundle(place), secret=lambda _: password,
        report=SilentReporter(), site_dir=place,
    )  # fmt: skip


def forms(server: Database) -> list[tuple[object, ...]]:
    select = "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
    return server.root(f"{select} WHERE SCHEMA_NAME IN ('console', 'region') ORDER BY 1")


GOOD = [("console", "utf8mb4", "utf8mb4_unicode_ci"), ("region", "utf8mb4", "utf8mb4_unicode_ci")]


async def test_both_are_made_and_then_nothing_is_left_to_do(server: Database, tmp_path: Path) -> None:
    step, around = MakeDatabases(""), context(server, tmp_path)
    pending = await step.pending(around)
    assert [change.detail for change in pending.changes] == [
        "CREATE DATABASE `console` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
        "CREATE DATABASE `region` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
    ]
    assert forms(server) == [], "a look changes nothing"
    await step.apply(around, pending)
    await step.verify(around)
    assert forms(server) == GOOD


async def test_an_empty_one_gets_its_characters_and_one_with_data_is_left_alone(
    server: Database, tmp_path: Path
) -> None:
    server.root("CREATE DATABASE console CHARACTER SET latin1", "CREATE DATABASE region CHARACTER SET latin1")
    server.root("CREATE TABLE region.tenants (id INT)", "INSERT INTO region.tenants VALUES (7)")
    step, around = MakeDatabases(""), context(server, tmp_path)
    pending = await step.pending(around)
    assert [change.detail.split(" CHARACTER")[0] for change in pending.changes] == ["ALTER DATABASE `console`"]
    await step.apply(around, pending)
    assert [row[1] for row in forms(server)] == ["utf8mb4", "latin1"]
    assert server.root("SELECT id FROM region.tenants") == [(7,)]


async def test_a_server_that_refuses_is_told_without_the_password(server: Database, tmp_path: Path) -> None:
    with pytest.raises(StepError) as refused:
        await MakeDatabases("").pending(context(server, tmp_path, "wrong-Password-1"))
    assert refused.value.code == "repair_database"
    assert "Access denied" in refused.value.evidence
    assert "wrong-Password-1" not in refused.value.evidence + str(refused.value)


def test_it_is_offered_for_the_site_and_comes_first(server: Database) -> None:
    finding = Finding("RBD-MYSQL-131", Severity.ERROR, Place("mysql.host"))
    assert list(repairs_for([finding], spec_for(server), {})) == ["repair-databases"]
    plan = recipe_named("repair").build(Request(spec_for(server), {}, {"steps": "repair-databases"}))
    assert [step.id for step in plan.steps] == ["repair-databases"]
    assert repairs_for([finding], spec_for(server), {}, of_site=False) == {}, "who names servers means these"
