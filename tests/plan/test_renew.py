"""Certificates made anew: what is listed, the order of the nodes, what a second run leaves alone, and the scripts."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.builder import build_plan
from rbdtui.plan.certificates import CertificateKind, certificates_on, older_than
from rbdtui.plan.recipes import Request, recipe_named
from rbdtui.plan.resources.units import unit_action
from rbdtui.plan.step import JUMP_LANE, Plan, StepContext
from rbdtui.plan.steps.renew import RenewCertificates, WholeBefore
from rbdtui.simulator.call import Call
from rbdtui.simulator.kubernetes.certificates import Authority
from rbdtui.simulator.verbs import VERBS
from rbdtui.transport.base import TransportError
from rbdtui.transport.scripts import script
from tests.plan.support import bench, settle, spec_of
from tests.plan.test_snapshots import cluster
from tests.plan.walk import walk

ALL = ("control-plane", "etcd", "worker", "gateway")


def plan(context: StepContext, since: float, nodes: str = "") -> Plan:
    arguments = {"since": str(since), "nodes": nodes}
    return recipe_named("renew").build(Request(context.spec, context.facts, arguments))


def test_servers_come_first_and_each_waits_for_the_whole_to_be_well() -> None:
    spec = spec_of({"a1": ("worker",), "n1": ALL, "n2": ALL, "n3": ALL})
    steps = recipe_named("renew").build(Request(spec, {}, {"since": "1"})).steps
    renewed = [step.node for step in steps if isinstance(step, RenewCertificates)]
    assert renewed == ["n1", "n2", "n3", "a1"]
    assert [step.id for step in steps][:3] == ["whole-before", "renew-certificates@n1", "all-well@n1"]
    assert steps[-1].id == "kubeconfig"
    for before, after in itertools.pairwise(steps):
        assert after.after == (before.id,), "one thing at a time"
    chosen = recipe_named("renew").build(Request(spec, {}, {"since": "1", "nodes": "n2"})).steps
    assert [step.node for step in chosen if isinstance(step, RenewCertificates)] == ["n2"]
    with pytest.raises(StepError) as raised:
        recipe_named("renew").build(Request(spec, {}, {"since": "1", "nodes": "nobody"}))
    assert raised.value.code == "renew_unknown"


async def test_all_are_new_afterwards_and_a_second_run_leaves_them_alone(tmp_path: Path) -> None:
    async with cluster(tmp_path, 4) as (at, context):
        before = await certificates_on(context.hosts["node1"])
        assert {each.kind for each in before} == set(CertificateKind)
        assert not any(each.is_rotated for each in before if each.is_authority)
        since = time.time()
        await asyncio.sleep(1.1)  # ages are whole seconds
        done = await walk(plan(context, since), context)
        assert [step for step, walked in done.items() if walked.changed and step.startswith("renew")] == [
            f"renew-certificates@{name}" for name in ("node1", "node2", "node3", "node4")
        ]
        for name in at.fleet.machines:
            found = await certificates_on(context.hosts[name])
            assert any(each.is_rotated for each in found)
            assert older_than(found, time.time() - since) == []
        again = await walk(plan(context, since), context)
        assert not any(walked.changed for walked in again.values())


async def test_one_that_does_not_come_up_again_ends_it_before_the_next(tmp_path: Path) -> None:
    async with cluster(tmp_path, 3) as (at, context):
        at.machine("node1").files.remove("/etc/rancher/rke2/config.yaml")
        since = time.time() + 60
        step = RenewCertificates("node1", since=since)
        at.machine("node1").files.remove("/usr/local/lib/systemd/system/rke2-server.service")
        at.machine("node1").daemon_reload()
        with pytest.raises(StepError) as raised:
            await settle(step, context)
        assert raised.value.code == "renew_refused"
        with pytest.raises(StepError) as unproven:
            await step.verify(context)
        assert unproven.value.code == "renew_not_proven"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("rotated", [False, True], ids=["stopped", "rotated"])
async def test_a_power_cut_in_the_middle_is_made_good_by_the_next_run_and_nothing_is_renewed_twice(
    tmp_path: Path, rotated: bool
) -> None:
    cuts = 1

    async def cut_off(call: Call) -> int:
        nonlocal cuts
        if call.machine.name != "node2" or not cuts:
            return await VERBS["rke2-renew"](call)
        cuts -= 1
        await call.machine.systemd.stop(call.args[0])
        for path in ("server/tls/client-admin.crt", "server/tls/etcd/client.crt") if rotated else ():
            call.machine.files.remove(f"/var/lib/rancher/rke2/{path}")
        going = asyncio.ensure_future(at.fleet.power_off("node2"))
        await asyncio.wait({going})
        return 0

    async with bench(tmp_path, 3, verbs={**VERBS, "rke2-renew": cut_off}) as at:
        context = at.context
        await walk(build_plan(context.spec, context.facts), context)
        since = time.time()
        await asyncio.sleep(1.1)  # ages are whole seconds
        with pytest.raises(ExceptionGroup) as raised:
            await walk(plan(context, since), context)
        assert raised.group_contains(TransportError)
        first = await certificates_on(context.hosts["node1"])
        assert older_than(first, time.time() - since) == []
        assert older_than(await certificates_on(context.hosts["node3"]), time.time() - since) != []
        await at.fleet.power_on("node2")
        done = await walk(plan(context, since), context)
        renewed = [step for step, walked in done.items() if walked.changed and step.startswith("renew")]
        assert renewed == ["renew-certificates@node2", "renew-certificates@node3"]
        for name in at.fleet.machines:
            assert older_than(await certificates_on(context.hosts[name]), time.time() - since) == []
        assert {each.path: each.begin for each in await certificates_on(context.hosts["node1"])} == {
            each.path: each.begin for each in first
        }


@pytest.mark.timeout(300)
async def test_nothing_is_stopped_while_a_server_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WholeBefore, "wait_s", 0.5)
    async with cluster(tmp_path, 3) as (at, context):
        whole = WholeBefore(JUMP_LANE)
        await settle(whole, context)
        await at.fleet.power_off("node3")
        with pytest.raises(StepError) as raised:
            await settle(whole, context)
        assert raised.value.code == "renew_silent"
        assert "node3" in str(raised.value.text)
        assert not raised.value.retryable, "asking again brings no server back"
        await at.fleet.power_on("node3")
        await unit_action(context.hosts["node3"], "rke2-server.service", "stop")
        with pytest.raises(StepError) as unwell:
            await settle(whole, context)
        assert unwell.value.code == "renew_not_whole"
        assert "node3" in str(unwell.value.text)


# --- the scripts themselves, below a directory that stands for the host's own ---------------------------------------

RKE2 = """#!/bin/sh
echo "rke2 $*" >>$ROOT/asked
exit $STATUS
"""
SYSTEMCTL = """#!/bin/sh
shift
echo "$*" >>$ROOT/asked
[ "$1" != start ] || exit $STARTS
"""


def run(root: Path, name: str, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    text = script(name).text
    for place in ("/var/lib/", "/usr/local/bin/rke2", "/opt/rke2"):
        text = text.replace(place, f"{root}{place}")
    words = {**os.environ, "PATH": f"{root}/bin:{os.environ['PATH']}", "ROOT": str(root), **environment}
    return subprocess.run(["sh", "-c", text, name, *args], env=words, capture_output=True, text=True, timeout=60)


def program(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


@pytest.mark.parametrize(
    ("status", "starts", "exit_status"), [("0", "0", 0), ("1", "0", 6), ("0", "1", 5), ("1", "1", 5)]
)
def test_rke2_is_started_again_whatever_became_of_it(
    tmp_path: Path, status: str, starts: str, exit_status: int
) -> None:
    program(tmp_path, "usr/local/bin/rke2", RKE2)
    program(tmp_path, "bin/systemctl", SYSTEMCTL)
    program(tmp_path, "bin/journalctl", "#!/bin/sh\necho its last line\n")
    done = run(tmp_path, "rke2-renew", "rke2-server.service", STATUS=status, STARTS=starts)
    assert done.returncode == exit_status, done.stderr
    assert (tmp_path / "asked").read_text().splitlines() == [
        "stop rke2-server.service", "rke2 certificate rotate", "start rke2-server.service"
    ]  # fmt: skip
    assert ("its last line" in done.stdout) == (exit_status == 5)


def test_without_rke2_nothing_is_stopped(tmp_path: Path) -> None:
    program(tmp_path, "bin/systemctl", SYSTEMCTL)
    assert run(tmp_path, "rke2-renew", "rke2-server.service", STARTS="0").returncode == 3
    assert not (tmp_path / "asked").exists()


def test_certificates_are_printed_with_their_ages_and_no_key_is(tmp_path: Path) -> None:
    tls = tmp_path / "var/lib/rancher/rke2/server/tls"
    (tls / "etcd").mkdir(parents=True)
    (tmp_path / "var/lib/rancher/rke2/server/tls-1700000000").mkdir()
    pair = Authority("seed", "rke2-client-ca", time.time()).client("system:admin")
    for path in ("client-admin", "etcd/client", "../tls-1700000000/client-admin"):
        (tls / f"{path}.crt").write_text(pair.certificate)
        (tls / f"{path}.key").write_text(pair.key)
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    os.utime(tls / "etcd/client.crt", (an_hour_ago, an_hour_ago))
    done = run(tmp_path, "rke2-certificates")
    assert done.returncode == 0, done.stderr
    heads = [line.split() for line in done.stdout.splitlines() if line.startswith("file ")]
    assert [path for _, _, path in heads] == ["server/tls/client-admin.crt", "server/tls/etcd/client.crt"]
    assert [int(age) // 3000 for _, age, _ in heads] == [0, 1]
    assert "PRIVATE KEY" not in done.stdout
    assert done.stdout.count("BEGIN CERTIFICATE") == 2
