"""A Rainbond that stands on a simulated cluster is upgraded by a newer bundle, by the rules of both versions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.plan.builder import build_plan
from rbdtui.plan.preview import preview
from rbdtui.plan.step import Plan, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.plan.steps.rainbond.definitions import RenewDefinitions
from rbdtui.plan.steps.rainbond.gateway_config import AdoptGatewayConfig
from rbdtui.plan.steps.rainbond.release import InstallRelease
from rbdtui.plan.steps.rainbond.upgrade import UpgradeAllowed
from rbdtui.rainbond.workloads import LISTS
from rbdtui.simulator.bundle import write_bundle
from rbdtui.spec.model import ClusterSpec
from tests.kube.api import Api
from tests.kube.test_releases import SECRETS, kept
from tests.plan.rainbond_support import stage
from tests.plan.support import Bench, bench
from tests.plan.walk import Walked, walk
from tests.probes.conftest import authority as authority
from tests.probes.targets import Authority

RBD_COMPONENTS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rbdcomponents.rainbond.io"
CONFIG = "/api/v1/namespaces/rbd-system/configmaps/apisix-gw-config.yaml"
OPERATOR = f"{LISTS['Deployment']}/rainbond-operator"
RULES = ("rainbond-definitions", "rainbond-gateway-config", "rainbond-stateful-sets")


@dataclass
class Story:
    """A site whose bundle is changed."""

    at: Bench
    context: StepContext
    directory: Path

    def with_bundle(self, release: str) -> StepContext:
        """What the operator does for another release."""
        place = self.directory / f"bundle-{release}"
        if not place.exists():
            write_bundle(place, images_bytes=256 * 1024, release=release)
        return replace(self.context, bundle=open_bundle(place))

    async def run(self, release: str, *, proven: bool = True) -> dict[str, Walked]:
        """The whole plan, or all of it up to components that are ready."""
        context = self.with_bundle(release)
        plan = build_plan(context.spec, context.facts)
        ready = [step.id for step in plan.steps].index("rainbond-ready")
        return await walk(plan if proven else Plan(plan.steps[: ready + 1]), context)

    async def shown(self, release: str) -> dict[str, list[str]]:
        """Sentences of the plan, by the step that has them; an error is one as well."""
        context = self.with_bundle(release)
        seen = await preview(build_plan(context.spec, context.facts), context)
        said = {each.step.id: [str(change.title) for change in each.changes] for each in seen}
        return {name: lines for name, lines in said.items() if lines}

    async def get(self, path: str) -> dict[str, Any]:
        async with open_api(self.context) as api:
            return dict(await api.kube.get(path))

    async def claims(self) -> dict[str, str]:
        """What each StatefulSet claims, and what is bound."""
        sets, bound = (await self.get(LISTS["StatefulSet"]))["items"], LISTS["PersistentVolumeClaim"]
        found = {
            item["metadata"]["name"]: item["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]
            for item in sets
        }
        own = {
            item["metadata"]["name"]: item["spec"]["resources"]["requests"] for item in (await self.get(bound))["items"]
        }
        return {name: str(requests["storage"]) for name, requests in (found | own).items()}

    async def tags(self) -> set[str]:
        """Of all images that come with a release."""
        found = set()
        for kind in ("Deployment", "DaemonSet", "StatefulSet"):
            for item in (await self.get(LISTS[kind]))["items"]:
                images = [each["image"] for each in item["spec"]["template"]["spec"]["containers"]]
                found |= {image.rpartition(":")[2] for image in images}
        return {tag for tag in found if tag.endswith("-release")}

    async def ready(self, name: str) -> str:
        """The Ready of a component as the operator has left it."""
        found = await self.get(f"{LISTS['RbdComponent']}/{name}")
        (said,) = [each for each in found["status"]["conditions"] if each["type"] == "Ready"]
        return f"{said['status']} {said.get('reason', '')}"


def story_of(at: Bench, directory: Path) -> Story:
    data = at.context.spec.model_dump(mode="json", exclude_unset=True)
    nodes = [{**node, "roles": [*node["roles"], "build"]} for node in data["nodes"]]
    spec = ClusterSpec.model_validate({**data, "profile": "rainbond-6", "nodes": nodes})
    return Story(at, replace(at.context, spec=spec), directory)


def changed(walked: dict[str, Walked], names: Sequence[str] = RULES) -> list[str]:
    return [name for name in names if walked[name].changed]


async def test_an_upgrade_from_6_2_1_to_6_9_3_is_shown_done_and_proven(tmp_path: Path) -> None:
    """All of it in one: three gateways keep the old operator writing the ConfigMap (N7), N8 and N9."""
    async with bench(tmp_path, 3) as at:
        story = story_of(at, tmp_path)
        await story.run("6.2.1")
        before = await story.claims()
        shown = await story.shown("6.9.3")
        upgraded = await story.run("6.9.3")
        claims, tags = await story.claims(), await story.tags()
        ready = {name: await story.ready(name) for name in ("minio", "rbd-monitor")}
        schema = (await story.get(RBD_COMPONENTS))["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        marks = (await story.get(CONFIG))["metadata"]
        operator = (await story.get(OPERATOR))["spec"]["replicas"]
        again = await story.run("6.9.3")
        with pytest.raises(ExceptionGroup) as caught:
            await story.run("6.2.1")
    assert before["minio"] == before["rbd-monitor"] == before["minio-data-minio-0"] == "1Gi"
    assert shown["rainbond-definitions"] == [
        "Renew the resource definition rbdcomponents.rainbond.io, which helm never does"
    ]
    assert "hand the ConfigMap apisix-gw-config.yaml over to helm" in shown["rainbond-gateway-config"][0]
    assert [line[:28] for line in shown["rainbond-stateful-sets"]] == [
        "Delete the StatefulSet minio", "Delete the StatefulSet rbd-m"
    ]  # fmt: skip
    assert shown["rainbond-release"] == [
        "Upgrade Rainbond from v6.2.1-release to v6.9.3-release, with the chart rainbond 6.9.3"
    ]
    assert changed(upgraded) == list(RULES)
    assert claims["minio"] == claims["rbd-monitor"] == "100Gi"
    assert claims["minio-data-minio-0"] == "1Gi", "the volume with the data is the same"
    assert (tags, operator) == ({"v6.9.3-release"}, 1)
    assert ready == {"minio": "True Ready", "rbd-monitor": "True Ready"}
    assert "affinity" in schema["properties"]["spec"]["properties"]
    assert marks["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert [step.step for step in again.values() if step.changed] == []
    assert [error.code for error in caught.value.exceptions if isinstance(error, StepError)] == ["upgrade_downgrade"]


async def test_an_upgrade_that_was_killed_while_the_operator_rests_is_finished(tmp_path: Path) -> None:
    """6.2.1 to 6.9.8, whose operator leaves the claims as they are."""
    async with bench(tmp_path, 3) as at:
        story = story_of(at, tmp_path)
        await story.run("6.2.1", proven=False)
        context = story.with_bundle("6.9.8")
        before: tuple[Step, ...] = (UpgradeAllowed(""), RenewDefinitions(""), AdoptGatewayConfig(""))
        for step in before:
            pending = await step.pending(context)
            if not pending.is_done:
                await step.apply(context, pending)
        rests = (await story.get(OPERATOR))["spec"]["replicas"]
        (back,) = (await InstallRelease("").pending(story.with_bundle("6.2.1"))).changes
        upgraded = await story.run("6.9.8", proven=False)
        operator, tags, claims = (
            (await story.get(OPERATOR))["spec"]["replicas"],
            await story.tags(),
            await story.claims(),
        )
    assert rests == 0
    assert "helm upgrade --install" in back.detail, "with the earlier bundle the operator is woken as well"
    assert changed(upgraded) == []
    assert upgraded["rainbond-release"].changed
    assert (operator, tags) == (1, {"v6.9.8-release"})
    assert claims["minio"] == claims["rbd-monitor"] == "1Gi"


async def test_from_6_5_2_to_6_9_8_nothing_stands_in_the_way(tmp_path: Path) -> None:
    async with bench(tmp_path, 3) as at:
        story = story_of(at, tmp_path)
        await story.run("6.5.2", proven=False)
        shown = await story.shown("6.9.8")
        upgraded = await story.run("6.9.8", proven=False)
        tags = await story.tags()
        again = await story.run("6.9.8", proven=False)
    assert not set(RULES) & set(shown)
    assert shown["rainbond-release"] == [
        "Upgrade Rainbond from v6.5.2-release to v6.9.8-release, with the chart rainbond 6.9.3"
    ]
    assert changed(upgraded) == []
    assert tags == {"v6.9.8-release"}
    assert [step.step for step in again.values() if step.changed] == []


def holding(tag: str) -> dict[tuple[str, str], tuple[int, object]]:
    """An API with a release of helm that was told to install a tag."""
    return {("GET", SECRETS): (200, {"items": [kept(1, "deployed", values={"Cluster": {"installVersion": tag}})]})}


@pytest.mark.parametrize(
    ("there", "planned", "code"),
    [
        ("v6.9.3-release", "v6.2.1-release", "upgrade_downgrade"),
        ("v5.17.3-release", "v6.2.1-release", "upgrade_generation"),
        ("our-own-build", "v6.2.1-release", "upgrade_unknown"),
    ],
)
async def test_what_cannot_follow_is_refused_before_anything_is_changed(
    authority: Authority, tmp_path: Path, there: str, planned: str, code: str
) -> None:
    async with stage(authority, tmp_path, Api(holding(there))) as at:
        at.bundle.releases = (planned,)
        for step in (UpgradeAllowed(""), RenewDefinitions(""), AdoptGatewayConfig(""), InstallRelease("")):
            with pytest.raises(StepError) as caught:
                await step.pending(at.context)
            assert (caught.value.code, caught.value.retryable) == (code, False)


@pytest.mark.parametrize(
    ("revision", "status", "is_refused"),
    [
        (1, "pending-install", False),
        (1, "failed", False),
        (1, "deployed", True),
        (2, "failed", True),
        (2, "pending-upgrade", True),
    ],
)
async def test_a_first_installation_that_was_cut_off_has_no_version_that_anything_could_follow(
    authority: Authority, tmp_path: Path, revision: int, status: str, is_refused: bool
) -> None:
    cut_off = kept(revision, status, values={"Cluster": {"installVersion": "none"}})
    async with stage(authority, tmp_path, Api({("GET", SECRETS): (200, {"items": [cut_off]})})) as at:
        if not is_refused:
            assert (await UpgradeAllowed("").pending(at.context)).is_done
            assert (await RenewDefinitions("").pending(at.context)).is_done
            return
        with pytest.raises(StepError) as caught:
            await UpgradeAllowed("").pending(at.context)
        assert caught.value.code == "upgrade_unknown"


async def test_a_release_that_nobody_has_read_is_said_to_be_so(authority: Authority, tmp_path: Path) -> None:
    async with stage(authority, tmp_path, Api(holding("v6.2.1-release"))) as at:
        at.bundle.releases = ("v6.11.0-release",)
        assert (await UpgradeAllowed("").pending(at.context)).is_done
        (change,) = (await InstallRelease("").pending(at.context)).changes
    assert "What is special about v6.11.0-release is not known here, only about v6.2.1 to v6.9.8" in str(change.title)


def crd(name: str, group: str, **properties: Any) -> dict[str, Any]:
    version = {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}}}
    spec = {"group": group, "preserveUnknownFields": False, "versions": [version]}
    return {"kind": "CustomResourceDefinition", "metadata": {"name": f"{name}.{group}"}, "spec": spec}


async def test_only_definitions_of_rainbond_are_renewed_and_others_are_made_where_they_are_absent(
    authority: Authority, tmp_path: Path
) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    text = {"type": "string"}
    chart = [
        crd("as", "rainbond.io", one=text), crd("bs", "rainbond.io", one=text, two=text),
        crd("cs", "apisix.apache.org", one=text, two=text), crd("ds", "apisix.apache.org", one=text),
    ]  # fmt: skip
    there = {each["metadata"]["name"]: crd(*each["metadata"]["name"].split(".", 1), one=text) for each in chart[:3]}
    for each in there.values():
        del each["spec"]["preserveUnknownFields"]  # the API leaves out what is false
    answers = holding("v6.2.1-release")
    answers |= {("GET", f"{path}/{name}"): (200, body) for name, body in there.items()}
    async with stage(authority, tmp_path, Api(answers)) as at:
        place = tmp_path / "rainbond.tgz" / "crds"
        place.mkdir(parents=True)
        for each in chart:
            (place / f"{each['metadata']['name']}.yaml").write_text(f"# of the chart\n---\n{json.dumps(each)}")
        pending = await RenewDefinitions("").pending(at.context)
    assert list(pending.seen) == [f"{path}/bs.rainbond.io", f"{path}/ds.apisix.apache.org"]
    assert [change.title.key for change in pending.changes] == [
        "plan.change.definition_renewed", "plan.change.definition"
    ]  # fmt: skip
    assert "+ v1.two" in pending.changes[0].detail
