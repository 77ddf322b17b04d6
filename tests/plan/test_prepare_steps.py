"""Steps that prepare a host: what they change, that a second look finds nothing, and what they leave alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.step import ChangeKind, StepContext, Undoable
from rbdtui.plan.steps.claim import CLAIM_FILE, ClaimHost
from rbdtui.plan.steps.prepare import HostsFile, PrepareSystem
from rbdtui.profiles import RAINBOND_6
from rbdtui.simulator.state import fleet_state
from rbdtui.spec.model import ClusterSpec
from tests.plan.support import bench, carry_out, settle


async def nothing_left(step: HostsFile | PrepareSystem | ClaimHost, context: StepContext) -> bool:
    return (await step.pending(context)).is_done


async def test_looking_changes_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        before = fleet_state(at.fleet)
        for step in (ClaimHost("node1"), HostsFile("node1"), PrepareSystem("node1")):
            assert (await step.pending(at.context)).changes
        assert fleet_state(at.fleet) == before


async def test_a_host_is_claimed_once_and_the_claim_outlives_the_run(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert await carry_out(ClaimHost("node1"), at.context) != []
        first = at.file(CLAIM_FILE)
        assert "canary" not in first
        assert await nothing_left(ClaimHost("node1"), at.context)
        await ClaimHost("node1").undo(at.context)
        assert not at.machine().files.exists(CLAIM_FILE)


@pytest.mark.parametrize(
    "found",
    [
        '{"site": "demo", "cluster_id": "0123456789abcdef", "run_id": "r"}',
        '{"site": "b", "cluster_id": "", "run_id": ""}',
    ],
)
async def test_a_host_of_another_cluster_is_refused(tmp_path: Path, found: str) -> None:
    async with bench(tmp_path) as at:
        at.machine().files.put(CLAIM_FILE, found)
        with pytest.raises(StepError) as caught:
            await ClaimHost("node1").pending(at.context)
        assert caught.value.code == "claimed_by_other"
        assert not caught.value.retryable


async def test_a_marker_that_cannot_be_read_is_written_anew(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.machine().files.put(CLAIM_FILE, "torn {")
        await carry_out(ClaimHost("node1"), at.context)
        assert '"site": "demo"' in at.file(CLAIM_FILE)


async def test_the_hosts_file_keeps_every_line_and_gets_all_names(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        before = at.file("/etc/hosts")
        await carry_out(HostsFile("node1"), at.context)
        after = at.file("/etc/hosts")
        assert after.endswith(before)
        assert [line for line in after.splitlines() if line.endswith(("node1", "node2", "node3"))][:3] == [
            f"{machine.ip} {name}" for name, machine in at.fleet.machines.items()
        ]
        assert await nothing_left(HostsFile("node1"), at.context)
        await HostsFile("node1").undo(at.context)
        assert at.file("/etc/hosts") == before


async def test_rainbonds_own_names_lead_to_the_vip(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        context = at.with_spec(lambda data: data.update(profile=RAINBOND_6.name))
        await carry_out(HostsFile("node1"), context)
        assert f"{at.fleet.vip.ip} goodrain.me region.goodrain.me" in at.file("/etc/hosts").splitlines()


async def test_a_prepared_system(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        machine = at.machine()
        machine.modules.discard("br_netfilter")
        machine.sysctl |= {"fs.inotify.max_user_watches": "1000000", "fs.inotify.max_user_instances": "128"}
        await carry_out(PrepareSystem("node1"), at.context)
        assert "br_netfilter" in machine.modules
        assert machine.sysctl["net.ipv4.ip_forward"] == "1"
        assert machine.sysctl["fs.inotify.max_user_instances"] == "8192"
        assert machine.sysctl["fs.inotify.max_user_watches"] == "1000000", "a host's own higher value stays"
        assert "fs.inotify.max_user_watches = 1000000" in at.file("/etc/sysctl.d/90-rbdtui.conf")
        assert await nothing_left(PrepareSystem("node1"), at.context)


@pytest.mark.parametrize(
    ("settings", "set_"), [({"profile": "cis"}, True), ({"protect-kernel-defaults": True}, True), ({}, False)]
)
async def test_a_hardening_profile_finds_the_kernels_settings(
    tmp_path: Path, settings: dict[str, object], set_: bool
) -> None:
    async with bench(tmp_path) as at:
        at.machine().sysctl |= {"vm.overcommit_memory": "0", "kernel.panic": "0"}
        data = at.context.spec.model_dump(mode="json")
        data["kubernetes"]["settings"] = settings
        context = replace(at.context, spec=ClusterSpec.model_validate(data))
        await carry_out(PrepareSystem("node1"), context)
        found = [at.machine().sysctl[key] for key in ("vm.overcommit_memory", "kernel.panic")]
        assert found == (["1", "10"] if set_ else ["0", "0"])


async def test_a_missing_resolver_file_is_made_and_an_existing_one_is_not_touched(tmp_path: Path) -> None:
    async with bench(tmp_path, 2) as at:
        one, two = at.machine("node1"), at.machine("node2")
        one.files.remove("/etc/resolv.conf")
        one.files.link("../run/systemd/resolve/gone", "/etc/resolv.conf")
        two.files.put("/etc/resolv.conf", "nameserver 10.0.0.53\n")
        for node in ("node1", "node2"):
            await carry_out(PrepareSystem(node), at.context)
        assert at.file("/etc/resolv.conf", "node1").startswith("# Written by rbdtui for site demo")
        assert at.file("/etc/resolv.conf", "node2") == "nameserver 10.0.0.53\n"


async def test_a_kernel_without_a_module_is_an_error_that_names_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.machine().modules.discard("br_netfilter")
        at.machine().modules.add("overlay")
        at.fleet.fail_next("node1", "modules-load", status=3, message="modprobe: FATAL: Module br_netfilter not found")
        with pytest.raises(StepError) as caught:
            await settle(PrepareSystem("node1"), at.context)
        assert caught.value.code == "modules_absent"
        assert caught.value.params["modules"] == "br_netfilter"
        assert "not found" in caught.value.evidence


async def test_an_own_file_of_the_operator_is_kept_and_comes_back(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        path = "/etc/sysctl.d/90-rbdtui.conf"
        at.machine().files.put(path, "vm.swappiness = 1\n")
        step = PrepareSystem("node1")
        (change, *_) = [
            c for c in (await step.pending(at.context)).changes if c.kind is ChangeKind.FILE and path in str(c.title)
        ]
        assert "-vm.swappiness = 1" in change.detail.splitlines()
        await carry_out(step, at.context)
        assert at.file(f"/var/lib/rbdtui/backup/run1{path}") == "vm.swappiness = 1\n"


def test_all_of_them_can_be_undone() -> None:
    assert all(isinstance(step("n"), Undoable) for step in (ClaimHost, HostsFile, PrepareSystem))
