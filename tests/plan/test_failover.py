"""A failover of the MySQL pair that somebody decided, on simulated hosts: from a source that lives, or a dead one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.builder import build_plan
from rbdtui.plan.recipes.failover import RECIPE, SILENT
from rbdtui.plan.recipes.recipe import Request
from rbdtui.plan.step import Plan, Step, StepContext
from rbdtui.plan.steps.failover import CloseSource, PromoteReplica, database_hosts
from rbdtui.plan.steps.mysql_pair import MysqlReplica, server_state
from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.plan.steps.ship import InstallHostPackages
from rbdtui.probes.namespace import look
from rbdtui.rainbond.workloads import CLUSTER_PATH, name_of
from rbdtui.simulator.mysql import PLUGINS, data_of
from rbdtui.site import Site
from tests.plan.support import carry_out
from tests.plan.test_mysql_pair import REPLICA, SOURCE, health, made, pair, typed
from tests.plan.walk import walk


def planned(context: StepContext, *, silent: bool = False) -> Plan:
    return RECIPE.build(Request(context.spec, {}, {SILENT: "yes" if silent else ""}))


def step_of(context: StepContext, kind: type[Step], *, silent: bool = False) -> Step:
    return next(step for step in planned(context, silent=silent).steps if isinstance(step, kind))


def in_its_file(context: StepContext) -> None:
    """The plan of the site says what the context's says."""
    file = Site(context.site_dir).spec_file
    mysql = "mysql: {mode: pair, source: node4, replica: node5, username: rainbond, password: secret:mysql}"
    file.write_text(f"{file.read_text()}\n# both of us\n{mysql}\n")


async def shown(context: StepContext) -> dict[str, tuple[int, set[str]]]:
    """Pods that a workload is to have, and where it looks for its databases."""
    async with open_api(context) as api:
        seen = await look(api.kube, "Deployment", "StatefulSet")
    return {
        name_of(item): (item["spec"].get("replicas", 1), database_hosts(item))
        for kind in ("Deployment", "StatefulSet")
        for item in seen.of(kind)
    }


