"""A plan is looked at although one server answers nonsense: that server's steps say so, the others' are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.plan.builder import build_plan
from rbdtui.plan.preview import preview
from rbdtui.simulator.call import Call
from rbdtui.simulator.verbs import VERBS
from tests.plan.support import bench

NONSENSE = (b"what?\n", b"[" * 50_000 + b"\n" + b"9" * 5000 + b" 1 1 1\n")


@pytest.mark.parametrize("answer", NONSENSE, ids=range(len(NONSENSE)))
@pytest.mark.parametrize("verb", ["file-state", "file-read", "unit-state", "sysctl-state", "rke2-state", "kube-nodes"])
async def test_the_plan_of_the_other_servers_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, answer: bytes
) -> None:
    real = VERBS[verb]

    async def odd(call: Call) -> int:
        if call.machine.name != "node2":
            return await real(call)
        call.out(answer)
        return 0

    monkeypatch.setitem(VERBS, verb, odd)
    async with bench(tmp_path, 3) as at:
        steps = await preview(build_plan(at.context.spec, at.context.facts), at.context)
        assert not [seen.step.id for seen in steps if seen.unknown is not None and seen.step.node in ("node1", "node3")]
        told = [seen for seen in steps if seen.step.node == "node2"]
        assert told
        assert all("node2" in str(seen.unknown) for seen in told if seen.unknown is not None)
