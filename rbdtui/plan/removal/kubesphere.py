"""KubeSphere alone is taken back, by the API: what its chart makes, and the marks that it left on namespaces.

helm is not asked, and so neither are the chart's jobs, which need their image and pods that start
(kubesphere/kubesphere@v4.1.3, config/ks-core, scripts/post-delete.sh and charts/ks-crds/scripts/post-delete.sh). As
there, namespaces are cut loose from their workspaces before these go: Kubernetes deletes what an owner leaves behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rbdtui.kube.session import KubeAbsentError, KubeSession
from rbdtui.kubesphere.chart import API_SERVER, CONTROLLER, CONTROLS_NAMESPACE, NAMESPACE, RELEASE
from rbdtui.plan.removal.objects import delete, items, short, still_there, version_of
from rbdtui.plan.step import JUMP_LANE, Change, ChangeKind, Pending, Plan, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond.workloads import entries, name_of
from rbdtui.words import T

_NAMESPACES: Final = "/api/v1/namespaces"
_OWN_NAMESPACES: Final = (NAMESPACE, CONTROLS_NAMESPACE)
_DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_HOOKS: Final = "/apis/admissionregistration.k8s.io/v1"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_GROUP: Final = "kubesphere.io"
_SHARED: Final = "applications.app.k8s.io"
"""A definition that others may have brought; it goes when nobody has such an object."""
_INSTALLED: Final = "Installed"
_PLANS: Final = "/apis/kubesphere.io/v1alpha1/installplans"
_WORKERS: Final = (CONTROLLER, API_SERVER)
"""Would put back what is taken away."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is there of KubeSphere, as paths of the API, in the order of the work."""

    first: tuple[str, ...] = ()
    """Webhooks, which nobody would answer any more, and the programs that look after the rest."""
    marked: tuple[str, ...] = ()
    """Namespaces of others with its marks, which stay without these."""
    namespaces: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    """Cluster roles with their bindings."""

    @property
    def goes(self) -> tuple[str, ...]:
        """All that is deleted."""
        return (*self.first, *self.namespaces, *self.definitions, *self.last)


@dataclass(frozen=True, slots=True)
class RemoveKubesphere(Step):
    """Delete KubeSphere's objects and wait until its namespaces and kinds are gone."""

    name: ClassVar[str] = "kubesphere-remove"
    time_limit_s: ClassVar[float] = 900.0
    wait_s: ClassVar[float] = 600.0
    look_every_s: ClassVar[float] = 2.0

    async def pending(self, context: StepContext) -> Pending[Found]:
        """The objects; raises `StepError` while extensions are installed."""
        async with open_api(context) as api:
            found = await _find(api.kube)
        changes = [
            Change(ChangeKind.COMMAND, T("reset.rainbond.object", path=short(path)), f"kubectl delete --raw {path}")
            for path in found.goes
        ]
        changes += [
            Change(ChangeKind.COMMAND, T("reset.kubesphere.unmarked", name=short(path)), f"kubectl patch --raw {path}")
            for path in found.marked
        ]
        return Pending(tuple(changes), "\n".join((*found.goes, *found.marked)), seen=found)

    async def apply(self, context: StepContext, pending: Pending[Found]) -> None:
        """Delete them in order; raises `StepError`."""
        found = pending.seen
        async with open_api(context) as api:
            for path in found.first:
                await delete(api.kube, path)
            for path in (*found.marked, *found.namespaces):
                await _cut_loose(api.kube, path)
            for path in (*found.namespaces, *found.definitions):
                await delete(api.kube, path)
            going = (*found.namespaces, *found.definitions)
            await wait_for(lambda: _left(api.kube, going), limit_s=self.wait_s, every_s=self.look_every_s)
            for path in found.last:
                await delete(api.kube, path)


async def _left(kube: KubeSession, paths: Sequence[str]) -> StepError | None:
    """What is not gone yet; objects whose controller is gone are let go."""
    stays = await still_there(kube, paths)
    for path in stays:
        if path.startswith(_DEFINITIONS):
            await _let_go(kube, path)
    if not stays:
        return None
    evidence = "\n".join(map(short, stays))
    return StepError("kubesphere_stays", count=len(stays), evidence=evidence, retryable=True)


async def _let_go(kube: KubeSession, definition: str) -> None:
    """Take finalizers off all objects of a kind."""
    found = await kube.find(definition)
    if found is None:
        return
    spec = found.get("spec") or {}
    base, plural = f"/apis/{spec.get('group')}/{version_of(found)}", (spec.get("names") or {}).get("plural", "")
    for item in await items(kube, f"{base}/{plural}"):
        meta = item.get("metadata") or {}
        if meta.get("finalizers"):
            within = f"namespaces/{meta['namespace']}/" if meta.get("namespace") else ""
            try:
                await kube.patch(f"{base}/{within}{plural}/{name_of(item)}", {"metadata": {"finalizers": None}})
            except KubeAbsentError:
                continue


