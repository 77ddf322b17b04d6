"""A StorageClass of a cluster that is there already, proven by claims that are bound and written, then removed.

What an earlier try left is removed first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rbdtui.checks.services import claim_trial
from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.services.claim_trial import CLAIMS, MANY, ONE, PODS, Trial
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.kube.access import read_access
from rbdtui.kube.kubeconfig import KubeconfigError
from rbdtui.kube.session import KubeError, KubeSession, load_client, open_session
from rbdtui.spec.sections.storage import StorageMode
from rbdtui.surely import surely
from rbdtui.transport.base import Host

_FIELD: Final = "storage.storage_class"


@dataclass(frozen=True, slots=True)
class ClaimQuestion:
    """The class, and the kubeconfig of its cluster."""

    file: str
    storage_class: str


@dataclass(slots=True)
class ClaimAnswer:
    """What came of all of them."""

    fault: str = ""
    """Why nothing could be tried, raw; the check of the cluster says more."""
    image: str = ""
    """What a container was started from; empty where no node has an image that is known to run anywhere."""
    writes: bool = False
    """Whether that image can write."""
    trials: dict[str, Trial] = field(default_factory=dict)
    """By access mode."""
    left: list[str] = field(default_factory=list)
    """What could not be removed."""


class StorageClaimCheck:
    """The class gives volumes of the kinds that Rainbond and its applications claim."""

    name = "storage-claim"
    field = _FIELD
    limit_s = 2 * (claim_trial.WAIT_S + 3 * claim_trial.GONE_S) + 30

    def question(self, view: ClusterView) -> ClaimQuestion | None:
        """The class, where the cluster that has it is there already."""
        spec = view.spec
        chosen = spec.storage.storage_class if spec.storage.mode is StorageMode.STORAGE_CLASS else None
        if not spec.is_existing or spec.kubernetes.kubeconfig is None or chosen is None:
            return None
        return ClaimQuestion(spec.kubernetes.kubeconfig, chosen)

    async def ask(self, question: ClaimQuestion, hosts: Mapping[str, Host], secret: KnownSecret) -> ClaimAnswer:
        """Try a claim of each access mode, one after the other."""
        try:
            access = await asyncio.to_thread(lambda: read_access(Path(question.file).expanduser()))
        except (KubeconfigError, RuntimeError) as error:
            return ClaimAnswer(fault=str(error))
        await load_client()
        async with open_session(
            access.address, access.port, server_name=access.address, credentials=access.credentials
        ) as kube:
            try:
                return await _try_all(kube, question.storage_class)
            except KubeError as error:
                return ClaimAnswer(fault=str(error))

    def judge(self, question: ClaimQuestion, answer: ClaimAnswer | None, view: ClusterView) -> Iterator[Finding]:
        """What does not work, and what could not be tried."""
        params = {"name": question.storage_class}
        if answer is None:
            yield view.finding("RBD-STORAGE-126", Severity.ERROR, field=_FIELD, **params)
            return
        if answer.left:
            left = ", ".join(dict.fromkeys(answer.left))
            yield view.finding("RBD-STORAGE-125", Severity.WARNING, field=_FIELD, objects=left)
        if answer.fault:
            yield view.finding("RBD-STORAGE-127", Severity.ERROR, field=_FIELD, evidence=answer.fault, **params)
        elif not answer.image:
            yield view.finding("RBD-STORAGE-124", Severity.INFO, field=_FIELD, **params)
        for mode, trial in answer.trials.items():
            yield from _judge_trial(mode, trial, bool(answer.image), view, params)


CHECK: Final = StorageClaimCheck()


def _judge_trial(
    mode: str, trial: Trial, with_pod: bool, view: ClusterView, params: Mapping[str, str]
) -> Iterator[Finding]:
    if trial.used or (not with_pod and (trial.bound or not trial.evidence)):
        return
    if mode == MANY:
        code, severity = "RBD-STORAGE-123", Severity.WARNING
    else:
        code, severity = ("RBD-STORAGE-122" if trial.bound else "RBD-STORAGE-121"), Severity.ERROR
    yield view.finding(code, severity, field=_FIELD, evidence=trial.evidence, **params)


async def _try_all(kube: KubeSession, storage_class: str) -> ClaimAnswer:
    answer = ClaimAnswer(left=await claim_trial.sweep(kube))
    await kube.get(f"/apis/storage.k8s.io/v1/storageclasses/{storage_class}")
    seat = max(claim_trial.seats(await kube.get("/api/v1/nodes")), default=None)
    if seat is not None:
        answer.image, answer.writes = seat.image, seat.writes
    for mode in (ONE, MANY):
        name = claim_trial.new_name()
        try:
            await surely(kube.create(CLAIMS, claim_trial.claim(name, storage_class, mode)))
            if seat is not None:
                await surely(kube.create(PODS, claim_trial.pod(name, name, seat)))
            answer.trials[mode] = await _follow(kube, name, with_pod=seat is not None)
        except KubeError as error:
            answer.trials[mode] = Trial(evidence=str(error))
        finally:
            answer.left += await surely(claim_trial.remove(kube, [name], [name]))
    return answer


async def _follow(kube: KubeSession, name: str, *, with_pod: bool) -> Trial:
    """Until it is in use or, without a pod, bound; a class may wait for the first pod, which tells nothing then."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (claim_trial.WAIT_S if with_pod else claim_trial.WAIT_S / 6)
    while True:
        bound = await claim_trial.is_bound(kube, name)
        used = with_pod and not await claim_trial.unready(kube, [name])
        if used or (bound and not with_pod):
            return Trial(bound, used)
        if loop.time() > deadline:
            return Trial(bound, used, await claim_trial.told(kube, name))
        await asyncio.sleep(claim_trial.EVERY_S)
