"""How far a move is, as every step of it sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Step, StepError
from rbdtui.plan.steps.scaling import SCALED, Workload, workloads
from rbdtui.probes.namespace import look
from rbdtui.rainbond.moving import Found, Moving, find
from rbdtui.rainbond.workloads import CONTROLLERS, OPERATOR, Seen, entries
from rbdtui.together import together

VOLUMES = "/api/v1/persistentvolumes"
_CLAIMS = "/api/v1/persistentvolumeclaims"
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class MoveStep(Step):
    """A step of a move."""

    storage_class: str = field(kw_only=True)
    """Where all is to be."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What moves and what the cluster has, at one moment."""

    found: Found
    seen: Seen

    @property
    def running(self) -> list[Workload]:
        """Those that have to stand still and do not; the operator first, the database last."""
        users = [(user.kind, user.name) for user in self.found.users if user.kind in SCALED]
        by_name = {(each.kind, each.name): each for each in workloads(self.seen)}
        operator = [("Deployment", OPERATOR)] if users else []
        return [each for key in (*operator, *users) if (each := by_name.get(key)) is not None and each.replicas]

    @property
    def held(self) -> list[Workload]:
        """Those that an earlier try has stopped and not started again; the operator first."""
        held = [each for each in workloads(self.seen) if each.kept is not None]
        return sorted(held, key=lambda each: (each.name != OPERATOR, each.name != "rbd-db", each.name))

    def settled(self, moving: Moving) -> bool:
        """Whether a claim's copy was compared, and nobody can have written since."""
        own = {(user.kind, user.name) for user in moving.users}
        return moving.is_compared and not any((each.kind, each.name) in own for each in self.running)


async def look_at(kube: KubeSession, storage_class: str) -> Looked:
    """All that a move is judged by; raises `KubeError`."""
    seen, volumes, claims = await together(
        look(kube, *CONTROLLERS, "Pod", "PersistentVolumeClaim"), kube.get(VOLUMES), kube.get(_CLAIMS)
    )
    return Looked(find(seen, entries(volumes.get("items")), entries(claims.get("items")), storage_class), seen)


def refuse_strangers(moving: Sequence[Moving]) -> None:
    """Raise `StepError` where somebody has a volume who cannot be stopped from here."""
    for each in moving:
        daemons = [user.name for user in each.users if user.kind not in SCALED]
        if names := [*daemons, *each.pods]:
            raise StepError("move_strangers", claim=each.name, names=", ".join(names[:_MOST_NAMED]))
