"""What the pod that copies a volume does: ``assets/pods/copy-volume.sh`` by what is in simulated volumes."""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.kubelet import Behaviour
from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.kubernetes.volumes import directory, files_of
from rbdtui.simulator.machine import Machine

CONTAINER = "rbdtui-copy"


def _work(cluster: Cluster, machine: Machine, pod: Object) -> bool:
    store, container = cluster.store, pod["spec"]["containers"][0]
    task = container["command"][-1]
    if task == "serve":
        return False
    env = {each["name"]: each["value"] for each in container["env"]}
    others = store.listed(store.kind("", "pods"), pod["metadata"]["namespace"])
    serving = next((each for each in others if each.get("status", {}).get("podIP") == env.get("FROM", "")), pod)
    old, new = _files(cluster, serving, "old"), _files(cluster, pod, "new")
    lines = store.logs.setdefault((pod["metadata"]["namespace"], pod["metadata"]["name"], CONTAINER), [])
    lines += _said(cluster, next(iter(pod["metadata"]["labels"].values())), task, old, new)
    return True


def _files(cluster: Cluster, pod: Object, name: str) -> dict[str, str]:
    """What is in a volume of a pod; nothing for one that it has not."""
    store, namespace = cluster.store, pod["metadata"]["namespace"]
    volume: Object = next((each for each in pod["spec"]["volumes"] if each["name"] == name), {})
    if claim := volume.get("persistentVolumeClaim"):
        found = store.get(store.kind("", "persistentvolumeclaims"), namespace, claim["claimName"])
        return files_of(store, found["spec"]["volumeName"])[0]
    if path := volume.get("hostPath", {}).get("path"):
        return store.contents.setdefault(directory(pod["spec"]["nodeName"], path), {})
    return {}


def _said(cluster: Cluster, claim: str, task: str, old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    if task == "measure":
        yield f"used_kib {_kib(old)}"
        yield f"copied_kib {_kib(new)}"
        yield f"entries {len({path.partition('/')[0] for path in new})}"
        yield f"free_kib {cluster.faults.room_kib}"
        yield f"size_kib {cluster.faults.room_kib}"
        yield "device /dev/simulated"
        yield "kind ext4"
    elif task == "compare":
        differing = sorted(path for path in {*old, *new} if old.get(path) != new.get(path))
        yield from (f"different ./{path}" for path in differing[:20])
        yield f"differences {len(differing)}"
        yield f"files {len(old)}"
    elif task == "clear":
        new.clear()
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
