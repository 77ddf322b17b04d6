"""Rainbond proven by using it: an image through its registry from every node, an application through its gateway.

Both are taken away again, also after a failure. What was proven is noted on the namespace, so that a second run of the
same plan does not do it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rbdtui.bundle.model import planned_release
from rbdtui.checks.services.asking import Asking, no_secret
from rbdtui.checks.services.registry_answer import Fault, RegistryError
from rbdtui.checks.services.registry_client import Account, RegistryAt, client_of
from rbdtui.checks.services.registry_trial import Trial
from rbdtui.kube.session import Json, KubeAbsentError, KubeError, KubeSession
from rbdtui.plan.resources.units import digest_of
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import LIMITS, has_api, open_api, rainbond_release, ways
from rbdtui.plan.steps.rainbond.cluster import suffix_of
from rbdtui.plan.steps.rainbond.pull import SECRET, pull_fault, pull_secret
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.routes import Target
from rbdtui.probes.wire import HttpAnswer, Place, http_get, trusting_context
from rbdtui.profiles.rainbond_6 import REGISTRY_NAME
from rbdtui.rainbond.values import chart_values
from rbdtui.rainbond.workloads import CLUSTER_PATH, NAMESPACE, entries
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.surely import surely
from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.words import T

_NAMESPACE_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}"
_NOTE: Final = "rbdtui.io/proven"
_ACCOUNT: Final = Account("admin", "admin1234")
"""Of the built-in registry of 6, constants (goodrain/rainbond-operator@v6.2.1-release, controllers/handler/hub.go)."""
_APP: Final = "rbdtui-proof"
_APPS: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}"
_PATTERN: Final = f"{_APPS}/statefulsets/minio"
"""Whose container the application is a copy of: it speaks HTTP, and its image is on the nodes already."""
_APP_PORT: Final = 9000
_APP_PATH: Final = "/minio/health/live"
_OLD_PORT: Final = 8889
_OLD_PATH: Final = "/healthz"
_LABELS: Final = {"creator": "Rainbond", "belongTo": "rainbond-operator"}
"""What 5.17's gateway wants of each Ingress and Service (goodrain/rainbond@v5.17.3-release, gateway/store/store.go)."""
_INGRESS: Final = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/ingresses/{_APP}"
_DEPLOYMENT: Final = f"{_APPS}/deployments/{_APP}"
_SERVICE: Final = f"/api/v1/namespaces/{NAMESPACE}/services/{_APP}"
_ROUTES: Final = f"/apis/apisix.apache.org/v2/namespaces/{NAMESPACE}/apisixroutes"
_ROUTE: Final = f"{_ROUTES}/{_APP}"


@dataclass(frozen=True, slots=True)
class RainbondTrial(Step):
    """Push and pull an image through the built-in registry from every node; reach an application by its name."""

    name: ClassVar[str] = "rainbond-trial"
    time_limit_s: ClassVar[float] = 900.0
    stall_s: ClassVar[float] = 300.0
    registry_s: ClassVar[float] = 180.0
    app_s: ClassVar[float] = 300.0
    look_every_s: ClassVar[float] = 2.0

    async def pending(self, context: StepContext) -> Pending[str]:
        """The trial, unless it was done for what is installed."""
        mark = await asyncio.to_thread(_mark, context)
        proven = ""
        if has_api(context):
            async with open_api(context) as api:
                there = await api.kube.find(_NAMESPACE_PATH)
            proven = str((((there or {}).get("metadata") or {}).get("annotations") or {}).get(_NOTE, ""))
        if proven == mark:
            return Pending(evidence=f"{_NOTE}={proven}", seen=mark)
        host = f"{_APP}.{suffix_of(context.spec)}"
        return Pending((Change(ChangeKind.COMMAND, T("plan.change.rainbond_trial", host=host)),), proven, seen=mark)

    async def apply(self, context: StepContext, pending: Pending[str]) -> None:
        """Try both, then note it; raises `StepError`."""
        if _has_registry(context):
            await self._try_registry(context)
        async with open_api(context) as api:
            await self._try_application(context, api.kube)
            note = {"metadata": {"annotations": {_NOTE: pending.seen}}}
            await api.kube.patch(_NAMESPACE_PATH, note)

    async def _try_registry(self, context: StepContext) -> None:
        is_old = (await rainbond_release(context)).is_old
        async with open_api(context) as api:
            pulling = _Pulling(api.kube, await _account(api.kube), with_secret=is_old)
            try:
                if is_old:
                    await api.kube.apply(SECRET, pull_secret(REGISTRY_NAME, pulling.account))
                every_s = self.look_every_s
                await wait_for(lambda: _registry_fault(context, pulling), limit_s=self.registry_s, every_s=every_s)
            finally:
                if is_old:
                    await surely(_taken_away(api.kube, {SECRET: {}}))

    async def _try_application(self, context: StepContext, kube: KubeSession) -> None:
        host = f"{_APP}.{suffix_of(context.spec)}"
        application = await _application(kube, host, is_old=(await rainbond_release(context)).is_old)
        try:
            for path, body in application.objects.items():
                await kube.apply(path, body)
            async with context.waiting():
                every_s, path = self.look_every_s, application.path
                await wait_for(lambda: _application_fault(context, host, path), limit_s=self.app_s, every_s=every_s)
        finally:
            await _taken_away(kube, application.objects)


