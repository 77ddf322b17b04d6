"""Repairs taken back: to the byte what was there, never over what somebody has changed since."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.errors import StepError
from rbdtui.facts.model import Listener
from rbdtui.plan.preview import SilentReporter
from rbdtui.plan.recipes import Request, recipe_named
from rbdtui.plan.repairs import REPAIRS
from rbdtui.plan.repairs.before import Record, before
from rbdtui.plan.repairs.commands import Changeable
from rbdtui.plan.repairs.undo import RepairUndone
from rbdtui.plan.resources.base import FileLooks, Looked, Target
from rbdtui.plan.resources.units import unit_action
from rbdtui.plan.step import StepContext
from rbdtui.simulator.fleet import Build
from rbdtui.simulator.machine import Hardware
from rbdtui.transport.base import RemoteAnswerError
from tests.plan.support import Bench, bench, carry_out
from tests.transport.conftest import Connect, StartSshd, connect, start_sshd

__all__ = ["connect", "start_sshd"]

HOSTS = "127.0.0.1 localhost\n10.9.9.9 node2 old # of the old rack\n10.9.9.9 node2\n"
BLOCK = "# BEGIN rbdtui\n10.0.0.2 node2\n# END rbdtui\n"
NAMES = [kind.name for kind in REPAIRS]
SWAPPED = (Build(hardware=Hardware(swap_bytes=2**30)),)
DONE = {"repair-swap", "repair-firewalld", "repair-hosts-lines", "repair-cloud-init", "repair-etcd-user",
        "repair-web-servers", "repair-time-service", "repair-keepalived"}  # fmt: skip
"""A simulated file system knows no attributes: those are tried on a real one below."""


async def spoilt(made: Bench) -> StepContext:
    """A host on which each repair has something to do, and facts that say so."""
    machine = made.machine()
    machine.files.put("/etc/hosts", HOSTS)
    machine.files.put("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
    for unit in ("firewalld", "nginx", "chrony", "keepalived"):
        machine.files.put(f"/etc/systemd/system/{unit}.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    host = made.context.hosts["node1"]
    await unit_action(host, "systemd-timesyncd", "stop", "disable")
    for unit in ("firewalld", "nginx", "keepalived"):
        await unit_action(host, unit, "enable", "start")
    facts = made.context.facts["node1"]
    nginx = Listener("tcp", "0.0.0.0", 80, "nginx", 7, "nginx.service")
    return replace(made.context, facts={"node1": replace(facts, listeners=(nginx,))})


def state_of(made: Bench) -> dict[str, object]:
    """All that a repair may touch."""
    machine = made.machine()
    files = ["/etc/hosts", "/etc/fstab", "/etc/passwd", "/proc/swaps", "/etc/cloud/cloud.cfg.d/99-zz-rbdtui.cfg"]
    units = ["firewalld", "nginx", "chrony", "keepalived"]
    return {
        **{path: machine.files.text(path) if machine.files.exists(path) else None for path in files},
        **{unit: (machine.systemd.unit(f"{unit}.service").active.value, machine.enabled(unit)) for unit in units},
    }


async def repaired(context: StepContext) -> set[str]:
    """Carry out every repair; those that changed something."""
    done = set()
    for kind in REPAIRS:
        if await carry_out(kind("node1"), context):
            done.add(kind.name)
    return done


def undone(names: list[str] = NAMES) -> list[RepairUndone]:
    return [RepairUndone("node1", "run1", name) for name in reversed(names)]


async def test_each_repair_is_taken_back_to_the_byte_and_then_nothing_is_left_to_do(tmp_path: Path) -> None:
    async with bench(tmp_path, 2, builds=SWAPPED * 2) as made:
        context = await spoilt(made)
        at_first = state_of(made)
        assert await repaired(context) == DONE
        assert {key for key, value in state_of(made).items() if value != at_first[key]} == set(at_first)

        later = replace(context, run_id="run2")
        taken_back = {step.repair for step in undone() if await carry_out(step, later)}
        assert taken_back == DONE
        assert state_of(made) == at_first
        for step in undone():
            assert (await step.pending(later)).is_done


async def test_a_file_that_somebody_has_changed_since_stays_and_the_rest_is_taken_back(tmp_path: Path) -> None:
    async with bench(tmp_path, 2, builds=SWAPPED * 2) as made:
        context = await spoilt(made)
        at_first = state_of(made)
        await repaired(context)
        changed = made.file("/etc/fstab") + "/dev/vdb1 /data xfs defaults 0 0\n"
        made.machine().files.put("/etc/fstab", changed)
        for step in undone():
            if step.repair == "repair-swap":
                with pytest.raises(StepError) as refused:
                    await step.pending(context)
                assert refused.value.code == "undo_changed_since"
                assert "/etc/fstab" in str(refused.value.text)
            else:
                await carry_out(step, context)
        assert state_of(made) == {**at_first, "/etc/fstab": changed, "/proc/swaps": made.file("/proc/swaps")}


async def test_our_own_block_that_a_run_has_written_since_stays(tmp_path: Path) -> None:
    async with bench(tmp_path, 2) as made:
        context = await spoilt(made)
        await repaired(context)
        made.machine().files.put("/etc/hosts", BLOCK + made.file("/etc/hosts"))
        (step,) = undone(["repair-hosts-lines"])
        assert await carry_out(step, context)
        assert made.file("/etc/hosts") == BLOCK + HOSTS
        assert (await step.pending(context)).is_done


async def test_a_repair_that_was_cut_off_and_repeated_still_knows_what_was_there_first(tmp_path: Path) -> None:
    async with bench(tmp_path, 2, builds=SWAPPED * 2) as made:
        context = await spoilt(made)
        at_first = state_of(made)
        swap = next(kind for kind in REPAIRS if kind.name == "repair-swap")("node1")
        pending = await swap.pending(context)
        target = Target.of(context, "node1")
        await Record("run1", swap.name).note(target, pending.seen)
        await pending.seen[0].resource.settle(target, pending.seen[0].pending)  # and here its runner was killed
        await carry_out(swap, context)
        (step,) = undone([swap.name])
        await carry_out(step, context)
        assert state_of(made) == at_first


@pytest.mark.parametrize("text", [b"", b"{", b'[{"kind": "rm", "path": "/"}]', b'[{"kind": "swap"}]'])
async def test_a_record_that_is_damaged_is_told_and_nothing_is_done(tmp_path: Path, text: bytes) -> None:
    async with bench(tmp_path) as made:
        made.machine().files.put("/var/lib/rbdtui/repaired/run1/repair-swap.json", text)
        (step,) = undone(["repair-swap"])
        with pytest.raises(RemoteAnswerError):
            await step.pending(made.context)


async def test_without_a_record_nothing_was_repaired(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        assert all([(await step.pending(made.context)).is_done for step in undone()])


async def test_every_resource_of_every_repair_can_be_taken_back(tmp_path: Path) -> None:
    async with bench(tmp_path, 2, builds=SWAPPED * 2) as made:
        context = await spoilt(made)
        target = Target.of(context, "node1")
        for kind in REPAIRS:
            if kind.name == "repair-attributes":
                continue
            for looked in (await kind("node1").pending(context)).seen:
                assert looked.pending.is_done or await before(target, looked), looked.resource


@pytest.mark.parametrize(
    "arguments",
    [
        {"run": "../../etc", "steps": "repair-swap@node1"},
        {"run": "20260101-0000-aaaa", "steps": "repair-everything@node1"},
        {"run": "20260101-0000-aaaa", "steps": "repair-swap@nobody"},
        {"steps": "repair-swap@node1"},
    ],
)
async def test_what_is_no_repair_of_this_site_is_refused(tmp_path: Path, arguments: dict[str, str]) -> None:
    async with bench(tmp_path) as made:
        with pytest.raises(StepError):
            recipe_named("undo-repair").build(Request(made.context.spec, {}, arguments))


async def test_the_last_repair_is_taken_back_first(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        arguments = {"run": "20260101-0000-aaaa", "steps": "repair-attributes@node1 repair-swap@node1"}
        plan = recipe_named("undo-repair").build(Request(made.context.spec, {}, arguments))
        assert [step.id for step in plan.steps] == ["undo-repair-swap@node1", "undo-repair-attributes@node1"]
        assert plan.steps[1].after == ("undo-repair-swap@node1",)


@contextmanager
def attributes(path: Path, letters: str) -> Iterator[None]:
    """A file of a real file system with attributes, which are gone afterwards."""
    if subprocess.run(["chattr", f"+{letters}", path], capture_output=True, check=False).returncode:
        pytest.skip(f"NOT TESTED: {path} cannot be made immutable")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", "-a", path], check=False)


@pytest.mark.parametrize("letters", ["i", "a", "ia"])
async def test_attributes_come_back_as_they_were(
    tmp_path: Path, start_sshd: StartSshd, connect: Connect, letters: str
) -> None:
    file, other = tmp_path / "hosts", tmp_path / "other"
    for each in (file, other):
        each.write_text("x")
    sshd = await start_sshd()
    host = connect(sshd.endpoint(), sshd.known_hosts())
    target = Target(host, "run1", SilentReporter(), FileLooks(host))
    resource = Changeable((str(other), str(file)))
    with attributes(file, letters):
        looked = Looked(resource, await resource.pending(target))
        assert looked.pending.seen == (str(file),)
        (was,) = await before(target, looked)
        await resource.settle(target, looked.pending)
        file.write_text("changed")
        back = was.resource()
        await back.settle(target, await back.pending(target))
        with pytest.raises(PermissionError):
            file.write_text("changed again")
        assert (await back.pending(target)).is_done
    await host.close()
