"""Steps of Rainbond against an API on loopback: what they ask, what they change, what they say when it goes wrong."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rbdtui.plan.step import StepError
from rbdtui.plan.steps import helm_release
from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.plan.steps.rainbond.cluster import PatchCluster
from rbdtui.plan.steps.rainbond.helm import run_helm
from rbdtui.plan.steps.rainbond.namespace import MakeNamespace
from rbdtui.plan.steps.rainbond.release import InstallRelease
from rbdtui.rainbond.releases import release_of
from rbdtui.rainbond.values import chart_values
from rbdtui.rainbond.workloads import CLUSTER_PATH
from tests.kube.api import Api, refusal
from tests.kube.test_releases import SECRETS, kept
from tests.plan.rainbond_support import MYSQL, PASSWORD, VIP, plan_of, stage
from tests.probes.conftest import authority as authority
from tests.probes.targets import Authority

NAMESPACE = "/api/v1/namespaces/rbd-system"
TELLS = (
    '#!/bin/sh\necho "args $*"\nenv\nwhile [ $# -gt 0 ]; do case $1 in /proc/*) cat "$1";; esac; shift; done\nexit 3\n'
)


def values_of(**sections: Any) -> dict[str, Any]:
    release = release_of("v6.2.1-release")
    assert release is not None
    found: dict[str, Any] = yaml.safe_load(chart_values(plan_of(**sections), release, lambda _: PASSWORD).actual)
    return found


async def test_helm_is_run_from_memory_and_its_secrets_are_in_no_argument(authority: Authority, tmp_path: Path) -> None:
    async with stage(authority, tmp_path, Api({}), helm=TELLS) as there, open_api(there.context) as api:
        files = {"values": f"password: {PASSWORD}\n".encode()}
        answer = await run_helm(there.context, api, "upgrade", "--values", "{values}", files=files)
    args, *rest = answer.text.splitlines()
    assert answer.exit_status == 3
    assert args.startswith("args upgrade --values /proc/self/fd/")
    assert PASSWORD not in args
    assert f"tls-server-name: {VIP}" in answer.text
    assert "password: ******" in answer.text, "what it repeats is masked"
    assert not any(line.startswith(("KUBECONFIG=", "HTTPS_PROXY=")) for line in rest)


async def test_a_helm_that_cannot_run_or_hangs_is_told(authority: Authority, tmp_path: Path) -> None:
    async with stage(authority, tmp_path, Api({}), helm="no program") as there, open_api(there.context) as api:
        with pytest.raises(StepError) as caught:
            await run_helm(there.context, api, "version")
        assert caught.value.code == "helm_not_runnable"
        there.bundle.helm_path.write_text("#!/bin/sh\nexec sleep 60\n")
        with pytest.raises(StepError) as caught:
            await run_helm(there.context, api, "version", limit_s=0.3)
        assert caught.value.code == "helm_silent"


async def test_the_namespace_is_made_once_and_one_that_goes_is_waited_for(authority: Authority, tmp_path: Path) -> None:
    answers: dict[tuple[str, str], tuple[int, object]] = {("PATCH", NAMESPACE): (200, {})}
    api = Api(answers)
    async with stage(authority, tmp_path, api) as there:
        step = MakeNamespace("")
        pending = await step.pending(there.context)
        assert len(pending.changes) == 1
        await step.apply(there.context, pending)
        answers["GET", NAMESPACE] = (200, {"status": {"phase": "Active"}})
        assert (await step.pending(there.context)).is_done
        answers["GET", NAMESPACE] = (200, {"status": {"phase": "Terminating"}})
        with pytest.raises(StepError) as caught:
            await step.pending(there.context)
    assert caught.value.code == "namespace_terminating"


async def test_an_api_that_is_silent_or_refuses_is_a_step_error_with_its_words(
    authority: Authority, tmp_path: Path
) -> None:
    api = Api({("GET", NAMESPACE): (403, refusal(403, "Forbidden", "not you"))})
    async with stage(authority, tmp_path, api) as there:
        with pytest.raises(StepError) as caught:
            await MakeNamespace("").pending(there.context)
        assert (caught.value.code, caught.value.retryable) == ("kube_refused", False)
        assert "not you" in caught.value.evidence
        there.network.clear()
        with pytest.raises(StepError) as caught:
            await MakeNamespace("").pending(there.context)
        assert (caught.value.code, caught.value.retryable) == ("kube_silent", True)


async def test_an_api_of_another_time_is_no_silent_one(authority: Authority, tmp_path: Path) -> None:
    authority.ahead = timedelta(hours=3)
    async with stage(authority, tmp_path, Api({})) as there:
        with pytest.raises(StepError) as caught:
            await MakeNamespace("").pending(there.context)
    assert (caught.value.code, caught.value.retryable) == ("kube_certificate", True)
    assert caught.value.params["reason"] == "certificate is not yet valid"


async def test_before_there_is_a_cluster_the_plan_shows_the_values_without_secrets(
    authority: Authority, tmp_path: Path
) -> None:
    async with stage(authority, tmp_path, Api({}), spec=plan_of(mysql=MYSQL)) as there:
        (there.context.site_dir / "kubeconfig").unlink()
        (change,) = (await InstallRelease("").pending(there.context)).changes
    assert "helm upgrade --install rainbond rainbond.tgz -n rbd-system" in change.detail
    assert "secret:mysql" in change.detail
    assert PASSWORD not in change.detail


@pytest.mark.parametrize(
    ("items", "has_cluster", "expected"),
    [
        ([kept(1, "deployed", values=values_of())], True, []),
        ([kept(1, "deployed", values=values_of())], False, ["upgrade"]),
        ([kept(1, "failed", values=values_of())], True, ["upgrade"]),
        ([kept(1, "deployed", values={})], True, ["upgrade"]),
        ([kept(1, "deployed", values=values_of()), kept(2, "pending-upgrade")], True, ["heal", "upgrade"]),
        ([kept(1, "pending-install")], False, ["heal", "upgrade"]),
        ([], False, ["install"]),
    ],
)
async def test_what_is_pending_of_a_release(
    authority: Authority, tmp_path: Path, items: list[object], has_cluster: bool, expected: list[str]
) -> None:
    answers: dict[tuple[str, str], tuple[int, object]] = {("GET", SECRETS): (200, {"items": items})}
    if has_cluster:
        answers["GET", CLUSTER_PATH] = (200, {"spec": {}})
    async with stage(authority, tmp_path, Api(answers)) as there:
        pending = await InstallRelease("").pending(there.context)
    words = {
        "plan.change.release_healed": "heal",
        "plan.change.release": "install",
        "plan.change.release_again": "upgrade",
    }
    assert [words[change.title.key] for change in pending.changes] == expected


async def test_a_changed_value_is_shown_against_the_present_one_and_passwords_are_not(
    authority: Authority, tmp_path: Path
) -> None:
    before = values_of(mysql=MYSQL)
    before["Cluster"]["replicas"] = 1
    before["Cluster"]["regionDatabase"]["password"] = "the-older-password"
    answers = {
        ("GET", SECRETS): (200, {"items": [kept(1, "deployed", values=before)]}),
        ("GET", CLUSTER_PATH): (200, {}),
    }
    async with stage(authority, tmp_path, Api(answers), spec=plan_of(mysql=MYSQL)) as there:
        (change,) = (await InstallRelease("").pending(there.context)).changes
    assert "+  replicas: 2" in change.detail
    assert PASSWORD not in change.detail
    assert "the-older-password" not in change.detail


LABELS = {"owner": "helm", "name": "rainbond", "version": "1"}


def unpacked(secret: dict[str, Any]) -> bytes:
    return gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"])))


async def test_a_release_that_was_cut_off_is_taken_out_of_the_way_once_it_does_not_move(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helm_release, "_UNMOVED_S", 0.05)
    monkeypatch.setattr(helm_release, "_LOOK_EVERY_S", 0.05)
    items: list[dict[str, Any]] = [kept(1, "pending-install")]
    stuck = f"{SECRETS}/sh.helm.release.v1.rainbond.v1"

    answers: dict[tuple[str, str], tuple[int, object]] = {
        ("GET", SECRETS): (200, {"items": items}),
        ("GET", stuck): (200, items[0]),
        ("PATCH", stuck): (200, {}),
    }
    api = Api(answers)
    async with stage(authority, tmp_path, api, helm="#!/bin/sh\necho done\n") as there:
        step = InstallRelease("")
        pending = await step.pending(there.context)
        work = asyncio.ensure_future(step.apply(there.context, pending))
        async with asyncio.timeout(5):
            while not any(asked.method == "PATCH" for asked in api.asked):
                await asyncio.sleep(0.01)
            body = next(asked.body for asked in api.asked if asked.method == "PATCH")
            items[0] |= {"metadata": {**items[0]["metadata"], "labels": {**LABELS, "status": "failed"}}}
            await work
    assert isinstance(body, dict)
    assert body["metadata"]["labels"] == {"status": "failed"}
    assert json.loads(unpacked(body))["info"]["status"] == "failed"
    assert [note.key for note in there.heard.notes] == ["plan.note.release_healed", "plan.note.gateways_may_stop"]
    assert there.heard.lines == ["done"]


async def test_a_chart_of_the_other_generation_is_refused_before_helm(authority: Authority, tmp_path: Path) -> None:
    async with stage(authority, tmp_path, Api({})) as there:
        there.bundle.chart_name = "rainbond-cluster"
        with pytest.raises(StepError) as caught:
            await InstallRelease("").pending(there.context)
        assert caught.value.code == "chart_generation"
        there.bundle.releases = ("v6.2.1-release", "v6.9.3-release")
        with pytest.raises(StepError) as caught:
            await InstallRelease("").pending(there.context)
        assert caught.value.code == "bundle_release"


async def test_a_storage_class_that_nobody_made_is_told_before_helm(authority: Authority, tmp_path: Path) -> None:
    storage = {"mode": "storage-class", "storage_class": "fast"}
    spec = plan_of(storage=storage, rainbond={"version": "v6.9.3-release"})
    api = Api({("GET", SECRETS): (200, {"items": []})})
    async with stage(authority, tmp_path, api, spec=spec) as there:
        step = InstallRelease("")
        with pytest.raises(StepError) as caught:
            await step.apply(there.context, await step.pending(there.context))
    assert (caught.value.code, caught.value.params) == ("storage_class_absent", {"name": "fast"})


async def test_what_helm_says_when_it_fails_is_the_evidence(authority: Authority, tmp_path: Path) -> None:
    helm = "#!/bin/sh\necho 'Error: password=s3cret unable to continue' >&2\nexit 1\n"
    async with stage(authority, tmp_path, Api({("GET", SECRETS): (200, {"items": []})}), helm=helm) as there:
        step = InstallRelease("")
        with pytest.raises(StepError) as caught:
            await step.apply(there.context, await step.pending(there.context))
    assert caught.value.code == "helm_failed"
    assert "unable to continue" in caught.value.evidence
    assert "s3cret" not in caught.value.evidence


async def test_the_cluster_is_told_what_the_chart_cannot_say(authority: Authority, tmp_path: Path) -> None:
    spec = {"suffixHTTPHost": "10.0.0.99.nip.io", "installMode": ""}
    answers = {("GET", CLUSTER_PATH): (200, {"spec": spec}), ("PATCH", CLUSTER_PATH): (200, {})}
    api = Api(answers)
    async with stage(authority, tmp_path, api) as there:
        step = PatchCluster("")
        pending = await step.pending(there.context)
        await step.apply(there.context, pending)
        patch = next(asked for asked in api.asked if asked.method == "PATCH")
        wanted = {"installMode": "Offline", "suffixHTTPHost": f"{VIP}.nip.io"}
        assert patch.body == {"spec": wanted}
        spec.update(wanted)
        assert (await step.pending(there.context)).is_done
