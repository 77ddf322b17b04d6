"""What the chart of Rainbond 6 cannot say: offline, and the suffix of the applications' names.

``installMode`` is no value of any chart; with it Rainbond looks up no name of an image repository, which it would do
with its port, in vain (goodrain/rainbond-operator@v6.2.1-release, cluster-mgr/precheck/dns.go:39-42). The suffix stands
empty in the chart, the operator fills it from the gateway's address once and keeps it when that changes
(controllers/rainbondcluster_controller.go:184-210).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import has_api, open_api, rainbond_release
from rbdtui.rainbond.releases import Release
from rbdtui.rainbond.workloads import CLUSTER_PATH
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import T


def suffix_of(spec: ClusterSpec) -> str:
    """Below which applications get their names."""
    return spec.rainbond.domain_suffix or f"{spec.gateway_address}.nip.io"


def wanted_fields(spec: ClusterSpec, release: Release) -> dict[str, str]:
    """Fields of RainbondCluster's spec that are set beside the chart."""
    suffix = {"suffixHTTPHost": suffix_of(spec)}
    return suffix if release.is_old else {"installMode": "Offline", **suffix}


@dataclass(frozen=True, slots=True)
class PatchCluster(Step):
    """Set the fields of RainbondCluster that the chart leaves open."""

    name: ClassVar[str] = "rainbond-cluster"

    async def pending(self, context: StepContext) -> Pending[dict[str, str]]:
        """The fields that differ."""
        wanted = wanted_fields(context.spec, await rainbond_release(context))
        there: dict[str, Any] = {}
        if has_api(context):
            async with open_api(context) as api:
                found = await api.kube.find(CLUSTER_PATH)
            there = (found or {}).get("spec") or {}
        missing = {key: value for key, value in wanted.items() if there.get(key) != value}
        shown = {key: there.get(key) for key in wanted}
        if not missing:
            return Pending(evidence=str(shown))
        detail = "\n".join(f"{key}: {there.get(key) or '-'} -> {value}" for key, value in missing.items())
        title = T("plan.change.rainbond_cluster", fields=", ".join(missing))
        return Pending((Change(ChangeKind.COMMAND, title, detail),), str(shown), seen=missing)

    async def apply(self, context: StepContext, pending: Pending[dict[str, str]]) -> None:
        """Patch them; raises `StepError`."""
        async with open_api(context) as api:
            if await api.kube.find(CLUSTER_PATH) is None:
                raise StepError("rainbond_cluster_absent", retryable=True)
            await api.kube.patch(CLUSTER_PATH, {"spec": pending.seen})
