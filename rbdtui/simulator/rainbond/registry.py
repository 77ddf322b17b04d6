"""The registry behind rbd-hub: an image is pushed, pulled and deleted (distribution/distribution 2.6, API v2)."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Callable
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.http import Request, Response, json_response
from rbdtui.simulator.kubernetes.store import StatusError, Store
from rbdtui.simulator.rainbond.operator import HUB_PASSWORD, HUB_USER
from rbdtui.simulator.rainbond.parts import BUILTIN_HUB, NAMESPACE

_PATH: Final = re.compile(r"/v2/(?P<name>[a-z0-9/._-]+)/(?P<kind>manifests|blobs|tags)/(?P<what>.*)")
_MARK: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}
_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """Blobs and manifests of all repositories."""

    def __init__(self, account: Callable[[], tuple[str, str]]) -> None:
        self._account = account
        self._blobs: dict[tuple[str, str], bytes] = {}
        self._manifests: dict[tuple[str, str], bytes] = {}
        """By repository and digest."""
        self._tags: dict[tuple[str, str], str] = {}

    def has(self, image: str) -> bool:
        """Whether there is an image, ``name:tag``."""
        name, _, tag = image.rpartition(":")
        return (name, self._tags.get((name, tag), "")) in self._manifests

    def answer(self, request: Request) -> Response:
        """One request."""
        account = base64.b64encode(":".join(self._account()).encode()).decode()
        if request.headers.get("authorization", "") != f"Basic {account}":
            challenge = {"WWW-Authenticate": 'Basic realm="Registry Realm"'}
            return _marked(_fault(401, "UNAUTHORIZED", "authentication required"), challenge)
        if request.path == "/v2/":
            return _marked(json_response(200, {}))
        match = _PATH.fullmatch(request.path)
        if match is None:
            return _marked(_fault(404, "NAME_UNKNOWN", "repository name not known to registry"))
        name, kind, what = match.group("name", "kind", "what")
        if kind == "blobs" and what.startswith("uploads/"):
            return self._upload(request, name, what.removeprefix("uploads/"))
        if kind == "manifests":
            return self._manifest(request, name, what)
        if kind == "tags":
            tags = sorted(tag for repository, tag in self._tags if repository == name)
            return _marked(json_response(200, {"name": name, "tags": tags}))
        return self._kept(request, self._blobs, name, what, "application/octet-stream")

    def _upload(self, request: Request, name: str, upload: str) -> Response:
        if request.method == "POST":
            return _marked(Response(202, b""), {"Location": f"/v2/{name}/blobs/uploads/{uuid.uuid4()}"})
        if request.method == "DELETE":
            return _marked(Response(204, b""))
        digest = _digest(request.body)
        if request.method != "PUT" or not upload or request.query.get("digest") != digest:
            return _marked(_fault(400, "DIGEST_INVALID", "provided digest did not match uploaded content"))
        self._blobs[name, digest] = request.body
        return _marked(Response(201, b""), {"Location": f"/v2/{name}/blobs/{digest}"})

    def _manifest(self, request: Request, name: str, what: str) -> Response:
        digest = self._tags.get((name, what), what)
        if request.method != "PUT":
            return self._kept(request, self._manifests, name, digest, _MANIFEST)
        digest = _digest(request.body)
        self._manifests[name, digest] = request.body
        if not what.startswith("sha256:"):
            self._tags[name, what] = digest
        return _marked(Response(201, b""), {"Docker-Content-Digest": digest})

    def _kept(
        self, request: Request, kept: dict[tuple[str, str], bytes], name: str, digest: str, content_type: str
    ) -> Response:
        content = kept.get((name, digest))
        if content is None:
            return _marked(_fault(404, "MANIFEST_UNKNOWN", "manifest unknown"))
        if request.method == "DELETE":
            del kept[name, digest]
            for tag in [key for key, value in self._tags.items() if key[0] == name and value == digest]:
                del self._tags[tag]
            return _marked(Response(202, b""))
        return _marked(Response(200, content, content_type))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _fault(status: int, code: str, message: str) -> Response:
    return json_response(status, {"errors": [{"code": code, "message": message}]})


def _marked(response: Response, more: dict[str, str] | None = None) -> Response:
    return Response(response.status, response.body, response.content_type, _MARK | (more or {}))


_OF: Final[WeakKeyDictionary[Cluster, Registry]] = WeakKeyDictionary()


def registry_of(cluster: Cluster) -> Registry:
    """The one registry of a cluster, gone with it."""
    registry = _OF.setdefault(cluster, Registry(partial(_account_of, cluster.store)))
    cluster.registries[BUILTIN_HUB] = registry.has
    return registry


def _account_of(store: Store) -> tuple[str, str]:
    """User and password as the RainbondCluster has them."""
    try:
        own = store.find(store.kind("rainbond.io", "rainbondclusters"), NAMESPACE, "rainbondcluster")
    except StatusError:
        own = None
    hub = (own or {}).get("spec", {}).get("imageHub") or {}
    return str(hub.get("username", HUB_USER)), str(hub.get("password", HUB_PASSWORD))
