"""Objects as raw JSON through a real HTTPS server that keeps what it is asked and answers from a table."""

from __future__ import annotations

import datetime
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rbdtui.kube.kubeconfig import read_kubeconfig
from rbdtui.kube.session import (
    KubeAbsentError,
    KubeCertificateError,
    KubeConflictError,
    KubeError,
    KubeSession,
    KubeSilentError,
    open_session,
)
from tests.kube.api import Api, refusal
from tests.probes import targets
from tests.probes.targets import Authority, serve

VIP = "198.51.100.50"
MAPS = "/api/v1/namespaces/rbd-system/configmaps"


@asynccontextmanager
async def session(
    authority: Authority, tmp_path: Path, handler: targets.Handler, *, name: str = VIP, answer_s: float = 5.0
) -> AsyncIterator[KubeSession]:
    credentials = read_kubeconfig(authority.kubeconfig(tmp_path / "kubeconfig"))
    async with (
        serve(handler, authority.server(VIP, mutual=True)) as port,
        open_session("127.0.0.1", port, server_name=name, credentials=credentials, answer_s=answer_s) as kube,
    ):
        yield kube


async def test_an_object_is_made_changed_read_and_taken_away(authority: Authority, tmp_path: Path) -> None:
    there = {"metadata": {"name": "a"}}
    one = f"{MAPS}/a"
    api = Api(
        {
            ("POST", MAPS): (201, there),
            ("PATCH", one): (200, there),
            ("GET", one): (200, there),
            ("DELETE", one): (200, {"kind": "Status", "status": "Success"}),
        }
    )
    async with session(authority, tmp_path, api) as kube:
        assert await kube.create(MAPS, there) == there
        assert await kube.apply(one, {**there, "data": {"k": "v"}}) == there
        assert await kube.patch(one, {"data": {"k": None}}) == there
        assert await kube.get(one) == await kube.find(one) == there
        assert await kube.find(f"{MAPS}/b") is None
        await kube.delete(f"{one}?propagationPolicy=Orphan")
    made, applied, patched, *_, deleted = api.asked
    assert (made.query["fieldManager"], made.content_type, made.body) == (["rbdtui"], "application/json", there)
    assert (applied.content_type, applied.query["force"]) == ("application/apply-patch+yaml", ["true"])
    assert (patched.content_type, patched.body) == ("application/merge-patch+json", {"data": {"k": None}})
    assert deleted.query == {"propagationPolicy": ["Orphan"]}


@pytest.mark.parametrize(
    ("status", "said", "kind", "reason"),
    [
        (404, refusal(404, "NotFound", "gone"), KubeAbsentError, "NotFound"),
        (409, refusal(409, "AlreadyExists", "there"), KubeConflictError, "AlreadyExists"),
        (403, refusal(403, "Forbidden", "not you"), KubeError, "Forbidden"),
        (503, b"a balancer's page", KubeError, ""),
        (200, b"[]", KubeSilentError, "TypeError"),
        (200, b"<html>", KubeSilentError, "JSONDecodeError"),
    ],
)
async def test_what_the_api_refuses_is_an_error_with_its_words(
    authority: Authority, tmp_path: Path, status: int, said: object, kind: type[KubeError], reason: str
) -> None:
    async with session(authority, tmp_path, Api({("GET", MAPS): (status, said)})) as kube:
        with pytest.raises(KubeError) as caught:
            await kube.get(MAPS)
    assert type(caught.value) is kind
    assert caught.value.reason == reason
    assert caught.value.status == (0 if kind is KubeSilentError else status)


async def test_a_silent_api_and_one_of_another_name_are_no_answer(authority: Authority, tmp_path: Path) -> None:
    async with session(authority, tmp_path, targets.accept_and_hang, answer_s=0.2) as kube:
        with pytest.raises(KubeSilentError, match=r"no answer within 0\.2 s"):
            await kube.get(MAPS)
    async with session(authority, tmp_path, Api({}), name="198.51.100.51") as kube:
        with pytest.raises(KubeSilentError, match="ertificate"):
            await kube.get(MAPS)


@pytest.mark.parametrize(("hours", "reason"), [(3, "not yet valid"), (-3, "expired")])
async def test_a_certificate_of_another_time_is_told_with_the_reason(
    authority: Authority, tmp_path: Path, hours: int, reason: str
) -> None:
    authority.ahead = datetime.timedelta(hours=hours)
    async with session(authority, tmp_path, Api({})) as kube:
        with pytest.raises(KubeCertificateError, match=reason):
            await kube.get(MAPS)


async def test_the_last_lines_of_a_container(authority: Authority, tmp_path: Path) -> None:
    path = "/api/v1/namespaces/rbd-system/pods/rbd-api-1/log"
    api = Api({("GET", path): (200, b"dial tcp: refused\n")})
    async with session(authority, tmp_path, api) as kube:
        said = await kube.log("rbd-system", "rbd-api-1", "rbd-api", previous=True, tail_lines=5)
    assert said == "dial tcp: refused\n"
    query = api.asked[0].query
    assert (query["container"], query["tailLines"], query["previous"]) == (["rbd-api"], ["5"], ["true"])


async def test_no_packed_answer_is_asked_for(authority: Authority, tmp_path: Path) -> None:
    """The API gives what is larger than 128 KiB packed to whoever takes that: lists of pods and events are."""
    api = Api({("GET", MAPS): (200, {"items": []})})
    async with session(authority, tmp_path, api) as kube:
        await kube.get(MAPS)
    assert api.asked[0].headers["accept-encoding"] == "identity"


async def test_events_are_told_until_the_version_is_too_old(authority: Authority, tmp_path: Path) -> None:
    events: list[dict[str, object]] = [
        {"type": "ADDED", "object": {"metadata": {"name": "a"}}},
        {"type": "ERROR", "object": refusal(410, "Expired", "too old resource version")},
    ]
    api = Api({("GET", MAPS): (200, b"\n".join(json.dumps(event).encode() for event in events) + b"\n")})
    async with session(authority, tmp_path, api) as kube:
        watched = kube.watch(MAPS, "17")
        assert (await anext(watched))["type"] == "ADDED"
        with pytest.raises(KubeError) as caught:
            await anext(watched)
    assert caught.value.status == 410
    assert api.asked[0].query["resourceVersion"] == ["17"]