@pytest.mark.timeout(600)
async def test_rainbond_writes_to_the_replica_and_the_old_source_becomes_one(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await walk(build_plan(context.spec, context.facts), context)
        in_its_file(context)
        before = await shown(context)
        addresses = [str(context.spec.node(name).cluster_address) for name in (SOURCE, REPLICA)]
        writers = {name for name, (_, hosts) in before.items() if hosts}
        assert {"rbd-api", "rbd-worker", "rbd-app-ui"} <= writers
        steps = planned(context).steps
        first = (await steps[0].pending(context)).changes[0]
        assert first.detail.endswith("deployment/rainbond-operator --replicas=0")
        await carry_out(steps[0], context)
        stopped = await shown(context)
        assert {stopped[name][0] for name in (*writers, "rainbond-operator")} == {0}
        for step in steps[1:]:
            await carry_out(step, context)
        after = await shown(context)
        assert {name: pods for name, (pods, _) in after.items()} == {name: pods for name, (pods, _) in before.items()}
        assert {host for name in writers for host in after[name][1]} == {addresses[1]}
        async with open_api(context) as api:
            cluster = await api.kube.get(CLUSTER_PATH)
        assert [cluster["spec"][name]["host"] for name in ("regionDatabase", "uiDatabase")] == [addresses[1]] * 2
        above, below = data_of(at.machine(REPLICA)), data_of(at.machine(SOURCE))
        assert (above.persisted["super_read_only"], below.persisted["super_read_only"]) == ("OFF", "ON")

        text = Site(context.site_dir).spec_file.read_text()
        assert "source: node5, replica: node4" in text
        assert "# both of us" in text
        mysql = context.spec.mysql.model_copy(update={"source": REPLICA, "replica": SOURCE})
        turned = replace(context, spec=context.spec.model_copy(update={"mysql": mysql}))
        await carry_out(MysqlReplica(SOURCE), turned)
        seen = await health(turned)
        assert {seen[kind][0] for kind in ("mysql", "mysql-source", "mysql-replica")} == {"ok"}, seen
        for step in steps:
            assert (await step.pending(context)).is_done, step.id


async def test_a_dead_source_is_left_and_what_came_over_is_kept(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        await at.fleet.power_off(SOURCE)
        with pytest.raises(Exception, match=r"."):
            await step_of(context, CloseSource).pending(context)
        for kind in (CloseSource, PromoteReplica):
            await carry_out(step_of(context, kind, silent=True), context)
        state = await server_state(context, REPLICA)
        assert (state.super_read_only, state.replication) == (False, None)
        assert {"console", "region"} <= set(state.databases)

        await at.fleet.power_on(SOURCE)
        await at.machine(SOURCE).systemd.unit("mysql").settled()
        form = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
        await typed(context, SOURCE, f"CREATE DATABASE `late` {form}")
        mysql = context.spec.mysql.model_copy(update={"source": REPLICA, "replica": SOURCE})
        turned = replace(context, spec=context.spec.model_copy(update={"mysql": mysql}))
        assert "two sources" in (await health(turned))["mysql-replica"][1]
        await typed(context, REPLICA, f"CREATE DATABASE `after` {form}")
        with pytest.raises(StepError) as refused:
            await carry_out(MysqlReplica(REPLICA), context)
        assert refused.value.code == "mysql_diverged", "the plan still has the roles of before: it may be in use"
        assert not (await server_state(context, REPLICA)).super_read_only
        with pytest.raises(StepError) as refused:
            await carry_out(MysqlReplica(SOURCE), turned)
        assert refused.value.code == "mysql_diverged", "what only the old source has is not thrown away"
        assert (await server_state(context, SOURCE)).super_read_only, "and nobody adds to it"
        with pytest.raises(StepError) as refused:
            await MysqlReplica(SOURCE).pending(turned)
        assert refused.value.code == "mysql_diverged"


@pytest.mark.parametrize("plugins", [True, False])
async def test_what_was_told_as_done_survives_its_source_only_where_the_replica_acknowledged_it(
    tmp_path: Path, plugins: bool
) -> None:
    async with pair(tmp_path) as (at, context):
        for name in (SOURCE, REPLICA):
            await carry_out(InstallHostPackages(name), context)
            for plugin in () if plugins else at.machine(name).files.listdir(PLUGINS):
                at.machine(name).files.remove(f"{PLUGINS}/{plugin}")
        await made(context)
        assert (await health(context))["mysql-semi-sync"][0] == ("ok" if plugins else "degraded")
        await typed(
            context, SOURCE, *(f"CREATE DATABASE `late{n}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" for n in range(3))
        )
        await at.fleet.power_off(SOURCE)
        state = await server_state(context, REPLICA)
        assert state.semi_sync.acknowledges is (True if plugins else None)
        assert (await health(context))["mysql-semi-sync"][0] == "unknown"
        for kind in (CloseSource, PromoteReplica):
            await carry_out(step_of(context, kind, silent=True), context)
        there = {name for name in data_of(at.machine(REPLICA)).databases if name.startswith("late")}
        assert there == ({"late0", "late1", "late2"} if plugins else set())


async def test_a_replica_that_copies_nobody_does_not_take_over(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        await typed(context, REPLICA, "STOP REPLICA", "RESET REPLICA ALL")
        with pytest.raises(StepError) as refused:
            await step_of(context, CloseSource, silent=True).pending(context)
        assert refused.value.code == "failover_no_copy"
        assert data_of(at.machine(SOURCE)).persisted["super_read_only"] == "OFF"


def test_where_a_workload_looks_is_read_from_arguments_and_variables() -> None:
    def with_container(**container: Any) -> dict[str, Any]:
        return {"spec": {"template": {"spec": {"containers": [container]}}}}

    assert database_hosts(with_container(args=["--mysql=a:b@tcp(10.0.0.4:3306)/region"])) == {"10.0.0.4"}
    assert database_hosts(with_container(env=[{"name": "MYSQL_HOST", "value": "10.0.0.4"}])) == {"10.0.0.4"}
    assert database_hosts(with_container(args=["--etcd=10.0.0.4:2379"])) == set()
    assert database_hosts({}) == set()
