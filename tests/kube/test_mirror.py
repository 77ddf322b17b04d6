"""Collections kept up to date by watches of the simulator's API, which tells what is asked of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from rbdtui.kube import mirror as module
from rbdtui.kube import session as session_module
from rbdtui.kube.kubeconfig import Kubeconfig
from rbdtui.kube.mirror import Mirror, mirrored
from rbdtui.kube.session import KubeError, KubeSession, open_session
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.kubernetes.api import api_server
from rbdtui.simulator.kubernetes.certificates import server_context
from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.http import HttpServer, Request, Response, json_response
from tests.simulator.kubernetes_api import bare_cluster, stopping

MAPS = "/api/v1/namespaces/default/configmaps"
PATHS = {"nodes": "/api/v1/nodes", "maps": MAPS}
Answer = Callable[[Request], Response]


@dataclass
class Scene:
    """A server, and who asks it."""

    cluster: Cluster
    kube: KubeSession
    asked: Counter[str] = field(default_factory=Counter)
    """Requests by what they are."""
    instead: Callable[[Request, Answer], Response] | None = None
    """Answers in the server's place."""

    async def put(self, name: str, **data: str) -> None:
        await self.kube.apply(f"{MAPS}/{name}", {"metadata": {"name": name}, "data": data})


@asynccontextmanager
async def scene(speed: float = 1.0) -> AsyncIterator[Scene]:
    fleet = SimulatedFleet(1, speed=speed)
    cluster, machine = bare_cluster(fleet), fleet.machines["node1"]
    cluster.nodes["node1"].beat_s = 1e9
    answer = api_server(cluster, machine)

    def noted(request: Request) -> Response:
        kind = "watch" if "watch" in request.query else "list" if request.path in PATHS.values() else "other"
        at.asked[f"{kind} {request.path.rpartition('/')[2]}"] += 1
        return at.instead(request, answer) if at.instead is not None else answer(request)

    serving = cluster.server_authority.server("node1", [machine.ip], [])
    context = server_context(serving, cluster.client_authority.certificate)
    pair = cluster.client_authority.client("system:admin", "system:masters")
    credentials = Kubeconfig(cluster.server_authority.certificate, pair.certificate.encode(), pair.key.encode(), "")
    with stopping(HttpServer(context, noted)) as server:
        host, port = await server.start()
        async with open_session(host, port, server_name=str(machine.ip), credentials=credentials, answer_s=5.0) as kube:
            at = Scene(cluster, kube)
            yield at


def names(mirror: Mirror) -> list[str]:
    return sorted(item["metadata"]["name"] for item in mirror.of("maps"))


async def test_what_changes_is_told_and_what_rests_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SETTLE_S", 0.01)
    async with scene() as at, mirrored(at.kube, PATHS, look_every_s=0.01) as mirror, asyncio.timeout(10):
        await mirror.complete()
        assert [item["metadata"]["name"] for item in mirror.of("nodes")] == ["node1"]
        await at.put("a", k="1")
        assert await mirror.news(5)
        assert names(mirror) == ["a"]
        await at.put("a", k="2")
        await at.put("b")
        while names(mirror) != ["a", "b"]:
            assert await mirror.news(5)
        assert mirror.of("maps")[0]["data"] == {"k": "2"}
        await at.kube.delete(f"{MAPS}/a")
        while names(mirror) != ["b"]:
            assert await mirror.news(5)
        at.cluster.nodes["node1"].beat_s = -1e9
        assert await mirror.news(5)
        assert not await mirror.news(0.3), "nothing has happened"
    assert at.asked["list nodes"] == at.asked["list configmaps"] == 1
    assert at.asked["watch nodes"] == at.asked["watch configmaps"] == 1


async def test_a_watch_that_ends_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_PULSE_S", 1), ("_WATCH_S", 1), ("_SHORT_S", 0.05), ("_SETTLE_S", 0.01)):
        monkeypatch.setattr(module, name, value)
    async with scene() as at, mirrored(at.kube, PATHS, look_every_s=0.01) as mirror, asyncio.timeout(10):
        await mirror.complete()
        while at.asked["watch configmaps"] < 2:
            assert not await mirror.news(0.2), "an end is no news"
        await at.put("late")
        assert await mirror.news(5)
        assert names(mirror) == ["late"]
    assert at.asked["list configmaps"] == 1


async def test_a_version_that_is_too_old_has_everything_listed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHORT_S", 0.02)
    monkeypatch.setattr(module, "_SETTLE_S", 0.01)
    gone = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}

    async def expired() -> AsyncIterator[bytes]:
        yield b'{"type": "ERROR", "object": ' + json_response(200, gone).body + b"}\n"

    def once(request: Request, answer: Answer) -> Response:
        first = "watch" in request.query and request.path == MAPS and at.asked["watch configmaps"] <= 2
        if not first:
            return answer(request)
        # Both ways that the API has to say so.
        return json_response(410, gone) if at.asked["watch configmaps"] == 1 else Response(200, b"", stream=expired())

    async with scene() as at:
        at.instead = once
        async with mirrored(at.kube, PATHS, look_every_s=0.01) as mirror, asyncio.timeout(10):
            await mirror.complete()
            while at.asked["watch configmaps"] < 3:
                await asyncio.sleep(0.02)
            await at.put("after")
            while names(mirror) != ["after"]:
                assert await mirror.news(5)
    assert at.asked["list configmaps"] == 3


async def test_a_server_that_falls_silent_is_noticed_by_the_end_that_does_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PULSE_S", 0)
    monkeypatch.setattr(session_module, "_LATE_S", 0.2)

    async def silence() -> AsyncIterator[bytes]:
        await asyncio.sleep(60)
        yield b""

    def silent(request: Request, answer: Answer) -> Response:
        return Response(200, b"", stream=silence()) if "watch" in request.query else answer(request)

    async with scene() as at:
        at.instead = silent
        async with mirrored(at.kube, PATHS, look_every_s=0.01) as mirror, asyncio.timeout(5):
            await mirror.complete()
            with pytest.raises(KubeError, match="Timeout"):
                await _until_broken(mirror)


async def _until_broken(mirror: Mirror) -> None:
    while True:
        await mirror.news(5)


async def test_who_may_list_but_not_watch_compares_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SETTLE_S", 0.01)
    refusal = {"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": "watch is not"}

    def forbidden(request: Request, answer: Answer) -> Response:
        return json_response(403, refusal) if "watch" in request.query else answer(request)

    async with scene() as at:
        at.instead = forbidden
        async with mirrored(at.kube, PATHS, look_every_s=0.05) as mirror, asyncio.timeout(10):
            await mirror.complete()
            await at.put("a")
            assert await mirror.news(5)
            assert names(mirror) == ["a"]
            assert not await mirror.news(0.2)


async def test_what_the_api_does_not_know_is_nothing_only_where_it_may_be_missing() -> None:
    unknown = {"things": "/apis/rainbond.io/v1alpha1/rbdcomponents"}
    async with scene() as at:
        async with mirrored(at.kube, PATHS | unknown, look_every_s=0.05, optional=["things"]) as mirror:
            await mirror.complete()
            assert mirror.of("things") == []
        async with mirrored(at.kube, unknown, look_every_s=0.05) as mirror:
            with pytest.raises(KubeError, match="404"):
                await mirror.complete()
