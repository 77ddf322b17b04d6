"""How the NFS server that Rainbond 5.17 brings goes to another node: the steps, with the commands for this very site.

Nothing of it is done here: everything that has a volume there stands still for it, applications too, which only their
owners can stop. The volume is as the operator makes it (goodrain/rainbond-operator@v5.17.2-release,
controllers/plugin/nfs/nfs.go): a directory of the node with the largest disk, tied to it by two labels.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.kube.session import KubeSession
from rbdtui.paths import as_typed
from rbdtui.plan.preview import SilentReporter
from rbdtui.plan.site_kubeconfig import kubeconfig_file
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.probes.namespace import look
from rbdtui.rainbond.moving import directory_of, node_of
from rbdtui.rainbond.workloads import CONTROLLERS, NAMESPACE, OPERATOR, Json, Seen, entries, name_of
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.words import T
from rbdtui.workbench.upkeep.storage_failover import Command

SERVER: Final = "nfs-provisioner"
"""Of its StatefulSet, its Service and its volume."""
PROVISIONER: Final = "rainbond.io/nfs"
_MADE_BY: Final = "pv.kubernetes.io/provisioned-by"
_CLAIM: Final = "data-nfs-provisioner-0"
_STILL: Final = '{"spec":{"template":{"spec":{"nodeSelector":{"rbdtui/still":"yes"}}}}}'
_AGAIN: Final = '{"spec":{"template":{"spec":{"nodeSelector":{"rbdtui/still":null}}}}}'
_OBJECTS: Final = """\
kubectl create -f - <<'END'
apiVersion: v1
kind: PersistentVolume
metadata: {{name: nfs-provisioner, labels: {{{labels}}}}}
spec:
  accessModes: [ReadWriteMany]
  capacity: {{storage: 1Gi}}
  persistentVolumeReclaimPolicy: Retain
  storageClassName: manual
  hostPath: {{path: {path}, type: DirectoryOrCreate}}
  nodeAffinity:
    required:
      nodeSelectorTerms:
        - matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: [{node}]}}]
        - matchExpressions: [{{key: k3s.io/hostname, operator: In, values: [{node}]}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data-nfs-provisioner-0, namespace: rbd-system, labels: {{{labels}}}}}
spec:
  accessModes: [ReadWriteMany]
  resources: {{requests: {{storage: 1Gi}}}}
  storageClassName: manual
  volumeName: nfs-provisioner
