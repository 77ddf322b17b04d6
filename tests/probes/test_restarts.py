"""After a restart of a host: told until all of it is well again, over restarts of ours as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.probes.history import HealthHistory, Memory
from rbdtui.probes.model import Health, ProbeState
from tests.probes.standin import health_output
from tests.probes.targets import Authority
from tests.probes.test_monitor import NODES, scene, states


async def test_a_restart_is_told_until_everything_is_well_again(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        history = HealthHistory(tmp_path / "health")
        assert (await cluster.monitor(history=history).once()).health is Health.OK
        assert history.memory().boots == dict.fromkeys(NODES, "11111111")
        starting = health_output(NODES["node3"], boot="22222222", rke2="loaded activating start")
        cluster.hosts["node3"].scripts["health"] = lambda: starting
        snapshot = await cluster.monitor(history=history).once()
        assert states(snapshot) == {"rke2@node3": "degraded", "restart@node3": "degraded"}
        assert str(snapshot.headline) == "node3 restarted and not yet well again: rke2@node3."
        assert history.memory().boots["node3"] == "11111111", "it is told by whoever looks next, too"
        cluster.hosts["node3"].scripts["health"] = lambda: health_output(NODES["node3"], boot="22222222")
        snapshot = await cluster.monitor(history=history).once()
    assert snapshot.health is Health.OK
    assert "everything on it is well again" in str(snapshot.by_id["restart@node3"].detail)
    assert history.memory().boots["node3"] == "22222222"
    told = [(event.probe, event.old.value, event.new.value) for event in history.events()]
    assert ("restart@node3", "ok", "degraded") in told
    assert told.index(("restart@node3", "degraded", "ok")) > told.index(("restart@node3", "ok", "degraded"))


async def test_what_else_is_bad_is_not_hidden_by_a_restart(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        starting = health_output(NODES["node3"], boot="22222222", rke2="loaded activating start")
        cluster.hosts["node3"].scripts["health"] = lambda: starting
        cluster.hosts["node4"].scripts["health"] = lambda: health_output(NODES["node4"], disks={"/": 99})
        history = HealthHistory(tmp_path / "health")
        history.remember(Memory(boots=dict.fromkeys(NODES, "11111111")))
        snapshot = await cluster.monitor(history=history).once()
    assert "disk@node4" in str(snapshot.headline)


@pytest.mark.parametrize("boots", [{}, {"node1": "11111111"}])
async def test_a_first_look_tells_of_no_restart(authority: Authority, tmp_path: Path, boots: dict[str, str]) -> None:
    async with scene(authority, tmp_path) as cluster:
        history = HealthHistory(tmp_path / "health")
        history.remember(Memory(boots=boots))
        snapshot = await cluster.monitor(history=history).once()
    assert {s.state for s in snapshot.probes if s.key.kind.value == "restart"} == {ProbeState.OK}
