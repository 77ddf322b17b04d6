"""The copy of the made NFS server, on simulated hosts: from the plan to health and reset, and what it spares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.builder import build_plan
from rbdtui.plan.removal.builder import build_reset
from rbdtui.plan.site_kubeconfig import kubeconfig_file
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.nfs_copy import CONFIG_FILE, PASSWORD_FILE, SCRIPT, SECRETS_FILE, NfsCopy, NfsCopyServer
from rbdtui.plan.steps.nfs_server import NfsServer
from rbdtui.plan.steps.ship import InstallHostPackages
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.nfs_copy_state import read_copy_state
from rbdtui.simulator.nfs_copy import COPY, PUSH
from rbdtui.simulator.units import Active
from rbdtui.spec.nfs_copy import SECRET
from rbdtui.spec.single_points import single_points
from rbdtui.spec.survival import Impact, what_if_dies
from tests.plan.support import Bench, bench, carry_out

PATH = "/data/rainbond"
MARK = f"{PATH}/.rbdtui-nfs"
SOURCE, TAKER = "node3", "node4"
PASSWORD = "5b" * 32


def copied(data: dict[str, Any]) -> None:
    """Two servers beside Kubernetes: one gives, the other has the copy."""
    data["profile"] = "rainbond-6"
    data["nodes"][0]["roles"] = ["control-plane", "etcd", "worker", "gateway", "build"]
    data["nodes"] = [node for node in data["nodes"] if node["name"] != "node2"]
    for node in data["nodes"][1:]:
        node["roles"] = ["service"]
    data["gateway"] = {"mode": "none"}
    data["kubernetes"] = {"api": {"mode": "first-server"}}
    data["storage"] = {"mode": "nfs-server", "node": SOURCE, "copy_node": TAKER, "path": PATH}
    data["acknowledged"] = [{"code": "RBD-STORAGE-014", "reason": "a backup is all we want"}]


def exchanged(context: StepContext) -> StepContext:
    """With the nodes the other way round in cluster.yaml."""
    other = context.spec.storage.model_copy(update={"node": TAKER, "copy_node": SOURCE})
    return replace(context, spec=context.spec.model_copy(update={"storage": other}))


@asynccontextmanager
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Bench, StepContext]]:
    async with bench(tmp_path, 4) as at:
        context = at.with_spec(copied)
        own = context.secret

        def secret(name: str) -> str:
            return PASSWORD if name == SECRET else own(name)

        yield at, replace(context, secret=secret)


async def made(context: StepContext) -> None:
    for node in (SOURCE, TAKER):
        await carry_out(InstallHostPackages(node), context)
    for step in (NfsServer(SOURCE), NfsCopyServer(TAKER), NfsCopy(SOURCE)):
        await carry_out(step, context)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.02)


async def health(context: StepContext) -> dict[str, tuple[str, str]]:
    monitor = HealthMonitor(context.spec, context.hosts, kubeconfig_file(context))
    return {status.key.id: (status.state.value, str(status.detail)) for status in (await monitor.once()).probes}


async def test_what_is_written_appears_on_the_copy_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        names = [(step.name, step.node) for step in build_plan(context.spec, context.facts).steps]
        order = [("nfs-server", SOURCE), ("nfs-copy-server", TAKER), ("nfs-copy", SOURCE)]
        assert [each for each in names if each in order] == order
        await made(context)
        source, taker = at.machine(SOURCE), at.machine(TAKER)
        assert {"rsync", "inotifywait"} <= source.tools & taker.tools
        assert source.enabled(PUSH)
        assert taker.enabled(COPY)
        source.files.put(f"{PATH}/volume/file", b"data", mode=0o640, owner="1000:1000")
        await until(lambda: taker.files.text(f"{PATH}/volume/file") == "data")
        entry = taker.files.get(f"{PATH}/volume/file")
        assert entry is not None
        assert (entry.mode, entry.owner) == (0o640, "1000:1000")
        source.files.remove(f"{PATH}/volume/file")
        await until(lambda: not taker.files.exists(f"{PATH}/volume/file"))
        assert source.files.text(MARK) != taker.files.text(MARK), "each has a mark of its own"
        for step in (NfsServer(SOURCE), NfsCopyServer(TAKER), NfsCopy(SOURCE)):
            assert (await step.pending(context)).is_done, step.name


async def test_the_password_is_in_private_files_alone(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await carry_out(InstallHostPackages(SOURCE), context)
        shown = [change.detail for change in (await NfsCopy(SOURCE).pending(context)).changes]
        assert not any(PASSWORD in detail for detail in shown)
        await made(context)
        for node, path in ((SOURCE, PASSWORD_FILE), (TAKER, SECRETS_FILE)):
            entry = at.machine(node).files.get(path)
            assert entry is not None
            assert (entry.mode, entry.owner) == (0o600, "root:root")
            assert PASSWORD in at.file(path, node)
            assert PASSWORD not in at.file(SCRIPT, node)
        config = at.file(CONFIG_FILE, TAKER)
        assert PASSWORD not in config
        assert f"hosts allow = {at.machine(SOURCE).ip}\n" in config


async def test_health_says_how_far_behind_it_is_and_why(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        source, taker = at.machine(SOURCE), at.machine(TAKER)
        await until(lambda: "complete 0" not in source.files.text("/var/lib/rbdtui/nfs-copy/state"))
        seen = await health(context)
        assert {seen[kind][0] for kind in ("nfs-copy", "nfs-copy-server", "nfs-copy-watches")} == {"ok"}, seen
        await taker.systemd.stop(COPY)
        source.files.put(f"{PATH}/more", b"")
        await until(lambda: "failed 10 " in source.files.text("/var/lib/rbdtui/nfs-copy/state"))
        seen = await health(context)
        assert seen["nfs-copy"][0] == "degraded"
        assert seen["nfs-copy-server"][0] == "down"
        await source.systemd.stop(PUSH)
        assert (await health(context))["nfs-copy"][0] == "down"
        source.sysctl["fs.inotify.max_user_watches"] = "0"
        source.start_unit(PUSH)
        await until(lambda: "watching no" in source.files.text("/var/lib/rbdtui/nfs-copy/state"))
        state, detail = (await health(context))["nfs-copy-watches"]
        assert (state, "max_user_watches" in detail) == ("degraded", True)


async def test_a_copy_that_was_made_the_source_takes_nothing_any_more(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        source, taker = at.machine(SOURCE), at.machine(TAKER)
        taker.files.put(MARK, taker.files.text(MARK).replace("role copy", "role source"))
        taker.files.put(f"{PATH}/newer", b"only here")
        source.files.put(f"{PATH}/older", b"")
        await until(lambda: "failed 4 " in source.files.text("/var/lib/rbdtui/nfs-copy/state"))
        assert taker.files.text(f"{PATH}/newer") == "only here"
        assert (await health(context))["nfs-copy-server"][0] == "down"
        with pytest.raises(StepError) as refused:
            await NfsCopyServer(TAKER).pending(context)
        assert refused.value.code == "nfs_copy_is_source"


async def test_roles_are_changed_by_a_decision_on_both_servers_and_never_by_the_file_alone(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        source, taker = at.machine(SOURCE), at.machine(TAKER)
        source.files.put(f"{PATH}/volume", b"data")
        await until(lambda: taker.files.exists(f"{PATH}/volume"))
        other = exchanged(context)
        with pytest.raises(StepError) as refused:
            await NfsServer(TAKER).pending(other)
        assert refused.value.code == "nfs_is_copy"
        with pytest.raises(StepError) as refused:
            await NfsCopyServer(SOURCE).pending(other)
        assert refused.value.code == "nfs_copy_is_source"
        taker.files.put(MARK, taker.files.text(MARK).replace("role copy", "role source"))
        await carry_out(InstallHostPackages(TAKER), other)
        await carry_out(NfsServer(TAKER), other)
        assert list(taker.exported) == [PATH]
        with pytest.raises(StepError):
            await NfsCopyServer(SOURCE).pending(other)
        await source.systemd.stop("nfs-server")
        source.files.put(MARK, source.files.text(MARK).replace("role source", "role copy"))
        await carry_out(NfsCopyServer(SOURCE), other)
        assert source.systemd.unit(PUSH).active is Active.INACTIVE
        await carry_out(NfsCopy(TAKER), other)
        assert taker.systemd.unit(COPY).active is Active.INACTIVE
        taker.files.put(f"{PATH}/newer", b"")
        await until(lambda: source.files.exists(f"{PATH}/newer"))


async def test_a_source_without_its_disk_empties_no_copy(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        source, taker = at.machine(SOURCE), at.machine(TAKER)
        source.files.put(f"{PATH}/volume", b"data")
        await until(lambda: taker.files.exists(f"{PATH}/volume"))
        for name in source.files.listdir(PATH):
            source.files.remove(f"{PATH}/{name}")
        await until(lambda: "failed source " in source.files.text("/var/lib/rbdtui/nfs-copy/state"))
        assert taker.files.text(f"{PATH}/volume") == "data"
        with pytest.raises(StepError) as refused:
            await NfsCopy(SOURCE).pending(context)
        assert refused.value.code == "nfs_mark_gone"


async def test_somebodys_directory_is_not_taken_for_a_copy(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        at.machine(TAKER).files.put(f"{PATH}/somebody's", b"data")
        await carry_out(InstallHostPackages(TAKER), context)
        with pytest.raises(StepError) as refused:
            await NfsCopyServer(TAKER).pending(context)
        assert refused.value.code == "nfs_copy_not_empty"


async def test_without_a_copy_in_the_plan_the_source_stops_copying(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        alone = context.spec.storage.model_copy(update={"copy_node": None})
        await carry_out(NfsServer(SOURCE), replace(context, spec=context.spec.model_copy(update={"storage": alone})))
        assert at.machine(SOURCE).systemd.unit(PUSH).active is Active.INACTIVE
        assert not at.machine(SOURCE).enabled(PUSH)


async def test_a_reset_takes_all_of_it_away_but_the_data(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await made(context)
        source, taker = at.machine(SOURCE), at.machine(TAKER)
        source.files.put(f"{PATH}/volume", b"kept")
        await until(lambda: taker.files.exists(f"{PATH}/volume"))
        for node in (SOURCE, TAKER):
            await carry_out(build_plan(context.spec, {}).step(f"claim@{node}"), context)
        for step in build_reset(context.spec, [SOURCE, TAKER], whole=False).steps:
            await carry_out(step, context)
        for machine, unit in ((source, PUSH), (taker, COPY)):
            assert machine.systemd.unit(unit).active is Active.INACTIVE
            assert machine.unit_file(unit) is None
            assert machine.files.listdir(PATH) == ["volume"]
            for path in (SCRIPT, CONFIG_FILE, SECRETS_FILE, PASSWORD_FILE, "/var/lib/rbdtui"):
                assert not machine.files.exists(path), path


async def test_the_plan_says_that_storage_stays_single(tmp_path: Path) -> None:
    async with pair(tmp_path) as (_, context):
        parts = {point.part: point.at for point in single_points(context.spec)}
        assert parts["nfs-server-copied"] == SOURCE
        assert what_if_dies(context.spec, SOURCE).storage.impact is Impact.LOST
        assert what_if_dies(context.spec, TAKER).storage.impact is Impact.HOLDS
        assert (await read_copy_state(context.hosts[SOURCE])).behind_s is None
