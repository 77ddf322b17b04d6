"""A throw-away claim of a StorageClass, bound, written, and read from other nodes; all of it is taken away again.

What is made bears a label of ours and stands in the namespace ``default``; nothing is pulled for it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.kube.session import Json, KubeAbsentError, KubeError, KubeSession
from rbdtui.rainbond.workloads import is_ready, name_of

PODS: Final = "/api/v1/namespaces/default/pods"
CLAIMS: Final = "/api/v1/namespaces/default/persistentvolumeclaims"
EVENTS: Final = "/api/v1/namespaces/default/events"
_VOLUMES: Final = "/api/v1/persistentvolumes"
ONE: Final = "ReadWriteOnce"
MANY: Final = "ReadWriteMany"
WAIT_S: Final = 60.0
GONE_S: Final = 20.0
EVERY_S: Final = 1.0
_LABEL: Final = ("rbdtui.check", "storage-class")
_WITH_SHELL: Final = ("alpine", "busybox", "klipper-helm")
"""The last is of RKE2 itself: alpine with a user of its own (k3s-io/klipper-helm, Dockerfile)."""
_WITHOUT_SHELL: Final = "pause"
_FILE: Final = "/volume/rbdtui-try"


@dataclass(frozen=True, slots=True, order=True)
class Seat:
    """A node that can run a pod of a trial."""

    writes: bool
    """Whether its image has a shell."""
    image: str
    node: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one claim."""

    bound: bool = False
    used: bool = False
    """Whether a container ran with it."""
    evidence: str = ""


def new_name() -> str:
    """A name that nothing else has."""
    return f"rbdtui-try-{secrets.token_hex(4)}"


def seats(nodes: Json) -> list[Seat]:
    """Each ready node that takes pods, with the best image that it has already; nodes without one are left out."""
    found = []
    for node in nodes["items"]:
        if is_ready(node) and not node.get("spec", {}).get("unschedulable"):
            names = [str(name) for image in node["status"].get("images", ()) for name in image.get("names") or ()]
            own = [Seat(_last_part(name) in _WITH_SHELL, name, name_of(node)) for name in names if _is_known(name)]
            found += [max(own)] if own else []
    return found


def _is_known(name: str) -> bool:
    short = _last_part(name)
    return "@" not in name and (short in _WITH_SHELL or _WITHOUT_SHELL in short)


def _last_part(name: str) -> str:
    return name.rpartition("/")[2].partition("@")[0].partition(":")[0]


def claim(name: str, storage_class: str, mode: str) -> Json:
    """The claim, of 1 GiB."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _marked(name),
        "spec": {
            "accessModes": [mode],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def pod(name: str, of_claim: str, seat: Seat, *, reads: bool = False) -> Json:
    """A pod with a claim; ready, where it has a shell, once what was written can be read (``reads``: by another)."""
    container: Json = {
        "name": "try",
        "image": seat.image,
        "imagePullPolicy": "Never",
        "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
    }
    if seat.writes:
        writing = "" if reads else f"echo {of_claim} > {_FILE} && sync && "
        seen = ["grep", "-q", of_claim, _FILE] if reads else ["cat", _FILE]
        container["command"] = ["sh", "-c", f"{writing}exec sleep 3600"]
        container["readinessProbe"] = {"exec": {"command": seen}, "periodSeconds": 1}
        container["securityContext"] = {"runAsUser": 0}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _marked(name),
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "nodeSelector": {"kubernetes.io/hostname": seat.node},
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": of_claim}}],
        },
    }


def _marked(name: str) -> Json:
    key, value = _LABEL
    return {"name": name, "namespace": "default", "labels": {key: value}}


async def is_bound(kube: KubeSession, name: str) -> bool:
    """Whether a claim has its volume; raises `KubeError`."""
    return bool((await kube.get(f"{CLAIMS}/{name}")).get("status", {}).get("phase") == "Bound")


async def unready(kube: KubeSession, pods: Iterable[str]) -> list[str]:
    """Those of the pods that are not ready; raises `KubeError`."""
    return [name for name in pods if not is_ready(await kube.get(f"{PODS}/{name}"))]


async def told(kube: KubeSession, name: str) -> str:
    """What Kubernetes says of a claim or a pod, but for a claim's word that it waits for its pod."""
    events = (await kube.get(f"{EVENTS}?fieldSelector=involvedObject.name%3D{name}"))["items"]
    lines = [f"{event.get('reason', '')}: {event.get('message', '')}" for event in events]
    return "\n".join(dict.fromkeys(line for line in lines if not line.startswith("WaitForFirstConsumer")))


async def sweep(kube: KubeSession) -> list[str]:
    """Remove what tries that were killed have left; what could not be. Raises `KubeError`."""
    names: list[list[str]] = []
    for path in (PODS, CLAIMS):
        listed = await kube.get(f"{path}?labelSelector={'%3D'.join(_LABEL)}")
        names.append([name_of(item) for item in listed["items"]])
    return await remove(kube, *names)


async def remove(kube: KubeSession, pods: Sequence[str], claims: Sequence[str]) -> list[str]:
    """Pods, then claims, until all are gone, and with them their volumes; what stays."""
    left = await _removed(kube, "Pod", PODS, pods)
    volumes = [name for each in claims if (name := await _volume_of(kube, each))]
    left += await _removed(kube, "PersistentVolumeClaim", CLAIMS, claims)
    deadline = asyncio.get_running_loop().time() + GONE_S
    # Whoever made a volume takes it away; it is not for us to delete one under them.
    stay = [name for name in volumes if not await _is_gone(kube, f"{_VOLUMES}/{name}", deadline)]
    return left + [f"PersistentVolume {name}" for name in stay]


async def _removed(kube: KubeSession, kind: str, collection: str, names: Sequence[str]) -> list[str]:
    asked = [name for name in names if await _asked_to_go(kube, f"{collection}/{name}")]
    deadline = asyncio.get_running_loop().time() + GONE_S
    gone = [name for name in asked if await _is_gone(kube, f"{collection}/{name}", deadline)]
    return [f"{kind} default/{name}" for name in names if name not in gone]


async def _volume_of(kube: KubeSession, name: str) -> str:
    try:
        found = await kube.find(f"{CLAIMS}/{name}")
    except KubeError:
        return ""
    return str(((found or {}).get("spec") or {}).get("volumeName") or "")


async def _asked_to_go(kube: KubeSession, path: str) -> bool:
    try:
        await kube.delete(f"{path}?gracePeriodSeconds=0")
    except KubeAbsentError:
        return True
    except KubeError:
        return False
    return True


async def _is_gone(kube: KubeSession, path: str, deadline: float) -> bool:
    try:
        while await kube.find(path) is not None:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(EVERY_S)
    except KubeError:
        return False
    return True
