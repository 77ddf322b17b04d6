"""The NFS server that Rainbond 5.17 brings, on its way to another node: where it is, who uses it, how far it is.

The operator makes its volume, its Service and its StatefulSet where there are none, and never changes them: once the
class is there it does not look at them again (goodrain/rainbond-operator@v5.17.2-release, controllers/plugin/nfs/nfs.go
and controllers/rainbondvolume_controller.go). The volume is a directory of one node, and that never changes: another
node has another volume of the same name. What happens in between is noted on the StatefulSet, which outlives both.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rbdtui.rainbond.moving import User, notes_of, strangers, users_of
from rbdtui.rainbond.workloads import NAMESPACE, Json, Seen, entries, is_ready, name_of

SERVER: Final = "nfs-provisioner"
"""Of its StatefulSet, its Service and its volume."""
CLAIM: Final = "data-nfs-provisioner-0"
CLASS: Final = "rainbondvolumerwx"
"""The class of its volumes: goodrain/rainbond-chart@v5.17.3-release, templates/rainbondvolume_rwx_helm.yaml."""
PROVISIONER: Final = "rainbond.io/nfs"
TO: Final = "rbdtui.io/nfs-to"
"""On the StatefulSet: the node that it is on its way to; what is in the directory there is ours to overwrite."""
FROM: Final = "rbdtui.io/nfs-from"
"""The node that it comes from."""
BECOMES: Final = "rbdtui.io/nfs-becomes"
"""Once both directories were compared: the volume that it is to have, as JSON."""
KEPT: Final = "rbdtui.io/nfs-kept"
"""After a move: the node where its old directory still is."""
_MADE_BY: Final = "pv.kubernetes.io/provisioned-by"
_OWN_NOTES: Final = "pv.kubernetes.io/"
_HOST_LABEL: Final = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True)
class Users:
    """Who has a volume of the server."""

    workloads: tuple[tuple[str, User], ...]
    """By namespace; they can be stopped and started again. Rainbond's database comes last."""
    strangers: tuple[str, ...]
    """Pods that belong to none of these, as NAMESPACE/POD."""


def find_users(seen: Seen, volumes: Sequence[Json]) -> Users:
    """``seen`` has controllers, claims and pods of all namespaces."""
    claims: dict[str, set[str]] = defaultdict(set)
    for volume in volumes:
        reference = (volume.get("spec") or {}).get("claimRef") or {}
        if notes_of(volume).get(_MADE_BY) == PROVISIONER and reference:
            claims[str(reference.get("namespace"))].add(str(reference.get("name")))
    workloads: set[tuple[str, User]] = set()
    others: list[str] = []
    for namespace, names in sorted(claims.items()):
        there = _within(seen, namespace)
        users = users_of(there)
        for name in sorted(names):
            own = users.get(name, [])
            workloads |= {(namespace, user) for user in own}
            others += [f"{namespace}/{pod}" for pod in strangers(there, name, own)]
    by_name = sorted(
        workloads, key=lambda each: (each[1].name == "rbd-db", each[0] != NAMESPACE, each[0], each[1].name)
    )
    return Users(tuple(by_name), tuple(dict.fromkeys(others)))


def _within(seen: Seen, namespace: str) -> Seen:
    return Seen({kind: tuple(_of_namespace(items, namespace)) for kind, items in seen.items.items()})


def _of_namespace(items: Sequence[Json], namespace: str) -> Iterator[Json]:
    for item in items:
        if (item.get("metadata") or {}).get("namespace") == namespace:
            yield item


def host_label(nodes: Sequence[Json], node: str) -> str:
    """What a volume names a node by; the node's name where the node has no such label."""
    found = next((each for each in nodes if name_of(each) == node), {})
    return str(((found.get("metadata") or {}).get("labels") or {}).get(_HOST_LABEL) or node)


def takes_pods(nodes: Sequence[Json], node: str) -> bool:
    """Whether a node is there, is ready, and pods may be placed on it."""
    found = next((each for each in nodes if name_of(each) == node), None)
    return found is not None and is_ready(found) and not (found.get("spec") or {}).get("unschedulable")


def volume_on(volume: Json, label: str) -> dict[str, Any]:
    """The same volume for another node, reserved for the claim that the StatefulSet makes."""
    copy: dict[str, Any] = json.loads(json.dumps(volume))
    metadata, spec = copy.get("metadata") or {}, copy["spec"]
    for term in spec["nodeAffinity"]["required"]["nodeSelectorTerms"]:
        for expression in term["matchExpressions"]:
            expression["values"] = [label]
    spec["claimRef"] = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": NAMESPACE, "name": CLAIM,
    }  # fmt: skip
    notes: Mapping[str, str] = metadata.get("annotations") or {}
    kept = {key: value for key, value in notes.items() if not key.startswith(_OWN_NOTES)}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name_of(volume),
            "labels": metadata.get("labels") or {},
            **({"annotations": kept} if kept else {}),
        },
        "spec": spec,
    }


def is_tied(volume: Json) -> bool:
    """Whether it is a directory of one node, as the operator makes it."""
    spec = volume.get("spec") or {}
    required = (spec.get("nodeAffinity") or {}).get("required") or {}
    return bool((spec.get("hostPath") or {}).get("path")) and bool(entries(required.get("nodeSelectorTerms")))
