"""A reset: what is left is found and removed, whoever's it is not stays, and a second one has nothing to do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.errors import StepError
from rbdtui.facts.model import Claim
from rbdtui.plan.builder import build_plan
from rbdtui.plan.removal.builder import build_reset
from rbdtui.plan.removal.ownership import Ownership, ownership
from rbdtui.plan.removal.residue import HostResidue, Residue, ResidueKind, cleaned_hosts, look
from rbdtui.plan.removal.steps import ForgetHost, RestoreFiles, StopAll
from rbdtui.plan.steps.claim import CLAIM_FILE, cluster_id
from tests.plan.support import ALL_IN_ONE, SECRETS, bench, settle, spec_of
from tests.plan.walk import walk

SPEC = spec_of({"n1": ALL_IN_ONE, "n2": ALL_IN_ONE, "n3": ALL_IN_ONE, "n4": ("worker",)})
TOKEN = "the-token"
OWN = Claim("site-a", cluster_id(TOKEN), "run1")
UNIT = Residue(ResidueKind.UNIT, "rke2-server.service")


def test_agents_come_first_and_servers_wait_for_all_of_them() -> None:
    plan = build_reset(SPEC, ["n1", "n2", "n4"], whole=False)
    by_id = {step.id: step for step in plan.steps}
    assert plan.steps[0].node == "n4"
    assert by_id["reset-stop@n4"].after == ()
    assert by_id["reset-stop@n1"].after == by_id["reset-stop@n2"].after == ("reset-proof@n4",)
    assert "n3" not in {step.node for step in plan.steps}
    assert "reset-kubeconfig" not in by_id, "the cluster goes on without these"
    whole = build_reset(SPEC, [node.name for node in SPEC.nodes], whole=True)
    assert whole.steps[-1].after == ("reset-proof@n4", "reset-proof@n1", "reset-proof@n2", "reset-proof@n3")


@pytest.mark.parametrize(
    ("claim", "items", "token", "worked_on", "expected"),
    [
        (OWN, (UNIT,), TOKEN, False, Ownership.OURS),
        (replace(OWN, site="site-b"), (UNIT,), TOKEN, True, Ownership.OTHERS),
        (OWN, (UNIT,), "another cluster of that name", True, Ownership.OTHERS),
        (OWN, (UNIT,), None, False, Ownership.OURS),
        (replace(OWN, run_id="of-somebody-else"), (UNIT,), None, True, Ownership.OTHERS),
        (None, (UNIT,), TOKEN, False, Ownership.UNMARKED),
        (None, (UNIT,), TOKEN, True, Ownership.OURS),
        (None, (Residue(ResidueKind.FILE, "/etc/sysctl.d/90-rbdtui.conf", "site-a"),), TOKEN, False, Ownership.OURS),
        (None, (Residue(ResidueKind.FILE, "/etc/sysctl.d/90-rbdtui.conf", "other"),), TOKEN, True, Ownership.OTHERS),
        (None, (), TOKEN, True, Ownership.CLEAN),
    ],
)
def test_whose_it_is(
    claim: Claim | None, items: tuple[Residue, ...], token: str | None, worked_on: bool, expected: Ownership
) -> None:
    left = HostResidue(claim, items)
    assert ownership(left, SPEC, token=token, runs={"run1"}, worked_on=worked_on) is expected


@pytest.mark.parametrize(
    ("before", "after", "original"),
    [
        (b"# BEGIN rbdtui\n10.0.0.1 n1\n# END rbdtui\n127.0.0.1 localhost\n", b"127.0.0.1 localhost\n", None),
        (b"127.0.0.1 localhost\n10.0.0.9 goodrain.me\n", b"127.0.0.1 localhost\n", b"127.0.0.1 localhost\n"),
        (b"10.0.0.9 goodrain.me\n", b"10.0.0.9 goodrain.me\n", b"10.0.0.9 goodrain.me\n"),
        (b"10.0.0.9 goodrain.me mirror\n# goodrain.me\n", b"10.0.0.9 goodrain.me mirror\n# goodrain.me\n", b""),
        (b" goodrain.me\n", b" goodrain.me\n", b""),
        (b"10.0.0.9 goodrain.me\n", b"10.0.0.9 goodrain.me\n", None),
    ],
    ids=[
        "our block",
        "a line of Rainbond's",
        "the operator's own",
        "more than Rainbond writes",
        "no address",
        "nothing is known of before",
    ],
)
def test_of_the_hosts_file_only_what_came_with_the_installation_goes(
    before: bytes, after: bytes, original: bytes | None
) -> None:
    assert cleaned_hosts(before, ("10.0.0.1 n1",), original) == after


def test_an_installation_is_taken_back_and_a_second_reset_has_nothing_to_do(tmp_path: Path) -> None:
    async def story() -> None:
        async with bench(tmp_path, 4) as made:
            context, nodes = made.context, [node.name for node in made.context.spec.nodes]
            made.machine().files.put("/etc/keepalived/keepalived.conf", "# the operator's own\n")
            before = {name: _disk(made.machine(name).files) for name in nodes}
            await walk(build_plan(context.spec, context.facts), context)
            made.machine("node2").files.append("/etc/hosts", b"10.0.0.11 goodrain.me\n")
            made.machine("node2").files.put("/opt/rainbond/cache/layer", "x")

            reset = build_reset(context.spec, nodes, whole=True)
            walked = await walk(reset, context)

            assert {step for step, done in walked.items() if not done.changed} == set()
            assert made.file("/etc/keepalived/keepalived.conf") == "# the operator's own\n"
            for name in nodes:
                assert _disk(made.machine(name).files) == before[name], name
                assert (await look(context.hosts[name], context.spec)).items == ()
            assert not (context.site_dir / "kubeconfig").exists()
            again = await walk(reset, context)
            assert [step for step, done in again.items() if done.changed] == []
            await walk(build_plan(context.spec, context.facts), context)

    asyncio.run(story())


def _disk(files: object) -> dict[str, str]:
    """Files of a machine by path, but for what a boot or a package leaves."""
    from rbdtui.simulator.files import FileSystem, Kind

    assert isinstance(files, FileSystem)
    kept = {}
    for path in files.walk():
        entry = files.get(path, follow=False)
        assert entry is not None
        if entry.kind is not Kind.DIRECTORY and not path.startswith(("/run/", "/tmp/", "/proc/", "/sys/", "/var/log/")):
            kept[path] = entry.target or bytes(entry.content).decode(errors="replace")
    return kept


def test_a_host_of_another_cluster_is_refused_by_each_step(tmp_path: Path) -> None:
    async def story() -> None:
        async with bench(tmp_path) as made:
            made.machine().files.put(CLAIM_FILE, '{"site": "other", "cluster_id": "x", "run_id": "r"}')
            for step in build_reset(made.context.spec, ["node1"], whole=False).steps:
                with pytest.raises(StepError) as caught:
                    await step.pending(made.context)
                assert caught.value.code == "reset_claimed_by_other"
            made.machine().files.put(
                CLAIM_FILE, f'{{"site": "{made.context.spec.name}", "cluster_id": "x", "run_id": "r"}}'
            )
            with pytest.raises(StepError):
                await StopAll("node1").pending(made.context)

    asyncio.run(story())


def test_what_cannot_be_removed_is_named_with_its_command_and_the_mark_stays(tmp_path: Path) -> None:
    async def story() -> None:
        async with bench(tmp_path) as made:
            machine, context = made.machine(), made.context
            claim = f'{{"site": "{context.spec.name}", "cluster_id": "{cluster_id(SECRETS["rke2-token"])}", '
            machine.files.put(CLAIM_FILE, claim + '"run_id": "r"}')
            machine.files.put("/var/lib/kubelet/pods/x", "x")
            machine.files.put("/etc/sysctl.d/90-rbdtui.conf", "# Written by rbdtui for site s; changes\n")
            machine.failures.append(("file-restore", 1, "Read-only file system"))

            await settle(RestoreFiles("node1"), context)
            assert any(note.key == "reset.note.went_on" for note in made.heard.notes)
            with pytest.raises(StepError) as caught:
                await settle(ForgetHost("node1"), context)
            assert caught.value.code == "residue_left"
            assert "rm /etc/sysctl.d/90-rbdtui.conf" in caught.value.evidence
            assert "rm -rf --one-file-system /var/lib/kubelet" in caught.value.evidence
            assert machine.files.exists(CLAIM_FILE), "or nobody would know whose host this is"

    asyncio.run(story())