END"""


@dataclass(frozen=True, slots=True)
class NfsMove:
    """All of it, in its order."""

    source: str
    """The node that has the data now."""
    steps: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class _Users:
    """Who has a volume of the NFS server."""

    own: tuple[tuple[str, str, int], ...]
    """Workloads of Rainbond: kind, name, pods."""
    pods: tuple[str, ...]
    """The pods of these that have one."""
    others: tuple[str, ...]
    """Pods of applications, as NAMESPACE/POD."""


async def nfs_move(session: Session, node: str) -> NfsMove:
    """Look where the server is and who uses it; raises `SiteError`, `StepError`."""
    known = [each.name for each in session.spec.cluster_nodes]
    if node not in known:
        raise SiteError(T("reset.no_such_node", given=node, known=", ".join(known)))
    async with session.hosts() as hosts:
        context = session.dry_context(hosts, {}, SilentReporter(), with_bundle=False)
        if not has_api(context):
            raise SiteError(T("move.not_there"))
        return await look_at_nfs(context, node)


async def look_at_nfs(context: StepContext, node: str) -> NfsMove:
    """The same for a cluster that there is; raises `SiteError`, `StepError`."""
    async with open_api(context) as api:
        volume = await api.kube.find(f"/api/v1/persistentvolumes/{SERVER}")
        if volume is None:
            raise SiteError(T("nfs_move.no_server"))
        users = await _users(api.kube)
    source = node_of(volume)
    if source == node:
        raise SiteError(T("nfs_move.there", node=node))
    return NfsMove(source, tuple(_steps(context, volume, source, node, users)))


async def _users(kube: KubeSession) -> _Users:
    seen, volumes, pods = await asyncio.gather(
        look(kube, *CONTROLLERS, "PersistentVolumeClaim", "Pod"),
        kube.get("/api/v1/persistentvolumes"),
        kube.get("/api/v1/pods"),
    )
    claims = {
        (str(reference.get("namespace")), str(reference.get("name")))
        for volume in entries(volumes.get("items"))
        if ((volume.get("metadata") or {}).get("annotations") or {}).get(_MADE_BY) == PROVISIONER
        for reference in [(volume.get("spec") or {}).get("claimRef") or {}]
    }
    with_them = [pod for pod in entries(pods.get("items")) if any(each in claims for each in _claims_of(pod))]
    own = {name_of(pod) for pod in with_them if _namespace_of(pod) == NAMESPACE}
    return _Users(
        tuple(_workloads(seen, own)),
        tuple(sorted(own)),
        tuple(f"{_namespace_of(pod)}/{name_of(pod)}" for pod in with_them if _namespace_of(pod) != NAMESPACE),
    )


def _namespace_of(pod: Json) -> str:
    return str((pod.get("metadata") or {}).get("namespace"))


def _claims_of(pod: Json) -> Iterator[tuple[str, str]]:
    for volume in entries((pod.get("spec") or {}).get("volumes")):
        claim = volume.get("persistentVolumeClaim")
        if isinstance(claim, dict):
            yield _namespace_of(pod), str(claim.get("claimName"))


def _workloads(seen: Seen, pods: set[str]) -> Iterator[tuple[str, str, int]]:
    for kind in CONTROLLERS:
        for item in seen.of(kind):
            if any(name_of(pod) in pods for pod in seen.pods_of(kind, name_of(item))):
                yield kind, name_of(item), int((item.get("spec") or {}).get("replicas", 1))


def _steps(context: StepContext, volume: Json, source: str, node: str, users: _Users) -> Iterator[Command]:
    path, kube = directory_of(volume), f"kubectl -n {NAMESPACE}"
    site = as_typed(context.site_dir)
    names = {"source": source, "node": node, "path": path, "site": site, "others": ", ".join(users.others) or "-"}

    def step(word: str, *commands: str) -> Command:
        return Command(T(f"nfs_move.step.{word}", **names), "\n".join(commands))  # words: nfs_move.step.*

    copy = f"rsync -aHAX --numeric-ids --delete root@{context.spec.node(source).cluster_address}:{path}/ {path}/"
    yield step("before", f"mkdir -p {path}", copy)
    yield step("applications")
    gone = [f"{kube} wait --for=delete --timeout=300s {' '.join(f'pod/{name}' for name in users.pods)}"]
    yield step(
        "still",
        f"export KUBECONFIG={as_typed(kubeconfig_file(context))}",
        *_scaled(kube, users, still=True),
        *(gone if users.pods else ()),
        f"{kube} scale statefulset/{SERVER} --replicas=0",
    )
    yield step("copy", copy, copy.replace("-aHAX", "-aHAXnci"))
    labels = (volume.get("metadata") or {}).get("labels") or {}
    shown = ", ".join(f"{key}: {json.dumps(value)}" for key, value in labels.items())
    made = _OBJECTS.format(labels=shown, path=path, node=node)
    yield step("volume", f"{kube} delete pvc {_CLAIM}", f"kubectl delete pv {SERVER}", made)
    up = f"{kube} scale statefulset/{SERVER} --replicas=1"
    yield step("server", up, f"{kube} rollout status statefulset/{SERVER}")
    yield step("again", *_scaled(kube, users, still=False))
    yield step("old", f"rm -r {path}")


def _scaled(kube: str, users: _Users, *, still: bool) -> Sequence[str]:
    """The operator first when they stop, and when they run again last: it brings all else with it."""
    operator = f"{kube} scale deployment/{OPERATOR} --replicas={0 if still else 1}"
    lines = []
    for kind, name, replicas in users.own:
        what = f"{kind.lower()}/{name}"
        if kind == "DaemonSet":
            lines.append(f"{kube} patch {what} -p '{_STILL if still else _AGAIN}'")
        else:
            lines.append(f"{kube} scale {what} --replicas={0 if still else replicas}")
    return (operator, *lines) if still else (*lines, operator)
