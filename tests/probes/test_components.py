"""Rainbond's components as health tells them: by their workloads, with the cause and what to do, over one session."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from rbdtui.kube.session import KubeSession, open_session
from rbdtui.probes import api_session, components
from rbdtui.probes.components import images_of, named_release, planned, running_release
from rbdtui.probes.model import Health, ProbeState
from rbdtui.rainbond.workloads import LISTS, Seen
from tests.probes.standin import spec_of
from tests.probes.targets import Authority
from tests.probes.test_monitor import scene, states, until, watching
from tests.probes.test_verdict import schema
from tests.rainbond.objects import workload

OK, EXPECTED, DEGRADED = ProbeState.OK, ProbeState.EXPECTED, ProbeState.DEGRADED
DOWN, UNKNOWN = ProbeState.DOWN, ProbeState.UNKNOWN
IMAGE = {"ready": False, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}, "image": "x:1"}
UNHEALTHY = {"ready": False}


async def test_each_component_is_a_probe_of_its_own(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        snapshot = await cluster.monitor().once()
    mine = {s.key.id: s for s in snapshot.probes if s.key.kind.value == "component"}
    assert set(mine) == {f"component-{name}" for name in cluster.namespace.parts}
    assert {s.state for s in mine.values()} == {OK}
    assert str(mine["component-rbd-gateway"].detail) == "2 of 2 pods ready."
    assert str(snapshot.by_id["claims"].detail) == "All 2 volumes are bound."
    schema().validate(json.loads(json.dumps(snapshot.to_json())))


async def test_what_is_not_ready_is_told_with_its_cause_and_what_to_do(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        cluster.namespace.spoil("rbd-api", IMAGE)
        cluster.namespace.claims["rbd-hub"] = "Pending"
        cluster.namespace.publish()
        snapshot = await cluster.monitor().once()
    assert states(snapshot) == {"component-rbd-api": "down", "claims": "degraded"}
    assert snapshot.health is Health.DEGRADED
    api = snapshot.by_id["component-rbd-api"]
    assert api.newest is not None
    assert "0 of 2 pods ready. " in str(api.detail)
    assert "image_pull_failed" in api.newest.evidence
    assert api.newest.remedy is not None
    assert "rbd-hub" in str(snapshot.by_id["claims"].detail)


async def test_before_rainbond_nothing_is_missed(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        snapshot = await cluster.monitor().once()
    assert snapshot.by_id["component-rbd-api"].state is EXPECTED
    assert snapshot.by_id["claims"].state is EXPECTED


async def test_with_the_api_down_components_are_not_known(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        for place in [place for place in cluster.network if place[1] == 6443]:
            del cluster.network[place]
        snapshot = await cluster.monitor().once()
    assert snapshot.health is Health.DOWN
    assert snapshot.by_id["component-rbd-api"].state is UNKNOWN
    assert "does not tell" in str(snapshot.by_id["component-rbd-api"].detail)


async def test_without_the_address_another_server_is_asked(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        del cluster.network[("198.51.100.50", 6443)]
        snapshot = await cluster.monitor().once()
    assert snapshot.by_id["component-rbd-api"].state is OK


async def test_a_component_that_stops_and_comes_back_while_it_is_watched(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        monitor = cluster.monitor()
        async with watching(monitor):
            await until(monitor, "component-rbd-app-ui", OK)
            cluster.namespace.spoil("rbd-app-ui", UNHEALTHY, said="Readiness probe failed: HTTP 500")
            await until(monitor, "component-rbd-app-ui", DOWN)
            status = monitor.snapshot().by_id["component-rbd-app-ui"]
            assert status.newest is not None
            assert "readiness_probe_failed" in status.newest.evidence
            cluster.namespace.mend("rbd-app-ui")
            await until(monitor, "component-rbd-app-ui", OK)
            cluster.namespace.answers[LISTS["Deployment"]] = (500, b"{}")
            await until(monitor, "component-rbd-app-ui", UNKNOWN)
            cluster.namespace.publish()
            await until(monitor, "component-rbd-app-ui", OK)


async def test_a_workload_that_is_written_anew_is_no_news_until_its_controller_stays_blind(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the operator does it every few seconds with a gateway that has other replicas than nodes."""
    monkeypatch.setattr(components, "_UNSEEN_S", 0.5)
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        monitor = cluster.monitor()
        gateway = cluster.namespace.parts["rbd-gateway"]
        seen = cluster.namespace.answers[LISTS[gateway.kind]]
        items = json.loads(seen[1])["items"]
        for item in items:
            item["metadata"]["generation"] += item["metadata"]["name"] == "rbd-gateway"
        cluster.namespace.answers[LISTS[gateway.kind]] = (200, json.dumps({"items": items}).encode())
        assert (await monitor.once()).by_id["component-rbd-gateway"].state is OK
        async with watching(monitor):
            await until(monitor, "component-rbd-gateway", DEGRADED)
            cluster.namespace.answers[LISTS[gateway.kind]] = seen
            await until(monitor, "component-rbd-gateway", OK)


async def test_all_answers_of_a_watch_come_over_a_session_each(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def noted(address: str, port: int, **more: Any) -> AbstractAsyncContextManager[KubeSession]:
        opened.append(address)
        return open_session(address, port, **more)

    monkeypatch.setattr(api_session, "open_session", noted)
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        monitor = cluster.monitor()
        async with watching(monitor), asyncio.timeout(20):
            while len(monitor.snapshot().by_id["component-rbd-api"].latencies_ms) < 5:
                await asyncio.sleep(0.02)
    assert len(opened) == 2, "the nodes' and the components' own"


def test_the_release_is_that_of_the_operator_that_runs() -> None:
    planned_one = named_release(spec_of())
    operator = workload("Deployment", "rainbond-operator")
    image = "goodrain.me/rainbond-operator:v6.9.8-release"
    operator["spec"]["template"] = {"spec": {"containers": [{"image": image}]}}
    assert running_release(Seen({"Deployment": [operator]}), planned_one).tag == "v6.9.8-release"
    assert running_release(Seen({}), planned_one) is planned_one
    old = spec_of("rainbond-5.17")
    assert named_release(old).is_old
    assert "rbd-node" in planned(old, named_release(old))


def test_a_component_tells_its_version_by_what_it_runs() -> None:
    api = workload("Deployment", "rbd-api")
    api["spec"]["template"] = {"spec": {"containers": [{"image": "goodrain.me/rbd-api:v6.9.8-release"}, {}]}}
    assert images_of(api) == ["image rbd-api:v6.9.8-release"]
    assert images_of(None) == []
