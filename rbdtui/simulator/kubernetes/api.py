"""The API server of a simulated cluster: paths and verbs over the objects of `store`, as far as clients of ours go."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.controllers import pods_behind
from rbdtui.simulator.kubernetes.http import Request, Response, json_response
from rbdtui.simulator.kubernetes.patches import applied, merged
from rbdtui.simulator.kubernetes.selectors import Matches, Object, selection
from rbdtui.simulator.kubernetes.store import Change, Kind, StatusError, Store
from rbdtui.simulator.kubesphere import SERVICES
from rbdtui.simulator.machine import Machine

_VERSION: Final = {"major": "1", "minor": "30", "gitVersion": "v1.30.4+rke2r1", "platform": "linux/amd64"}
_POLL_S: Final = 0.2
"""How often a watch looks whether nodes have changed, which are nobody's write."""
_WATCH_S: Final = 300.0
_BOOKMARK_S: Final = 60.0
_APPLY: Final = "application/apply-patch+yaml"
_PROXY: Final = re.compile(r"/api/v1/namespaces/([^/]+)/services/([^/:]+)(?::\d+)?/proxy/(.*)")
_MERGES: Final = frozenset({"application/merge-patch+json", "application/strategic-merge-patch+json"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names."""

    kind: Kind
    namespace: str
    name: str
    part: str
    """``status``, ``scale`` or ``log``; empty for the whole object."""


def api_server(cluster: Cluster, machine: Machine) -> Callable[[Request], Response]:
    """What the API server of a machine answers on 6443."""

    def answer(request: Request) -> Response:
        if not request.client:
            return _refused(StatusError(401, "Unauthorized", "Unauthorized"))
        if not cluster.serves(machine):
            return Response(500, b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")
        if request.path in {"/readyz", "/livez", "/healthz"}:
            return Response(200, b"ok")
        if request.path == "/version":
            return json_response(200, _VERSION)
        try:
            return _Api(cluster, machine).answer(request)
        except StatusError as error:
            return _refused(error)
        except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
            words = f"the object provided is unrecognized: {type(error).__name__}: {error}"
            return _refused(StatusError(400, "BadRequest", words))

    return answer


def _refused(error: StatusError) -> Response:
    return json_response(error.code, error.to_json())


def target_of(store: Store, path: str) -> Target:
    """The resource behind a path; raises `StatusError` (404)."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise StatusError(404, "NotFound", "the server could not find the requested resource")
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    kind = store.kind(group, rest[0])
    if kind.version != version or len(rest) > 3:
        raise StatusError(404, "NotFound", "the server could not find the requested resource")
    return Target(kind, namespace, *([*rest[1:], "", ""][:2]))


class _Api:
    """One request to one server."""

    def __init__(self, cluster: Cluster, machine: Machine) -> None:
        self._cluster, self._machine, self._store = cluster, machine, cluster.store

    def answer(self, request: Request) -> Response:
        self._cluster.sync_nodes()
        found = _discovery(self._store, request.path)
        if found is not None:
            return json_response(200, found)
        if behind := _PROXY.fullmatch(request.path):
            return self._proxied(request, *behind.groups())
        target = target_of(self._store, request.path)
        if target.part == "log":
            return self._log(target, request)
        if request.method == "GET":
            return self._read(target, request)
        if request.method == "POST":
            return self._create(target, request)
        if request.method in {"PUT", "PATCH"}:
            return self._write(target, request)
        if request.method == "DELETE":
            return self._delete(target, request)
        raise StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    # --- reading ---------------------------------------------------------------------------------------------

    def _read(self, target: Target, request: Request) -> Response:
        if target.name and target.part != "scale":
            return json_response(200, self._store.get(target.kind, target.namespace, target.name))
        if target.name:
            return json_response(200, _scale(self._store.get(target.kind, target.namespace, target.name)))
        matches = selection(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
        if request.query.get("watch", "") in {"true", "1"}:
            begin = request.query.get("resourceVersion", "")
            marked = request.query.get("allowWatchBookmarks", "") in {"true", "1"}
            limit_s = float(request.query.get("timeoutSeconds", _WATCH_S))
            stream = self._watch(target, matches, begin, limit_s, marked=marked)
            return Response(200, b"", "application/json", stream=stream)
        items = [item for item in self._store.listed(target.kind, target.namespace) if matches(item)]
        start = int(request.query.get("continue", "") or 0)
        limit = int(request.query.get("limit", "") or 0) or len(items)
        metadata: Object = {"resourceVersion": str(self._store.version)}
        if start + limit < len(items):
            metadata |= {"continue": str(start + limit), "remainingItemCount": len(items) - start - limit}
        listed = {"apiVersion": target.kind.api_version, "kind": f"{target.kind.name}List", "metadata": metadata}
        return json_response(200, listed | {"items": items[start : start + limit]})

    async def _watch(
        self, target: Target, matches: Matches, begin: str, limit_s: float, *, marked: bool
    ) -> AsyncIterator[bytes]:
        """What happens from now on, or since a version; the stream dies with the server, and is silent without etcd.

        Who wants to be told how far the server has come is told now and then, and at the end.
        """
        store, pace = self._store, self._cluster.network.pace
        version = store.version
        if begin in {"", "0"}:
            for item in store.listed(target.kind, target.namespace):
                if matches(item):
                    yield _event("ADDED", item)
        else:
            version = int(begin)
        end_s = pace.now_s + limit_s * pace.speed
        mark_s = pace.now_s + _BOOKMARK_S
        while pace.now_s < end_s:
            if not self._cluster.serves(self._machine):
                await store.wait(store.version, _POLL_S)
                continue
            self._cluster.sync_nodes()
            try:
                changes = list(store.changes_after(version))
            except StatusError as error:
                yield _event("ERROR", error.to_json())
                return
            for change in changes:
                version = change.version
                if seen := _seen(change, target, matches):
                    yield seen
            if marked and pace.now_s >= mark_s:
                mark_s = pace.now_s + _BOOKMARK_S
                yield _bookmark(target.kind, version)
            await store.wait(version, _POLL_S)
        if marked:
            yield _bookmark(target.kind, version)

    def _proxied(self, request: Request, namespace: str, service: str, path: str) -> Response:
        """What a pod behind a Service answers."""
        answer = SERVICES.get((namespace, service))
        if answer is None or not pods_behind(self._store, namespace, service):
            words = f'no endpoints available for service "{service}"'
            raise StatusError(503, "ServiceUnavailable", words)
        return answer(self._cluster, replace(request, path=f"/{path}"))

    def _log(self, target: Target, request: Request) -> Response:
        pod = self._store.get(target.kind, target.namespace, target.name)
        names = [container["name"] for container in pod["spec"]["containers"]]
        name = request.query.get("container", "") or (names[0] if len(names) == 1 else "")
        if not name:
            words = f"a container name must be specified for pod {target.name}, choose one of: [{' '.join(names)}]"
            raise StatusError(400, "BadRequest", words)
        if name not in names:
            raise StatusError(400, "BadRequest", f"container {name} is not valid for pod {target.name}")
        previous = request.query.get("previous", "") in {"true", "1"}
        logs = self._store.logs_before if previous else self._store.logs
        lines = logs.get((target.namespace, target.name, name))
        if lines is None and previous:
            words = f'previous terminated container "{name}" in pod "{target.name}" not found'
            raise StatusError(400, "BadRequest", words)
        if lines is None:
            reason = _waiting_for(pod, name) or "ContainerCreating"
            words = f'container "{name}" in pod "{target.name}" is waiting to start: {reason}'
            raise StatusError(400, "BadRequest", words)
        tail = int(request.query.get("tailLines", "") or len(lines))
        return Response(200, "".join(f"{line}\n" for line in (lines[-tail:] if tail else [])).encode(), "text/plain")

    # --- writing ---------------------------------------------------------------------------------------------

    def _create(self, target: Target, request: Request) -> Response:
        item = _body(request)
        if target.name:
            raise StatusError(
                405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
            )
        _same(target, item)
        namespace = target.namespace if target.kind.namespaced else ""
        if target.kind.namespaced and not namespace:
            raise StatusError(
                405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
            )
        return json_response(201, self._store.create(target.kind, namespace, item))

    def _write(self, target: Target, request: Request) -> Response:
        kind, namespace, name = target.kind, target.namespace, target.name
        content_type = request.headers.get("content-type", "").partition(";")[0].strip()
        body = _body(request)
        if request.method == "PUT":
            _same(target, body)
            wanted = body
        elif content_type == _APPLY:
            return self._apply(target, body, request.query.get("fieldManager", ""))
        elif content_type in _MERGES:
            live = self._store.get(kind, namespace, name)
            wanted = merged(_scale(live) if target.part == "scale" else live, body)
        else:
            words = "the body of the request was in an unknown format - accepted media types include: "
            raise StatusError(415, "UnsupportedMediaType", words + ", ".join([*sorted(_MERGES), _APPLY]))
        if target.part == "status":
            return json_response(200, self._store.set_status(kind, namespace, name, wanted.get("status", {})))
        if target.part == "scale":
            live = self._store.get(kind, namespace, name)
            spec = live["spec"] | {"replicas": wanted["spec"]["replicas"]}
            return json_response(200, _scale(self._store.replace(kind, namespace, name, live | {"spec": spec})))
        written = self._store.replace(kind, namespace, name, wanted)
        if kind.plural == "nodes":
            self._cluster.take_node(written)
        return json_response(200, written)

    def _apply(self, target: Target, body: Object, manager: str) -> Response:
        if not manager:
            words = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
            raise StatusError(422, "Invalid", words)
        kind, namespace, name = target.kind, target.namespace, target.name
        _same(target, body)
        live = self._store.find(kind, namespace, name)
        if live is None:
            created = self._store.create(kind, namespace, merged(body, {"metadata": {"name": name}}))
            self._store.apply(kind, namespace, name, manager, body)
            return json_response(201, created)
        before = self._store.apply(kind, namespace, name, manager, body)
        wanted = applied(live, before, body)
        written = self._store.replace(kind, namespace, name, wanted)
        if kind.plural == "nodes":
            self._cluster.take_node(written)
        return json_response(200, written)

    def _delete(self, target: Target, request: Request) -> Response:
        kind, namespace = target.kind, target.namespace
        options = _body(request) if request.body else {}
        policy = options.get("propagationPolicy") or request.query.get("propagationPolicy", "")
        orphan = policy == "Orphan"
        if target.name:
            gone = self._remove(kind, namespace, target.name, orphan=orphan)
            return json_response(200, gone)
        matches = selection(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
        items = [item for item in self._store.listed(kind, namespace) if matches(item)]
        for item in items:
            self._remove(kind, item["metadata"].get("namespace", ""), item["metadata"]["name"], orphan=orphan)
        listed = {"apiVersion": kind.api_version, "kind": f"{kind.name}List"}
        return json_response(200, listed | {"metadata": {}, "items": items})

    def _remove(self, kind: Kind, namespace: str, name: str, *, orphan: bool) -> Object:
        gone = self._store.delete(kind, namespace, name, orphan=orphan)
        if kind.plural == "nodes":
            self._cluster.delete_node(name)
        owner = {"group": kind.group, "kind": kind.plural, "uid": gone["metadata"]["uid"]}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return status | {"details": {"name": name, **owner}}


def _seen(change: Change, target: Target, matches: Matches) -> bytes:
    """What a watch tells of a change; empty when it is none of its business."""
    item = change.after or change.before or {}
    if change.kind != target.kind or (target.namespace and item["metadata"].get("namespace") != target.namespace):
        return b""
    if target.name and item["metadata"]["name"] != target.name:
        return b""
    was = change.before is not None and matches(change.before)
    now = change.after is not None and matches(change.after)
    if now:
        return _event("MODIFIED" if was else "ADDED", item)
    if not was:
        return b""
    gone = (change.before or {}) | {"metadata": item["metadata"] | {"resourceVersion": str(change.version)}}
    return _event("DELETED", gone)


def _bookmark(kind: Kind, version: int) -> bytes:
    """An object of the kind in which there is nothing but a version (Kubernetes API Concepts, "Watch bookmarks")."""
    metadata: Object = {"resourceVersion": str(version), "creationTimestamp": None}
    return _event("BOOKMARK", {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata})


def _event(kind: str, item: Object) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def _body(request: Request) -> Any:
    is_yaml = "yaml" in request.headers.get("content-type", "")
    return yaml.safe_load(request.body) if is_yaml else json.loads(request.body)


def _same(target: Target, item: Object) -> None:
    """Whether what came is what the path names; raises `StatusError` (400)."""
    kind = target.kind
    if item.get("apiVersion", kind.api_version) != kind.api_version or item.get("kind", kind.name) != kind.name:
        words = (
            f"the API version in the data ({item.get('apiVersion')}) does not match the expected API version "
            f"({kind.api_version})"
        )
        raise StatusError(400, "BadRequest", words)
    metadata = item.get("metadata", {})
    if metadata.get("namespace", target.namespace) != target.namespace:
        words = "the namespace of the provided object does not match the namespace sent on the request"
        raise StatusError(400, "BadRequest", words)
    if target.name and metadata.get("name", target.name) != target.name:
        words = f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        raise StatusError(400, "BadRequest", words)


def _scale(item: Object) -> Object:
    metadata = {key: item["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
    replicas = {"replicas": item["spec"].get("replicas", 1)}
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": replicas, "status": replicas}


def _waiting_for(pod: Object, container: str) -> str:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    state: Object = next((each["state"] for each in statuses if each["name"] == container), {})
    return str(state.get("waiting", {}).get("reason", ""))


def _discovery(store: Store, path: str) -> Object | None:
    """``/api``, ``/apis`` and the lists of resources beneath them."""
    parts = [part for part in path.split("/") if part]
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    if parts == ["apis"]:
        groups = sorted({(kind.group, kind.version) for kind in store.kinds if kind.group})
        named = [{"name": group, "versions": [{"groupVersion": f"{group}/{word}"}]} for group, word in groups]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}
    if (parts[:1], len(parts)) not in ((["api"], 2), (["apis"], 3)):
        return None
    api_version = "/".join(parts[1:])
    kinds = [kind for kind in store.kinds if kind.api_version == api_version]
    if not kinds:
        raise StatusError(404, "NotFound", "the server could not find the requested resource")
    listed = [{"name": k.plural, "kind": k.name, "namespaced": k.namespaced, "verbs": ["get", "list"]} for k in kinds]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": listed}
