"""Images of an archive brought to a registry by its HTTP API, and the question which of them it has already.

The API: opencontainers/distribution-spec v1.1, "Push"; distribution/distribution, docs/spec (schema 2 manifests).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from rbdtui.bundle.layers import ImageParts, images_in, layers_in
from rbdtui.bundle.model import BundleFile
from rbdtui.checks.services.asking import Asking
from rbdtui.checks.services.registry_answer import Fault, RegistryError, RegistryQuestion
from rbdtui.checks.services.registry_client import (
    DENIED,
    Account,
    Answer,
    RegistryAt,
    RegistryClient,
    client_of,
    written,
)
from rbdtui.checks.services.registry_tls import trust
from rbdtui.checks.services.registry_trial import in_namespace
from rbdtui.plain_file import open_plain
from rbdtui.rainbond.images import short_name
from rbdtui.together import together

_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_LISTS: Final = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_ANY: Final = ", ".join((_MANIFEST, _OCI_MANIFEST, *_LISTS))
_AT_ONCE: Final = 6
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer or configuration as it lies in the registry."""

    digest: str
    size_bytes: int

    def described(self, kind: str) -> dict[str, object]:
        """As a manifest names it."""
        return {"mediaType": kind, "size": self.size_bytes, "digest": self.digest}


@asynccontextmanager
async def open_registry(question: RegistryQuestion, secret: Callable[[str], str]) -> AsyncIterator[Pusher]:
    """A registry that has taken the account, for the time of the block; raises `RegistryError`."""
    tls = trust(question.ca, verify=question.verify) if question.https else None
    at = RegistryAt(question.host, question.port, tls)
    account = Account(question.username, secret(question.secret) if question.secret else "")
    async with client_of(Asking(secret), at, account) as client:
        await client.hello()
        yield Pusher(client, question.namespace)


