"""Small archives of RKE2, good ones and bad ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path

MACHINES = {"amd64": 62, "arm64": 183, "s390x": 22}
VERSION = "v1.30.4+rke2r1"


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), 1, mtime=0)


def program(arch: str, version: str = VERSION) -> bytes:
    """A program archive; the version stands in the middle of noise, as in a real program."""
    noise = random.Random(1).randbytes(70_000)
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, MACHINES[arch]) + bytes(44)
    return tar_gz({"bin/rke2-killall.sh": b"#!/bin/sh\n", "bin/rke2": elf + noise + version.encode() + noise})


def images(arch: str, version: str = VERSION) -> bytes:
    tag = f"docker.io/rancher/rke2-runtime:{version.replace('+', '-')}"
    return tar_gz(
        {
            "abc.json": json.dumps({"architecture": arch, "os": "linux"}).encode(),
            "abc/layer.tar": random.Random(2).randbytes(50_000),
            "manifest.json": json.dumps([{"Config": "abc.json", "RepoTags": [tag]}]).encode(),
        }
    )


def zstd(size_bytes: int = 300_000, *, checksum: bool = True) -> bytes:
    """A zstd file of raw blocks (RFC 8878), which any zstd unpacks."""
    content = random.Random(3).randbytes(size_bytes)
    frame = struct.pack("<I", 0xFD2FB528) + bytes([0b10000100 if checksum else 0b10000000, 0x58])
    frame += struct.pack("<I", size_bytes)
    blocks = [content[start : start + 131072] for start in range(0, size_bytes, 131072)]
    for number, block in enumerate(blocks):
        last = 1 if number == len(blocks) - 1 else 0
        frame += ((len(block) << 3) | last).to_bytes(3, "little") + block
    return frame + (b"\0\0\0\0" if checksum else b"")


def write(directory: Path, files: Mapping[str, bytes], *, sums_of: Mapping[str, bytes] | None = None) -> Path:
    """A bundle directory with its list of digests, of the files themselves unless others are given."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    listed = files if sums_of is None else sums_of
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in listed.items()]
    (directory / "sha256sum-amd64.txt").write_text("".join(lines))
    return directory


PROGRAM, IMAGES_GZ, IMAGES_ZST = (
    "rke2.linux-amd64.tar.gz",
    "rke2-images.linux-amd64.tar.gz",
    "rke2-images.linux-amd64.tar.zst",
)


def good() -> dict[str, bytes]:
    return {PROGRAM: program("amd64"), IMAGES_GZ: images("amd64")}
