"""New certificates of RKE2 on one node, by RKE2's own command, and the proof of the whole behind it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import ClassVar, Final

from rbdtui.plan.certificates import NodeCertificate, certificates_on, older_than
from rbdtui.plan.resources.units import unit_change
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.finish import ClusterProof
from rbdtui.plan.steps.rke2_start import StartAgent, StartServer
from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.transport.jobs import run_job
from rbdtui.transport.scripts import script
from rbdtui.words import T

RENEW_LIMIT_S: Final = 1500.0
"""As long as a start of RKE2 may take on a slow disk."""


@dataclass(frozen=True, slots=True)
class RenewCertificates(Step):
    """Stop RKE2, have it rotate its certificates, and start it again."""

    name: ClassVar[str] = "renew-certificates"
    time_limit_s: ClassVar[float] = RENEW_LIMIT_S + 120.0
    stall_s: ClassVar[float] = 300.0

    since: float = field(kw_only=True)
    """Unix time, of this machine: what was written later is new."""

    async def pending(self, context: StepContext) -> Pending[tuple[NodeCertificate, ...]]:
        """The command, while any certificate that it makes anew is from before."""
        found = await certificates_on(context.hosts[self.node])
        old = self._old(found)
        if not old and any(each.is_rotated for each in found):
            return Pending(evidence=_listed(found), seen=found)
        unit = self._unit(context)
        changes = (
            unit_change("stop", unit),
            Change(ChangeKind.COMMAND, T("plan.change.certificates", count=len(old)), "rke2 certificate rotate"),
            unit_change("start", unit),
        )
        return Pending(changes, _listed(old), seen=found)

    async def apply(self, context: StepContext, pending: Pending[tuple[NodeCertificate, ...]]) -> None:
        """Do it; raises `StepError` with RKE2's words."""
        said = await run_job(
            context.hosts[self.node], f"{context.run_id}-renew", script("rke2-renew"), self._unit(context),
            timeout_s=RENEW_LIMIT_S, on_line=context.report.line,
        )  # fmt: skip
        if not said.ok:
            raise StepError("renew_refused", node=self.node, evidence="\n".join(said.tail), retryable=True)

    async def verify(self, context: StepContext) -> None:
        """Every certificate is new, and good now; raises `StepError`."""
        found = await certificates_on(context.hosts[self.node])
        now = time.time()
        wrong = [*self._old(found), *(each for each in found if each.is_rotated and not each.begin <= now < each.end)]
        if wrong or not any(each.is_rotated for each in found):
            raise StepError("renew_not_proven", node=self.node, evidence=_listed(wrong), retryable=True)

    def _old(self, found: tuple[NodeCertificate, ...]) -> list[NodeCertificate]:
        return older_than(found, time.time() - self.since)

    def _unit(self, context: StepContext) -> str:
        return StartServer.unit if context.spec.node(self.node).is_server else StartAgent.unit


def _listed(found: tuple[NodeCertificate, ...] | list[NodeCertificate]) -> str:
    return "\n".join(f"{each.path} {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(each.end))}" for each in found)


@dataclass(frozen=True, slots=True)
class WholeBefore(ClusterProof):
    """The cluster lacks nothing before a first server of it is stopped; waiting would bring nothing back."""

    name: ClassVar[str] = "whole-before"
    wait_s: ClassVar[float] = 20.0

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """What is missing, as a refusal; raises it at once for servers that cannot be logged in to."""
        names = [node.name for node in context.spec.managed_cluster_nodes]
        reasons = dict(zip(names, await together(*(_silence(context, name) for name in names)), strict=True))
        if silent := {name: reason for name, reason in reasons.items() if reason is not None}:
            evidence = "\n".join(map(str, silent.values()))
            raise StepError("renew_silent", nodes=", ".join(silent), evidence=evidence)
        lacking = await ClusterProof.waiting_for(self, context)
        if lacking is None:
            return None
        first = "; ".join(lacking.evidence.splitlines()[:3])
        return StepError("renew_not_whole", lacking=first, evidence=lacking.evidence)


async def _silence(context: StepContext, name: str) -> str | None:
    """Why it cannot be logged in to; None when it can."""
    try:
        await context.hosts[name].connect()
    except TransportError as error:
        return str(error.text)
    return None


@dataclass(frozen=True, slots=True)
class AllWell(ClusterProof):
    """Nothing is done to a node before the cluster is whole: nodes ready, etcd as planned, one holder of the VIP."""

    name: ClassVar[str] = "all-well"
    time_limit_s: ClassVar[float] = 1000.0
    stall_s: ClassVar[float] = 900.0
    wait_s: ClassVar[float] = 900.0
