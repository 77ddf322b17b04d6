"""How the parts of a simulated cluster tell of objects: moments, events, conditions."""

from __future__ import annotations

import hashlib
import time

from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.kubernetes.store import Store


def now() -> str:
    """The moment as objects have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def event(store: Store, about: Object, reason: str, message: str, *, warning: bool = True) -> None:
    """Tell of an object; the same words again are counted."""
    metadata = about["metadata"]
    namespace = metadata.get("namespace", "default")
    digest = hashlib.sha256(f"{metadata['uid']} {reason} {message}".encode()).hexdigest()[:16]
    kind, name = store.kind("", "events"), f"{metadata['name']}.{digest}"
    known = store.find(kind, namespace, name)
    body = {
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {
            "apiVersion": about["apiVersion"], "kind": about["kind"], "name": metadata["name"],
            "namespace": namespace, "uid": metadata["uid"],
        },
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
        "count": (known["count"] if known else 0) + 1,
        "firstTimestamp": known["firstTimestamp"] if known else now(),
        "lastTimestamp": now(),
        "source": {"component": "simulated"},
    }  # fmt: skip
    if known is not None:
        store.put(kind, body)
    elif store.find(store.kind("", "namespaces"), "", namespace) is not None:
        store.create(kind, namespace, body)


def condition(kind: str, holds: bool | None, reason: str = "", message: str = "") -> Object:
    """A condition of a status."""
    status = "Unknown" if holds is None else str(holds)
    return {"type": kind, "status": status} | ({"reason": reason} if reason else {}) | _said(message)


def _said(message: str) -> Object:
    return {"message": message} if message else {}


def is_ready(pod: Object) -> bool:
    """Whether a pod's Ready condition holds."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
