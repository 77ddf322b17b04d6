"""SIMULATED helm: the records of releases, each a Secret."""

from __future__ import annotations

import base64
import gzip
import json
import time
from typing import Final

from rbdtui.simulator.chart import Tree
from rbdtui.simulator.helm.api import Client, HelmError

_SECRET_TYPE: Final = "helm.sh/release.v1"  # noqa: S105 - a type's name
PENDING: Final = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})


class Releases:
    """The records of one release, each a Secret."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self._path = f"/api/v1/namespaces/{namespace}/secrets"

    def all(self, name: str = "") -> list[Tree]:
        """Oldest first."""
        query = "?labelSelector=owner%3Dhelm" + (f",name%3D{name}" if name else "")
        found = [_opened(item) for item in self._client.ask("GET", self._path + query)["items"]]
        return sorted(found, key=lambda each: (each["name"], each["version"]))

    def last(self, name: str) -> Tree:
        """The newest; raises `HelmError`."""
        found = self.all(name)
        if not found:
            raise HelmError("release: not found")
        return found[-1]

    def write(self, release: Tree) -> None:
        """Keep a record, or keep it anew."""
        name = f"sh.helm.release.v1.{release['name']}.v{release['version']}"
        packed = base64.b64encode(gzip.compress(json.dumps(release).encode())).decode()
        labels = {
            "name": release["name"], "owner": "helm", "status": release["info"]["status"],
            "version": str(release["version"]), "modifiedAt": str(int(time.time())),
        }  # fmt: skip
        body = {"metadata": {"name": name, "labels": labels}, "type": _SECRET_TYPE, "stringData": {"release": packed}}
        if self._client.find(f"{self._path}/{name}") is None:
            self._client.ask("POST", self._path, body)
        else:
            self._client.ask("PUT", f"{self._path}/{name}", body)

    def remove(self, name: str) -> None:
        """Forget all records."""
        for release in self.all(name):
            self._client.ask("DELETE", f"{self._path}/sh.helm.release.v1.{name}.v{release['version']}")


def _opened(secret: Tree) -> Tree:
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    release: Tree = json.loads(gzip.decompress(packed))
    return release


def moment() -> str:
    """Now, as a record has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime())
