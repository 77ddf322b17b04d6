"""Ceph that the plan has made: what it says of its health, whether every disk serves, and how full it is.

Rook copies Ceph's own words into the status of its object, every minute (rook/rook@v1.20.6,
pkg/operator/ceph/cluster/cephstatus.go), so that nobody has to log in to Ceph for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.kube.session import KubeError
from rbdtui.masking import mask
from rbdtui.probes.api_session import NoApiError, api_session
from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question, Stage
from rbdtui.rainbond.workloads import entries
from rbdtui.rook.chart import NAMESPACE
from rbdtui.rook.objects import CLUSTER_PATH
from rbdtui.rook.standing import DISKS_SELECTOR, HEALTHY, CephStanding, standing_of
from rbdtui.words import T

HEALTH: Final = ProbeKind("ceph", 119, column="svc", is_shared=True, is_measured=True)
DISKS: Final = ProbeKind("ceph-disks", 120, column="svc", is_shared=True, is_measured=True)
ROOM: Final = ProbeKind("ceph-room", 121, column="svc", is_shared=True, is_measured=True)
DISKS_PATH: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?labelSelector={DISKS_SELECTOR}"
_BROKEN: Final = "HEALTH_ERR"
_FULL_PERCENT: Final = 75
"""Where one of three servers can still be done without; Ceph itself warns from 85 % on and takes no more at 95 %
(ceph/ceph, src/common/options/global.yaml.in, ``mon_osd_nearfull_ratio``, ``mon_osd_full_ratio``)."""
_GIB: Final = 1024**3
_COPIES: Final = 3


class CephQuestion:
    """One look at the object of the cluster and at the Deployments of its disks."""

    def __init__(self, around: ProbeContext) -> None:
        self._around = around
        self._disks = len(around.spec.ceph_disks)
        self.keys = tuple(ProbeKey(kind, CLUSTER) for kind in (HEALTH, DISKS, ROOM))
        self.interval_s = around.settings.cadence.cluster_s
        self.limit_s = around.settings.limits.script_s * 2

    async def ask(self, post: Post) -> None:
        """Over a connection of its own."""
        credentials = self._around.credentials()
        if self._around.installing or credentials is None:
            for key in self.keys:
                post(Answer(key, ProbeState.EXPECTED, T("probe.component.not_yet")))
            return
        try:
            async with api_session(self._around, credentials) as (kube, _):
                cluster = await kube.find(CLUSTER_PATH)
                served = entries((await kube.get(DISKS_PATH)).get("items"))
        except (NoApiError, KubeError) as error:
            detail = T("probe.component.unasked", reason=mask(str(error))[:300])
            for key in self.keys:
                post(Answer(key, ProbeState.UNKNOWN, detail))
            return
        for answer in judge_ceph(standing_of(cluster, served), self._disks):
            post(answer)


def judge_ceph(standing: CephStanding, disks: int) -> Iterator[Answer]:
    """What a look is worth: a disk that is away degrades, all of Ceph is down only in its own words."""
    asked, evidence = f"GET {CLUSTER_PATH}", "\n".join(standing.lacks(disks))
    health, served, room = (ProbeKey(kind, CLUSTER) for kind in (HEALTH, DISKS, ROOM))
    said = "; ".join(standing.details)[:200] or "-"
    if not standing.health:
        silent = T("probe.ceph.silent", phase=standing.phase or "-")
        yield Answer(health, ProbeState.DOWN, silent, None, asked, evidence)
    elif standing.is_healthy:
        text = T("probe.ceph.healthy") if standing.health == HEALTHY else T("probe.ceph.older_keys", said=said)
        yield Answer(health, ProbeState.OK, text, None, asked)
    else:
        state = ProbeState.DOWN if standing.health == _BROKEN else ProbeState.DEGRADED
        unwell = T("probe.ceph.unwell", health=standing.health, said=said)
        yield Answer(health, state, unwell, None, asked, evidence)
    counts = T("probe.ceph.disks", ready=standing.disks_ready, disks=disks)
    if standing.disks_ready >= disks:
        yield Answer(served, ProbeState.OK, counts, None, f"GET {DISKS_PATH}")
    else:
        state = ProbeState.DEGRADED if standing.disks_ready > 0 else ProbeState.DOWN
        yield Answer(served, state, counts, None, f"GET {DISKS_PATH}", evidence)
    used, total = round(standing.used_percent), standing.total_bytes
    if not total:
        yield Answer(room, ProbeState.UNKNOWN, T("probe.ceph.room_unknown"), None, asked)
        return
    free_gib = round((total - standing.used_bytes) / _COPIES / _GIB)
    text = T("probe.ceph.room", percent=used, free_gib=free_gib)
    yield Answer(room, ProbeState.DEGRADED if used >= _FULL_PERCENT else ProbeState.OK, text, None, asked)


def _questions(around: ProbeContext) -> Iterator[Question]:
    if around.spec.ceph_disks and not around.spec.is_existing:
        yield CephQuestion(around)


PROBE: Final = Probe("ceph", (HEALTH, DISKS, ROOM), _questions, Stage.CLUSTER)
