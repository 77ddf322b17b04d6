"""Asks servers and the cluster for what a support bundle holds: everything masked before it is kept anywhere."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rbdtui.kube.access import API_PORT, ClusterAccess, kubeconfig_file, read_access
from rbdtui.kube.kubeconfig import KubeconfigError
from rbdtui.kube.session import Json, KubeError, KubeSession, open_session
from rbdtui.masking import mask
from rbdtui.probes.routes import Limits, ProbeRoutes, Readiness, Target
from rbdtui.probes.wire import Place, WireError
from rbdtui.rainbond.workloads import NAMESPACE
from rbdtui.redact import Redactor
from rbdtui.site import Site
from rbdtui.spec.model import ClusterSpec, Role
from rbdtui.terminal_text import sanitize
from rbdtui.together import together
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.scripts import script

NODE_PARTS: Final = (
    "system", "network", "units", "rke2", "keepalived", "kernel", "config", "logs", "containers", "state",
)  # fmt: skip
PART_BYTES: Final = 256 << 10
PART_S: Final = 45.0
NODE_S: Final = 180.0
CLUSTER_S: Final = 180.0
_AT_ONCE: Final = 3
"""Parts that one server is asked for at a time: its sshd takes no more than ten sessions."""
_OBJECT_BYTES: Final = 2 << 20
_MOST_LOGS: Final = 60
_IMAGES_S: Final = 30.0
_MOST_IMAGES: Final = 500
_LOG_LINES: Final = 2000
_LISTS: Final[Mapping[str, str]] = {
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "events": "/api/v1/events",
    "deployments": "/apis/apps/v1/deployments",
    "statefulsets": "/apis/apps/v1/statefulsets",
    "daemonsets": "/apis/apps/v1/daemonsets",
    "jobs": "/apis/batch/v1/jobs",
    "services": "/api/v1/services",
    "storageclasses": "/apis/storage.k8s.io/v1/storageclasses",
    "persistentvolumes": "/api/v1/persistentvolumes",
    "persistentvolumeclaims": "/api/v1/persistentvolumeclaims",
}
"""Never Secrets, and no ConfigMaps, which hold keys as well."""
_RAINBOND: Final[Mapping[str, str]] = {
    "rainbondclusters": f"/apis/rainbond.io/v1alpha1/namespaces/{NAMESPACE}/rainbondclusters",
    "rbdcomponents": f"/apis/rainbond.io/v1alpha1/namespaces/{NAMESPACE}/rbdcomponents",
}


@dataclass(slots=True)
class Collected:
    """What was had, and what was not."""

    files: dict[str, str] = field(default_factory=dict)
    """Text by path in the bundle, masked."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why something is not there, by the path that it would have."""


@dataclass(slots=True)
class Collector:
    """Fills a `Collected`; nothing gets into it but through `keep`."""

    redactor: Redactor
    collected: Collected = field(default_factory=Collected)

    def keep(self, path: str, text: str) -> None:
        """Put a text into the bundle, without what is secret and without what acts on a terminal."""
        clean = sanitize(mask(self.redactor.text(text)))
        self.collected.files[_safe(path)] = self.redactor.text(clean)

    def miss(self, path: str, reason: object) -> None:
        """Say why something is not in the bundle."""
        self.collected.missing[_safe(path)] = self.redactor.text(mask(sanitize(str(reason))))[:1000]

    async def nodes(self, hosts: Mapping[str, Host], on_done: Callable[[str], None] = lambda _: None) -> None:
        """All servers side by side; one that does not answer costs only what would be its own."""
        await together(*(self._node(name, host, on_done) for name, host in hosts.items()))

    async def _node(self, name: str, host: Host, on_done: Callable[[str], None]) -> None:
        places = asyncio.Semaphore(_AT_ONCE)

        async def part(part: str) -> None:
            async with places:
                await self._part(name, host, part)

        try:
            async with asyncio.timeout(NODE_S):
                await host.connect()
                await together(*map(part, NODE_PARTS))
        except TransportError as error:
            self.miss(f"nodes/{name}", error)
        except TimeoutError:
            self.miss(f"nodes/{name}", f"no answer within {NODE_S:g} s")
        on_done(name)

    async def _part(self, name: str, host: Host, part: str) -> None:
        path = f"nodes/{name}/{part}.txt"
        try:
            answer = await host.run(
                script("support-show"), part, str(PART_BYTES), timeout_s=PART_S, output_limit_bytes=2 * PART_BYTES
            )
        except TransportError as error:
            self.miss(path, error)
            return
        text = answer.text + (f"\n(stderr)\n{answer.error_text}" if answer.error_text.strip() else "")
        await asyncio.to_thread(self.keep, path, text)

    async def cluster(self, spec: ClusterSpec, site: Site, hosts: Mapping[str, Host], *, straight: bool) -> None:
        """What the API of the cluster tells: objects, events, logs of the operator and of what crashes."""
        try:
            async with asyncio.timeout(CLUSTER_S):
                access = await asyncio.to_thread(read_access, _kubeconfig(spec, site))
                async with _session(spec, access, hosts, straight=straight) as kube:
                    await self._objects(kube, _LISTS if spec.profile.versions is None else {**_LISTS, **_RAINBOND})
        except WireError as error:
            self.miss("cluster", f"{error.trouble.value}: {error.evidence}")
        except (KubeconfigError, KubeError, TransportError, OSError) as error:
            self.miss("cluster", str(error) or type(error).__name__)
        except TimeoutError:
            self.miss("cluster", f"no answer within {CLUSTER_S:g} s")

    async def _objects(self, kube: KubeSession, lists: Mapping[str, str]) -> None:
        pods: Json = {}
        for name, path in lists.items():
            found = await self._try(f"cluster/{name}.json", kube.get(path))
            if found is None:
                continue
            pods = found if name == "pods" else pods
            text = json.dumps(_without_noise(found), indent=1, ensure_ascii=False)
            cut = text if len(text) <= _OBJECT_BYTES else f"{text[:_OBJECT_BYTES]}\n… cut at {_OBJECT_BYTES} bytes"
            await asyncio.to_thread(self.keep, f"cluster/{name}.json", cut)
        ready = await self._try("cluster/readyz.txt", kube.text("/readyz?verbose"))
        if ready is not None:
            self.keep("cluster/readyz.txt", ready)
        await self._logs(kube, pods)

    async def _logs(self, kube: KubeSession, pods: Json) -> None:
        wanted = [log for pod in _items(pods) for log in _logs_of(pod)]
        for namespace, pod, container, previous in wanted[:_MOST_LOGS]:
            path = f"cluster/logs/{namespace}/{pod}/{container}{'.previous' if previous else ''}.log"
            asked = kube.log(namespace, pod, container, previous=previous, tail_lines=_LOG_LINES)
            if (text := await self._try(path, asked)) is not None:
                await asyncio.to_thread(self.keep, path, text)
        if len(wanted) > _MOST_LOGS:
            self.miss("cluster/logs", f"{len(wanted) - _MOST_LOGS} more containers")

    async def _try(self, path: str, asked: Awaitable[Any]) -> Any:
        try:
            return await asked
        except KubeError as error:
            self.miss(path, error)
            return None