@dataclass(frozen=True, slots=True)
class _Pulling:
    """What images are pulled with."""

    kube: KubeSession
    account: Account
    with_secret: bool
    """Whether pods bring the login: of 5.17 the nodes have none."""


@dataclass(frozen=True, slots=True)
class _Application:
    """What is reached by its name through the gateway."""

    objects: Mapping[str, Json]
    """By path, in the order in which they are made."""
    path: str
    """What is asked for; it answers 200."""


@dataclass(frozen=True, slots=True)
class _AtTheGateway(Asking):
    """A node that comes out at the gateway address, whatever name it is asked for."""

    gateway: str = ""

    @asynccontextmanager
    async def towards(self, address: str, port: int) -> AsyncIterator[Place]:
        """The same port of the gateway address."""
        async with Asking.towards(self, self.gateway, port) as place:
            yield place


def _mark(context: StepContext) -> str:
    """What a trial holds for: the chart, its values as they are shown, and the nodes."""
    chart = context.bundle.chart(context.spec)
    values = chart_values(context.spec, planned_release(context.bundle, context.spec), lambda _: "")
    nodes = ", ".join(f"{node.name} {node.address}" for node in context.spec.nodes)
    return digest_of([f"{chart.name} {chart.version}", values.shown, nodes])[:16]


def _has_registry(context: StepContext) -> bool:
    return context.spec.registry.mode is RegistryMode.BUILTIN and bool(context.spec.profile.host_names)


async def _account(kube: KubeSession) -> Account:
    """Of the built-in registry, as Rainbond itself has it: in 5.17 the password is random."""
    found = await kube.find(CLUSTER_PATH)
    hub = ((found or {}).get("spec") or {}).get("imageHub") or {}
    user, password = hub.get("username"), hub.get("password")
    return Account(str(user), str(password)) if user and password else _ACCOUNT


async def _registry_fault(context: StepContext, pulling: _Pulling) -> StepError | None:
    """What an image meets on its way from each node through the registry's name and back."""
    nodes = [node.name for node in context.spec.managed_cluster_nodes if context.takes_part(node.name)]
    said = [line for line in await together(*(_image_fault(context, name, pulling) for name in nodes)) if line]
    for line in said:
        context.report.line(line)
    if not said:
        return None
    return StepError("registry_not_proven", name=REGISTRY_NAME, evidence="\n".join(said), retryable=True)


async def _image_fault(context: StepContext, node: str, pulling: _Pulling) -> str:
    """As the node meets the registry: that its name leads to the gateway address there has been proven before."""
    at = RegistryAt(REGISTRY_NAME, 443, trusting_context())
    asking = _AtTheGateway(no_secret, context.hosts[node], context.spec.gateway_address)
    pulled = ""

    async def pull(image: str) -> None:
        nonlocal pulled
        pulled = await pull_fault(pulling.kube, node, f"{REGISTRY_NAME}/{image}", with_secret=pulling.with_secret)

    try:
        async with client_of(asking, at, pulling.account) as client:
            await client.hello()
            trial = Trial(client, "")
            await trial.run(pull)
    except RegistryError as error:
        return f"{node}: {error.trouble}"
    except TransportError as error:
        return str(error)
    # A registry that deletes nothing is no fault of the way to it.
    faults = [trouble for trouble in trial.troubles if trouble.fault is not Fault.LEFT]
    return f"{node}: {pulled or faults[0]}" if pulled or faults else ""


