"""Rainbond alone is taken back: its objects by the API, then what its volumes and its Job left on nodes.

helm is not asked: a release that is stuck goes as well, because helm keeps it in the namespace. What helm's own removal
leaves (claims of StatefulSets, definitions, storage class, cluster roles) goes, too: goodrain/rainbond-docs,
docs/installation/uninstall.md.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from rbdtui.kube.session import KubeSession
from rbdtui.plan.removal.objects import delete, items, short, still_there, version_of
from rbdtui.plan.removal.residue import HostResidue, ResidueKind, look
from rbdtui.plan.removal.steps import DELETE_LIMIT_S, Removal, refuse_left, write_hosts_file
from rbdtui.plan.step import JUMP_LANE, Change, ChangeKind, Pending, Plan, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import RELEASE, open_api
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond import provisioner
from rbdtui.rainbond.workloads import NAMESPACE, OPERATOR, name_of
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.scripts import script
from rbdtui.words import T

KEPT_SECRETS: Final = ("rbd-db", "rbd-api-*-cert", "rbd-app-ui-secret", "hub-*")
"""What a later Rainbond needs to go on with databases and a registry that were kept."""
_OPERATOR: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{OPERATOR}"
_NAMESPACE_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}"
_DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"
_VOLUMES: Final = "/api/v1/persistentvolumes"
_DATA: Final = "/opt/rainbond"
_OF_EVERY_NAMESPACE: Final = "kube-root-ca.crt"
"""A ConfigMap that Kubernetes makes again at once."""
_PROVISIONER: Final = "rancher.io/local-path"
_OLD_PROVISIONER: Final = "rainbond.io/nfs"
"""Of the class that 5.17 makes for its built-in NFS (goodrain/rainbond-operator@v5.17.2-release)."""
_ROLES: Final = ("clusterrolebindings", "clusterroles")
_LOCAL_PATH: Final = {
    "clusterrolebindings": "local-path-provisioner-bind",
    "clusterroles": "local-path-provisioner-role",
}
_SHARED_GROUPS: Final = ("apisix.apache.org", "monitoring.coreos.com")
"""Definitions that others may have brought; of the second group Rainbond brings one only."""
_SHARED_NAMES: Final = ("servicemonitors.monitoring.coreos.com",)
_IN_NAMESPACE: Final = (
    "/apis/apps/v1/namespaces/{}/deployments", "/apis/apps/v1/namespaces/{}/statefulsets",
    "/apis/apps/v1/namespaces/{}/daemonsets", "/apis/batch/v1/namespaces/{}/jobs", "/api/v1/namespaces/{}/services",
    "/api/v1/namespaces/{}/pods", "/api/v1/namespaces/{}/configmaps",
    "/api/v1/namespaces/{}/persistentvolumeclaims", "/api/v1/namespaces/{}/secrets",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What is there of Rainbond, as paths of the API, in the order in which it is deleted."""

    first: tuple[str, ...] = ()
    """The operator, which would make again what is deleted, and the objects that it looks after."""
    namespace: bool = False
    kept: tuple[str, ...] = ()
    """Names of the Secrets that are kept."""
    last: tuple[str, ...] = ()
    """What belongs to no namespace."""

    @property
    def paths(self) -> tuple[str, ...]:
        """All that is to go."""
        return (*self.first, *((_NAMESPACE_PATH,) if self.namespace else ()), *self.last)


