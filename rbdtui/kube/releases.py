"""Releases of helm, read where helm 3 keeps them: in Secrets of the release's namespace.

Nothing has to be run for that, and a release that is stuck is seen as well. Source: helm/helm@v3.15.4,
pkg/storage/driver/secrets.go and util.go (base64 of gzipped JSON, labels ``owner``, ``name``, ``status``, ``version``).
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rbdtui.kube.session import KubeSession
from rbdtui.transport.answers import UNREADABLE, whole_number

_MOST_BYTES: Final = 64 << 20
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
DEPLOYED: Final = "deployed"
FAILED: Final = "failed"
_PENDING: Final = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


@dataclass(frozen=True, slots=True)
class HelmRelease:
    """The newest revision of a release."""

    secret: str
    """Name of the Secret that it is kept in."""
    revision: int
    status: str
    """helm's word, e.g. ``deployed``, ``failed``, ``pending-install``."""
    chart: str = ""
    chart_version: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What helm was given; it may hold secrets."""

    @property
    def is_pending(self) -> bool:
        """Whether somebody is at work on it, or was when he was cut off: helm refuses to touch it."""
        return self.status in _PENDING

    @property
    def never_came_up(self) -> bool:
        """Whether it is a first installation that was cut off or failed, so that no version of it was ever in use."""
        return self.revision == 1 and self.status in ("pending-install", FAILED)


async def newest_release(kube: KubeSession, namespace: str, name: str) -> HelmRelease | None:
    """The newest revision, None without any; raises `KubeError`."""
    selector = f"labelSelector=owner%3Dhelm%2Cname%3D{name}"
    listed = await kube.get(f"/api/v1/namespaces/{namespace}/secrets?{selector}")
    items = listed.get("items")
    found = [read_release(item) for item in items] if isinstance(items, list) else []
    return max((each for each in found if each is not None), key=lambda each: each.revision, default=None)


def read_release(secret: Mapping[str, Any]) -> HelmRelease | None:
    """A release from its Secret; None for what is none."""
    try:
        name, labels = str(secret["metadata"]["name"]), secret["metadata"]["labels"]
        revision, status = whole_number(labels["version"]), str(labels["status"])
        release = _unpacked(secret)
        about = release["chart"]["metadata"]
        values = release.get("config") or {}
        return HelmRelease(name, revision, status, str(about["name"]), str(about["version"]), values)
    except (*UNREADABLE, zlib.error):
        return None


def marked_failed(secret: Mapping[str, Any]) -> dict[str, Any] | None:
    """The merge patch after which helm takes a release that was cut off for one that failed; None for what is none.

    helm goes on from a failed release, also from a first one, and changes what differs from it. Of a release that is
    gone it adopts the objects, but compares custom resources with nothing, and leaves them as they are
    (pkg/action/upgrade.go, install.go, pkg/kube/client.go).
    """
    try:
        release = _unpacked(secret)
        release["info"] = {**(release.get("info") or {}), "status": FAILED}
        version = secret["metadata"].get("resourceVersion")
    except (*UNREADABLE, zlib.error):
        return None
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    metadata = {"labels": {"status": FAILED}, **({"resourceVersion": version} if version else {})}
    return {"metadata": metadata, "data": {"release": packed}}


def _unpacked(secret: Mapping[str, Any]) -> dict[str, Any]:
    kept = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    unpacked = zlib.decompressobj(_GZIP_WINDOW).decompress(kept, _MOST_BYTES) if kept[:2] == b"\x1f\x8b" else kept
    release: dict[str, Any] = json.loads(unpacked)
    return release
