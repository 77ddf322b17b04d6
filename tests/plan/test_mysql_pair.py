"""A MySQL pair that the plan makes, on simulated hosts: from two empty servers to a proven Rainbond, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.builder import build_plan
from rbdtui.plan.removal.builder import build_reset
from rbdtui.plan.site_kubeconfig import kubeconfig_file
from rbdtui.plan.step import Step, StepContext
from rbdtui.plan.steps.mysql_pair import MysqlReplica, MysqlSource, server_state
from rbdtui.plan.steps.mysql_server import DUMP_SCRIPT, DUMP_TIMER, MysqlDump, MysqlServer
from rbdtui.plan.steps.ship import InstallHostPackages
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.mysql_own import Statement
from rbdtui.probes.mysql_own import carry_out as send_to
from rbdtui.simulator.mysql import DATA, MysqlData, data_of, kept_of
from rbdtui.simulator.mysql_dump import DUMPS
from rbdtui.simulator.units import Active
from rbdtui.spec.mysql_accounts import ADMIN_SECRET, DUMP_SECRET, REPLICATION_SECRET
from tests.plan.support import SECRETS, Bench, bench, carry_out
from tests.plan.walk import walk

SOURCE, REPLICA = "node4", "node5"
OWN = {
    ADMIN_SECRET: "canary-of-the-admin",
    REPLICATION_SECRET: "canary-of-replication",
    DUMP_SECRET: "canary-of-dumps",
    "mysql": "canary-of-rainbond",
}
CONFIG = "/etc/mysql/mysql.conf.d/zz-rbdtui.cnf"


def on_their_own(data: dict[str, Any]) -> None:
    """Rainbond, with two servers for nothing but its databases."""
    data["profile"] = "rainbond-6"
    for node in data["nodes"]:
        node["roles"] = ["service"] if node["name"] in (SOURCE, REPLICA) else [*node["roles"], "build"]
    data["mysql"] = {
        "mode": "pair", "source": SOURCE, "replica": REPLICA, "username": "rainbond", "password": "secret:mysql",
    }  # fmt: skip


@asynccontextmanager
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Bench, StepContext]]:
    async with bench(tmp_path, 5) as at:
        yield at, replace(at.with_spec(on_their_own), secret=(SECRETS | OWN).__getitem__)


def steps(*kinds: type[Step]) -> list[Step]:
    """Those of the source before those of the replica."""
    there = {MysqlSource: (SOURCE,), MysqlReplica: (REPLICA,)}
    return [kind(node) for kind in kinds for node in there.get(kind, (SOURCE, REPLICA))]


async def made(context: StepContext) -> None:
    for step in steps(InstallHostPackages, MysqlServer, MysqlSource, MysqlReplica, MysqlDump):
        await carry_out(step, context)


async def health(context: StepContext, **own: Any) -> dict[str, tuple[str, str]]:
    known = {"secret": (SECRETS | OWN).get, **own}
    monitor = HealthMonitor(context.spec, context.hosts, kubeconfig_file(context), **known)
    return {status.key.id: (status.state.value, str(status.detail)) for status in (await monitor.once()).probes}


async def typed(context: StepContext, node: str, *statements: str) -> None:
    """What somebody does by hand."""
    await send_to(context.hosts[node], 3306, OWN[ADMIN_SECRET], [Statement(each) for each in statements])


@pytest.mark.timeout(400)
async def test_rainbond_keeps_its_databases_in_a_pair_that_was_made_and_a_second_time_nothing_changes(
    tmp_path: Path,
) -> None:
    async with pair(tmp_path) as (at, context):
        plan = build_plan(context.spec, context.facts)
        own = {node: [step.name for step in plan.steps if step.node == node] for node in (SOURCE, REPLICA)}
        before = ["claim", "hosts-file", "host-packages", "mysql-server"]
        assert own == {
            SOURCE: [*before, "mysql-source", "mysql-dump"], REPLICA: [*before, "mysql-replica", "mysql-dump"],
        }  # fmt: skip
        await walk(plan, context)
        above, below = data_of(at.machine(SOURCE)), data_of(at.machine(REPLICA))
        assert (
            above.databases
            == below.databases
            == dict.fromkeys(("console", "region"), ("utf8mb4", "utf8mb4_unicode_ci"))
        )
        assert above.executed == below.executed
        assert below.accounts["rainbond", "%"].kept == kept_of(OWN["mysql"])
        assert below.accounts["rainbond", "%"].rights == {"console", "region"}
        (values,) = [step for step in plan.steps if step.name == "rainbond-release"]
        assert (await values.pending(context)).is_done
        assert len(at.machine(REPLICA).files.listdir(DUMPS)) == 1
        assert not at.machine(SOURCE).files.is_dir(DUMPS), "the replica dumps"
        assert not at.machine(SOURCE).files.exists("/var/lib/rancher")
        seen = await health(context)
        assert {seen[kind][0] for kind in ("mysql", "mysql-source", "mysql-replica", "mysql-dump")} == {"ok"}, seen
        again = await walk(build_plan(context.spec, context.facts), context)
        assert {one.step: one.changes for one in again.values() if one.changes} == {}


async def test_no_password_is_shown_nor_left_where_others_read(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        shown = []
        for step in steps(InstallHostPackages, MysqlServer, MysqlSource, MysqlReplica, MysqlDump):
            pending = await step.pending(context)
            shown += [f"{change.title} {change.detail}" for change in pending.changes] + [pending.evidence]
            await carry_out(step, context)
        text = "\n".join([*shown, *at.heard.lines])
        assert "secret:mysql'" in text
        assert f"secret:{REPLICATION_SECRET}" in text
        for secret in OWN.values():
            assert secret not in text
            assert kept_of(secret) not in text
        for machine in (at.machine(SOURCE), at.machine(REPLICA)):
            for path in machine.files.walk():
                entry = machine.files.get(path)
                content = machine.files.text(path) if entry is not None and not machine.files.is_dir(path) else ""
                if any(secret in content or kept_of(secret) in content for secret in OWN.values()):
                    assert entry is not None
                    assert entry.mode & 0o007 == 0, path


async def test_both_have_the_same_settings_and_roles_outlive_a_restart(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        one, other = (at.file(CONFIG, node).splitlines() for node in (SOURCE, REPLICA))
        differing = {line.partition("=")[0] for line in set(one) ^ set(other)}
        assert differing == {"server_id", "report_host"}
        for wanted in ("gtid_mode=ON", "enforce_gtid_consistency=ON", "super_read_only=ON", "skip_name_resolve=ON"):
            assert wanted in one
        for node in (SOURCE, REPLICA):
            await at.fleet.reboot(node, down_s=1.0)
            await at.machine(node).systemd.unit("mysql").settled()
        above, below = [await server_state(context, node) for node in (SOURCE, REPLICA)]
        assert (above.super_read_only, below.super_read_only) == (False, True)
        assert below.replication is not None
        assert below.replication.runs


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("mysql_foreign", lambda machine: machine.files.mkdir(f"{DATA}/shop")),
        ("mysql_version", lambda machine: setattr(machine, "mysql_version", "8.4.3")),
    ],
)
async def test_a_server_that_somebody_needs_or_of_another_version_is_refused(
    tmp_path: Path, code: str, spoil: Any
) -> None:
    async with pair(tmp_path) as (at, context):
        await carry_out(InstallHostPackages(REPLICA), context)
        spoil(at.machine(REPLICA))
        with pytest.raises(StepError) as refused:
            await MysqlServer(REPLICA).pending(context)
        assert refused.value.code == code
        assert not at.machine(REPLICA).files.exists(CONFIG)


async def test_a_copy_broken_by_hand_is_told_with_what_to_do_and_a_run_mends_it(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        await typed(context, REPLICA, "STOP REPLICA")
        state, detail = (await health(context))["mysql-replica"]
        assert (state, "does not copy any more" in detail) == ("down", True)
        await typed(context, SOURCE, "CREATE DATABASE `console2` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        changes = (await MysqlReplica(REPLICA).pending(context)).changes
        assert [change.detail for change in changes] == ["STOP REPLICA;", "START REPLICA;"]
        await carry_out(MysqlReplica(REPLICA), context)
        assert (await health(context))["mysql-replica"][0] == "ok"
        assert "console2" in data_of(at.machine(REPLICA)).databases
        data_of(at.machine(REPLICA)).apply_error = "Could not execute Write_rows event on table console.x; HA_ERR_KEY"
        state, detail = (await health(context))["mysql-replica"]
        assert (state, "Write_rows" in detail) == ("down", True)
        await at.machine(SOURCE).systemd.stop("mysql")
        assert (await health(context))["mysql-source"][0] == "down"
        assert (await health(context, secret={}.get))["mysql-source"][0] == "unknown", "the vault is closed"


async def test_a_pair_without_semi_synchronous_replication_gets_it_and_goes_on_while_its_replica_is_away(
    tmp_path: Path,
) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        for name in (SOURCE, REPLICA):
            files = at.machine(name).files
            lines = [line for line in files.text(CONFIG).splitlines() if "semi" not in line]
            files.put(CONFIG, "\n".join(lines) + "\n")
            await at.machine(name).systemd.stop("mysql")
            await at.machine(name).start_unit("mysql").settled()
        state, detail = (await health(context))["mysql-semi-sync"]
        assert (state, "no semi-synchronous" in detail) == ("degraded", True)
        for step in steps(MysqlServer, MysqlSource, MysqlReplica):
            await carry_out(step, context)
        assert (await health(context))["mysql-semi-sync"][0] == "ok"
        await at.machine(REPLICA).systemd.stop("mysql")
        await typed(context, SOURCE, "CREATE DATABASE `alone` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        state, detail = (await health(context))["mysql-semi-sync"]
        assert (state, "no longer waits" in detail) == ("degraded", True)
        assert (await server_state(context, SOURCE)).semi_sync.unacknowledged
        await at.machine(REPLICA).start_unit("mysql").settled()
        assert (await health(context))["mysql-semi-sync"][0] == "ok", "the source waits again by itself"
        assert "alone" in data_of(at.machine(REPLICA)).databases


async def test_a_replica_with_writes_of_its_own_is_told_and_never_made_the_same_by_force(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        form = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
        await typed(context, REPLICA, "SET PERSIST super_read_only = OFF")
        assert (await health(context))["mysql-replica"][0] == "degraded"
        await typed(context, REPLICA, f"CREATE DATABASE `mine` {form}")
        state, detail = (await health(context))["mysql-replica"]
        assert (state, "1 transaction that" in detail) == ("down", True)
        with pytest.raises(StepError) as refused:
            await MysqlReplica(REPLICA).pending(context)
        assert refused.value.code == "mysql_diverged"
        assert "mine" in data_of(at.machine(REPLICA)).databases


async def test_roles_are_not_changed_by_an_installation(tmp_path: Path) -> None:
    async with pair(tmp_path) as (_, context):
        await made(context)
        mysql = context.spec.mysql.model_copy(update={"source": REPLICA, "replica": SOURCE})
        turned = replace(context, spec=context.spec.model_copy(update={"mysql": mysql}))
        with pytest.raises(StepError) as refused:
            await MysqlSource(REPLICA).pending(turned)
        assert refused.value.code == "mysql_roles"


async def test_a_source_is_not_opened_while_the_replica_was_made_one(tmp_path: Path) -> None:
    async with pair(tmp_path) as (_, context):
        await made(context)
        await typed(context, SOURCE, "SET PERSIST super_read_only = ON")
        assert (await MysqlSource(SOURCE).pending(context)).changes, "nobody has taken over"
        opened = ("SET PERSIST super_read_only = OFF", "SET PERSIST read_only = OFF")
        await typed(context, REPLICA, "STOP REPLICA", "RESET REPLICA ALL", *opened)
        with pytest.raises(StepError) as refused:
            await MysqlSource(SOURCE).pending(context)
        assert refused.value.code == "mysql_promoted"


async def test_logs_that_the_source_no_longer_has_and_a_copied_data_directory_are_told(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        for step in steps(InstallHostPackages, MysqlServer, MysqlSource):
            await carry_out(step, context)
        above = data_of(at.machine(SOURCE))
        above.purged = set(above.executed)
        with pytest.raises(StepError) as refused:
            await MysqlReplica(REPLICA).pending(context)
        assert refused.value.code == "mysql_purged"
        below: MysqlData = data_of(at.machine(REPLICA))
        below.uuid = above.uuid
        with pytest.raises(StepError) as refused:
            await MysqlReplica(REPLICA).pending(context)
        assert refused.value.code == "mysql_same_uuid"


async def test_a_dump_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        for step in steps(InstallHostPackages, MysqlServer, MysqlSource, MysqlReplica):
            await carry_out(step, context)
        data_of(at.machine(SOURCE)).accounts["rbdtui-dump", "127.0.0.1"].kept = kept_of("another")
        data_of(at.machine(REPLICA)).accounts["rbdtui-dump", "127.0.0.1"].kept = kept_of("another")
        with pytest.raises(StepError) as refused:
            await carry_out(MysqlDump(REPLICA), context)
        assert refused.value.code == "unit_action"
        assert "mysqldump" in refused.value.evidence
        assert (await health(context))["mysql-dump"][0] == "degraded"


async def test_a_reset_stops_both_and_leaves_data_and_dumps(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        for node in (SOURCE, REPLICA):
            await carry_out(build_plan(context.spec, {}).step(f"claim@{node}"), context)
        at.machine(REPLICA).files.mkdir(f"{DATA}/console")
        plan = build_reset(context.spec, [node.name for node in context.spec.nodes], whole=True)
        for step in plan.steps:
            if step.node in (SOURCE, REPLICA):
                await carry_out(step, context)
        for node in (SOURCE, REPLICA):
            machine = at.machine(node)
            assert machine.systemd.unit("mysql").active is Active.INACTIVE
            assert not machine.enabled("mysql")
            assert not machine.enabled(DUMP_TIMER)
            for path in (CONFIG, DUMP_SCRIPT, f"/etc/systemd/system/{DUMP_TIMER}"):
                assert not machine.files.exists(path), path
            left = [name for name in machine.files.listdir("/etc/mysql/mysql.conf.d") if "rbdtui" in name]
            assert left == []
        assert at.machine(REPLICA).files.listdir(DUMPS)
        assert at.machine(REPLICA).files.is_dir(f"{DATA}/console")
        with pytest.raises(StepError) as refused:
            await MysqlServer(REPLICA).pending(context)
        assert refused.value.code == "mysql_foreign", "what was kept is not taken over unseen"
