"""The operator's kubeconfig in the site: our own text around a server's certificates, with the API's fixed address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.kube.kubeconfig import MOST_BYTES, Kubeconfig, KubeconfigError, parse_kubeconfig
from rbdtui.plan.cluster import api_url
from rbdtui.plan.site_kubeconfig import kubeconfig_file, present_kubeconfig, write_kubeconfig
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.finish import server_names
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.api import refusal, use
from rbdtui.probes.routes import Limits, ProbeRoutes, Readiness, Target
from rbdtui.transport.base import TransportError
from rbdtui.transport.files import read_start
from rbdtui.words import T

SERVER_KUBECONFIG: Final = "/etc/rancher/rke2/rke2.yaml"
_LIMITS: Final = Limits(connect_s=5.0, answer_s=10.0, script_s=10.0)


@dataclass(frozen=True, slots=True)
class _Found:
    """What one server offers."""

    server: str
    credentials: Kubeconfig | None
    fault: str = ""
    """Why it cannot be used, raw; empty with credentials, and where there is none yet."""


@dataclass(frozen=True, slots=True)
class _Use:
    """What came of a request."""

    good: bool
    evidence: str
    asked: bool = True
    """Whether any way led to the API."""


@dataclass(frozen=True, slots=True)
class WriteKubeconfig(Step):
    """Put a kubeconfig for the operator into the site, after a request with it was answered."""

    name: ClassVar[str] = "kubeconfig"
    wait_s: ClassVar[float] = 30.0
    """The address may be on its way to another gateway, and an API that has just started knows nobody yet."""
    look_every_s: ClassVar[float] = 2.0

    async def pending(self, context: StepContext) -> Pending[list[_Found]]:
        """The file, unless it holds a server's credentials as we write them, and the API takes them.

        Its content is a secret and is not shown.
        """
        present, offers, evidence = present_kubeconfig(context), await _offers(context), ""
        for found in offers if present is not None else ():
            if found.credentials is not None and found.credentials.text(api_url(context.spec)) == present:
                used = await _use(context, found.credentials)
                evidence = used.evidence
                if used.good or not used.asked:
                    return Pending(evidence=evidence, seen=offers)
                break
        title = T("plan.change.kubeconfig", path=str(kubeconfig_file(context)), url=api_url(context.spec))
        return Pending((Change(ChangeKind.FILE, title),), evidence, seen=offers)

    async def apply(self, context: StepContext, pending: Pending[list[_Found]]) -> None:
        """Take a server's credentials, use them, and write them for the operator alone; raises `StepError`."""
        offers = pending.seen
        good = [(found.server, found.credentials) for found in offers if found.credentials is not None]
        if not good:
            faults = [f"{found.server}: {found.fault}" for found in offers if found.fault]
            if not faults:
                raise StepError("no_kubeconfig", path=SERVER_KUBECONFIG, retryable=True)
            raise StepError("kubeconfig_refused", path=SERVER_KUBECONFIG, evidence="\n".join(faults), retryable=True)
        for found in offers:
            if found.fault:
                context.report.note(
                    T("plan.note.kubeconfig_refused", node=found.server, path=SERVER_KUBECONFIG, reason=found.fault)
                )
        credentials = await self._first_of_use(context, good)
        write_kubeconfig(context, credentials.text(api_url(context.spec)))

    async def verify(self, context: StepContext) -> None:
        """Prove that what was used is what lies there; raises `StepError`."""
        if present_kubeconfig(context) is None:
            raise StepError(
                "step_not_proven",
                evidence=str(kubeconfig_file(context)),
                step=self.title,
                node=self.node or T("form.this_machine"),
            )

    async def _first_of_use(self, context: StepContext, offers: list[tuple[str, Kubeconfig]]) -> Kubeconfig:
        """The first credentials that the API takes, asked until it does; raises `StepError`."""
        url = api_url(context.spec)

        async def taken() -> Kubeconfig | StepError:
            said = []
            for server, credentials in offers:
                used = await _use(context, credentials)
                if used.good:
                    return credentials
                if not used.asked:
                    context.report.note(T("plan.note.kubeconfig_not_used", url=url))
                    return credentials
                said.append(f"{server}: {used.evidence}")
            return StepError("kubeconfig_useless", url=url, evidence="\n".join(said), retryable=True)

        return await wait_for(taken, limit_s=self.wait_s, every_s=self.look_every_s)


async def _offers(context: StepContext) -> list[_Found]:
    return [await _offer(context, server) for server in server_names(context)]


async def _offer(context: StepContext, server: str) -> _Found:
    try:
        content = await read_start(context.hosts[server], SERVER_KUBECONFIG, MOST_BYTES + 1)
        if content is None:
            return _Found(server, None)
        credentials = parse_kubeconfig(content)
        if not credentials.certificate:
            return _Found(server, None, "no client-certificate-data")
        return _Found(server, credentials)
    except (KubeconfigError, TransportError) as error:
        return _Found(server, None, str(error))


async def _use(context: StepContext, credentials: Kubeconfig) -> _Use:
    """Ask the API at its fixed address, straight from here or else through a server."""
    spec = context.spec
    hosts = {name: context.hosts[name] for name in server_names(context)}
    # Simulated hosts live on loopback, where this machine's own services would answer for them.
    straight = not spec.api_address.is_loopback
    target = Target(str(spec.api_address), spec.kubernetes.api.port)
    reply = await use(ProbeRoutes(hosts, Readiness(), _LIMITS, straight=straight), target, credentials, _LIMITS)
    if reply.value is not None and reply.value.status == 200:
        return _Use(True, api_url(spec))
    fault = refusal(reply)
    evidence = str(fault) if fault is not None else reply.evidence or str(reply.trouble or "")
    if reply.value is not None and fault is None:
        evidence = reply.value.evidence[:500]
    return _Use(False, evidence, asked=reply.told)
