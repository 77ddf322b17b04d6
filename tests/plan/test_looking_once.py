"""A step asks a host once, goes on from the answer, and asks again only what it has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.step import Gate, Step, StepContext
from rbdtui.plan.steps.claim import ClaimHost
from rbdtui.plan.steps.keepalived import CONFIG_FILE, DROP_IN_FILE, Keepalived
from rbdtui.plan.steps.prepare import HostsFile, PrepareSystem
from rbdtui.plan.steps.ship import ShipBundle, UnpackRke2
from rbdtui.plan.waiting import wait_for
from rbdtui.simulator.call import Call, Verb
from rbdtui.simulator.verbs import VERBS
from tests.plan.support import bench, carry_out

LOOKS = frozenset(
    {"file-read", "file-state", "files-list", "modules-state", "rke2-state", "sysctl-state", "unit-state"}
)


def counting(asked: Counter[tuple[str, ...]]) -> Mapping[str, Verb]:
    """All scripts, and how often each was run with the same arguments."""

    def counted(name: str, verb: Verb) -> Verb:
        async def run(call: Call) -> int:
            asked[(name, *call.args)] += 1
            return await verb(call)

        return run

    return {name: counted(name, verb) for name, verb in VERBS.items()}


@pytest.mark.parametrize("kind", [ClaimHost, HostsFile, PrepareSystem, Keepalived, ShipBundle, UnpackRke2])
async def test_what_was_seen_is_not_asked_again_until_it_is_changed(tmp_path: Path, kind: type[Step]) -> None:
    asked: Counter[tuple[str, ...]] = Counter()
    async with bench(tmp_path, 3, verbs=counting(asked)) as at:
        if kind is UnpackRke2:
            await carry_out(ShipBundle("node1"), at.context)
        step = kind("node1")
        pending = await step.pending(at.context)
        assert pending.changes
        looks = Counter({question: times for question, times in asked.items() if question[0] in LOOKS})
        asked.clear()
        await step.apply(at.context, pending)
        again = {question for question in asked if question in looks}
        # The owner of a file that is not ours is asked right before it is written.
        assert again <= {("file-state", "/etc/hosts")}
        asked.clear()
        assert (await step.pending(at.context)).is_done
        assert max(asked.values()) == 1


@pytest.mark.parametrize("path", [CONFIG_FILE, DROP_IN_FILE])
async def test_a_daemon_reads_a_configuration_that_was_put_back(tmp_path: Path, path: str) -> None:
    async with bench(tmp_path, 3) as at:
        await carry_out(Keepalived("node1"), at.context)
        files = at.machine().files
        good = files.read(path)
        files.write(path, b"# of somebody\n", mode=0o600)
        changes = await carry_out(Keepalived("node1"), at.context)
        assert files.read(path) == good
        assert ["keepalived.service" in change and "new configuration" in change for change in changes] == [False, True]
        assert await carry_out(Keepalived("node1"), at.context) == []


class Counted(Gate):
    """Open from the third look on, or never."""

    __slots__ = ()
    name: ClassVar[str] = "counted"
    wait_s: ClassVar[float] = 30.0
    look_every_s: ClassVar[float] = 0.001
    opens_at: ClassVar[int] = 3
    looks: ClassVar[list[str]]

    async def waiting_for(self, context: StepContext) -> StepError | None:
        self.looks.append(self.node)
        return None if len(self.looks) >= self.opens_at else StepError("unused", evidence=f"look {len(self.looks)}")


async def test_a_gate_waits_by_looking(tmp_path: Path) -> None:
    Counted.looks, gate = [], Counted("node1")
    async with bench(tmp_path) as at:
        pending = await gate.pending(at.context)
        assert (pending.is_done, pending.changes, pending.evidence) == (False, (), "look 1")
        await gate.apply(at.context, pending)
        await gate.verify(at.context)
        assert len(Counted.looks) == 3
        assert (await gate.pending(at.context)).is_done


async def test_a_gate_that_stays_closed_says_what_it_saw_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "wait_s", 0.02)
    monkeypatch.setattr(Counted, "opens_at", 10**6)
    Counted.looks, gate = [], Counted("node1")
    async with bench(tmp_path) as at:
        with pytest.raises(StepError) as caught:
            await gate.apply(at.context, await gate.pending(at.context))
    assert caught.value.evidence == f"look {len(Counted.looks)}"
    assert len(Counted.looks) > 2


async def test_waiting_gives_what_was_found_and_raises_what_a_look_raises() -> None:
    answers: list[StepError | int] = [StepError("unused"), 7]

    async def look() -> StepError | int:
        return answers.pop(0)

    async def breaks() -> StepError | int:
        raise RuntimeError("no way")

    assert await wait_for(look, limit_s=1.0, every_s=0.0) == 7
    with pytest.raises(RuntimeError):
        await wait_for(breaks, limit_s=1.0, every_s=0.0)
