"""Starting RKE2: until the node is ready, or until its own words say that waiting is in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.errors import StepError
from rbdtui.plan import kube
from rbdtui.plan.kube import Answer, EtcdMember, EtcdView, etcd_seen_by, nodes_seen_by
from rbdtui.plan.resources.units import Started
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps import rke2_start, rke2_words
from rbdtui.plan.steps.finish import ClusterProof, LabelNode, etcd_faults
from rbdtui.plan.steps.gates import VipToServer, VipUp
from rbdtui.plan.steps.keepalived import Keepalived
from rbdtui.plan.steps.kubeconfig import WriteKubeconfig
from rbdtui.plan.steps.rke2_config import ConfigureRke2
from rbdtui.plan.steps.rke2_start import ApiReached, ServerReady, StartAgent, StartFirstServer, StartServer, look
from rbdtui.plan.steps.rke2_words import LASTING
from rbdtui.plan.steps.ship import IMAGES_DIR, ShipBundle, UnpackRke2
from rbdtui.simulator.call import Call
from rbdtui.simulator.verbs import VERBS
from rbdtui.transport.base import RemoteAnswerError
from tests.plan.support import SERVER, SPEED, Bench, bench, carry_out, settle, spec_of
from tests.waiting import until

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
        assert not (await step.pending(at.context)).is_done
        assert [c.detail for c in (await step.pending(at.context)).changes] == [
            f"systemctl enable {UNIT}",
            f"systemctl start {UNIT}",
        ]
        await carry_out(step, at.context)
        assert (await step.pending(at.context)).is_done
        assert (await step.pending(at.context)).changes == ()
        assert any("Starting rke2 server" in line for line in at.heard.lines)
        assert (await nodes_seen_by(at.context.hosts["node1"])).nodes["node1"].is_ready


async def test_a_start_that_was_cut_off_is_taken_up_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await settle(StartFirstServer("node1"), at.context)
        restarts = at.machine().systemd.unit(UNIT).invocations
        await carry_out(StartFirstServer("node1"), at.context)
        assert at.machine().systemd.unit(UNIT).invocations <= max(restarts, 1), "it is not started twice"


async def test_a_server_that_runs_and_is_not_ready_for_a_moment_is_waited_for_and_not_restarted(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(StartFirstServer("node1"), at.context)
        begun = at.machine().systemd.unit(UNIT).invocations
        at.fleet.fail_next(
            "node1", "kube-nodes", status=1, message="the server is currently unable to handle the request"
        )
        pending = await StartFirstServer("node1").pending(at.context)
        (change,) = pending.changes
        assert change.title.key == "plan.change.unit_awaited"
        assert await StartFirstServer("node1").apply(at.context, pending) is False, "nothing was changed"
        assert at.machine().systemd.unit(UNIT).invocations == begun


async def test_a_server_that_joins_has_done_its_part_when_it_votes_and_is_awaited_after_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, 3) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        await lay_down(at, at.context, "node2")
        host = at.context.hosts["node2"]
        with monkeypatch.context() as unready:
            unready.setattr(rke2_start, "nodes_seen_by_any", _nobody_is_ready)
            await carry_out(StartServer("node2"), at.context)
            view = await etcd_seen_by(host)
            assert {member.is_learner for member in view.members} == {False}
            assert (await StartServer("node2").pending(at.context)).is_done
            pending = await ServerReady("node2").pending(at.context)
            assert pending.waits is not None
            assert (pending.waits.code, pending.changes) == ("rke2_not_ready", ())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await ServerReady("node2").apply(at.context, pending)
        begun = at.machine("node2").systemd.unit(UNIT).invocations
        await carry_out(ServerReady("node2"), at.context)
        assert (await ServerReady("node2").pending(at.context)).is_done
        assert at.machine("node2").systemd.unit(UNIT).invocations == begun, "it is awaited, not started again"
        assert (await nodes_seen_by(host)).nodes["node2"].is_ready


async def test_a_server_that_was_stopped_after_it_joined_is_started_and_awaited(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        await lay_down(at, at.context, "node2")
        await carry_out(StartServer("node2"), at.context)
        await at.machine("node2").systemd.stop("rke2-server")
        await carry_out(ServerReady("node2"), at.context)
        assert (await nodes_seen_by(at.context.hosts["node2"])).nodes["node2"].is_ready


async def _nobody_is_ready(*_: object) -> Answer:
    return Answer({}, "not yet")


async def test_changed_settings_restart_a_server_that_runs(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(StartFirstServer("node1"), at.context)
        context = at.with_spec(setting(**{"write-kubeconfig-mode": "0640"}))
        await carry_out(ConfigureRke2("node1"), context)
        (change,) = (await StartFirstServer("node1").pending(context)).changes
        assert change.detail == f"systemctl restart {UNIT}"
        await carry_out(StartFirstServer("node1"), context)
        assert (await StartFirstServer("node1").pending(context)).is_done


async def test_the_note_of_what_runs_is_never_ahead_of_the_truth(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(StartFirstServer("node1"), at.context)
        before = await Started(UNIT).read(at.context.hosts["node1"])
        context = at.with_spec(setting(debug=True))
        await carry_out(ConfigureRke2("node1"), context)
        at.fleet.fail_next("node1", "unit-action", status=3, message="Job for rke2-server.service canceled.")
        with pytest.raises(StepError) as caught:
            await settle(StartFirstServer("node1"), context)
        assert caught.value.code == "unit_action"
        assert await Started(UNIT).read(at.context.hosts["node1"]) == before
        await carry_out(StartFirstServer("node1"), context)


async def test_a_setting_that_is_skipped_ends_the_wait_until_it_is_put_right(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        context = at.with_spec(setting(**{"no-such-flag": True}))
        await lay_down(at, context, "node1")
        for _ in range(2):
            with pytest.raises(StepError) as caught:
                await settle(StartFirstServer("node1"), context)
            assert (caught.value.code, caught.value.retryable) == ("rke2_unknown_setting", False)
            assert "--no-such-flag" in caught.value.evidence
            await at.fleet.pace.sleep(30.0)
            assert not (await StartFirstServer("node1").pending(context)).is_done, "although RKE2 runs"
        await carry_out(ConfigureRke2("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)


async def test_missing_images_are_recognised(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        at.machine().files.remove(f"{IMAGES_DIR}/rke2-images.linux-amd64.tar.gz")
        with pytest.raises(StepError) as caught:
            await settle(StartFirstServer("node1"), at.context)
        assert caught.value.code == "rke2_images_missing"
        await carry_out(ShipBundle("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)


@pytest.mark.parametrize("kind", [StartServer, StartAgent])
async def test_a_wrong_token_is_recognised_and_a_right_one_heals_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[StartServer | StartAgent]
) -> None:
    monkeypatch.setattr(rke2_words, "LASTING", [(words, key, limit_s / SPEED) for words, key, limit_s in LASTING])
    node = "node2" if kind is StartServer else "node4"
    async with bench(tmp_path, 4) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        wrong = replace(at.context, secret=lambda name: "another-secret")
        await lay_down(at, wrong, node)
        with pytest.raises(StepError) as caught:
            await settle(kind(node), wrong)
        assert (caught.value.code, caught.value.retryable) == ("rke2_token", False)
        assert "not authorized" in caught.value.evidence
        await carry_out(ConfigureRke2(node), at.context)
        await carry_out(kind(node), at.context)


@pytest.mark.parametrize(("node", "kind"), [("node2", StartServer), ("node4", StartAgent)])
async def test_an_address_that_is_away_for_a_minute_is_waited_for(
    tmp_path: Path, node: str, kind: type[StartServer | StartAgent]
) -> None:
    async with bench(tmp_path, 4) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        await lay_down(at, at.context, node)
        await at.machine().systemd.stop("keepalived")
        starting = asyncio.create_task(carry_out(kind(node), at.context))
        await until(lambda: any("failed to get CA certs" in line for line in at.heard.lines))
        await at.fleet.pace.sleep(60.0)
        assert not starting.done()
        at.machine().start_unit("keepalived")
        await starting


async def test_what_is_put_right_by_hand_is_read_by_an_agent_that_is_still_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent asks on within its process, with the token that it read at its start."""
    monkeypatch.setattr(rke2_words, "LASTING", [(words, key, limit_s / SPEED) for words, key, limit_s in LASTING])
    more = "/etc/rancher/rke2/config.yaml.d/50-by-hand.yaml"
    async with bench(tmp_path, 4) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        await lay_down(at, at.context, "node4")
        at.machine("node4").files.put(more, b"token: of-another-cluster\n")
        with pytest.raises(StepError) as caught:
            await settle(StartAgent("node4"), at.context)
        assert caught.value.code == "rke2_token"
        started = await look(at.context.hosts["node4"], StartAgent.unit, "")
        assert started.active == "activating"
        assert await Started(StartAgent.unit).read(at.context.hosts["node4"]) == ""
        at.machine("node4").files.remove(more)
        await carry_out(StartAgent("node4"), at.context)


