"""Rainbond's namespace as an API gives it: every component of `spec_of` well, until a test spoils one."""

from __future__ import annotations

import json

from rbdtui.probes.components import named_release, planned
from rbdtui.rainbond.components import Component
from rbdtui.rainbond.workloads import LISTS
from tests.probes.standin import spec_of
from tests.rainbond.objects import Json, event, pod, workload

OWNERS = {"Deployment": "ReplicaSet", "StatefulSet": "StatefulSet", "DaemonSet": "DaemonSet"}


class Namespace:
    """Its lists, by the paths under which they are asked for."""

    def __init__(self) -> None:
        spec = spec_of()
        self.parts = planned(spec, named_release(spec))
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.unready: dict[str, Json] = {}
        """By component, what its containers' status says instead."""
        self.events: list[Json] = []
        self.claims: dict[str, str] = {"rbd-hub": "Bound", "rbd-db-rbd-db-0": "Bound"}
        self.publish()

    def spoil(self, name: str, container: Json, *, said: str = "") -> None:
        """Have no pod of a component be ready, for what its container's status says."""
        self.unready[name] = container
        self.events += [event(f"{name}-5d9c7-node1", "Unhealthy", said)] if said else []
        self.publish()

    def mend(self, name: str) -> None:
        """Have a component be well again."""
        del self.unready[name]
        self.publish()

    def publish(self) -> None:
        """Show what there is now."""
        lists: dict[str, list[Json]] = {kind: [] for kind in LISTS}
        for part in self.parts.values():
            ready = 0 if part.name in self.unready else part.replicas
            lists[part.kind].append(workload(part.kind, part.name, wanted=part.replicas, ready=ready))
            lists["Pod"] += self._pods(part)
        lists["Event"] = self.events
        lists["PersistentVolumeClaim"] = [
            {"metadata": {"name": name}, "status": {"phase": phase}} for name, phase in self.claims.items()
        ]
        for kind, path in LISTS.items():
            if kind not in ("Node", "RbdComponent"):
                self.answers[path] = (200, json.dumps({"items": lists[kind]}).encode())

    def _pods(self, part: Component) -> list[Json]:
        spoilt = self.unready.get(part.name)
        return [
            pod(part.name, name, owner=OWNERS[part.kind], ready=spoilt is None, container=spoilt)
            for name in (part.nodes or ["node1"] * part.replicas)
        ]
