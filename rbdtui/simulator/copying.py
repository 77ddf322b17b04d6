"""What the pod that copies a volume does: ``assets/pods/copy-volume.sh`` by what is in simulated volumes."""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.kubelet import Behaviour
from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.machine import Machine

CONTAINER = "rbdtui-copy"


def _work(cluster: Cluster, machine: Machine, pod: Object) -> bool:
    store, container = cluster.store, pod["spec"]["containers"][0]
    claims = {each["name"]: each.get("persistentVolumeClaim", {}).get("claimName") for each in pod["spec"]["volumes"]}
    kind = store.kind("", "persistentvolumeclaims")
    found = {name: store.get(kind, pod["metadata"]["namespace"], claims[name]) for name in ("old", "new")}
    old, new = (store.contents.setdefault(found[name]["spec"]["volumeName"], {}) for name in ("old", "new"))
    lines = store.logs.setdefault((pod["metadata"]["namespace"], pod["metadata"]["name"], CONTAINER), [])
    lines += _said(cluster, claims["old"], container["command"][-1], old, new)
    return True


def _said(cluster: Cluster, claim: str, task: str, old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    if task == "measure":
        yield f"used_kib {_kib(old)}"
        yield f"copied_kib {_kib(new)}"
        yield f"free_kib {cluster.faults.room_kib}"
        yield "device /dev/simulated"
    elif task == "compare":
        differing = sorted(path for path in {*old, *new} if old.get(path) != new.get(path))
        yield from (f"different ./{path}" for path in differing[:20])
        yield f"differences {len(differing)}"
        yield f"files {len(old)}"
    else:
        new.clear()
        new.update(old)
        if claim in cluster.faults.torn and new:
            path = min(new)
            new[path] = new[path][:-1]
    yield f"done {task}"


def _kib(contents: dict[str, str]) -> int:
    """What du says, with the directory itself."""
    return sum(map(len, contents.values())) // 1024 + 4


BEHAVIOURS = {CONTAINER: Behaviour(0.5, done=_work)}
"""By the container's name."""
