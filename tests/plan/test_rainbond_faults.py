"""What stands in the way of Rainbond, as an installation meets it: each is named, with what to do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rbdtui.plan.step import Pending, StepError
from rbdtui.plan.steps.rainbond import ready
from rbdtui.plan.steps.rainbond.ready import ComponentsReady
from rbdtui.plan.steps.rainbond.release import InstallRelease
from rbdtui.rainbond.workloads import LISTS, NAMESPACE
from tests.kube.api import Api
from tests.kube.test_releases import SECRETS
from tests.plan.rainbond_support import VIP, stage
from tests.probes.conftest import authority as authority
from tests.probes.targets import Authority
from tests.rainbond.objects import event, pod, seen, workload

Json = dict[str, Any]
CLAIM = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/rbd-db-rbd-db-0"
PASSWORD = f"/api/v1/namespaces/{NAMESPACE}/secrets/rbd-db"
WORKER, OPERATOR = "rbd-worker-5d9c7-node1", "rainbond-operator-5d9c7-node1"
NO_DIRECTORY = (
    'MountVolume.SetUp failed for volume "rundir" : hostPath type check failed: /run/containerd is not a directory'
)
CRASHED: Json = {
    "restartCount": 4,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
}


def waiting(reason: str, message: str = "") -> Json:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def hung_operator(container: Json, *events: Json) -> dict[str, list[Json]]:
    return {
        "Deployment": [workload("Deployment", "rainbond-operator", ready=0)],
        "Pod": [pod("rainbond-operator", ready=False, container=container)],
        "Event": list(events),
    }


def unready_worker(container: Json) -> dict[str, list[Json]]:
    deployment = workload("Deployment", "rbd-worker", ready=0)
    return {"Deployment": [deployment], "Pod": [pod("rbd-worker", ready=False, container=container)]}


@pytest.mark.parametrize(
    ("there", "log", "told", "remedy"),
    [
        pytest.param(
            hung_operator(waiting("ContainerCreating"), event(OPERATOR, "FailedMount", NO_DIRECTORY)),
            "",
            "/run/containerd is not a directory",
            "containerdRuntimePath",
            id="wrong containerd path",
        ),
        pytest.param(
            hung_operator({**waiting("ImagePullBackOff"), "image": "hub.lan/rainbond-operator:v1"}),
            "",
            "hub.lan/rainbond-operator:v1",
            "image",
            id="the operator never starts",
        ),
        pytest.param(
            unready_worker(CRASHED), "panic: out of luck\n", "panic: out of luck", "log", id="a component crash-loops"
        ),
        pytest.param(
            unready_worker({}),
            "get db manager failed, try time is 10,dial tcp 10.0.0.9:3306: connect: connection refused\n",
            "connection refused",
            "mysql",
            id="MySQL stopped",
        ),
    ],
)
async def test_a_run_that_waits_names_what_keeps_rainbond(
    authority: Authority, tmp_path: Path, there: dict[str, list[Json]], log: str, told: str, remedy: str
) -> None:
    answers: dict[tuple[str, str], tuple[int, object]] = {
        ("GET", LISTS[kind]): (200, {"items": list(items)}) for kind, items in seen(**there).items.items()
    }
    answers["GET", f"/api/v1/namespaces/{NAMESPACE}/pods/{WORKER}/log"] = (200, log.encode())
    async with stage(authority, tmp_path, Api(answers)) as at:
        error = await ComponentsReady("").waiting_for(at.context)
    assert error is not None
    assert (error.code, error.retryable) == ("rainbond_not_ready", True)
    assert told in str(error.text)
    assert remedy in str(error.remedy).lower() or remedy in str(error.remedy)


async def test_what_is_wrong_from_the_first_moment_is_told_once_it_lasts(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = hung_operator({**waiting("ImagePullBackOff"), "image": "hub.lan/rainbond-operator:v1"})
    answers: dict[tuple[str, str], tuple[int, object]] = {
        ("GET", LISTS[kind]): (200, {"items": items}) for kind, items in there.items()
    }
    monkeypatch.setattr(ready, "_STARTING_IS_NEWS_S", 0.3)
    monkeypatch.setattr(ComponentsReady, "wait_s", 0.8)
    monkeypatch.setattr(ComponentsReady, "look_every_s", 0.1)
    async with stage(authority, tmp_path, Api(answers)) as at:
        with pytest.raises(StepError):
            await ComponentsReady("").apply(at.context, Pending())
    (note,) = at.heard.notes
    assert "rainbond-operator" in str(note), "once, although all components wait for it"


async def test_an_api_that_is_away_for_a_while_is_waited_for(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = hung_operator(waiting("ContainerCreating"))
    answers: dict[tuple[str, str], tuple[int, object]] = {
        ("GET", LISTS[kind]): (200, {"items": items}) for kind, items in there.items()
    }
    monkeypatch.setattr(ComponentsReady, "wait_s", 1.5)
    monkeypatch.setattr(ComponentsReady, "look_every_s", 0.1)
    async with stage(authority, tmp_path, Api(answers)) as at:
        way = at.network.pop((VIP, 6443))

        async def back() -> None:
            while not at.heard.lines:
                await asyncio.sleep(0.05)
            at.network[VIP, 6443] = way

        task = asyncio.create_task(back())
        with pytest.raises(StepError) as raised:
            await ComponentsReady("").apply(at.context, Pending())
        await task
        assert raised.value.code == "rainbond_not_ready", "what the API says, not that it was away"
        assert sum("6443" in line for line in at.heard.lines) == 1, "told once"
        del at.network[VIP, 6443]
        with pytest.raises(StepError) as raised:
            await ComponentsReady("").apply(at.context, Pending())
        assert raised.value.code == "kube_silent"


@pytest.mark.parametrize(
    ("release", "has_claim", "has_password", "refused"),
    [
        ("v6.2.1-release", True, False, True),
        ("v6.2.1-release", True, True, False),
        ("v6.2.1-release", False, False, False),
        ("v6.9.3-release", True, False, False),
    ],
)
async def test_a_database_that_was_kept_without_its_password_is_told_before_helm(
    authority: Authority, tmp_path: Path, release: str, has_claim: bool, has_password: bool, refused: bool
) -> None:
    answers: dict[tuple[str, str], tuple[int, object]] = {("GET", SECRETS): (200, {"items": []})}
    answers |= {("GET", CLAIM): (200, {})} if has_claim else {}
    answers |= {("GET", PASSWORD): (200, {})} if has_password else {}
    helm = f"#!/bin/sh\ntouch {tmp_path}/helm-ran\n"
    async with stage(authority, tmp_path, Api(answers), helm=helm) as there:
        there.bundle.releases = (release,)
        step = InstallRelease("")
        pending = await step.pending(there.context)
        if not refused:
            await step.apply(there.context, pending)
        else:
            with pytest.raises(StepError) as caught:
                await step.apply(there.context, pending)
            assert caught.value.code == "database_kept"
            assert "delete pvc rbd-db-rbd-db-0" in str(caught.value.remedy)
    assert (tmp_path / "helm-ran").exists() is not refused
