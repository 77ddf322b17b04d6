"""The kubeconfig of a cluster that is there already, into the site: all that follows reaches the cluster with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.kube.access import ClusterAccess, read_access
from rbdtui.kube.kubeconfig import KubeconfigError
from rbdtui.kube.session import KubeError, load_client, open_session
from rbdtui.plan.site_kubeconfig import kubeconfig_file, present_kubeconfig, write_kubeconfig
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.spec.references import local_path
from rbdtui.words import T

_ANSWER_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class TakeKubeconfig(Step):
    """Put the kubeconfig that the plan names into the site, after a request with it was answered."""

    name: ClassVar[str] = "kubeconfig-given"

    async def pending(self, context: StepContext) -> Pending[ClusterAccess]:
        """The file, unless it is there as we write it; raises `StepError` for one that cannot be used."""
        given = local_path(context.spec.kubernetes.kubeconfig or "", context.site_dir)
        try:
            access = await asyncio.to_thread(read_access, given)
        except KubeconfigError as error:
            raise StepError("kubeconfig_given_bad", path=str(given), reason=str(error)) from error
        if await asyncio.to_thread(present_kubeconfig, context) == access.credentials.text(access.url):
            return Pending(seen=access)
        title = T("plan.change.kubeconfig", path=str(kubeconfig_file(context)), url=access.url)
        return Pending((Change(ChangeKind.FILE, title),), seen=access)

    async def apply(self, context: StepContext, pending: Pending[ClusterAccess]) -> None:
        """Use it once, and write it for the operator alone; raises `StepError`."""
        access = pending.seen
        await load_client()
        try:
            async with open_session(
                access.address, access.port, server_name=access.address, credentials=access.credentials,
                answer_s=_ANSWER_S,
            ) as kube:  # fmt: skip
                await kube.get("/api/v1/nodes?limit=1")
        except KubeError as error:
            raise StepError("kubeconfig_useless", url=access.url, evidence=str(error), retryable=True) from error
        write_kubeconfig(context, access.credentials.text(access.url))
