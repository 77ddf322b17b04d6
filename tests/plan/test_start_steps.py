"""Starting RKE2: until the node is ready, or until its own words say that waiting is in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.errors import StepError
from rbdtui.plan import kube
from rbdtui.plan.kube import EtcdMember, EtcdView, etcd_seen_by, nodes_seen_by
from rbdtui.plan.resources.units import Started
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.finish import ClusterProof, LabelNode, etcd_faults
from rbdtui.plan.steps.gates import VipToServer, VipUp
from rbdtui.plan.steps.keepalived import Keepalived
from rbdtui.plan.steps.kubeconfig import WriteKubeconfig
from rbdtui.plan.steps.rke2_config import ConfigureRke2
from rbdtui.plan.steps.rke2_start import (
    ApiReached,
    Progress,
    StartAgent,
    StartFirstServer,
    StartServer,
    Watch,
    recognise,
)
from rbdtui.plan.steps.ship import IMAGES_DIR, ShipBundle, UnpackRke2
from tests.plan.support import SERVER, Bench, bench, carry_out, spec_of

UNIT = "rke2-server.service"


async def lay_down(at: Bench, context: StepContext, *nodes: str) -> None:
    """All that RKE2 needs before it is started."""
    for node in nodes:
        for kind in (ShipBundle, UnpackRke2, ConfigureRke2):
            await carry_out(kind(node), context)


def setting(**values: object) -> Callable[[dict[str, object]], None]:
    def change(data: dict[str, object]) -> None:
        kubernetes = data["kubernetes"]
        assert isinstance(kubernetes, dict)
        kubernetes["settings"] = values

    return change


async def test_a_server_is_started_followed_and_found_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        step = StartFirstServer("node1")
        assert not (await step.probe(at.context)).satisfied
        assert [c.detail for c in await step.describe(at.context)] == [
            f"systemctl enable {UNIT}",
            f"systemctl start {UNIT}",
        ]
        await carry_out(step, at.context)
        assert (await step.probe(at.context)).satisfied
        assert await step.describe(at.context) == []
        assert any("Starting rke2 server" in line for line in at.heard.lines)
        assert (await nodes_seen_by(at.context.hosts["node1"])).nodes["node1"].is_ready


async def test_a_start_that_was_cut_off_is_taken_up_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await StartFirstServer("node1").apply(at.context)
        restarts = at.machine().systemd.unit(UNIT).invocations
        await carry_out(StartFirstServer("node1"), at.context)
        assert at.machine().systemd.unit(UNIT).invocations <= max(restarts, 1), "it is not started twice"


async def test_changed_settings_restart_a_server_that_runs(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(StartFirstServer("node1"), at.context)
        context = at.with_spec(setting(**{"write-kubeconfig-mode": "0640"}))
        await carry_out(ConfigureRke2("node1"), context)
        (change,) = await StartFirstServer("node1").describe(context)
        assert change.detail == f"systemctl restart {UNIT}"
        await carry_out(StartFirstServer("node1"), context)
        assert (await StartFirstServer("node1").probe(context)).satisfied


async def test_the_note_of_what_runs_is_never_ahead_of_the_truth(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(StartFirstServer("node1"), at.context)
        before = await Started(UNIT).read(at.context.hosts["node1"])
        context = at.with_spec(setting(debug=True))
        await carry_out(ConfigureRke2("node1"), context)
        at.fleet.fail_next("node1", "unit-action", status=3, message="Job for rke2-server.service canceled.")
        with pytest.raises(StepError) as caught:
            await StartFirstServer("node1").apply(context)
        assert caught.value.code == "unit_action"
        assert await Started(UNIT).read(at.context.hosts["node1"]) == before
        await carry_out(StartFirstServer("node1"), context)


async def test_an_unknown_setting_ends_the_wait_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        context = at.with_spec(setting(**{"no-such-flag": True}))
        await lay_down(at, context, "node1")
        with pytest.raises(StepError) as caught:
            await StartFirstServer("node1").apply(context)
        assert caught.value.code == "rke2_unknown_setting"
        assert "no-such-flag" in caught.value.evidence
        await carry_out(ConfigureRke2("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)


async def test_missing_images_are_recognised(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        at.machine().files.remove(f"{IMAGES_DIR}/rke2-images.linux-amd64.tar.gz")
        with pytest.raises(StepError) as caught:
            await StartFirstServer("node1").apply(at.context)
        assert caught.value.code == "rke2_images_missing"
        await carry_out(ShipBundle("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)


async def test_a_wrong_token_is_recognised_and_a_right_one_heals_it(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        wrong = replace(at.context, secret=lambda name: "another-secret")
        await lay_down(at, wrong, "node2")
        with pytest.raises(StepError) as caught:
            await StartServer("node2").apply(wrong)
        assert caught.value.code == "rke2_token"
        assert not caught.value.retryable
        await carry_out(ConfigureRke2("node2"), at.context)
        await carry_out(StartServer("node2"), at.context)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('level=fatal msg="starting kubernetes: preparing server: https://10.0.0.1:9345/v1-rke2/server-bootstrap: '
         '401 Unauthorized"', "rke2_token"),
        ('level=fatal msg="token CA hash does not match the Cluster CA certificate hash"', "rke2_token"),
        ("failed to get runtime image index.docker.io/rancher/rke2-runtime:v1.30.4-rke2r1", "rke2_images_missing"),
        ('level=fatal msg="flag provided but not defined: -nonsense"', "rke2_unknown_setting"),
        ('level=fatal msg="critical configuration value mismatch"', "rke2_settings_differ"),
        ("listen tcp :9345: bind: address already in use", "rke2_port_taken"),
        ("server is not ready: Node password rejected, duplicate hostname or contents of", "rke2_name_taken"),
        ("Waiting for API server to become available", ""),
        ("https://127.0.0.1:9345/v1-rke2/readyz: 500 Internal Server Error", ""),
        ("error retrieving resource lock: Unauthorized", ""),
    ],
)  # fmt: skip
def test_words_after_which_waiting_is_in_vain(line: str, key: str) -> None:
    assert recognise([line]) == key


def progress(active: str, restarts: int, *lines: str) -> Progress:
    return Progress(active, restarts, supervisor=False, api=False, cursor="", lines=lines)


@pytest.mark.parametrize(
    ("before", "looks"),
    [
        pytest.param(0, [progress("activating", n, "broken") for n in range(7)], id="starts again and again"),
        pytest.param(9, [progress("activating", n, "broken") for n in range(7)], id="systemd counts anew"),
        pytest.param(0, [progress("failed", 0, "broken")] * 10, id="has given up"),
        pytest.param(0, [progress("inactive", 0, "broken")] * 10, id="somebody stopped it"),
    ],
)
def test_a_program_that_keeps_ending_is_given_up(before: int, looks: list[Progress]) -> None:
    watch = Watch("n1", before)
    for look in looks[:-1]:
        watch.take(look)
    with pytest.raises(StepError) as caught:
        watch.take(looks[-1])
    assert caught.value.code == "rke2_keeps_failing"
    assert "broken" in caught.value.evidence


def test_a_unit_that_is_about_to_start_is_given_time() -> None:
    watch = Watch("n1", 3)
    for _ in range(5):
        watch.take(progress("inactive", 3))
        watch.take(progress("activating", 4))
        watch.take(progress("active", 4))


async def test_a_gate_waits_for_the_address_and_says_when_it_is_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, 3) as at:
        monkeypatch.setattr(ApiReached, "wait_s", 0.2)
        with pytest.raises(StepError) as caught:
            await ApiReached("node2").apply(at.context)
        assert caught.value.code == "api_not_reached"
        assert "9345" in caught.value.evidence
        await lay_down(at, at.context, "node1")
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        await ApiReached("node2").apply(at.context)


async def test_the_address_moves_to_the_only_ready_server(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(Keepalived("node2"), at.context)
        await VipUp("").apply(at.context)
        assert [machine.name for machine in at.fleet.network.holders(at.fleet.vip.ip)] == ["node2"]
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        (change,) = await VipToServer("").describe(at.context)
        assert change.detail == "node2: systemctl restart keepalived.service"
        await carry_out(VipToServer(""), at.context)
        assert [machine.name for machine in at.fleet.network.holders(at.fleet.vip.ip)] == ["node1"]
        assert (await VipToServer("").probe(at.context)).satisfied


@pytest.mark.parametrize(("held_by", "code"), [([], "vip_no_holder"), (["node1", "node2"], "vip_several_holders")])
async def test_nobody_or_several_with_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_by: list[str], code: str
) -> None:
    async with bench(tmp_path, 3) as at:
        monkeypatch.setattr(VipUp, "wait_s", 1.2)
        for name in held_by:
            at.machine(name).addresses.append(at.fleet.vip)
        assert not (await VipUp("").probe(at.context)).satisfied
        with pytest.raises(StepError) as caught:
            await VipUp("").apply(at.context)
        assert caught.value.code == code
        assert "node3: no" in caught.value.evidence


async def test_a_whole_small_cluster_is_labelled_proven_and_handed_over(tmp_path: Path) -> None:
    async with bench(tmp_path, 4) as at:
        nodes = ("node1", "node2", "node3", "node4")
        await asyncio.gather(*(lay_down(at, at.context, node) for node in nodes))
        await asyncio.gather(*(carry_out(Keepalived(node), at.context) for node in nodes[:3]))
        await carry_out(StartFirstServer("node1"), at.context)
        await carry_out(VipToServer(""), at.context)
        assert (await ClusterProof("").probe(at.context)).evidence != ""
        for step in (StartServer("node2"), StartServer("node3"), StartAgent("node4"), LabelNode("node4")):
            assert await carry_out(step, at.context)
            assert (await step.probe(at.context)).satisfied
        await carry_out(WriteKubeconfig(""), at.context)
        await ClusterProof("").apply(at.context)
        await ClusterProof("").verify(at.context)
        kubeconfig = at.context.site_dir / "kubeconfig"
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
        assert f"server: https://{at.fleet.vip.ip}:6443" in kubeconfig.read_text()
        assert (await WriteKubeconfig("").probe(at.context)).satisfied
        view = await etcd_seen_by(at.context.hosts["node2"])
        assert len(view.members) == 3

        await at.fleet.power_off("node4")
        context = replace(at.context, quarantined=frozenset({"node4"}))
        assert (await ClusterProof("").probe(context)).satisfied, "the proof does not ask for nodes in quarantine"


MEMBERS = tuple(EtcdMember(f"10.0.0.{10 + n}", is_started=True, is_learner=False) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (EtcdView(MEMBERS, leader="7"), []),
        (EtcdView(MEMBERS[:2], leader="7"), ["planned"]),
        (EtcdView(MEMBERS, leader="0"), ["no leader"]),
        (EtcdView((*MEMBERS[:2], replace(MEMBERS[2], is_learner=True)), leader="7"), ["learner"]),
        (EtcdView((*MEMBERS[:2], replace(MEMBERS[2], is_started=False)), leader="7"), ["not started"]),
        (EtcdView(errors=("connection refused",)), ["connection refused"]),
    ],
)
def test_what_is_not_as_planned_in_etcd(view: EtcdView, words: list[str]) -> None:
    nodes = spec_of({"n1": SERVER, "n2": SERVER, "n3": SERVER}).nodes
    faults = etcd_faults(nodes[0], view, nodes)
    assert len(faults) == len(words)
    assert all(word in fault for word, fault in zip(words, faults, strict=True))


def test_a_line_of_nodes_with_odd_labels_is_read() -> None:
    node = kube._node("n1\tTrue\t10.0.0.11 fd00::1\tv1.30.4+rke2r1\tnot json")
    assert (node.name, node.is_ready, node.address, node.labels) == ("n1", True, "10.0.0.11", {})
