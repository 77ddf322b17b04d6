"""How far a move of Rainbond 5.17's own NFS server is, as every step of it sees it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from rbdtui.checks.services.claim_trial import Seat, seats
from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Step, StepContext, StepError
from rbdtui.plan.steps.moving import pods
from rbdtui.plan.steps.moving.looking import VOLUMES
from rbdtui.plan.steps.scaling import Workload, workloads
from rbdtui.probes.namespace import look
from rbdtui.rainbond.moving import directory_of, node_of, notes_of
from rbdtui.rainbond.nfs_server import (
    BECOMES,
    FROM,
    KEPT,
    SERVER,
    TO,
    Users,
    find_users,
    host_label,
    is_tied,
    takes_pods,
)
from rbdtui.rainbond.workloads import CONTROLLERS, LISTS, NAMESPACE, OPERATOR, Json, Seen, entries, name_of
from rbdtui.together import together

SERVER_PATH: Final = f"{LISTS['StatefulSet']}/{SERVER}"
_EVERYWHERE: Final = {
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "Pod": "/api/v1/pods",
    "PersistentVolumeClaim": "/api/v1/persistentvolumeclaims",
    "Node": "/api/v1/nodes",
}
_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class ServerStep(Step):
    """A step of the move of the NFS server."""

    to: str = field(kw_only=True)
    """The node that it goes to."""


@dataclass(frozen=True, slots=True)
class ServerLooked:
    """The server, its volume and who uses it, at one moment."""

    server: Workload
    volume: Json | None
    """None while it is taken away and not made again."""
    users: tuple[Workload, ...]
    """All that have a volume of it; the operator first."""
    strangers: tuple[str, ...]
    held: tuple[Workload, ...]
    """Those that were stopped and not started again, in the order in which they start: the operator last."""
    nodes: Sequence[Json]

    @property
    def notes(self) -> Mapping[str, str]:
        """What is noted of the move."""
        return notes_of(self.server.item)

    @property
    def source(self) -> str:
        """The node that has the data, or had it before the move that is under way."""
        if noted := self.notes.get(FROM):
            return noted
        label = node_of(self.volume) if self.volume is not None else ""
        return next((name_of(node) for node in self.nodes if host_label(self.nodes, name_of(node)) == label), label)

    @property
    def path(self) -> str:
        """Its directory."""
        if self.volume is not None:
            return directory_of(self.volume)
        body = self.notes.get(BECOMES)
        return directory_of(json.loads(body)) if body else ""

    def is_on(self, node: str) -> bool:
        """Whether its volume is on a node."""
        return self.volume is not None and node_of(self.volume) == host_label(self.nodes, node)

    @property
    def running(self) -> list[Workload]:
        """Those that have to stand still and do not: the operator first, the server, on which all others hang, last."""
        return [each for each in (*self.users, self.server) if each.replicas]

    @property
    def is_compared(self) -> bool:
        """Whether both directories were found to be equal, and nobody can have written since."""
        return BECOMES in self.notes and not self.running


async def look_at_server(kube: KubeSession) -> ServerLooked:
    """All that the move is judged by; raises `KubeError`, and `StepError` where there is no such server."""
    seen, volumes = await together(look(kube, at=_EVERYWHERE), kube.get(VOLUMES))
    server = _find(seen, "StatefulSet", NAMESPACE, SERVER)
    listed = entries(volumes.get("items"))
    if server is None:
        raise StepError("nfs_move_no_server")
    users = find_users(seen, listed)
    known = workloads(seen, CONTROLLERS)
    held = [each for each in known if each.kept is not None and not each.is_operator]
    held.sort(key=lambda each: (each.name != SERVER, each.name != "rbd-db", each.shown))
    held += [each for each in known if each.kept is not None and each.is_operator]
    found = next((each for each in listed if name_of(each) == SERVER), None)
    return ServerLooked(
        server, found, tuple(_workloads(seen, users)), users.strangers, tuple(held), seen.of("Node")
    )  # fmt: skip


def _find(seen: Seen, kind: str, namespace: str, name: str) -> Workload | None:
    named = (each for each in workloads(seen, (kind,)) if (each.namespace, each.name) == (namespace, name))
    return next(named, None)


def _workloads(seen: Seen, users: Users) -> list[Workload]:
    operator = _find(seen, "Deployment", NAMESPACE, OPERATOR)
    found = [_find(seen, user.kind, namespace, user.name) for namespace, user in users.workloads]
    return [each for each in (operator, *found) if each is not None]


def refuse_what_is_against(looked: ServerLooked, to: str) -> None:
    """Raise `StepError` where the server cannot go to a node."""
    noted = looked.notes.get(TO, to)
    if noted != to:
        raise StepError("nfs_move_other", node=noted)
    if looked.volume is not None and not is_tied(looked.volume):
        raise StepError("nfs_move_odd", volume=SERVER)
    if not takes_pods(looked.nodes, to):
        raise StepError("nfs_move_node", node=to)
    if looked.strangers:
        raise StepError("nfs_move_strangers", names=", ".join(looked.strangers[:_MOST_NAMED]))
    if (kept := looked.notes.get(KEPT)) == to:
        raise StepError("nfs_move_kept", node=kept, path=looked.path)


async def work_on(
    context: StepContext,
    kube: KubeSession,
    looked: ServerLooked,
    node: str,
    side: str,
    told: Mapping[str, str] | None = None,
) -> pods.Work:
    """The directory on a node as ``old`` or ``new`` of a pod there; raises `StepError` where none can be."""

    def find(nodes: dict[str, Any]) -> Seat | StepError:
        able = [each for each in seats(nodes) if each.writes and each.node == node]
        return max(able) if able else StepError("move_no_seat", claim=SERVER, nodes=node, retryable=True)

    best = await pods.seated(context, kube, find)
    where: dict[str, Any] = {"hostPath": {"path": looked.path, "type": "DirectoryOrCreate"}}
    pod = f"rbdtui-move-{SERVER}-{side}"
    return pods.Work(
        SERVER, pod, Seat(best.writes, best.image, host_label(looked.nodes, node)), {side: where}, told or {}
    )


@asynccontextmanager
async def both_ends(context: StepContext, kube: KubeSession, looked: ServerLooked, to: str) -> AsyncIterator[pods.Work]:
    """What a pod on the new node works on, while one on the old node answers for what is there."""
    async with pods.serving(context, kube, await work_on(context, kube, looked, looked.source, "old")) as address:
        yield await work_on(context, kube, looked, to, "new", {"FROM": address})