@dataclass(slots=True)
class Pusher:
    """Looks for images in a namespace, and brings those that are missing."""

    client: RegistryClient
    namespace: str
    _placed: dict[str, tuple[str, Blob]] = field(default_factory=dict)
    """Repository and blob of each layer that this object brought or found, by its name in the archive."""

    async def digests(self, images: Iterable[str], arch: str) -> dict[str, str]:
        """Digest of the configuration of each image, by name and tag; one that is not there is missing."""
        slots = asyncio.Semaphore(_AT_ONCE)
        wanted = list(dict.fromkeys(images))

        async def digest(image: str) -> str | None:
            async with slots:
                return await self._digest(image, arch)

        found = await together(*(digest(image) for image in wanted))
        return {image: value for image, value in zip(wanted, found, strict=True) if value is not None}

    async def push(
        self, file: BundleFile, names: Collection[str], scratch: Path, on_line: Callable[[str], None]
    ) -> None:
        """Bring images of an archive; ``scratch`` is a directory for one layer at a time.

        Raises `RegistryError`, `ArchiveError` and `OSError`.
        """
        with open_plain(file.path, file.within) as source:
            images = await asyncio.to_thread(images_in, source, file.size_bytes)
            images = tuple(image for image in images if image.name in names)
            repositories: dict[str, list[str]] = {}
            for image in images:
                for layer in image.layers:
                    repositories.setdefault(layer, []).append(self._repository(image.name))
            layers = layers_in(source, file.size_bytes, repositories)
            while (found := await asyncio.to_thread(next, layers, None)) is not None:
                name, content = found
                with tempfile.TemporaryFile(dir=scratch) as packed:
                    blob = await asyncio.to_thread(_packed, content, packed)
                    on_line(f"{name} {blob.digest} {blob.size_bytes / (1 << 20):.1f} MiB")
                    for repository in dict.fromkeys(repositories[name]):
                        await self._bring(repository, name, blob, packed)
            for image in images:
                await self._finish(image)
                on_line(f"{self._repository(image.name)}:{_tag(image.name)}")

    async def _digest(self, image: str, arch: str) -> str | None:
        path = f"/v2/{self._repository(image)}/manifests"
        scope = f"repository:{self._repository(image)}:pull"
        answer = await self.client.send("GET", f"{path}/{_tag(image)}", scope, accept=_ANY)
        document = _document(answer)
        if document is not None and str(document.get("mediaType", "")) in _LISTS:
            for each in document.get("manifests") or ():
                if isinstance(each, Mapping) and (each.get("platform") or {}).get("architecture") == arch:
                    answer = await self.client.send("GET", f"{path}/{each.get('digest')}", scope, accept=_ANY)
                    document = _document(answer)
                    break
        if document is None:
            return None
        config = document.get("config")
        return str(config.get("digest")) if isinstance(config, Mapping) else ""

    async def _bring(self, repository: str, name: str, blob: Blob, content: IO[bytes]) -> None:
        """One layer to one repository, from another one where it is already."""
        self.client.forget_tokens()
        scope, path = f"repository:{repository}:pull,push", f"/v2/{repository}/blobs"
        if (await self.client.send("HEAD", f"{path}/{blob.digest}", scope)).status != 200:
            from_ = f"?mount={blob.digest}&from={self._placed[name][0]}" if name in self._placed else ""
            answer = await self.client.send("POST", f"{path}/uploads/{from_}", scope)
            if answer.status != 201:
                place = self._place(written(answer, 202), blob)
                content.seek(0)
                body = os.fdopen(os.dup(content.fileno()), "rb")
                sent = await self.client.send("PUT", place, scope, body=body, kind="application/octet-stream")
                written(sent, 201)
        self._placed.setdefault(name, (repository, blob))

    async def _finish(self, image: ImageParts) -> None:
        """The configuration, and the manifest that makes an image of it all."""
        repository = self._repository(image.name)
        scope, path = f"repository:{repository}:pull,push", f"/v2/{repository}"
        config = Blob(f"sha256:{hashlib.sha256(image.config).hexdigest()}", len(image.config))
        if (await self.client.send("HEAD", f"{path}/blobs/{config.digest}", scope)).status != 200:
            place = self._place(written(await self.client.send("POST", f"{path}/blobs/uploads/", scope), 202), config)
            kind = "application/octet-stream"
            written(await self.client.send("PUT", place, scope, body=image.config, kind=kind), 201)
        layers = [self._placed[layer][1].described(_LAYER) for layer in image.layers]
        document = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config.described(_CONFIG), "layers": layers}
        place = f"{path}/manifests/{_tag(image.name)}"
        body = json.dumps(document).encode()
        written(await self.client.send("PUT", place, scope, body=body, kind=_MANIFEST), 201)

    def _place(self, answer: Answer, blob: Blob) -> str:
        location = answer.headers.get("location", "")
        if not location:
            raise RegistryError(Fault.PUSH_FAILED, "Location", answer.status, answer.shown)
        own = self.client.own_path(location)
        return f"{own}{'&' if '?' in own else '?'}digest={blob.digest.replace(':', '%3A')}"

    def _repository(self, image: str) -> str:
        return in_namespace(self.namespace, short_name(image).rpartition(":")[0])


def _tag(image: str) -> str:
    return image.rpartition(":")[2]


def _document(answer: Answer) -> Mapping[str, Any] | None:
    """The manifest of an answer; None when there is no such image. Raises `RegistryError`."""
    if answer.status == 404:
        return None
    if answer.status in DENIED:
        raise RegistryError(Fault.NO_PULL, answer.reason, answer.status, answer.shown)
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if answer.status != 200 or not isinstance(document, dict):
        raise RegistryError(Fault.UNWELL, answer.reason, answer.status, answer.shown)
    return document


def _packed(content: Iterator[bytes], into: IO[bytes]) -> Blob:
    """A layer as it is sent: packed, unless it is packed already."""
    digest, size = hashlib.sha256(), 0
    packer: Any = None
    for number, piece in enumerate(content):
        if number == 0 and not piece.startswith(_GZIP):
            packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        part = piece if packer is None else packer.compress(piece)
        digest.update(part)
        size += into.write(part)
    if packer is not None:
        part = packer.flush()
        digest.update(part)
        size += into.write(part)
    into.flush()
    return Blob(f"sha256:{digest.hexdigest()}", size)
