"""A pod that has the old volume and the new one, and copies or compares them with its own shell; then it goes.

Where they are on two nodes, one pod on each: that with the old one answers for it, over the network of pods.

What it runs is ``assets/pods/copy-volume.sh``, by an image with alpine's shell that its node has already: Rainbond's
own alpine, or RKE2's klipper-helm. Nothing is pulled, and nothing of it needs the offline packages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from rbdtui.checks.services.claim_trial import Seat, seats
from rbdtui.kube.session import Json, KubeAbsentError, KubeError, KubeSession, KubeSilentError
from rbdtui.paths import asset
from rbdtui.plan.step import StepContext, StepError
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond.moving import LABEL, Moving, node_of
from rbdtui.rainbond.workloads import LISTS, NAMESPACE, Seen, name_of
from rbdtui.surely import surely

CONTAINER: Final = "rbdtui-copy"
START_S: Final = 300.0
"""A volume is made, attached and mounted before a pod begins; a server that does not answer is given up after 120 s."""
TASK_S: Final = 12 * 3600.0
SILENT_S: Final = 120.0
"""A pod copies on while the API is away for as long."""
TOLD_S: Final = 60.0
"""A pod that works for long says how far it is."""
SEAT_S: Final = 60.0
"""A node that copies is busy, and may be called not ready for a moment."""
EVERY_S: Final = 1.0
_GONE_S: Final = 60.0
_SAID: Final = 20
_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class Said:
    """What a pod has said, by the first word of its lines."""

    lines: Mapping[str, Sequence[str]]
    node: str
    """Where it worked."""

    def number(self, word: str) -> int:
        """The number after a word; raises `StepError` when there is none."""
        values = self.lines.get(word, ())
        if len(values) != 1 or not values[0].strip().isdecimal():
            raise StepError("move_odd", word=word, evidence=str(dict(self.lines)))
        return int(values[0])

    def all(self, word: str) -> Sequence[str]:
        """All that stood after a word."""
        return self.lines.get(word, ())


@dataclass(frozen=True, slots=True)
class Work:
    """What a pod works on, and where."""

    of: str
    """The claim or volume that is moved."""
    pod: str
    seat: Seat
    volumes: Mapping[str, Mapping[str, Any]]
    """``old`` and ``new``, or the one of them that is on this node: where each is, as a pod names it."""
    told: Mapping[str, str] = field(default_factory=dict)
    """Variables of the script."""


async def run(context: StepContext, kube: KubeSession, moving: Moving, seen: Seen, task: str) -> Said:
    """Have a pod do one task for a claim, as `carry_out` does."""
    seat = await seated(context, kube, lambda nodes: _seat(moving, seen, nodes))
    claims = {"old": moving.name, "new": moving.temporary}
    volumes = {name: {"persistentVolumeClaim": {"claimName": claim}} for name, claim in claims.items()}
    return await carry_out(context, kube, Work(moving.name, moving.temporary, seat, volumes), task)


async def carry_out(context: StepContext, kube: KubeSession, work: Work, task: str) -> Said:
    """Have a pod do one task to its end, and take it away whatever comes; raises `StepError`, `KubeError`."""
    name = work.pod
    await _away(kube, name)
    await kube.create(LISTS["Pod"], _pod(work, task))
    try:
        async with context.waiting():
            await wait_for(lambda: _unbegun(kube, name), limit_s=START_S, every_s=EVERY_S)
            watched = _Watched(context, work.of)
            await wait_for(lambda: _unended(kube, name, watched), limit_s=TASK_S, every_s=EVERY_S)
        text = await kube.log(NAMESPACE, name, CONTAINER, tail_lines=_LINES)
    finally:
        await surely(_gone_quietly(kube, name))
    for line in text.splitlines():
        context.report.line(f"{work.of}: {line}")
    return _understood(work, task, text)


@asynccontextmanager
async def serving(context: StepContext, kube: KubeSession, work: Work) -> AsyncIterator[str]:
    """A pod that answers for the old volume as long as this lasts; its address. Raises `StepError`, `KubeError`."""
    await _away(kube, work.pod)
    await kube.create(LISTS["Pod"], _pod(work, "serve"))
    try:
        async with context.waiting():
            await wait_for(lambda: _unbegun(kube, work.pod), limit_s=START_S, every_s=EVERY_S)
        found = await kube.get(f"{LISTS['Pod']}/{work.pod}")
        yield str((found.get("status") or {}).get("podIP") or "")
    finally:
        await surely(_gone_quietly(kube, work.pod))


def _understood(work: Work, task: str, text: str) -> Said:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        found.setdefault(word, []).append(rest)
    if odd := found.get("name"):
        raise StepError("move_name", claim=work.of, name=odd[0])
    if task not in found.get("done", ()):
        raise StepError("move_failed", claim=work.of, evidence="\n".join(text.splitlines()[-_SAID:]))
    return Said(found, work.seat.node)


async def seated(context: StepContext, kube: KubeSession, find: Callable[[Json], Seat | StepError]) -> Seat:
    """What is found among the nodes; one that is not ready for a moment is waited for. Raises `StepError`."""

    async def look() -> Seat | StepError:
        return find(await kube.get("/api/v1/nodes"))

    async with context.waiting():
        return await wait_for(look, limit_s=SEAT_S, every_s=EVERY_S)


def _seat(moving: Moving, seen: Seen, nodes: Json) -> Seat | StepError:
    """A node that can have the old volume: where it is tied to, else where somebody has it now, else any."""
    tied = node_of(moving.old) if moving.old is not None else ""
    pods = [pod for user in moving.users for pod in seen.pods_of(user.kind, user.name)]
    there = [str((pod.get("spec") or {}).get("nodeName") or "") for pod in pods]
    places = [tied] if tied else [place for place in there if place]
    able = [seat for seat in seats(nodes) if seat.writes and (not places or seat.node in places)]
    if not able:
        return StepError("move_no_seat", claim=moving.name, nodes=", ".join(places) or "-", retryable=True)
    return max(able)


def _pod(work: Work, task: str) -> dict[str, Any]:
    text = asset("pods", "copy-volume.sh").read_text(encoding="utf-8")
    mounts = [{"name": name, "mountPath": f"/{name}", "readOnly": name == "old"} for name in work.volumes]
    told = {"WORK": "/work", "SELF": text, **work.told}
    # SELinux keeps a directory of the node from others: the NFS server whose directory it is has this right, too.
    privileged = any("hostPath" in where for where in work.volumes.values())
    container = {
        "name": CONTAINER,
        "image": work.seat.image,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", text, "copy-volume", task],
        "securityContext": {"runAsUser": 0, **({"privileged": True} if privileged else {})},
        "env": [{"name": name, "value": value} for name, value in told.items()],
        "volumeMounts": [*mounts, {"name": "work", "mountPath": "/work"}],
    }
    volumes = [{"name": name, **where} for name, where in work.volumes.items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": work.pod, "namespace": NAMESPACE, "labels": {LABEL: work.of}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "nodeSelector": {"kubernetes.io/hostname": work.seat.node},
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
            "volumes": [*volumes, {"name": "work", "emptyDir": {}}],
        },
    }


async def _unbegun(kube: KubeSession, name: str) -> StepError | None:
    pod = await kube.get(f"{LISTS['Pod']}/{name}")
    if (pod.get("status") or {}).get("phase") in ("Running", "Succeeded", "Failed"):
        return None
    query = f"{LISTS['Event']}?fieldSelector=involvedObject.name%3D{name}"
    told = (await kube.get(query)).get("items") or []
    lines = dict.fromkeys(f"{event.get('reason', '')}: {event.get('message', '')}" for event in told)
    return StepError("move_pod_waits", pod=name, evidence="\n".join(lines), retryable=True)


@dataclass(slots=True)
class _Watched:
    """A pod at work, as it was seen last."""

    context: StepContext
    claim: str
    silent_since: float | None = None
    told_at: float = field(default_factory=time.monotonic)

    def is_silent_too_long(self) -> bool:
        """Whether the API is away for longer than a server needs to start anew; to be asked when no answer came."""
        self.silent_since = self.silent_since or time.monotonic()
        return time.monotonic() - self.silent_since > SILENT_S

    async def tell(self, kube: KubeSession, name: str) -> None:
        """Pass on what the pod said last, now and then."""
        self.silent_since = None
        if time.monotonic() - self.told_at < TOLD_S:
            return
        self.told_at = time.monotonic()
        with suppress(KubeError):
            for line in (await kube.log(NAMESPACE, name, CONTAINER, tail_lines=1)).splitlines():
                self.context.report.line(f"{self.claim}: {line}")


async def _unended(kube: KubeSession, name: str, watched: _Watched) -> StepError | None:
    slow = StepError("move_pod_slow", pod=name, hours=round(TASK_S / 3600))
    try:
        pod = await kube.get(f"{LISTS['Pod']}/{name}")
    except KubeSilentError:
        if watched.is_silent_too_long():
            raise
        return slow
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return None
    await watched.tell(kube, name)
    return slow


async def _away(kube: KubeSession, name: str) -> None:
    """Take a pod of an earlier try away, and wait until it is gone; raises `StepError`."""
    path = f"{LISTS['Pod']}/{name}"
    with suppress(KubeAbsentError):
        await kube.delete(f"{path}?gracePeriodSeconds=0")

    async def there() -> StepError | None:
        found = await kube.find(path)
        return None if found is None else StepError("move_pods", pods=name_of(found), retryable=True)

    await wait_for(there, limit_s=_GONE_S, every_s=EVERY_S)


async def _gone_quietly(kube: KubeSession, name: str) -> None:
    with suppress(Exception):  # what went wrong before is what is told
        await asyncio.wait_for(_away(kube, name), _GONE_S)
