"""Small archives of RKE2, good ones and bad ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import struct
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MACHINES = {"amd64": 62, "arm64": 183, "s390x": 22}
VERSION = "v1.30.4+rke2r1"


def tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def gz(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def zst(content: bytes) -> bytes:
    """With the check sum that the program ``zstd`` writes."""
    options: dict[int, int] = {zstd.CompressionParameter.checksum_flag: 1}
    return zstd.compress(content, options=options)


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    return gz(tar(files))


def program_files(arch: str, version: str = VERSION) -> dict[str, bytes]:
    """A program archive; the version stands in the middle of noise, as in a real program."""
    noise = random.Random(1).randbytes(70_000)
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, MACHINES[arch]) + bytes(44)
    return {"bin/rke2-killall.sh": b"#!/bin/sh\n", "bin/rke2": elf + noise + version.encode() + noise}


def program(arch: str, version: str = VERSION) -> bytes:
    return tar_gz(program_files(arch, version))


def image_files(arch: str, tag: str) -> dict[str, bytes]:
    """As ``docker save`` wrote it up to Docker 24."""
    return {
        "abc.json": json.dumps({"architecture": arch, "os": "linux"}).encode(),
        "abc/layer.tar": random.Random(2).randbytes(50_000),
        "manifest.json": json.dumps([{"Config": "abc.json", "RepoTags": [tag]}]).encode(),
    }


def oci_image_files(arch: str, tag: str) -> dict[str, bytes]:
    """As ``docker save`` writes it since Docker 25, an attestation included; RKE2 puts the manifest first."""
    config = json.dumps({"architecture": arch, "os": "linux"}).encode()
    beside = [json.dumps({"architecture": "unknown", "os": "unknown", "n": number}).encode() for number in range(2)]
    layer = random.Random(2).randbytes(50_000)
    place = f"blobs/sha256/{hashlib.sha256(config).hexdigest()}"
    manifest = [{"Config": place, "RepoTags": [tag], "LayerSources": {"sha256:0": {"size": 1}}}]
    blobs = {f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}": blob for blob in (layer, *beside, config)}
    index = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    return {
        "manifest.json": json.dumps(manifest).encode(),
        **blobs,
        "index.json": index,
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
    }


def crane_image_files(arch: str, tag: str) -> dict[str, bytes]:
    """As ``crane pull`` writes it, with which RKE2 packs all but the core since 1.35."""
    config = json.dumps({"architecture": arch, "os": "linux"}).encode()
    name = f"sha256:{hashlib.sha256(config).hexdigest()}"
    return {
        "manifest.json": json.dumps([{"Config": name, "RepoTags": [tag], "Layers": ["1.tar.gz"]}]).encode(),
        name: config,
        "1.tar.gz": random.Random(2).randbytes(50_000),
    }


def runtime_tag(version: str = VERSION) -> str:
    return f"docker.io/rancher/rke2-runtime:{version.replace('+', '-')}"


def images(arch: str, version: str = VERSION) -> bytes:
    return tar_gz(image_files(arch, runtime_tag(version)))


def zstd_images(arch: str = "amd64", version: str = VERSION) -> bytes:
    return zst(tar(image_files(arch, runtime_tag(version))))


def part(name: str, arch: str = "amd64") -> bytes:
    """The images of one part of RKE2, which tell no version."""
    return tar_gz(image_files(arch, f"docker.io/rancher/hardened-{name}:v1"))


def deb(note: str = "") -> bytes:
    """The beginning of a Debian package (deb(5)), which is all that is looked at."""
    return b"!<arch>\n" + f"{'debian-binary':<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{4:<10}`\n2.0\n{note}".encode()


def rpm(note: str = "") -> bytes:
    return b"\xed\xab\xee\xdb\x03\x00" + note.encode()


def sums(files: Mapping[str, bytes]) -> str:
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())


def write(directory: Path, files: Mapping[str, bytes], *, sums_of: Mapping[str, bytes] | None = None) -> Path:
    """A bundle directory with its list of digests, of the files themselves unless others are given."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    (directory / "sha256sum-amd64.txt").write_text(sums(files if sums_of is None else sums_of))
    return directory


PROGRAM, IMAGES_GZ, IMAGES_ZST = (
    "rke2.linux-amd64.tar.gz",
    "rke2-images.linux-amd64.tar.gz",
    "rke2-images.linux-amd64.tar.zst",
)


def good() -> dict[str, bytes]:
    return {PROGRAM: program("amd64"), IMAGES_GZ: images("amd64")}
