"""A node's own kubelet pulls an image from the built-in registry, as it will for every application.

Name, address, TLS and login of a pull are those of containerd on the node, which nothing that we ask ourselves proves.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Final

from rbdtui.checks.services.registry_client import Account
from rbdtui.errors import StepError
from rbdtui.kube.session import Json, KubeAbsentError, KubeError, KubeSession
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond.workloads import NAMESPACE, entries
from rbdtui.surely import surely

PULL_S: Final = 90.0
_LOOK_EVERY_S: Final = 1.0
_NAME: Final = "rbdtui-pull"
_CORE: Final = f"/api/v1/namespaces/{NAMESPACE}"
_PODS: Final = f"{_CORE}/pods"
SECRET: Final = f"{_CORE}/secrets/{_NAME}"
"""What a pod pulls with, where the node itself has no login (5.17)."""
_PULLING: Final = ("", "ContainerCreating", "PodInitializing")
_NOT_PULLED: Final = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ImageInspectError",
    "InvalidImageName",
    "RegistryUnavailable",
)


def pull_secret(registry: str, account: Account) -> Json:
    """The login of a registry as kubelet takes it."""
    login = {
        "username": account.username,
        "password": account.password,
        "auth": base64.b64encode(f"{account.username}:{account.password}".encode()).decode(),
    }
    content = json.dumps({"auths": {registry: login}}).encode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": _NAME, "namespace": NAMESPACE},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(content).decode()},
    }


async def pull_fault(kube: KubeSession, node: str, image: str, *, with_secret: bool) -> str:
    """What keeps a node's kubelet from pulling an image, raw; empty when it did. Raises `KubeError`."""
    path = f"{_PODS}/{_NAME}-{node}?gracePeriodSeconds=0"
    with suppress(KubeAbsentError):
        await kube.delete(path)  # of a run that was cut off
    await kube.create(_PODS, _pod(node, image, with_secret=with_secret))

    async def look() -> StepError | bool:
        said = pulled(await kube.get(f"{_PODS}/{_NAME}-{node}"))
        return True if said is None else StepError("registry_not_proven", evidence=said)

    try:
        await wait_for(look, limit_s=PULL_S, every_s=_LOOK_EVERY_S)
    except StepError as error:
        return f"kubelet: {image}: {error.evidence}"
    finally:
        await surely(_removed(kube, path))
    return ""


def pulled(pod: Json) -> str | None:
    """None once the image is on the node; else what is said meanwhile, raw.

    The image has no program, so that its container cannot start: whatever comes after the pull is as good as any.
    """
    statuses = entries((pod.get("status") or {}).get("containerStatuses"))
    if not statuses:
        return str((pod.get("status") or {}).get("phase", ""))
    waiting = (statuses[0].get("state") or {}).get("waiting")
    if waiting is None:
        return None
    reason = str(waiting.get("reason", ""))
    return f"{reason}: {waiting.get('message', '')}"[:500] if reason in (*_PULLING, *_NOT_PULLED) else None


def _pod(node: str, image: str, *, with_secret: bool) -> Json:
    spec: dict[str, object] = {
        "nodeName": node,
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "tolerations": [{"operator": "Exists"}],
        "containers": [{"name": "image", "image": image, "imagePullPolicy": "Always"}],
    }
    if with_secret:
        spec["imagePullSecrets"] = [{"name": _NAME}]
    meta = {"name": f"{_NAME}-{node}", "namespace": NAMESPACE, "labels": {"app.kubernetes.io/name": _NAME}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def _removed(kube: KubeSession, path: str) -> None:
    with suppress(KubeAbsentError, KubeError):
        await kube.delete(path)