async def _application(kube: KubeSession, host: str, *, is_old: bool) -> _Application:
    """A copy of a part that speaks HTTP, under a name of its own; 5.17 has none to copy: its API is led to."""
    if is_old:
        return _Application(_ingress(host), _OLD_PATH)
    pattern = await kube.get(_PATTERN)
    return _Application(await _objects(kube, pattern, host), _APP_PATH)


def _ingress(host: str) -> Mapping[str, Json]:
    """A Service of our own that leads to rbd-api, and an Ingress for its name; Rainbond's own stay untouched."""
    meta = {"name": _APP, "namespace": NAMESPACE, "labels": _LABELS}
    service = {
        "selector": {"name": "rbd-api", **_LABELS},
        "ports": [{"name": "http", "port": _OLD_PORT, "targetPort": _OLD_PORT}],
    }
    backend = {"service": {"name": _APP, "port": {"number": _OLD_PORT}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {
        _SERVICE: {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service},
        _INGRESS: {
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": {"rules": [rule]}
        },
    }  # fmt: skip


async def _objects(kube: KubeSession, pattern: Json, host: str) -> Mapping[str, Json]:
    """The application by path: one pod, a service, and a route of the gateway for its name."""
    labels = {"app.kubernetes.io/name": _APP}
    meta = {"name": _APP, "namespace": NAMESPACE, "labels": labels}
    container = dict(entries(((pattern["spec"]["template"]) or {})["spec"]["containers"])[0])
    mounts = [str(mount.get("name")) for mount in entries(container.get("volumeMounts"))]
    for key in ("livenessProbe", "readinessProbe", "startupProbe", "resources"):
        container.pop(key, None)
    pod = {
        "containers": [container],
        "volumes": [{"name": name, "emptyDir": {}} for name in mounts],
        "terminationGracePeriodSeconds": 0,
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    service = {"selector": labels, "ports": [{"name": "http", "port": _APP_PORT, "targetPort": _APP_PORT}]}
    backend = {"serviceName": _APP, "servicePort": _APP_PORT}
    rule = {"name": _APP, "match": {"hosts": [host], "paths": ["/*"]}, "backends": [backend]}
    route: dict[str, Any] = {"http": [rule], **await _ingress_class(kube)}
    return {
        _DEPLOYMENT: {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": deployment},
        _SERVICE: {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service},
        _ROUTE: {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "metadata": meta, "spec": route},
    }


async def _ingress_class(kube: KubeSession) -> dict[str, str]:
    """The class that Rainbond's own routes are of, so that the same gateway takes this one."""
    listed = entries((await kube.get(_ROUTES)).get("items"))
    classes = [str((item.get("spec") or {}).get("ingressClassName") or "") for item in listed]
    return {"ingressClassName": classes[0]} if classes and classes[0] else {}


async def _application_fault(context: StepContext, host: str, path: str) -> StepError | None:
    address = str(context.spec.gateway_address)

    async def ask(place: Place) -> HttpAnswer:
        return await http_get(place, path, host=host, connect_s=LIMITS.connect_s, answer_s=LIMITS.answer_s)

    reply = await ways(context).ask(Target(address, 80), ask)
    if reply.value is not None and reply.value.status == 200:
        return None
    said = reply.value.evidence if reply.value is not None else f"{reply.trouble} {reply.evidence}"
    evidence = f"GET http://{address}{path}, Host: {host}\n{said}"
    return StepError("application_not_reached", host=host, address=address, evidence=evidence, retryable=True)


async def _taken_away(kube: KubeSession, objects: Mapping[str, Json]) -> None:
    for path in reversed(list(objects)):
        with suppress(KubeAbsentError, KubeError):
            await kube.delete(f"{path}?propagationPolicy=Background")
