"""Pushes a throw-away image into the namespace, pulls it again and deletes it, and looks for the images of a plan."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from rbdtui.checks.services.registry_answer import Fault, RegistryError, RegistryFailure
from rbdtui.checks.services.registry_client import DENIED, Answer, RegistryClient, written
from rbdtui.surely import surely
from rbdtui.together import together

REPOSITORY: Final = "rbdtui-check"
"""Where throw-away images go; always the same, so that a registry that deletes no names has one of ours at most."""
_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
_ANY_MANIFEST: Final = ", ".join(
    (
        _MANIFEST,
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
_CLEAN_UP_S: Final = 5.0
_AT_ONCE: Final = 6
_GONE: Final = (200, 202, 204, 404)
Meanwhile = Callable[[str], Awaitable[None]]


def in_namespace(namespace: str, name: str) -> str:
    """A repository's whole name."""
    return f"{namespace}/{name}" if namespace else name


class Trial:
    """One throw-away image; ``troubles`` is filled as things go wrong."""

    def __init__(self, client: RegistryClient, namespace: str) -> None:
        self._client = client
        self._repository = in_namespace(namespace, REPOSITORY)
        self._scope = f"repository:{self._repository}:pull,push,delete"
        self._tag = f"check-{secrets.token_hex(6)}"
        self._upload = ""
        self._pushed: list[str] = []
        """Paths of what is there now, in the order in which it has to go again."""
        self._putting: asyncio.Future[Answer] | None = None
        """The image on its way."""
        self.troubles: list[RegistryFailure] = []

    async def run(self, meanwhile: Meanwhile | None = None) -> None:
        """Push, pull and delete; cleans up also when it is cancelled.

        ``meanwhile`` is called with the image's name in the registry while it is there, and may raise.
        """
        try:
            await self._push_and_pull()
            if meanwhile is not None:
                await meanwhile(f"{self._repository}:{self._tag}")
        except RegistryError as error:
            self.troubles.append(error.trouble)
            if error.trouble.fault is Fault.NO_PUSH:
                await self._at_least_pull()
        finally:
            await surely(self._clean_up())

    async def _at_least_pull(self) -> None:
        """Whether an account that may not push may read; a repository that is not there is answered with 404."""
        scope = f"repository:{self._repository}:pull"
        answer = await self._client.send("GET", f"/v2/{self._repository}/tags/list", scope)
        if answer.status in DENIED:
            self.troubles.append(RegistryFailure(Fault.NO_PULL, answer.reason, answer.status, answer.shown))

    async def _push_and_pull(self) -> None:
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": {"rbdtui": self._tag}},
                "rootfs": {"type": "layers", "diff_ids": []},
            }
        ).encode()
        digest = _digest(config)
        await self._push_blob(config, digest)
        described = {"mediaType": _CONFIG, "size": len(config), "digest": digest}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": []}).encode()
        path = self._path("manifests", _digest(manifest))
        self._pushed.insert(0, path)
        tagged = self._path("manifests", self._tag)
        putting = self._client.send("PUT", tagged, self._scope, body=manifest, kind=_MANIFEST)
        self._putting = asyncio.ensure_future(putting)
        written(await asyncio.shield(self._putting), 201)
        for pulled, expected in ((tagged, manifest), (self._path("blobs", digest), config)):
            answer = await self._client.send("GET", pulled, self._scope, accept=_MANIFEST)
            if answer.status in DENIED:
                raise RegistryError(Fault.NO_PULL, answer.reason, answer.status, answer.shown)
            # A registry may keep its blobs elsewhere and send its clients there.
            if answer.status not in (302, 303, 307) and (answer.status != 200 or answer.body != expected):
                raise RegistryError(Fault.OTHER_CONTENT, pulled, answer.status, answer.shown)

    async def _push_blob(self, blob: bytes, digest: str) -> None:
        answer = await self._client.send("POST", self._path("blobs", "uploads/"), self._scope)
        written(answer, 202)
        if not (location := answer.headers.get("location", "")):
            raise RegistryError(Fault.PUSH_FAILED, "Location", answer.status, answer.shown)
        self._upload = self._client.own_path(location)
        joined = "&" if "?" in self._upload else "?"
        whole = f"{self._upload}{joined}digest={digest.replace(':', '%3A')}"
        self._pushed.append(self._path("blobs", digest))
        answer = await self._client.send("PUT", whole, self._scope, body=blob, kind="application/octet-stream")
        written(answer, 201)
        self._upload = ""

    def _path(self, kind: str, what: str) -> str:
        return f"/v2/{self._repository}/{kind}/{what}"

    async def _clean_up(self) -> None:
        """Give back all that was pushed; what stays is told."""
        work = asyncio.ensure_future(self._delete_all())
        await asyncio.wait({work}, timeout=_CLEAN_UP_S)
        if not work.done():
            work.cancel()
            self._left()
        if self._putting is not None:
            self._putting.cancel()

    async def _delete_all(self) -> None:
        if self._putting is not None:
            # Given up on its way, an image could come about after it was deleted.
            await asyncio.gather(self._putting, return_exceptions=True)
        if self._upload:
            await self._delete(self._upload)
        deleted = [await self._delete(path) for path in self._pushed]
        # A blob that no manifest names goes with the registry's own garbage collection.
        if deleted and not deleted[0]:
            self._left()

    async def _delete(self, path: str) -> bool:
        try:
            answer = await self._client.send("DELETE", path, self._scope)
        except RegistryError:
            return False
        return answer.status in _GONE

    def _left(self) -> None:
        if any("/manifests/" in path for path in self._pushed):
            self.troubles.append(RegistryFailure(Fault.LEFT, f"{self._repository}:{self._tag}"))


async def missing_images(client: RegistryClient, namespace: str, images: Iterable[str]) -> Iterator[str]:
    """Those of the images, each ``name:tag``, that the namespace does not have."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def is_missing(image: str) -> bool:
        name, _, tag = image.rpartition(":")
        repository = in_namespace(namespace, name)
        async with slots:
            path = f"/v2/{repository}/manifests/{tag}"
            answer = await client.send("HEAD", path, f"repository:{repository}:pull", accept=_ANY_MANIFEST)
        return answer.status in (404, *DENIED)

    wanted = list(images)
    absent = await together(*(is_missing(image) for image in wanted))
    return (image for image, missing in zip(wanted, absent, strict=True) if missing)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
