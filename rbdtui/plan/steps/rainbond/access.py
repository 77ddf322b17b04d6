"""The way from a step to the Kubernetes API, and what the steps of Rainbond ask of the bundle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from rbdtui.bundle.model import planned_release
from rbdtui.kube.access import access_of
from rbdtui.kube.kubeconfig import Kubeconfig, KubeconfigError, read_kubeconfig
from rbdtui.kube.session import KubeCertificateError, KubeError, KubeSession, KubeSilentError, open_session
from rbdtui.masking import mask
from rbdtui.plan.cluster import API_PORT, api_url
from rbdtui.plan.site_kubeconfig import kubeconfig_file
from rbdtui.plan.step import StepContext, StepError
from rbdtui.probes.routes import Limits, ProbeRoutes, Readiness, Target
from rbdtui.probes.wire import Place, WireError
from rbdtui.rainbond.releases import Release
from rbdtui.spec.model import Role

RELEASE: Final = "rainbond"
"""Name of helm's release."""
LIMITS: Final = Limits(connect_s=5.0, answer_s=15.0, script_s=20.0)
_BUSY: Final = (409, 429)


@dataclass(frozen=True, slots=True)
class Api:
    """An open way to the API."""

    kube: KubeSession
    place: Place
    """Where it is reached from this process while the way is open."""
    server_name: str
    """What its certificate names."""
    credentials: Kubeconfig


def has_api(context: StepContext) -> bool:
    """Whether there is a cluster to ask already; a plan that is only looked at may precede it."""
    return kubeconfig_file(context).exists()


def ways(context: StepContext) -> ProbeRoutes:
    """The ways from here and through the nodes of the run."""
    hosts = {name: host for name, host in context.hosts.items() if context.takes_part(name)}
    # Simulated hosts live on loopback, where this machine's own services would answer for them.
    straight = context.spec.is_existing or not context.spec.api_address.is_loopback
    return ProbeRoutes(hosts, Readiness(), LIMITS, straight=straight)


@asynccontextmanager
async def open_api(context: StepContext) -> AsyncIterator[Api]:
    """The API through its fixed address, or else a server; raises `StepError`, also for what the API refuses within."""
    try:
        credentials = await asyncio.to_thread(read_kubeconfig, kubeconfig_file(context))
    except KubeconfigError as error:
        raise StepError("kubeconfig_unusable", path=str(kubeconfig_file(context)), reason=str(error)) from error
    targets = _targets(context, credentials)
    async with AsyncExitStack() as stack:
        place, target = await _first_open(context, stack, targets)
        session = open_session(
            place.address, place.port, server_name=target.address, credentials=credentials, answer_s=LIMITS.answer_s
        )
        kube = await stack.enter_async_context(session)
        try:
            yield Api(kube, place, target.address, credentials)
        except KubeError as error:
            raise refused(context, error) from error


def _targets(context: StepContext, credentials: Kubeconfig) -> list[Target]:
    """Where the API is, in the order of asking; of a cluster that was there already where its kubeconfig says."""
    spec = context.spec
    if spec.is_existing:
        try:
            access = access_of(credentials)
        except KubeconfigError as error:
            raise StepError("kubeconfig_unusable", path=str(kubeconfig_file(context)), reason=str(error)) from error
        return [Target(access.address, access.port)]
    targets = [Target(str(spec.api_address), spec.kubernetes.api.port)]
    return targets + [Target(str(node.address), API_PORT, node.name) for node in spec.nodes_with(Role.CONTROL_PLANE)]


async def _first_open(context: StepContext, stack: AsyncExitStack, targets: list[Target]) -> tuple[Place, Target]:
    there, said = ways(context), []
    for target in targets:
        try:
            place, _ = await stack.enter_async_context(there.open(target))
            return place, target
        except WireError as error:
            said.append(f"{target.address}:{target.port}: {error.evidence or error.trouble.value}")
    raise StepError("kube_silent", url=_url(context), evidence="\n".join(said), retryable=True)


def _url(context: StepContext) -> str:
    """The API as messages name it."""
    return str(kubeconfig_file(context)) if context.spec.is_existing else api_url(context.spec)


def refused(context: StepContext, error: KubeError) -> StepError:
    """What the API's answer means for a step."""
    evidence = mask(str(error))
    if isinstance(error, KubeCertificateError):
        return StepError("kube_certificate", url=_url(context), reason=mask(error.message), retryable=True)
    if isinstance(error, KubeSilentError):
        return StepError("kube_silent", url=_url(context), evidence=evidence, retryable=True)
    busy = error.status in _BUSY or error.status >= 500
    return StepError("kube_refused", reason=error.reason or str(error.status), evidence=evidence, retryable=busy)


async def rainbond_release(context: StepContext) -> Release:
    """The release that is installed; raises `StepError`. The bundle's disk may be slow, so it is asked in a thread."""
    return await asyncio.to_thread(planned_release, context.bundle, context.spec)
