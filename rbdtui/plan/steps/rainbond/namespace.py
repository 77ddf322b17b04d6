"""The namespace that all of Rainbond is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.rainbond.workloads import NAMESPACE
from rbdtui.words import T

_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}"


@dataclass(frozen=True, slots=True)
class MakeNamespace(Step):
    """Make the namespace; one that is being deleted is waited for by whoever deletes it."""

    name: ClassVar[str] = "rainbond-namespace"

    async def pending(self, context: StepContext) -> Pending[None]:
        """The namespace, unless it is there."""
        change = Change(ChangeKind.COMMAND, T("plan.change.namespace", name=NAMESPACE), f"create namespace {NAMESPACE}")
        if not has_api(context):
            return Pending((change,))
        async with open_api(context) as api:
            there = await api.kube.find(_PATH)
        if there is None:
            return Pending((change,))
        phase = str((there.get("status") or {}).get("phase", ""))
        if phase == "Terminating":
            raise StepError("namespace_terminating", name=NAMESPACE, retryable=True)
        return Pending(evidence=phase)

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Make it; raises `StepError`."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        async with open_api(context) as api:
            await api.kube.apply(_PATH, body)
