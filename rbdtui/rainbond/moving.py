"""The volumes of Rainbond's own components on their way to another StorageClass: which there are, and how far they are.

A claim keeps its class and its volume for ever (kubernetes.io, Persistent Volumes), so the data goes to the volume of a
second claim, and then that volume is given to a new claim of the old name. What happens in between is noted on volumes,
which outlive their claims. The operator makes a claim only where there is none, and never changes one
(goodrain/rainbond-operator@v6.4.1-release, component-mgr/component.go objectCanUpdate).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rbdtui.rainbond.workloads import CONTROLLERS, NAMESPACE, Json, Seen, entries, name_of

MOVED_FROM: Final = "rbdtui.io/moved-from"
"""On a volume: the claim that had it before, so that it is known what may be thrown away."""
BECOMES: Final = "rbdtui.io/becomes"
"""On a volume whose data was compared: the claim that it is to have, as JSON."""
RECLAIM: Final = "rbdtui.io/reclaim"
"""On both volumes: what became of them when their claim went, before neither was to go."""
LABEL: Final = "rbdtui.io/move"
"""Of the pods that copy."""
_TEMPORARY: Final = "rbdtui-move-"
_OWN_NOTES: Final = ("pv.kubernetes.io/", "volume.kubernetes.io/", "volume.beta.kubernetes.io/")
"""Annotations that Kubernetes writes for a claim's volume, and which are of no other one."""
_HOST_LABEL: Final = "kubernetes.io/hostname"

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class User:
    """A workload with a claim."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Moving:
    """A claim that is not yet where it is to be."""

    name: str
    claim: Json | None
    """None while it is taken away and not made again."""
    old: Json | None
    """The volume that it has."""
    new: Json | None
    """The volume that it is to have; None before there is one."""
    users: tuple[User, ...]
    pods: tuple[str, ...]
    """Pods that have it, and belong to none of the users: they cannot be stopped from here."""

    @property
    def temporary(self) -> str:
        """The claim that the new volume has until then."""
        return _TEMPORARY + self.name

    @property
    def is_compared(self) -> bool:
        """Whether the new volume was found to be equal to the old one, while nobody had it."""
        return self.new is not None and BECOMES in notes_of(self.new)

    @property
    def asked(self) -> str:
        """How much the claim asks for, e.g. ``100Gi``."""
        spec = (self.claim or {}).get("spec") or {}
        return str(((spec.get("resources") or {}).get("requests") or {}).get("storage") or "?")

    @property
    def line(self) -> str:
        """What is known of it, raw, on one line."""
        spec = (self.claim or {}).get("spec") or {}
        users = ", ".join(f"{each.kind.lower()}/{each.name}" for each in self.users) or "-"
        place = place_of(self.old) if self.old is not None else "-"
        return f"{self.name}: {spec.get('storageClassName', '-')}, {self.asked}, {place}, used by {users}"

    def wanted(self, storage_class: str) -> Object:
        """The claim as it is to be, but for its volume."""
        claim = self.claim or {}
        metadata, spec = claim.get("metadata") or {}, claim.get("spec") or {}
        notes = metadata.get("annotations") or {}
        kept = {key: value for key, value in notes.items() if not key.startswith(_OWN_NOTES)}
        body: Object = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": self.name, "namespace": NAMESPACE, "labels": metadata.get("labels") or {}}
            | ({"annotations": kept} if kept else {})
            | ({"ownerReferences": metadata["ownerReferences"]} if metadata.get("ownerReferences") else {}),
            "spec": {
                "accessModes": spec.get("accessModes") or ["ReadWriteOnce"],
                "resources": {"requests": {"storage": self.asked}},
                "storageClassName": storage_class,
            },
        }
        return body


@dataclass(frozen=True, slots=True)
class Found:
    """All of it at one moment."""

    moving: tuple[Moving, ...]
    """By name."""
    unused: tuple[str, ...]
    """Claims of another class that no workload has: they stay."""
    others: Mapping[str, int]
    """Claims of other classes in other namespaces, by namespace: volumes of applications, which stay."""
    kept: tuple[Json, ...]
    """Volumes that claims had before they were moved."""

    @property
    def users(self) -> list[User]:
        """All that stand still, the database last."""
        return sorted({user for each in self.moving for user in each.users}, key=lambda u: (u.name == "rbd-db", u.name))


def find(seen: Seen, volumes: Sequence[Json], everywhere: Sequence[Json], storage_class: str) -> Found:
    """How far it is with a move to a class; ``seen`` has controllers, pods and claims, ``everywhere`` all claims."""
    claims = {name_of(claim): claim for claim in seen.of("PersistentVolumeClaim")}
    by_name = {name_of(volume): volume for volume in volumes}
    compared = {name: volume for volume in volumes if (name := _becomes(volume))}
    users = users_of(seen)
    elsewhere = {
        name
        for name, claim in claims.items()
        if _class_of(claim) not in ("", storage_class) and not name.startswith(_TEMPORARY)
    }
    moving = []
    for name in sorted((elsewhere & users.keys()) | compared.keys()):
        claim = claims.get(name)
        temporary = claims.get(_TEMPORARY + name)
        new = compared.get(name) or by_name.get(_volume_of(temporary))
        old = by_name.get(_volume_of(claim))
        if new is not None and old is not None and name_of(old) == name_of(new):
            old = None
        own = users.get(name, ())
        moving.append(Moving(name, claim, old, new, tuple(own), tuple(strangers(seen, name, own))))
    apart = Counter(
        str((claim.get("metadata") or {}).get("namespace"))
        for claim in everywhere
        if _class_of(claim) not in ("", storage_class) and (claim.get("metadata") or {}).get("namespace") != NAMESPACE
    )
    kept = tuple(volume for volume in volumes if MOVED_FROM in notes_of(volume))
    return Found(tuple(moving), tuple(sorted(elsewhere - users.keys())), dict(sorted(apart.items())), kept)


def notes_of(item: Json) -> Mapping[str, str]:
    """The annotations of an object."""
    return (item.get("metadata") or {}).get("annotations") or {}


def reclaim_of(volume: Json) -> str:
    """What becomes of a volume when its claim goes, as it was before anything was noted on it."""
    there = (volume.get("spec") or {}).get("persistentVolumeReclaimPolicy")
    return notes_of(volume).get(RECLAIM) or str(there or "Delete")


def place_of(volume: Json) -> str:
    """Where a volume is, raw: a directory with its node, or of what kind it is."""
    spec = volume.get("spec") or {}
    if path := directory_of(volume):
        return f"{node_of(volume) or '-'}:{path}"
    if isinstance(spec.get("nfs"), Mapping):
        return f"{spec['nfs'].get('server')}:{spec['nfs'].get('path')}"
    if isinstance(spec.get("csi"), Mapping):
        return f"{spec['csi'].get('driver')}:{spec['csi'].get('volumeHandle')}"
    return name_of(volume)


def directory_of(volume: Json) -> str:
    """The directory of its node that a volume is; empty for one of another kind."""
    spec = volume.get("spec") or {}
    found: Json = next((spec[kind] for kind in ("hostPath", "local") if isinstance(spec.get(kind), Mapping)), {})
    return str(found.get("path") or "")


def node_of(volume: Json) -> str:
    """The node that a volume is tied to; empty for one that any node can have."""
    required = (((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required") or {})  # fmt: skip
    for term in entries(required.get("nodeSelectorTerms")):
        for expression in entries(term.get("matchExpressions")):
            values = expression.get("values")
            if expression.get("key") == _HOST_LABEL and isinstance(values, list) and len(values) == 1:
                return str(values[0])
    return ""


def _becomes(volume: Json) -> str:
    """The claim that a volume is to have."""
    text = notes_of(volume).get(BECOMES)
    return str(json.loads(text)["metadata"]["name"]) if text else ""


def _class_of(claim: Json) -> str:
    return str((claim.get("spec") or {}).get("storageClassName") or "")


def _volume_of(claim: Json | None) -> str:
    return str(((claim or {}).get("spec") or {}).get("volumeName") or "")


def users_of(seen: Seen) -> dict[str, list[User]]:
    """Workloads of a namespace by the claims that they have."""
    found: dict[str, list[User]] = {}
    claims = [name_of(claim) for claim in seen.of("PersistentVolumeClaim")]
    for kind in CONTROLLERS:
        for item in seen.of(kind):
            spec = item.get("spec") or {}
            own = set(_named((spec.get("template") or {}).get("spec") or {}))
            for template in entries(spec.get("volumeClaimTemplates")):
                stem = f"{name_of(template)}-{name_of(item)}-"
                own |= {name for name in claims if name.startswith(stem) and name.removeprefix(stem).isdecimal()}
            for name in sorted(own):
                found.setdefault(name, []).append(User(kind, name_of(item)))
    return found


def _named(pod: Json) -> Iterator[str]:
    """Claims that a pod's volumes name."""
    for volume in entries(pod.get("volumes")):
        claim = volume.get("persistentVolumeClaim")
        if isinstance(claim, Mapping):
            yield str(claim.get("claimName"))


def strangers(seen: Seen, name: str, users: Sequence[User]) -> Iterator[str]:
    """Pods that have a claim, and belong to none of its users."""
    ours = {name_of(pod) for user in users for pod in seen.pods_of(user.kind, user.name)}
    for pod in seen.of("Pod"):
        ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        label = ((pod.get("metadata") or {}).get("labels") or {}).get(LABEL)
        if name in _named(pod.get("spec") or {}) and name_of(pod) not in ours and not ended and not label:
            yield name_of(pod)