@dataclass(frozen=True, slots=True)
class RemoveRainbond(Step):
    """Delete Rainbond's objects and wait until its namespace is gone."""

    name: ClassVar[str] = "rainbond-remove"
    time_limit_s: ClassVar[float] = 900.0
    wait_s: ClassVar[float] = 600.0
    gone_s: ClassVar[float] = 120.0
    look_every_s: ClassVar[float] = 2.0

    keep_secrets: bool = field(default=False, kw_only=True)

    async def pending(self, context: StepContext) -> Pending[Found]:
        """The objects; raises `StepError` when others have data below Rainbond's directory."""
        async with open_api(context) as api:
            found = await self._find(api.kube)
        changes = tuple(
            Change(ChangeKind.COMMAND, T("reset.rainbond.object", path=short(path)), f"kubectl delete --raw {path}")
            for path in found.paths
        )
        return Pending(changes, "\n".join(found.paths), seen=found)

    async def apply(self, context: StepContext, pending: Pending[Found]) -> None:
        """Delete them in order; raises `StepError`."""
        found = pending.seen
        async with open_api(context) as api:
            for path in found.first:
                await delete(api.kube, path)
            if found.namespace and found.kept:
                await self._empty(api.kube, found.kept)
            elif found.namespace:
                await delete(api.kube, _NAMESPACE_PATH)
            if found.namespace:
                await wait_for(lambda: self._left(api.kube, found), limit_s=self.wait_s, every_s=self.look_every_s)
            for path in found.last:
                await delete(api.kube, path)
            await wait_for(lambda: _lasts(api.kube, found.last), limit_s=self.gone_s, every_s=self.look_every_s)

    async def _empty(self, kube: KubeSession, kept: Collection[str]) -> None:
        """Delete everything in the namespace but some Secrets, which must not go with their owner."""
        for name in kept:
            secret = f"{_NAMESPACE_PATH}/secrets/{name}"
            await kube.patch(secret, {"metadata": {"ownerReferences": None}})
        for collection in _IN_NAMESPACE:
            path = collection.format(NAMESPACE)
            for item in await items(kube, path):
                name = name_of(item)
                if not (path.endswith("/secrets") and name in kept) and name != _OF_EVERY_NAMESPACE:
                    await delete(kube, f"{path}/{name}")

    async def _left(self, kube: KubeSession, found: Found) -> StepError | None:
        """What still keeps the namespace, as the error that it becomes."""
        if found.kept:
            pods = [name_of(item) for item in await items(kube, f"{_NAMESPACE_PATH}/pods")]
            claims = [name_of(item) for item in await items(kube, f"{_NAMESPACE_PATH}/persistentvolumeclaims")]
            what = ", ".join((*pods, *claims))
        else:
            there = await kube.find(_NAMESPACE_PATH)
            conditions = ((there or {}).get("status") or {}).get("conditions") or []
            what = "" if there is None else "\n".join(str(each.get("message", "")) for each in conditions) or NAMESPACE
        if not what:
            return None
        return StepError("rainbond_namespace_stays", namespace=NAMESPACE, evidence=what, retryable=True)

    async def _find(self, kube: KubeSession) -> Found:
        definitions = {name_of(item): item for item in await items(kube, _DEFINITIONS)}
        volumes = await items(kube, _VOLUMES)
        _refuse_others(volumes)
        namespace = await kube.find(_NAMESPACE_PATH)
        secrets = await items(kube, f"{_NAMESPACE_PATH}/secrets") if namespace is not None and self.keep_secrets else ()
        kept = [name_of(item) for item in secrets if any(fnmatch.fnmatch(name_of(item), one) for one in KEPT_SECRETS)]
        is_left = namespace is not None and (not self.keep_secrets or bool(await self._more_than(kube, kept)))
        first = [_OPERATOR] if await kube.find(_OPERATOR) is not None else []
        first += await _custom_objects(kube, definitions)
        last = [f"{_DEFINITIONS}/{name}" for name in await _own_definitions(kube, definitions)]
        last += await _own_roles(kube)
        last += await _own_provisioner(kube)
        last += [f"{_VOLUMES}/{name_of(item)}" for item in volumes if _claimed_by(item) == NAMESPACE]
        return Found(tuple(first), is_left, tuple(kept), tuple(last))

    async def _more_than(self, kube: KubeSession, kept: Collection[str]) -> list[str]:
        """Names of what is in the namespace beside what is kept."""
        names: list[str] = []
        for collection in _IN_NAMESPACE:
            names += [name_of(item) for item in await items(kube, collection.format(NAMESPACE))]
        return [name for name in names if name not in kept and name != _OF_EVERY_NAMESPACE]


async def _lasts(kube: KubeSession, paths: Sequence[str]) -> StepError | None:
    """What is still there of all that belongs to no namespace."""
    stays = await still_there(kube, paths)
    if not stays:
        return None
    evidence = "\n".join(map(short, stays))
    return StepError("rainbond_objects_stay", count=len(stays), evidence=evidence, retryable=True)


def _refuse_others(volumes: Collection[Mapping[str, Any]]) -> None:
    """Raise `StepError` when volumes of other namespaces lie in Rainbond's directory, which goes as a whole."""
    others = {}
    for item in volumes:
        spec = item.get("spec") or {}
        path = str((spec.get("hostPath") or spec.get("local") or {}).get("path", ""))
        if path.startswith(f"{_DATA}/") and _claimed_by(item) not in ("", NAMESPACE):
            others[name_of(item)] = _claimed_by(item)
    if others:
        evidence = "\n".join(f"{volume}: {namespace}" for volume, namespace in sorted(others.items()))
        raise StepError(
            "rainbond_data_of_others", namespaces=", ".join(sorted(set(others.values()))), path=_DATA, evidence=evidence
        )


