"""The objects of a simulated cluster, as its API server keeps them in etcd, and its refusals in its own words."""

from __future__ import annotations

import asyncio
import base64
import copy
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rbdtui.simulator.kubernetes.selectors import Object

CRD_GROUP: Final = "apiextensions.k8s.io"
_FIRST_VERSION: Final = 1000
_HISTORY: Final = 4000
"""How many changes a watch can begin behind; an older version is gone."""
_NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
_STATEFUL_SET_MAY: Final = (
    "replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True
    has_status: bool = False
    """Whether its status is written apart from the rest."""

    @property
    def api_version(self) -> str:
        """As it stands in objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def words(self) -> str:
        """As it is called in messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_ADMISSION: Final = "admissionregistration.k8s.io"
KINDS: Final = (
    Kind("", "v1", "namespaces", "Namespace", namespaced=False, has_status=True),
    Kind("", "v1", "nodes", "Node", namespaced=False, has_status=True),
    Kind("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False, has_status=True),
    Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", has_status=True),
    Kind("", "v1", "pods", "Pod", has_status=True),
    Kind("", "v1", "configmaps", "ConfigMap"),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "services", "Service", has_status=True),
    Kind("", "v1", "serviceaccounts", "ServiceAccount"),
    Kind("", "v1", "events", "Event"),
    Kind("", "v1", "endpoints", "Endpoints"),
    Kind("apps", "v1", "deployments", "Deployment", has_status=True),
    Kind("apps", "v1", "replicasets", "ReplicaSet", has_status=True),
    Kind("apps", "v1", "statefulsets", "StatefulSet", has_status=True),
    Kind("apps", "v1", "daemonsets", "DaemonSet", has_status=True),
    Kind("batch", "v1", "jobs", "Job", has_status=True),
    Kind("networking.k8s.io", "v1", "ingresses", "Ingress", has_status=True),
    Kind("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False),
    Kind("coordination.k8s.io", "v1", "leases", "Lease"),
    Kind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False),
    Kind("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Kind("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Kind(_ADMISSION, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", namespaced=False),
    Kind(_ADMISSION, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", namespaced=False),
    Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Kind(CRD_GROUP, "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False, has_status=True),
)


class StatusError(Exception):
    """The API server refuses something; the body is a Status."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details or {}

    def to_json(self) -> Object:
        """The body."""
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
            "reason": self.reason, "details": self.details, "code": self.code,
        }  # fmt: skip


def not_found(kind: Kind, name: str) -> StatusError:
    """404."""
    return _error(kind, name, 404, "NotFound", f'{kind.words} "{name}" not found')


def invalid(kind: Kind, name: str, what: str) -> StatusError:
    """422."""
    title = f"{kind.name}.{kind.group}" if kind.group else kind.name
    return _error(kind, name, 422, "Invalid", f'{title} "{name}" is invalid: {what}')


def _error(kind: Kind, name: str, code: int, reason: str, message: str) -> StatusError:
    group = {"group": kind.group} if kind.group else {}
    return StatusError(code, reason, message, {"name": name, **group, "kind": kind.plural})


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an object."""

    version: int
    kind: Kind
    before: Object | None
    after: Object | None


Key = tuple[str, str, str, str]
"""Group, plural, namespace ('' for none), name."""
Objects = dict[tuple[str, str], dict[tuple[str, str], Object]]
"""By group and plural, and there by namespace ('' for none) and name."""
Saved = tuple[dict[tuple[str, str], Kind], Objects, dict[tuple[Key, str], Object]]
"""Kinds, objects, and what managers applied."""


class Store:
    """All objects but the nodes' truth, which the cluster puts here; whoever reads must not change what it is given."""

    def __init__(self) -> None:
        self._kinds = {(kind.group, kind.plural): kind for kind in KINDS}
        self._objects: Objects = {}
        self._applied: dict[tuple[Key, str], Object] = {}
        self._version = _FIRST_VERSION
        self._changes: deque[Change] = deque(maxlen=_HISTORY)
        self._changed = asyncio.Event()
        self.logs: dict[tuple[str, str, str], list[str]] = {}
        """What containers said: by namespace, pod and container."""
        self.logs_before: dict[tuple[str, str, str], list[str]] = {}
        """The same of the container's run before."""
        self.contents: dict[str, dict[str, str]] = {}
        """What is in volumes: by the volume's name, files by their paths."""
        self.ended_jobs: dict[str, float] = {}
        """When Jobs ended, in simulated seconds, by UID."""
        for name in _NAMESPACES:
            self.create(self.kind("", "namespaces"), "", {"metadata": {"name": name}})

    # --- kinds -----------------------------------------------------------------------------------------------

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All kinds that are known now."""
        return tuple(self._kinds.values())

    def kind(self, group: str, plural: str) -> Kind:
        """The kind of a resource; raises `StatusError`."""
        found = self._kinds.get((group, plural))
        if found is None:
            raise StatusError(404, "NotFound", "the server could not find the requested resource")
        return found

    def kind_of(self, item: Object) -> Kind:
        """The kind of an object by its ``apiVersion`` and ``kind``; raises `StatusError`."""
        group = item["apiVersion"].rpartition("/")[0]
        found = next((k for k in self._kinds.values() if k.group == group and k.name == item["kind"]), None)
        if found is None:
            words = f'no matches for kind "{item["kind"]}" in version "{item["apiVersion"]}"'
            raise StatusError(404, "NotFound", words)
        return found

    def _define(self, definition: Object) -> None:
        spec = definition["spec"]
        for version in (each for each in spec["versions"] if each.get("served", True)):
            has_status = "status" in version.get("subresources", {})
            namespaced = spec["scope"] == "Namespaced"
            names = spec["names"]
            kind = Kind(spec["group"], version["name"], names["plural"], names["kind"], namespaced, has_status)
            self._kinds[kind.group, kind.plural] = kind

    # --- reading ---------------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Of the last change."""
        return self._version

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """An object, or None."""
        return self._objects.get((kind.group, kind.plural), {}).get((namespace, name))

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """An object; raises `StatusError`."""
        found = self.find(kind, namespace, name)
        if found is None:
            raise not_found(kind, name)
        return found

    def listed(self, kind: Kind, namespace: str = "") -> list[Object]:
        """All objects of a kind, of one namespace or of all, by namespace and name."""
        objects = self._objects.get((kind.group, kind.plural), {})
        return [objects[key] for key in sorted(objects) if not namespace or key[0] == namespace]

    def _all(self) -> Iterator[tuple[Key, Object]]:
        for (group, plural), objects in self._objects.items():
            for (namespace, name), item in objects.items():
                yield (group, plural, namespace, name), item

    def changes_after(self, version: int) -> Iterator[Change]:
        """What happened since a version; raises `StatusError` (410) when that is too long ago."""
        if self._changes and version < self._changes[0].version - 1 and len(self._changes) == _HISTORY:
            words = f"too old resource version: {version} ({self._changes[0].version})"
            raise StatusError(410, "Expired", words)
        return iter([change for change in self._changes if change.version > version])

    async def wait(self, version: int, limit_s: float) -> None:
        """Until something has changed since a version, at most for some (real) seconds."""
        if self._version > version:
            return
        try:
            async with asyncio.timeout(limit_s):
                await self._changed.wait()
        except TimeoutError:
            return

    # --- saving ----------------------------------------------------------------------------------------------

    def saved(self) -> Saved:
        """All that a snapshot of etcd has of it."""
        return dict(self._kinds), copy.deepcopy(self._objects), copy.deepcopy(self._applied)

    def restore(self, saved: Saved) -> None:
        """Be again as it was when it was saved; whoever watches has to begin anew."""
        kinds, objects, applied = saved
        self._kinds, self._objects, self._applied = dict(kinds), copy.deepcopy(objects), copy.deepcopy(applied)
        self._version += 1
        self._changes.clear()

    # --- writing ---------------------------------------------------------------------------------------------

    def create(self, kind: Kind, namespace: str, item: Object) -> Object:
        """A new object; raises `StatusError`."""
        item = copy.deepcopy(item)
        metadata = item.setdefault("metadata", {})
        if "generateName" in metadata and not metadata.get("name"):
            metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
        name = str(metadata.get("name", ""))
        if not name:
            raise invalid(kind, "", "metadata.name: Required value: name or generateName is required")
        if namespace:
            self.get(self._kinds["", "namespaces"], "", namespace)
            metadata["namespace"] = namespace
        if self.find(kind, namespace, name) is not None:
            raise _error(kind, name, 409, "AlreadyExists", f'{kind.words} "{name}" already exists')
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": moment, "generation": 1}
        if kind.has_status:
            item.pop("status", None)
        _complete(kind, item)
        if kind.group == CRD_GROUP:
            self._define(item)
        return self._put(kind, None, item)

    def replace(self, kind: Kind, namespace: str, name: str, item: Object) -> Object:
        """An object in place of one that is there; raises `StatusError`."""
        before = self.get(kind, namespace, name)
        wanted = str(item.get("metadata", {}).get("resourceVersion", ""))
        if wanted and wanted != before["metadata"]["resourceVersion"]:
            words = (
                f'Operation cannot be fulfilled on {kind.words} "{name}": the object has been modified; '
                "please apply your changes to the latest version and try again"
            )
            raise _error(kind, name, 409, "Conflict", words)
        item = copy.deepcopy(item)
        if kind.has_status:
            item.pop("status", None)
            item |= {"status": before["status"]} if "status" in before else {}
        _complete(kind, item)
        _forbid(kind, name, before, item)
        return self._change(kind, before, item)

    def apply(self, kind: Kind, namespace: str, name: str, manager: str, item: Object) -> Object | None:
        """What a manager applied before; the new text is remembered."""
        key = ((kind.group, kind.plural, namespace, name), manager)
        before = self._applied.get(key)
        self._applied[key] = copy.deepcopy(item)
        return before

    def set_status(self, kind: Kind, namespace: str, name: str, status: Object) -> Object:
        """Another status; nothing happens when it is the same. Raises `StatusError`."""
        before = self.get(kind, namespace, name)
        return self._change(kind, before, before | {"status": status})

    def put(self, kind: Kind, item: Object) -> Object:
        """What somebody else knows to be so, as it is: a node's or a controller's truth."""
        metadata = item["metadata"]
        before = self.find(kind, metadata.get("namespace", ""), metadata["name"])
        return self._put(kind, None, copy.deepcopy(item)) if before is None else self._change(kind, before, item)

    def _change(self, kind: Kind, before: Object, item: Object) -> Object:
        old = before["metadata"]
        kept = {key: old[key] for key in ("uid", "creationTimestamp", "generation", "namespace") if key in old}
        after = item | {"apiVersion": kind.api_version, "kind": kind.name}
        named = {"name": old["name"], "resourceVersion": old["resourceVersion"]}
        after["metadata"] = after.get("metadata", {}) | kept | named
        if after == before:
            return before
        after = copy.deepcopy(after)
        if any(after.get(part) != before.get(part) for part in {*after, *before} - {"metadata", "status"}):
            after["metadata"]["generation"] = old.get("generation", 1) + 1
        return self._put(kind, before, after)

    def _put(self, kind: Kind, before: Object | None, after: Object) -> Object:
        self._version += 1
        after = after | {"apiVersion": kind.api_version, "kind": kind.name}
        after["metadata"]["resourceVersion"] = str(self._version)
        group, plural, namespace, name = self._key(kind, after)
        self._objects.setdefault((group, plural), {})[namespace, name] = after
        self._tell(Change(self._version, kind, before, after))
        return after

    def delete(self, kind: Kind, namespace: str, name: str, *, orphan: bool = False) -> Object:
        """Take an object away, and unless they are to be orphans what it owns; raises `StatusError`."""
        found = self.get(kind, namespace, name)
        del self._objects[kind.group, kind.plural][self._key(kind, found)[2:]]
        self._version += 1
        self._tell(Change(self._version, kind, found, None))
        if kind.plural == "pods":
            for logs in (self.logs, self.logs_before):
                for key in [key for key in logs if key[:2] == (namespace, name)]:
                    del logs[key]
        if kind.plural == "namespaces":
            self._delete_all(key for key, _ in self._all() if key[2] == name)
        if kind.group == CRD_GROUP:
            group, plural = found["spec"]["group"], found["spec"]["names"]["plural"]
            self._delete_all(key for key, _ in self._all() if key[:2] == (group, plural))
            self._kinds.pop((group, plural), None)
        uid = found["metadata"]["uid"]
        if orphan:
            for place, item in [pair for pair in self._all() if _owner(pair[1]) == uid]:
                metadata = {word: value for word, value in item["metadata"].items() if word != "ownerReferences"}
                self._change(self._kinds[place[0], place[1]], item, item | {"metadata": metadata})
        else:
            self._delete_all(key for key, item in self._all() if _owner(item) == uid)
        return found

    def _delete_all(self, keys: Iterable[Key]) -> None:
        for group, plural, namespace, name in list(keys):
            kind = self._kinds[group, plural]
            if self.find(kind, namespace, name) is not None:
                self.delete(kind, namespace, name)

    def _key(self, kind: Kind, item: Object) -> Key:
        return kind.group, kind.plural, item["metadata"].get("namespace", ""), item["metadata"]["name"]

    def _tell(self, change: Change) -> None:
        self._changes.append(change)
        self._changed.set()
        self._changed = asyncio.Event()


def _owner(item: Object) -> str:
    owners = item["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("uid", ""))


def _forbid(kind: Kind, name: str, before: Object, after: Object) -> None:
    """What cannot be changed of an object; raises `StatusError`."""
    old, new = before.get("spec") or {}, after.get("spec") or {}
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    if kind.name == "StatefulSet" and changed - set(_STATEFUL_SET_MAY):
        allowed = ", ".join(f"'{word}'" for word in _STATEFUL_SET_MAY[:-1])
        words = f"updates to statefulset spec for fields other than {allowed} and '{_STATEFUL_SET_MAY[-1]}'"
        raise invalid(kind, name, f"spec: Forbidden: {words} are forbidden")
    if kind.name in {"Deployment", "DaemonSet"} and "selector" in changed:
        raise invalid(kind, name, "spec.selector: Invalid value: field is immutable")


def _complete(kind: Kind, item: Object) -> None:
    """What the API server fills in by itself."""
    if kind.name == "Secret":
        data = item.setdefault("data", {})
        data |= {key: base64.b64encode(str(text).encode()).decode() for key, text in item.pop("stringData", {}).items()}
        item.setdefault("type", "Opaque")
    elif kind.name == "Namespace":
        item.setdefault("spec", {"finalizers": ["kubernetes"]})
        item.setdefault("status", {"phase": "Active"})
    elif kind.name in {"Deployment", "StatefulSet", "ReplicaSet"}:
        item.setdefault("spec", {}).setdefault("replicas", 1)
    elif kind.name == "CustomResourceDefinition":
        conditions = [{"type": word, "status": "True", "reason": word} for word in ("NamesAccepted", "Established")]
        item.setdefault("status", {"conditions": conditions})
