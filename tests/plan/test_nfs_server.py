"""An NFS server that the plan makes, on simulated hosts: from an empty disk to a proven Rainbond, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.checks.services import left
from rbdtui.checks.services.asking import no_secret
from rbdtui.errors import StepError
from rbdtui.plan.builder import build_plan
from rbdtui.plan.recipes.remove import refuse_needed
from rbdtui.plan.removal.builder import build_reset
from rbdtui.plan.site_kubeconfig import kubeconfig_file
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.nfs_server import LOCKD_FILE, PORTS_FILE, NfsServer
from rbdtui.plan.steps.ship import InstallHostPackages
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.nfs_state import EXPORTS_FILE
from rbdtui.simulator.fleet import SUBNET
from rbdtui.simulator.nfs import serves
from rbdtui.simulator.units import Active
from rbdtui.transport.scripts import script
from tests.plan.support import Bench, bench, carry_out, spec_of
from tests.plan.walk import walk

PATH = "/data/rainbond"
SERVER = "node4"


def on_its_own(data: dict[str, Any]) -> None:
    """Rainbond, with the fourth server for nothing but its volumes."""
    data["profile"] = "rainbond-6"
    for node in data["nodes"]:
        node["roles"] = ["service"] if node["name"] == SERVER else [*node["roles"], "build"]
    data["storage"] = {"mode": "nfs-server", "node": SERVER, "path": PATH}


def on_a_node(data: dict[str, Any]) -> None:
    on_its_own(data)
    data["nodes"] = [node for node in data["nodes"] if node["name"] != SERVER]
    data["storage"]["node"] = "node3"


@asynccontextmanager
async def storage(tmp_path: Path) -> AsyncIterator[tuple[Bench, StepContext]]:
    async with bench(tmp_path, 4) as at:
        yield at, at.with_spec(on_its_own)


async def health(context: StepContext) -> dict[str, tuple[str, str]]:
    monitor = HealthMonitor(context.spec, context.hosts, kubeconfig_file(context))
    return {status.key.id: (status.state.value, str(status.detail)) for status in (await monitor.once()).probes}


async def made(context: StepContext, node: str = SERVER) -> None:
    await carry_out(InstallHostPackages(node), context)
    await carry_out(NfsServer(node), context)


@pytest.mark.timeout(400)
async def test_rainbond_keeps_its_data_on_a_server_that_was_made_and_a_second_time_nothing_changes(
    tmp_path: Path,
) -> None:
    async with storage(tmp_path) as (at, context):
        plan = build_plan(context.spec, context.facts)
        own = [step.name for step in plan.steps if step.node == SERVER]
        assert own == ["claim", "hosts-file", "host-packages", "nfs-server"]
        first = await walk(plan, context)
        assert first["storage-proof"].step
        machine = at.machine(SERVER)
        assert machine.systemd.unit("nfs-server").active is Active.ACTIVE
        assert machine.enabled("nfs-server")
        assert not machine.files.exists("/var/lib/rancher")
        (line,) = [line for line in at.file(EXPORTS_FILE, SERVER).splitlines() if line.startswith("/")]
        assert line.startswith(f"{PATH} {SUBNET}(rw,sync,no_subtree_check,no_root_squash,fsid=")
        assert "*" not in line
        assert "port=20048" in at.file(PORTS_FILE, SERVER)
        assert "nlm_tcpport=4045" in at.file(LOCKD_FILE, SERVER)
        seen = await health(context)
        assert seen["nfs"][0] == "ok"
        again = await walk(build_plan(context.spec, context.facts), context)
        assert {one.step: one.changes for one in again.values() if one.changes} == {}


async def test_a_node_gives_its_own_directory_and_what_it_lacks_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path, 4) as at:
        context = at.with_spec(on_a_node)
        names = [step.name for step in build_plan(context.spec, context.facts).steps if step.node == "node3"]
        assert names.index("host-packages") < names.index("nfs-server") < names.index("ship-bundle")
        await made(context, "node3")
        machine = at.machine("node3")
        assert {"mount.nfs", "exportfs"} <= machine.tools
        await carry_out(InstallHostPackages("node1"), context)
        assert "exportfs" not in at.machine("node1").tools
        await machine.systemd.stop("nfs-server")
        state, detail = (await health(context))["nfs"]
        assert (state, "inactive" in detail) == ("down", True)


async def test_a_server_that_the_plan_no_longer_has_goes_on_until_its_table_is_taken_away(tmp_path: Path) -> None:
    async with storage(tmp_path) as (at, context):
        await made(context)
        question = left.LeftQuestion((SERVER, "node1"))

        async def given() -> dict[str, tuple[str, ...]]:
            seen = await left.NFS_LEFT.ask(question, context.hosts, no_secret)
            return {
                name: tuple(path for path in state.own_paths if state.clients(path)) for name, state in seen.items()
            }

        assert await given() == {SERVER: (PATH,), "node1": ()}
        at.machine(SERVER).files.remove(EXPORTS_FILE)
        await context.hosts[SERVER].must(script("nfs-server"), "serve")
        assert await given() == {SERVER: (), "node1": ()}


async def test_an_export_that_somebody_took_away_comes_back_and_a_new_one_is_a_table_alone(tmp_path: Path) -> None:
    async with storage(tmp_path) as (at, context):
        await made(context)
        machine = at.machine(SERVER)
        started = machine.systemd.unit("nfs-server").invocations
        machine.exported = {}
        assert (await health(context))["nfs"][0] == "down"
        (change,) = (await NfsServer(SERVER).pending(context)).changes
        assert change.detail == "exportfs -ra"
        await carry_out(NfsServer(SERVER), context)
        assert list(machine.exported) == [PATH]
        machine.files.put(EXPORTS_FILE, machine.files.text(EXPORTS_FILE).replace("rw,", "ro,"))
        await carry_out(NfsServer(SERVER), context)
        assert "(rw," in machine.exported[PATH][0]
        assert machine.systemd.unit("nfs-server").invocations == started, "clients are not kept waiting for that"
        machine.files.put(PORTS_FILE, "[mountd]\nport=1\n")
        await carry_out(NfsServer(SERVER), context)
        assert machine.systemd.unit("nfs-server").invocations == started + 1


@pytest.mark.parametrize(
    ("code", "prepare"),
    [
        ("nfs_not_empty", lambda files: files.put(f"{PATH}/somebody's", b"data")),
        ("nfs_no_directory", lambda files: files.put(PATH, b"a file")),
    ],
)
async def test_what_is_there_is_given_to_nobody(tmp_path: Path, code: str, prepare: Any) -> None:
    async with storage(tmp_path) as (at, context):
        machine = at.machine(SERVER)
        machine.files.mkdir("/data")
        prepare(machine.files)
        with pytest.raises(StepError) as refused:
            await made(context)
        assert refused.value.code == code
        assert not machine.files.exists(EXPORTS_FILE)


async def test_volumes_are_not_left_behind_by_another_path(tmp_path: Path) -> None:
    async with storage(tmp_path) as (at, context):
        await made(context)
        storage_there = context.spec.storage.model_copy(update={"path": "/data/other"})
        moved = replace(context, spec=context.spec.model_copy(update={"storage": storage_there}))
        with pytest.raises(StepError) as refused:
            await NfsServer(SERVER).pending(moved)
        assert refused.value.code == "nfs_moved"
        assert list(at.machine(SERVER).exported) == [PATH]


def test_a_server_with_the_volumes_of_a_cluster_does_not_leave_it() -> None:
    roles = {"n1": ("control-plane", "etcd", "worker", "gateway"), "n2": ("worker",), "n3": ("worker",)}
    there = {"storage": {"mode": "nfs-server", "node": "n2", "path": PATH}}
    spec = spec_of(roles, profile="rainbond-6", sections=there)
    with pytest.raises(StepError) as refused:
        refuse_needed(spec, "n2", ())
    assert refused.value.code == "leave_service"
    refuse_needed(spec, "n3", ())


async def test_a_table_that_is_not_taken_is_told_in_the_words_of_exportfs(tmp_path: Path) -> None:
    async with storage(tmp_path) as (at, context):
        at.machine(SERVER).files.put("/etc/exports.d/other.exports", "/gone 10.0.0.0/8(rw)\n")
        with pytest.raises(StepError) as refused:
            await made(context)
        assert refused.value.code == "nfs_not_exported"
        assert "Failed to stat /gone" in refused.value.evidence


@pytest.mark.timeout(400)
async def test_a_volume_waits_while_its_server_is_down_and_no_one_else_may_have_it(tmp_path: Path) -> None:
    async with storage(tmp_path) as (at, context):
        await walk(build_plan(context.spec, context.facts), context)
        other = at.machine("node1")
        machine = at.machine(SERVER)
        assert serves(machine, f"{PATH}/volume", other.ip)
        assert not serves(machine, "/data", other.ip)
        await machine.systemd.stop("nfs-server")
        assert not serves(machine, PATH, other.ip)


async def test_a_reset_takes_the_export_away_last_and_leaves_the_data(tmp_path: Path) -> None:
    async with storage(tmp_path) as (at, context):
        await made(context)
        await carry_out(build_plan(context.spec, {}).step(f"claim@{SERVER}"), context)
        machine = at.machine(SERVER)
        machine.files.put(f"{PATH}/volume", b"kept")
        plan = build_reset(context.spec, [node.name for node in context.spec.nodes], whole=True)
        stop = plan.step(f"reset-stop@{SERVER}")
        assert {f"reset-proof@node{number}" for number in (1, 2, 3)} <= set(stop.after)
        for step in plan.steps:
            if step.node == SERVER:
                await carry_out(step, context)
        assert machine.systemd.unit("nfs-server").active is Active.INACTIVE
        assert not machine.enabled("nfs-server")
        assert machine.exported == {}
        for path in (EXPORTS_FILE, PORTS_FILE, LOCKD_FILE):
            assert not machine.files.exists(path), path
        assert machine.files.text(f"{PATH}/volume") == "kept"