async def _custom_objects(kube: KubeSession, definitions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    paths = []
    for name, item in definitions.items():
        if name.endswith(".rainbond.io"):
            collection = f"/apis/rainbond.io/{version_of(item)}/namespaces/{NAMESPACE}/{name.partition('.')[0]}"
            paths += [f"{collection}/{name_of(each)}" for each in await items(kube, collection)]
    return paths


async def _own_definitions(kube: KubeSession, definitions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Rainbond's kinds; of those that others may have brought, the ones that nobody else uses."""
    own = [name for name in definitions if name.endswith(".rainbond.io")]
    if not own:
        return []
    for name, item in definitions.items():
        plural, _, group = name.partition(".")
        if group not in _SHARED_GROUPS or (group == _SHARED_GROUPS[1] and name not in _SHARED_NAMES):
            continue
        is_others = group == _SHARED_GROUPS[1] and f"prometheuses.{group}" in definitions
        objects = await items(kube, f"/apis/{group}/{version_of(item)}/{plural}")
        used = [each for each in objects if (each.get("metadata") or {}).get("namespace") != NAMESPACE]
        if not used and not is_others:
            own.append(name)
    return own


async def _own_roles(kube: KubeSession) -> list[str]:
    """Cluster roles of the release, and the storage class with its provisioner when that ran in our namespace."""
    paths = []
    for kind in _ROLES:
        for item in await items(kube, f"{_RBAC}/{kind}"):
            notes = (item.get("metadata") or {}).get("annotations") or {}
            is_release = notes.get("meta.helm.sh/release-name") == RELEASE
            if is_release and notes.get("meta.helm.sh/release-namespace") == NAMESPACE:
                paths.append(f"{_RBAC}/{kind}/{name_of(item)}")
    paths += [
        f"{_CLASSES}/{name_of(item)}"
        for item in await items(kube, _CLASSES)
        if item.get("provisioner") == _OLD_PROVISIONER
    ]
    binding = await kube.find(f"{_RBAC}/clusterrolebindings/{_LOCAL_PATH['clusterrolebindings']}")
    subjects = (binding or {}).get("subjects") or []
    if any(subject.get("namespace") == NAMESPACE for subject in subjects):
        paths += [f"{_RBAC}/{kind}/{name}" for kind, name in _LOCAL_PATH.items()]
        classes = await items(kube, _CLASSES)
        paths += [f"{_CLASSES}/{name_of(item)}" for item in classes if item.get("provisioner") == _PROVISIONER]
    return paths


async def _own_provisioner(kube: KubeSession) -> list[str]:
    """What our provisioner of NFS volumes has outside of the namespace; what is on the server stays there."""
    roles = [f"{_RBAC}/{kind}/{provisioner.NAME}" for kind in _ROLES]
    found = {path: await kube.find(path) for path in roles}
    labels = {
        path: (item.get("metadata") or {}).get("labels") or {} for path, item in found.items() if item is not None
    }
    paths = [path for path, own in labels.items() if provisioner.LABELS.items() <= own.items()]
    classes = await items(kube, _CLASSES)
    return paths + [
        f"{_CLASSES}/{name_of(item)}" for item in classes if item.get("provisioner") == provisioner.PROVISIONER
    ]


def _claimed_by(volume: Mapping[str, Any]) -> str:
    return str(((volume.get("spec") or {}).get("claimRef") or {}).get("namespace", ""))


@dataclass(frozen=True, slots=True)
class RemoveRainbondData(Removal):
    """Delete Rainbond's directory on a node, and the lines that its Job wrote to the hosts file."""

    name: ClassVar[str] = "rainbond-data"
    kinds: ClassVar[frozenset[ResidueKind]] = frozenset({ResidueKind.DATA, ResidueKind.HOSTS})

    async def _look(self, context: StepContext) -> HostResidue:
        left = await look(context.hosts[self.node], context.spec, only_rainbond=True)
        if left.claim is None and left.of(ResidueKind.DATA) and not context.spec.is_existing:
            raise StepError("reset_unmarked", node=self.node, path=_DATA)
        return left

    async def apply(self, context: StepContext, pending: Pending[HostResidue]) -> None:
        """Both go on past a failure of the other."""
        host, left = context.hosts[self.node], pending.seen
        if left.of(ResidueKind.DATA):
            await self._do(context, script("residue"), "paths", _DATA, limit_s=DELETE_LIMIT_S)
        if left.hosts_file is not None:
            await write_hosts_file(host, left.hosts_file[1])

    async def verify(self, context: StepContext) -> None:
        """Look once more; raises `StepError` with what is left."""
        refuse_left(self.node, (await self._look(context)).of(*self.kinds))


def build_rainbond_reset(spec: ClusterSpec, nodes: Collection[str], *, keep_secrets: bool) -> Plan:
    """The steps that take back Rainbond and leave the cluster."""
    steps: list[Step] = [RemoveRainbond(JUMP_LANE, keep_secrets=keep_secrets)]
    steps += [RemoveRainbondData(n.name, after=(steps[0].id,)) for n in spec.cluster_nodes if n.name in nodes]
    return Plan(tuple(steps))
