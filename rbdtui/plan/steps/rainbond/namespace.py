"""The namespace that all of a platform is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.rainbond.workloads import NAMESPACE
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class MakeNamespace(Step):
    """Make the namespace; one that is being deleted is waited for by whoever deletes it."""

    name: ClassVar[str] = "rainbond-namespace"
    namespace: ClassVar[str] = NAMESPACE

    async def pending(self, context: StepContext) -> Pending[None]:
        """The namespace, unless it is there."""
        title = T("plan.change.namespace", name=self.namespace)
        change = Change(ChangeKind.COMMAND, title, f"create namespace {self.namespace}")
        if not has_api(context):
            return Pending((change,))
        async with open_api(context) as api:
            there = await api.kube.find(self._path)
        if there is None:
            return Pending((change,))
        phase = str((there.get("status") or {}).get("phase", ""))
        if phase == "Terminating":
            raise StepError("namespace_terminating", name=self.namespace, retryable=True)
        return Pending(evidence=phase)

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Make it; raises `StepError`."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        async with open_api(context) as api:
            await api.kube.apply(self._path, body)

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}"