async def test_a_damaged_archive_is_recognised_although_rke2_goes_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await lay_down(at, at.context, "node1")
        at.machine().files.put(f"{IMAGES_DIR}/of-the-site.tar.gz", b"half an archive")
        with pytest.raises(StepError) as caught:
            await settle(StartFirstServer("node1"), at.context)
        assert caught.value.code == "rke2_images_damaged"
        assert "of-the-site.tar.gz" in caught.value.evidence


@pytest.mark.parametrize(("node", "kind"), [("node3", StartServer), ("node4", StartAgent)])
async def test_a_node_that_was_set_up_anew_is_let_in_once_the_old_one_is_deleted(
    tmp_path: Path, node: str, kind: type[StartServer | StartAgent]
) -> None:
    async with bench(tmp_path, 4) as at:
        for name, start in (("node1", StartFirstServer), ("node2", StartServer), (node, kind)):
            await lay_down(at, at.context, name)
            await carry_out(Keepalived("node1"), at.context)
            await carry_out(start(name), at.context)
        await UnpackRke2(node).undo(at.context)
        await lay_down(at, at.context, node)
        with pytest.raises(StepError) as caught:
            await settle(kind(node), at.context)
        assert caught.value.code == "rke2_name_taken"
        assert f"kubectl delete node {node}" in str(caught.value.remedy)
        at.fleet.network.clusters["node1"].delete_node(node)
        await carry_out(kind(node), at.context)