async def images_in_use(
    spec: ClusterSpec, site: Site, hosts: Mapping[str, Host], *, straight: bool
) -> Mapping[str, str]:
    """Digest by image, of all containers in the cluster; empty when the cluster could not be asked."""
    try:
        async with asyncio.timeout(_IMAGES_S):
            access = await asyncio.to_thread(read_access, _kubeconfig(spec, site))
            async with _session(spec, access, hosts, straight=straight) as kube:
                pods = await kube.get(_LISTS["pods"])
    except (KubeconfigError, KubeError, WireError, TransportError, OSError, TimeoutError):
        return {}
    return images_of(pods)


def images_of(pods: Json) -> Mapping[str, str]:
    """Digest by image, as containers tell it; an image without one, as some that were imported, is left out."""
    found: dict[str, str] = {}
    for container in (each for pod in _items(pods) for each in _containers(pod)):
        digest = str(container.get("imageID", "")).rpartition("@")[2]
        if digest.startswith("sha256:"):
            found[str(container.get("image", ""))] = digest
    return dict(list(found.items())[:_MOST_IMAGES])


def _containers(pod: Json) -> list[Json]:
    status = pod.get("status")
    if not isinstance(status, dict):
        return []
    listed = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return [each for each in listed if isinstance(each, dict)]


def _safe(path: str) -> str:
    """A path that stays where it is unpacked, whatever names a cluster has given."""
    pieces = (re.sub(r"[^A-Za-z0-9._@ …-]", "-", piece).lstrip(".")[:120] or "-" for piece in path.split("/"))
    return "/".join(pieces)


def _kubeconfig(spec: ClusterSpec, site: Site) -> Path:
    return kubeconfig_file(spec, site.path, site.kubeconfig_file)


@asynccontextmanager
async def _session(
    spec: ClusterSpec, access: ClusterAccess, hosts: Mapping[str, Host], *, straight: bool
) -> AsyncIterator[KubeSession]:
    """The API at its address or, where that leads nowhere, at a control-plane node; raises `WireError`."""
    ways = ProbeRoutes(hosts, Readiness(), Limits(), straight=straight)
    nodes = [] if spec.is_existing else spec.nodes_with(Role.CONTROL_PLANE)
    targets = [Target(access.address, access.port), *(Target(str(n.address), API_PORT, n.name) for n in nodes)]
    failure: Exception = OSError("no API")
    for target in targets:
        async with AsyncExitStack() as stack:
            try:
                place, _ = await stack.enter_async_context(ways.open(target))
                kube = await stack.enter_async_context(_client(place, access))
                await kube.get("/version")
            except (WireError, KubeError) as error:
                failure = error
                continue
            yield kube
            return
    raise failure


def _client(place: Place, access: ClusterAccess) -> AbstractAsyncContextManager[KubeSession]:
    return open_session(place.address, place.port, server_name=access.address, credentials=access.credentials)


def _items(listed: Json) -> list[Json]:
    found = listed.get("items")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _without_noise(listed: Json) -> Json:
    """Without what repeats the rest: who set which field, and the object as it was applied once."""
    for item in _items(listed):
        meta = item.get("metadata")
        if isinstance(meta, dict):
            meta.pop("managedFields", None)
            notes = meta.get("annotations")
            if isinstance(notes, dict):
                notes.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    return listed


def _logs_of(pod: Json) -> list[tuple[str, str, str, bool]]:
    """Namespace, pod, container and whether the run before: of the operator always, else of what is not well."""
    meta, status = pod.get("metadata"), pod.get("status")
    if not isinstance(meta, dict) or not isinstance(status, dict):
        return []
    namespace, name = str(meta.get("namespace", "")), str(meta.get("name", ""))
    operator = namespace == NAMESPACE and "operator" in name
    found = []
    for container in _containers(pod):
        done = isinstance(container.get("state"), dict) and "terminated" in container["state"]
        restarts = container.get("restartCount")
        bad = not container.get("ready") and not (done and status.get("phase") in ("Succeeded", "Running"))
        if operator or bad:
            found.append((namespace, name, str(container.get("name", "")), False))
        if isinstance(restarts, int) and restarts > 0 and (operator or namespace in (NAMESPACE, "kube-system") or bad):
            found.append((namespace, name, str(container.get("name", "")), True))
    return found
