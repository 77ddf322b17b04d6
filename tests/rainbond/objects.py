"""Objects of the API in the shape in which it gives them, as far as a judgement looks."""

from __future__ import annotations

from typing import Any

from rbdtui.rainbond.workloads import Seen

Json = dict[str, Any]


def workload(kind: str, name: str, *, wanted: int = 1, ready: int | None = None, **status: int) -> Json:
    """A workload at rest with as many ready pods as it wants, or fewer; ``status`` lays more over that."""
    ready = wanted if ready is None else ready
    counts = {"replicas": wanted, "updatedReplicas": wanted, "readyReplicas": ready, "availableReplicas": ready}
    if kind == "DaemonSet":
        counts = {
            "desiredNumberScheduled": wanted,
            "currentNumberScheduled": wanted,
            "updatedNumberScheduled": wanted,
            "numberAvailable": ready,
        }
    return {
        "kind": kind,
        "metadata": {"name": name, "generation": 2},
        "spec": {} if kind == "DaemonSet" else {"replicas": wanted},
        "status": {"observedGeneration": 2, **counts, **status},
    }


def pod(
    component: str,
    node: str = "node1",
    *,
    owner: str = "ReplicaSet",
    ready: bool = True,
    container: Json | None = None,
    conditions: list[Json] | None = None,
    volumes: list[Json] | None = None,
) -> Json:
    """A pod of a component; ``container`` is laid over the status of its one container."""
    owned = f"{component}-5d9c7" if owner == "ReplicaSet" else component
    state = {"name": component, "ready": ready, "restartCount": 0, "state": {"running": {}}, **(container or {})}
    return {
        "metadata": {"name": f"{component}-5d9c7-{node}", "ownerReferences": [{"kind": owner, "name": owned}]},
        "spec": {"nodeName": node, "volumes": volumes or []},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}, *(conditions or [])],
            "containerStatuses": [state] if node else [],
        },
    }


def event(about: str, reason: str, message: str, *, at: str = "2026-01-01T00:00:00Z") -> Json:
    """A warning about an object."""
    involved = {"name": about}
    return {"type": "Warning", "reason": reason, "message": message, "involvedObject": involved, "lastTimestamp": at}


def node(name: str, *, ready: bool = True) -> Json:
    """A node."""
    condition = {"type": "Ready", "status": "True" if ready else "Unknown"}
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}


def seen(**lists: list[Json]) -> Seen:
    """A look; the operator is ready unless it is given."""
    lists.setdefault("Deployment", [])
    if not any(item["metadata"]["name"] == "rainbond-operator" for item in lists["Deployment"]):
        lists["Deployment"] = [*lists["Deployment"], workload("Deployment", "rainbond-operator")]
        lists["Pod"] = [*lists.get("Pod", []), pod("rainbond-operator")]
    return Seen(lists)