async def _cut_loose(kube: KubeSession, path: str) -> None:
    """A namespace without KubeSphere's labels, owners and finalizers."""
    found = await kube.find(path)
    if found is None:
        return
    meta = found.get("metadata") or {}
    owners = [each for each in entries(meta.get("ownerReferences")) if not _is_own_version(each.get("apiVersion"))]
    finalizers = [each for each in meta.get("finalizers") or [] if _GROUP not in str(each)]
    labels = dict.fromkeys(_marks(found))
    body = {"labels": labels, "ownerReferences": owners or None, "finalizers": finalizers or None}
    try:
        await kube.patch(path, {"metadata": body})
    except KubeAbsentError:
        return


async def _find(kube: KubeSession) -> Found:
    await _refuse_extensions(kube)
    namespaces = {name_of(item): item for item in await items(kube, _NAMESPACES)}
    definitions = {name_of(item): item for item in await items(kube, _DEFINITIONS)}
    first = [f"{_HOOKS}/{kind}/{name_of(item)}" for kind, item in await _webhooks(kube)]
    deployments = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    there = [name_of(item) for item in await items(kube, deployments)]
    first += [f"{deployments}/{name}" for name in _WORKERS if name in there]
    others = {name: item for name, item in namespaces.items() if name not in _OWN_NAMESPACES}
    marked = [f"{_NAMESPACES}/{name}" for name, item in others.items() if _marks(item)]
    own = [name for name, item in definitions.items() if _is_own_group((item.get("spec") or {}).get("group"))]
    if own and _SHARED in definitions:
        applications = f"/apis/app.k8s.io/{version_of(definitions[_SHARED])}/applications"
        own += [] if await items(kube, applications) else [_SHARED]
    return Found(
        tuple(first),
        tuple(marked),
        tuple(f"{_NAMESPACES}/{name}" for name in _OWN_NAMESPACES if name in namespaces),
        tuple(f"{_DEFINITIONS}/{name}" for name in own),
        tuple(await _roles(kube)),
    )


async def _refuse_extensions(kube: KubeSession) -> None:
    """Raise `StepError` while there are any: each is a release of its own, which only KubeSphere takes away well."""
    plans = await items(kube, _PLANS)
    names = [name_of(item) for item in plans if (item.get("status") or {}).get("state") == _INSTALLED]
    if names:
        raise StepError("kubesphere_extensions", names=", ".join(sorted(names)))


async def _webhooks(kube: KubeSession) -> list[tuple[str, Mapping[str, Any]]]:
    """Those that lead to a service of KubeSphere's, with their kinds."""
    found = []
    for kind in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
        found += [(kind, item) for item in await items(kube, f"{_HOOKS}/{kind}") if _leads_there(item)]
    return found


def _leads_there(item: Mapping[str, Any]) -> bool:
    services = ((each.get("clientConfig") or {}).get("service") or {} for each in entries(item.get("webhooks")))
    return _is_of_the_release(item) or any(service.get("namespace") == NAMESPACE for service in services)


async def _roles(kube: KubeSession) -> list[str]:
    """Of the release, and those that KubeSphere made for workspaces and accounts."""
    paths = []
    for kind in ("clusterrolebindings", "clusterroles"):
        for item in await items(kube, f"{_RBAC}/{kind}"):
            labels = (item.get("metadata") or {}).get("labels") or {}
            if _is_of_the_release(item) or labels.get(f"{_GROUP}/managed") == "true":
                paths.append(f"{_RBAC}/{kind}/{name_of(item)}")
    return paths


def _is_of_the_release(item: Mapping[str, Any]) -> bool:
    notes = (item.get("metadata") or {}).get("annotations") or {}
    release = notes.get("meta.helm.sh/release-name"), notes.get("meta.helm.sh/release-namespace")
    return release == (RELEASE, NAMESPACE)


def _marks(namespace: Mapping[str, Any]) -> list[str]:
    """Labels of its own."""
    labels = (namespace.get("metadata") or {}).get("labels") or {}
    return [key for key in labels if _is_own_group(key.partition("/")[0])]


def _is_own_group(group: object) -> bool:
    return group == _GROUP or str(group).endswith(f".{_GROUP}")


def _is_own_version(api_version: object) -> bool:
    return _is_own_group(str(api_version).partition("/")[0])


def build_kubesphere_reset() -> Plan:
    """The step that takes back KubeSphere and leaves the cluster."""
    return Plan((RemoveKubesphere(JUMP_LANE),))
