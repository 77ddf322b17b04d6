"""A MySQL pair that a plan makes, on real hosts with the real server: made, broken, told, mended and taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.facts.gather import gather_all
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.builder import build_plan
from rbdtui.plan.removal.builder import build_reset
from rbdtui.plan.step import Step, StepContext
from rbdtui.plan.steps.failover import CloseSource, PromoteReplica
from rbdtui.plan.steps.mysql_pair import MysqlReplica, MysqlSource, server_state
from rbdtui.plan.steps.mysql_server import DUMP_SERVICE, MysqlDump, MysqlServer
from rbdtui.plan.steps.ship import InstallHostPackages
from rbdtui.probes.bounded import bounded_socket
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.mysql_host_state import read_host_state
from rbdtui.probes.mysql_login import Login, log_in
from rbdtui.probes.mysql_own import MysqlTalkError, Statement, talk_to
from rbdtui.probes.mysql_own import carry_out as send
from rbdtui.probes.wire import Place
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from tests.lab import Lab
from tests.lab.mysql_package import VERSION, bundle_with_mysql
from tests.lab.servers.databases import unavailable
from tests.plan.support import Heard, carry_out
from tests.plan.test_lab_steps import SECRETS
from tests.plan.test_mysql_pair import CONFIG, OWN

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(unavailable("8.0")), reason=f"NOT TESTED AGAINST A REAL SERVER: {unavailable('8.0')}"),
]
KNOWN = {**SECRETS, **OWN}
PAIR = ("n2", "n3")
DUMPS = "/var/backups/rbdtui-mysql"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("mysql", hosts=3) as made:
        yield made


def test_a_pair_is_made_of_real_hosts_broken_told_and_mended(lab: Lab, tmp_path: Path) -> None:
    bundle = bundle_with_mysql(lab.bundle, Path(lab.directory) / "bundle")
    (tmp_path / "known_hosts").write_text("\n".join(line for name in lab.hosts for line in lab.host_keys(name)) + "\n")
    spec = ClusterSpec.model_validate(
        {
            "apiVersion": "rbdtui/v1", "name": "mysql", "profile": "rainbond-6", "bundle": str(bundle),
            "ssh": {"key": str(lab.key)},
            "nodes": [
                {
                    "name": "n1", "address": lab.hosts["n1"].address,
                    "roles": ["control-plane", "etcd", "worker", "gateway", "build"],
                },
                *({"name": name, "address": lab.hosts[name].address, "roles": ["service"]} for name in PAIR),
            ],
            "gateway": {"mode": "none"},
            "kubernetes": {"api": {"mode": "first-server"}},
            "mysql": {
                "mode": "pair", "source": "n2", "replica": "n3", "username": "rainbond", "password": "secret:mysql",
            },
        }
    )  # fmt: skip
    asyncio.run(_story(lab, spec, bundle, tmp_path))


async def _story(lab: Lab, spec: ClusterSpec, bundle: Path, site: Path) -> None:
    async with HostPool(endpoints_of(spec), KnownHosts(site / "known_hosts"), KNOWN.__getitem__) as hosts:
        answers = await gather_all(dict(hosts))
        context = StepContext(
            run_id="lab", spec=spec, hosts=hosts, bundle=open_bundle(bundle), secret=KNOWN.__getitem__,
            facts={name: each for name, each in answers.items() if isinstance(each, NodeFacts)}, report=Heard(),
            site_dir=site,
        )  # fmt: skip
        await _made(lab, context)
        await _used(lab, context)
        await _broken(context)
        await _restarted(lab, context)
        await _failed_over(lab, context)
        await _taken_back(lab, context)


def _steps() -> list[Step]:
    first = [kind(name) for kind in (InstallHostPackages, MysqlServer) for name in PAIR]
    return [*first, MysqlSource("n2"), MysqlReplica("n3"), *(MysqlDump(name) for name in PAIR)]


async def _made(lab: Lab, context: StepContext) -> None:
    fresh = await read_host_state(context.hosts["n2"])
    assert (fresh.program, fresh.active, fresh.databases, fresh.dumps) == ("", "absent", (), 0)
    for name in PAIR:
        for first in ("claim", "hosts-file"):
            await carry_out(build_plan(context.spec, {}).step(f"{first}@{name}"), context)
    steps = _steps()
    for step in steps[:2]:
        await carry_out(step, context)
    installed = await read_host_state(context.hosts["n2"])
    assert (installed.version, installed.active, installed.config) == (VERSION, "inactive", CONFIG), "it was held back"
    for step in steps[2:]:
        await carry_out(step, context)
    for step in _steps():
        assert (await step.pending(replace(context, run_id="again"))).is_done, step.id
    above, below = [await server_state(context, name) for name in PAIR]
    assert (
        above.databases == below.databases == dict.fromkeys(("console", "region"), ("utf8mb4", "utf8mb4_unicode_ci", 0))
    )
    assert (above.super_read_only, below.super_read_only, above.has_gtids) == (False, True, True)
    assert above.executed == below.executed
    assert below.replication is not None
    assert (below.replication.runs, below.replication.auto_position) == (True, True)
    names = [name for name in _said(lab, "n3", f"ls {DUMPS}").split() if name.endswith(".sql.gz")]
    assert len(names) == 1
    assert "CREATE DATABASE" in _said(lab, "n3", f"zcat {DUMPS}/{names[0]}")
    _said(lab, "n2", f"systemctl start {DUMP_SERVICE}")
    assert "The replica dumps." in _said(lab, "n2", f"journalctl -u {DUMP_SERVICE} -o cat")
    assert _said(lab, "n3", "systemctl is-enabled mysql-dump-rbdtui.timer").strip() == "enabled"


async def _used(lab: Lab, context: StepContext) -> None:
    """As Rainbond does, from a node of its own; what nobody may see is nowhere."""
    rows = await _as_rainbond(
        context, "CREATE TABLE region.apps (id INT PRIMARY KEY, name VARCHAR(40))",
        "INSERT INTO region.apps VALUES (1, '数据库-🌈')", "SELECT name FROM region.apps",
    )  # fmt: skip
    assert rows == [("数据库-🌈",)]
    for _ in range(50):
        if not (await server_state(context, "n3")).lacks(await server_state(context, "n2")):
            break
        await asyncio.sleep(0.2)

    def read(cursor: Any) -> list[dict[str, object]]:
        cursor.execute("SELECT name FROM region.apps")
        return list(cursor.fetchall())

    assert await talk_to(context.hosts["n3"], 3306, OWN["mysql-admin"], read) == [{"name": "数据库-🌈"}]
    with pytest.raises(MysqlTalkError) as refused:
        await _typed(context, "n3", "DELETE FROM region.apps")
    assert refused.value.number == 1290, "super_read_only holds for its administrator too"
    with pytest.raises(Exception, match="denied"):
        await _as_rainbond(context, "CREATE TABLE mysql.mine (id INT)")
    for name in PAIR:
        said = _said(
            lab, name, "journalctl -o cat; cat /var/log/mysql/error.log; cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
        )
        assert not [secret for secret in OWN.values() if secret in said]
        readable = _said(
            lab, name, "find /etc/mysql /usr/local/sbin /etc/systemd/system -type f -perm -004 -exec cat {} +"
        )
        assert not [secret for secret in OWN.values() if secret in readable]


async def _as_rainbond(context: StepContext, *statements: str) -> list[tuple[Any, ...]]:
    address = context.spec.mysql_host
    async with (
        context.hosts["n1"].forward(address, 3306) as port,
        bounded_socket(Place("127.0.0.1", port), limit_bytes=1 << 20, connect_s=5) as sock,
    ):

        def talk() -> list[tuple[Any, ...]]:
            with closing(log_in(sock, Login("rainbond", OWN["mysql"]), wait_s=10)) as link, link.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())

        return await asyncio.to_thread(talk)


async def _typed(context: StepContext, name: str, *statements: str) -> None:
    await send(context.hosts[name], 3306, OWN["mysql-admin"], [Statement(each) for each in statements])


async def _health(context: StepContext, kind: str) -> tuple[str, str]:
    monitor = HealthMonitor(context.spec, context.hosts, secret=KNOWN.get)
    found = {status.key.id: (status.state.value, str(status.detail)) for status in (await monitor.once()).probes}
    return found[kind]


async def _broken(context: StepContext) -> None:
    assert {(await _health(context, kind))[0] for kind in ("mysql", "mysql-source", "mysql-replica")} == {"ok"}
    await _typed(context, "n3", "STOP SLAVE")
    state, detail = await _health(context, "mysql-replica")
    assert (state, "does not copy any more" in detail) == ("down", True)
    await carry_out(MysqlReplica("n3"), context)
    by_hand = ("SET GLOBAL super_read_only = OFF", "SET SESSION sql_log_bin = 0")
    await _typed(context, "n3", *by_hand, "CREATE TABLE region.mine (id INT)", "SET GLOBAL super_read_only = ON")
    await _typed(context, "n2", "CREATE TABLE region.mine (id INT)")
    await asyncio.sleep(2)
    state, detail = await _health(context, "mysql-replica")
    assert (state, "already exists" in detail) == ("down", True), detail
    with pytest.raises(StepError) as refused:
        await asyncio.wait_for(_behind_soon(context), 60)
    assert (refused.value.code, "already exists" in refused.value.evidence) == ("mysql_behind", True)
    await _typed(context, "n3", *by_hand, "DROP TABLE region.mine", "SET GLOBAL super_read_only = ON")
    await carry_out(MysqlReplica("n3"), context)
    assert (await _health(context, "mysql-replica"))[0] == "ok"
    await _typed(context, "n3", "SET GLOBAL super_read_only = OFF")
    assert (await _health(context, "mysql-replica"))[0] == "degraded"
    await carry_out(MysqlReplica("n3"), context)


async def _behind_soon(context: StepContext) -> None:
    step = MysqlReplica("n3")
    pending = await step.pending(context)
    assert [change.detail for change in pending.changes] == ["STOP SLAVE;", "START SLAVE;"]
    await step.verify(context)


async def _restarted(lab: Lab, context: StepContext) -> None:
    for name in PAIR:
        _said(lab, name, "systemctl restart mysql.service")
    above, below = [await server_state(context, name) for name in PAIR]
    assert (above.super_read_only, below.super_read_only) == (False, True), "roles outlive a restart"
    _said(lab, "n2", "systemctl stop mysql.service")
    assert (await _health(context, "mysql-source"))[0] == "down"
    _said(lab, "n2", "systemctl start mysql.service")
    await carry_out(MysqlReplica("n3"), context)


async def _failed_over(lab: Lab, context: StepContext) -> None:
    """The source dies, the replica is made the source, and what comes back copies it."""
    _said(lab, "n2", "systemctl kill -s KILL mysql.service; systemctl stop mysql.service")
    for kind in (CloseSource, PromoteReplica):
        await carry_out(kind("", silent=True), context)
    state = await server_state(context, "n3")
    assert (state.super_read_only, state.replication) == (False, None)
    mysql = context.spec.mysql.model_copy(update={"source": "n3", "replica": "n2"})
    turned = replace(context, spec=context.spec.model_copy(update={"mysql": mysql}))
    assert await _as_rainbond(turned, "INSERT INTO region.apps VALUES (2, 'after')", "SELECT id FROM region.apps") == [
        (1,), (2,),
    ]  # fmt: skip
    _said(lab, "n2", "systemctl start mysql.service")
    assert (await MysqlSource("n3").pending(turned)).is_done
    await carry_out(MysqlReplica("n2"), turned)
    old = await server_state(context, "n2")
    assert (old.super_read_only, old.replication is not None and old.replication.runs) == (True, True)
    assert not old.lacks(await server_state(context, "n3"))
    for row in ("mysql", "mysql-source", "mysql-replica"):
        assert (await _health(turned, row))[0] == "ok", row


async def _taken_back(lab: Lab, context: StepContext) -> None:
    for step in build_reset(context.spec, PAIR, whole=False).steps:
        await carry_out(step, context)
    for name in PAIR:
        state = await read_host_state(context.hosts[name])
        assert (state.active, state.site, state.databases) == ("inactive", "", ("console", "region"))
        left = _said(
            lab, name, "ls /etc/mysql/mysql.conf.d /usr/local/sbin /etc/systemd/system | grep -i rbdtui || true"
        )
        assert left == ""
    assert _said(lab, "n3", f"ls {DUMPS}").strip()
    with pytest.raises(StepError) as refused:
        await MysqlServer("n2").pending(context)
    assert refused.value.code == "mysql_foreign"


def _said(lab: Lab, name: str, command: str) -> str:
    return lab.ssh(name, command, timeout_s=120).stdout
