"""Steps that bring packages, keepalived and RKE2's files to a host."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tarfile
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest
import yaml

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.facts.model import Interface, Route
from rbdtui.plan.builder import build_plan
from rbdtui.plan.step import ChangeKind, Step
from rbdtui.plan.steps import keepalived
from rbdtui.plan.steps.keepalived import CHECK_FILE, CONFIG_FILE, OLD_CHECK_FILE, Keepalived, KeepalivedCheck
from rbdtui.plan.steps.rke2_config import ConfigureRke2
from rbdtui.plan.steps.rke2_start import StartFirstServer
from rbdtui.plan.steps.ship import IMAGES_DIR, InstallHostPackages, ShipBundle, UnpackRke2
from rbdtui.profiles import RAINBOND_6
from rbdtui.simulator.fleet import Build
from rbdtui.simulator.machine import System
from rbdtui.simulator.state import fleet_state
from rbdtui.simulator.verbs.transfer import JOBS_DIR
from rbdtui.spec.model import ClusterSpec
from tests.plan.support import SECRETS, Bench, bench, carry_out, settle
from tests.waiting import until

LACKS_KEEPALIVED = (Build(keepalived=False), Build())


async def told(at: Bench, *steps: Step) -> str:
    """All that describing steps and their evidence say, in one text."""
    words = []
    for step in steps:
        pending = await step.pending(at.context)
        words += [pending.evidence, *(json.dumps(change.to_json()) for change in pending.changes)]
    return "\n".join(words)


async def test_keepalived_comes_from_the_bundle_where_it_is_missing(tmp_path: Path) -> None:
    async with bench(tmp_path, 3, builds=LACKS_KEEPALIVED) as at:
        assert (await InstallHostPackages("node2").pending(at.context)).is_done
        (change,) = (await InstallHostPackages("node1").pending(at.context)).changes
        assert change.kind is ChangeKind.PACKAGE
        assert change.detail == "keepalived_2.2.7-1+b2_amd64.deb"
        await carry_out(InstallHostPackages("node1"), at.context)
        assert "keepalived" in at.machine().packages
        assert at.heard.lines, "the package manager's words are in the step's log"


async def test_what_mounts_nfs_volumes_comes_from_the_bundle_to_every_node(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        data = at.context.spec.model_dump(mode="json", exclude_unset=True)
        data |= {"profile": "rainbond-6", "storage": {"mode": "nfs", "server": "nas.lan", "path": "/data"}}
        data["nodes"][2]["roles"] = ["worker"]
        context = replace(at.context, spec=ClusterSpec.model_validate(data))
        assert {f"host-packages@{node.name}" for node in context.spec.nodes} <= {
            step.id for step in build_plan(context.spec, {}).steps
        }
        step, machine = InstallHostPackages("node3"), at.machine("node3")
        assert (await step.pending(context)).is_done
        machine.tools.discard("mount.nfs")
        (change,) = (await step.pending(context)).changes
        assert change.detail == "nfs-common_2.6.2-4_amd64.deb", "keepalived is for gateways alone"
        await carry_out(step, context)
        assert "nfs-common" in machine.packages
        without_nfs = await InstallHostPackages("node1").pending(at.context)
        assert without_nfs.is_done


@pytest.mark.parametrize("packages_gone", [False, True])
async def test_an_installation_whose_end_nobody_saw_is_followed_to_its_end(tmp_path: Path, packages_gone: bool) -> None:
    step = InstallHostPackages("node1")
    async with bench(tmp_path, 3, builds=LACKS_KEEPALIVED) as at:
        files = at.machine().files
        job = f"{JOBS_DIR}/{at.context.run_id}-host-packages"
        cut_off = asyncio.create_task(settle(step, at.context))
        await until(lambda: files.exists(f"{job}/digest"))
        cut_off.cancel()
        await asyncio.wait({cut_off})
        await until(lambda: files.exists(f"{job}/exit"))
        assert "keepalived" in at.machine().packages
        assert not (await step.pending(at.context)).is_done, "its exit status was not read"
        (tmp_path / "empty").mkdir()
        context = replace(at.context, bundle=open_bundle(tmp_path / "empty")) if packages_gone else at.context
        await carry_out(step, context)
        assert not files.exists(job)
        assert (await step.pending(context)).is_done


async def test_a_bundle_without_packages_for_the_system_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path, 3, builds=LACKS_KEEPALIVED) as at:
        facts = at.context.facts["node1"]
        other = replace(facts, os=replace(facts.os, id="kylin", version_id="V10"))
        context = replace(at.context, facts={**at.context.facts, "node1": other})
        with pytest.raises(StepError) as caught:
            await settle(InstallHostPackages("node1"), context)
        assert caught.value.code == "no_packages"
        assert caught.value.params["system"] == "kylin-V10-amd64"


async def test_both_phases_of_keepalived(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        said = await told(at, Keepalived("node1"))
        assert SECRETS["vrrp-password"] not in said
        assert "secret:vrrp-password" in said
        await carry_out(Keepalived("node1"), at.context)
        first = at.file(CONFIG_FILE)
        assert f"auth_pass {SECRETS['vrrp-password']}" in first
        assert f"unicast_src_ip {at.machine().ip}" in first
        assert [line.strip() for line in first.splitlines() if line.strip() in {"127.77.0.11", "127.77.0.12"}] == [
            str(at.machine("node2").ip)
        ]
        assert "nopreempt" in first
        assert "vrrp_script" not in first
        assert at.machine().files.get(CONFIG_FILE).mode == 0o600  # type: ignore[union-attr]

        at.machine().files.put("/var/lib/rancher/rke2/bin/kubectl", "", mode=0o755)
        await settle(KeepalivedCheck("node1"), at.context)
        second = at.file(CONFIG_FILE)
        assert "weight 0" in second
        assert f'script "{CHECK_FILE}"' in second
        assert "track_script" in second
        assert (await Keepalived("node1").pending(at.context)).is_done, "phase 1 is not undone by a second run"
        assert SECRETS["vrrp-password"] not in await told(at, Keepalived("node1"), KeepalivedCheck("node1"))


async def running(at: Bench, node: str = "node1") -> None:
    """A first server under the address that moves."""
    for step in (Keepalived(node), ShipBundle(node), UnpackRke2(node), ConfigureRke2(node), StartFirstServer(node)):
        await carry_out(step, at.context)


@pytest.mark.parametrize("selinux", ["", "enforcing"])
async def test_keepalived_itself_says_that_its_check_passes(tmp_path: Path, selinux: str) -> None:
    async with bench(tmp_path, 3, builds=(Build(system=System(selinux=selinux)),)) as at:
        await running(at)
        assert Path(CHECK_FILE).parent == Path("/usr/libexec/keepalived"), "elsewhere SELinux does not let it run"
        await carry_out(KeepalivedCheck("node1"), at.context)
        check = at.machine().files.get(CHECK_FILE)
        assert check is not None
        assert (check.mode, check.owner) == (0o755, "root:root")


async def test_a_check_that_only_we_can_run_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path, 3, builds=(Build(system=System(selinux="enforcing")),)) as at:
        await running(at)
        monkeypatch.setattr(keepalived, "CHECK_FILE", "/etc/keepalived/check.sh")
        monkeypatch.setattr(keepalived, "_SEEN_WITHIN_S", 2.0)
        await settle(KeepalivedCheck("node1"), at.context)
        with pytest.raises(StepError) as caught:
            await KeepalivedCheck("node1").verify(at.context)
        assert caught.value.code == "check_fails"
        assert "failed (exited with status 1)" in caught.value.evidence


async def test_a_keepalived_that_says_nothing_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path, 3) as at:
        await running(at)
        await carry_out(KeepalivedCheck("node1"), at.context)
        monkeypatch.setattr(keepalived, "_SEEN_WITHIN_S", 0.0)
        at.machine().systemd.journal.clear()
        with pytest.raises(StepError) as caught:
            await KeepalivedCheck("node1").verify(at.context)
        assert caught.value.code == "check_silent"


async def test_a_stopped_rke2_server_is_no_good_gateway_although_its_api_server_lives_on(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        await running(at)
        await carry_out(KeepalivedCheck("node1"), at.context)
        at.machine().unlisten(9345)
        at.machine().systemd.journal.clear()
        await until(lambda: any(") failed" in line.text for line in at.machine().systemd.lines("keepalived")))
        assert at.machine().listener("127.0.0.1", 6443) is not None


async def test_the_check_of_an_earlier_version_goes_and_somebody_elses_stays(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        await running(at)
        at.machine().files.put(
            OLD_CHECK_FILE, "#!/bin/sh\n# Written by rbdtui for site demo; changes here\n", mode=0o755
        )
        changes = await carry_out(KeepalivedCheck("node1"), at.context)
        assert any(OLD_CHECK_FILE in change for change in changes)
        assert not at.machine().files.exists(OLD_CHECK_FILE)
        at.machine().files.put(OLD_CHECK_FILE, "#!/bin/sh\n# of the operator\n", mode=0o755)
        assert await carry_out(KeepalivedCheck("node1"), at.context) == []
        assert at.machine().files.exists(OLD_CHECK_FILE)


async def test_a_configuration_that_keepalived_refuses_never_gets_in_place(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        at.machine().files.put(CONFIG_FILE, "the old one\n")
        at.fleet.fail_next("node1", "keepalived-test", status=3, message="(Line 12) Unknown interface")
        with pytest.raises(StepError) as caught:
            await settle(Keepalived("node1"), at.context)
        assert caught.value.code == "content_refused"
        assert "Unknown interface" in caught.value.evidence
        assert at.file(CONFIG_FILE) == "the old one\n"


async def test_a_restart_that_was_cut_off_is_made_up_for(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        await carry_out(Keepalived("node1"), at.context)
        at.machine().files.remove("/var/lib/rbdtui/started/keepalived.service")
        (change,) = (await Keepalived("node1").pending(at.context)).changes
        assert "with its new configuration" in str(change.title)
        await carry_out(Keepalived("node1"), at.context)
        assert (await Keepalived("node1").pending(at.context)).is_done


async def test_the_bundle_is_shipped_once_and_verified_by_digest(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await carry_out(ShipBundle("node1"), at.context)
        images = f"{IMAGES_DIR}/rke2-images.linux-amd64.tar.gz"
        assert at.machine().files.read(images) == (tmp_path / "bundle" / Path(images).name).read_bytes()
        assert (await ShipBundle("node1").pending(at.context)).is_done
        at.machine().files.put(images, b"changed on the host")
        (change,) = (await ShipBundle("node1").pending(at.context)).changes
        assert images in str(change.title)


async def test_rke2_is_unpacked_once_and_again_for_another_archive(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await carry_out(ShipBundle("node1"), at.context)
        await carry_out(UnpackRke2("node1"), at.context)
        assert at.machine().files.exists("/usr/local/bin/rke2")
        assert (await UnpackRke2("node1").pending(at.context)).is_done
        at.machine().files.remove("/usr/local/bin/rke2")
        assert not (await UnpackRke2("node1").pending(at.context)).is_done, "a marker alone proves nothing"
        await carry_out(UnpackRke2("node1"), at.context)

        archive = tmp_path / "bundle" / "rke2.linux-amd64.tar.gz"
        archive.write_bytes(newer(archive))
        (tmp_path / "bundle" / "sha256sum-amd64.txt").unlink()
        context = replace(at.context, bundle=open_bundle(tmp_path / "bundle"))
        assert not (await UnpackRke2("node1").pending(context)).is_done


def newer(archive: Path) -> bytes:
    """The same archive with one more file."""
    data = io.BytesIO(gzip.decompress(archive.read_bytes()))
    with tarfile.open(fileobj=data, mode="a") as tar:
        tar.addfile(tarfile.TarInfo("share/rke2/new"))
    return gzip.compress(data.getvalue(), 1, mtime=0)


async def test_a_damaged_archive_on_the_host_is_an_error(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.machine().files.put("/var/lib/rbdtui/bundle/rke2.linux-amd64.tar.gz", b"half of it")
        with pytest.raises(StepError) as caught:
            await settle(UnpackRke2("node1"), at.context)
        assert caught.value.code == "archive_damaged"


async def test_rke2s_configuration_has_the_token_and_shows_it_to_nobody(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        await running(at)
        step = ConfigureRke2("node2")
        said = await told(at, step)
        assert not any(secret in said for secret in SECRETS.values())
        await carry_out(step, at.context)
        written = at.machine("node2").files.get("/etc/rancher/rke2/config.yaml")
        assert written is not None
        assert written.mode == 0o600
        settings = yaml.safe_load(bytes(written.content))
        assert str(settings["token"]).endswith(f"::server:{SECRETS['rke2-token']}")
        assert settings["server"] == f"https://{at.fleet.vip.ip}:9345"
        assert not at.machine("node2").files.exists("/etc/rancher/rke2/registries.yaml"), "no Rainbond, no registry"
        assert (await step.pending(at.context)).is_done


async def test_canal_is_told_of_the_card_with_the_nodes_addresses_where_the_default_route_is_on_another(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, 3) as at:
        path = "/var/lib/rancher/rke2/server/manifests/rbdtui-canal.yaml"
        assert path not in await told(at, ConfigureRke2("node1")), "the default route is where the address is"
        other = Interface("eth9", "52:54:00:aa:aa:a9", 1500, True, (IPv4Interface("192.168.9.7/24"),))
        default = Route(IPv4Network("0.0.0.0/0"), IPv4Address("192.168.9.1"), "eth9")
        cards = {
            name: replace(known, interfaces=(*known.interfaces, other), routes=(default,))
            for name, known in at.context.facts.items()
        }
        own = cards["node1"].interface_of(at.context.spec.node("node1").cluster_address)
        assert own is not None
        context = replace(at.context, facts=cards)
        await carry_out(ConfigureRke2("node1"), context)
        config = yaml.safe_load(at.file(path))
        assert (config["kind"], config["metadata"]["name"]) == ("HelmChartConfig", "rke2-canal")
        assert yaml.safe_load(config["spec"]["valuesContent"]) == {"flannel": {"iface": own.name}}
        assert (await ConfigureRke2("node1").pending(context)).is_done


async def test_rainbond_gets_its_registry(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        context = at.with_spec(lambda data: data.update(profile=RAINBOND_6.name))
        await carry_out(ConfigureRke2("node1"), context)
        registries = yaml.safe_load(at.file("/etc/rancher/rke2/registries.yaml"))
        assert registries["mirrors"]["goodrain.me"]["endpoint"] == ["https://goodrain.me"]
        assert registries["configs"]["goodrain.me"]["tls"]["insecure_skip_verify"] is True


async def test_looking_at_an_untouched_host_changes_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, 3, builds=LACKS_KEEPALIVED) as at:
        before = fleet_state(at.fleet)
        kinds: list[type[Step]] = [
            InstallHostPackages,
            Keepalived,
            ShipBundle,
            UnpackRke2,
            ConfigureRke2,
            KeepalivedCheck,
        ]
        for kind in kinds:
            assert not (await kind("node1").pending(at.context)).is_done
            assert (await kind("node1").pending(at.context)).changes
        assert fleet_state(at.fleet) == before


async def test_undoing_brings_a_gateway_back_to_what_it_was(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        at.machine().files.put(CONFIG_FILE, "the operator's own\n", mode=0o644)
        await carry_out(Keepalived("node1"), at.context)
        await Keepalived("node1").undo(at.context)
        assert at.file(CONFIG_FILE) == "the operator's own\n"
        assert not at.machine().enabled("keepalived.service")