async def test_an_answer_that_makes_no_sense_names_node_and_script(tmp_path: Path) -> None:
    async def odd(call: Call) -> int:
        call.out(b"active=active\nrestarts=" + b"9" * 5000 + b"\nsupervisor=no\napi=no\ncursor=\n\n")
        return 0

    async with bench(tmp_path, verbs={**VERBS, "rke2-progress": odd}) as at:
        with pytest.raises(RemoteAnswerError) as caught:
            await look(at.context.hosts["node1"], UNIT, "")
        assert "node1" in str(caught.value)
        assert "rke2-progress" in str(caught.value)


async def test_a_gate_waits_for_the_address_and_says_when_it_is_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, 3) as at:
        monkeypatch.setattr(ApiReached, "wait_s", 0.2)
        with pytest.raises(StepError) as caught:
            await settle(ApiReached("node2"), at.context)
        assert caught.value.code == "api_not_reached"
        assert "9345" in caught.value.evidence
        await lay_down(at, at.context, "node1")
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        await settle(ApiReached("node2"), at.context)


async def test_the_address_moves_to_the_only_ready_server(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        await lay_down(at, at.context, "node1")
        await carry_out(Keepalived("node2"), at.context)
        await settle(VipUp(""), at.context)
        assert [machine.name for machine in at.fleet.network.holders(at.fleet.vip.ip)] == ["node2"]
        await carry_out(Keepalived("node1"), at.context)
        await carry_out(StartFirstServer("node1"), at.context)
        (change,) = (await VipToServer("").pending(at.context)).changes
        assert change.detail == "node2: systemctl restart keepalived.service"
        await carry_out(VipToServer(""), at.context)
        assert [machine.name for machine in at.fleet.network.holders(at.fleet.vip.ip)] == ["node1"]
        assert (await VipToServer("").pending(at.context)).is_done


@pytest.mark.parametrize(("held_by", "code"), [([], "vip_no_holder"), (["node1", "node2"], "vip_several_holders")])
async def test_nobody_or_several_with_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_by: list[str], code: str
) -> None:
    async with bench(tmp_path, 3) as at:
        monkeypatch.setattr(VipUp, "wait_s", 1.2)
        for name in held_by:
            at.machine(name).addresses.append(at.fleet.vip)
        assert not (await VipUp("").pending(at.context)).is_done
        with pytest.raises(StepError) as caught:
            await settle(VipUp(""), at.context)
        assert caught.value.code == code
        assert "node3: no" in caught.value.evidence


async def test_a_whole_small_cluster_is_labelled_proven_and_handed_over(tmp_path: Path) -> None:
    async with bench(tmp_path, 4) as at:
        nodes = ("node1", "node2", "node3", "node4")
        await asyncio.gather(*(carry_out(Keepalived(node), at.context) for node in nodes[:3]))
        await lay_down(at, at.context, "node1")
        await carry_out(StartFirstServer("node1"), at.context)
        await carry_out(VipToServer(""), at.context)
        await asyncio.gather(*(lay_down(at, at.context, node) for node in nodes[1:]))
        assert (await ClusterProof("").pending(at.context)).evidence != ""
        for step in (StartServer("node2"), StartServer("node3"), StartAgent("node4"), LabelNode("node4")):
            assert await carry_out(step, at.context)
            assert (await step.pending(at.context)).is_done
        await carry_out(WriteKubeconfig(""), at.context)
        await settle(ClusterProof(""), at.context)
        await ClusterProof("").verify(at.context)
        kubeconfig = at.context.site_dir / "kubeconfig"
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
        assert f"server: https://{at.fleet.vip.ip}:6443" in kubeconfig.read_text()
        assert (await WriteKubeconfig("").pending(at.context)).is_done
        view = await etcd_seen_by(at.context.hosts["node2"])
        assert len(view.members) == 3

        await at.fleet.power_off("node4")
        context = replace(at.context, quarantined=frozenset({"node4"}))
        assert (await ClusterProof("").pending(context)).is_done, "the proof does not ask for nodes in quarantine"


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
