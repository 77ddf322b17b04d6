"""A small offline bundle for simulated hosts: archives with RKE2's names and layout, nothing real inside."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import struct
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from rbdtui.simulator import chart, chart_kubesphere, chart_old, chart_rook
from rbdtui.simulator.kubernetes.cluster import RKE2_VERSION
from rbdtui.simulator.launcher import HELM_MACHINES, helm_program, own_architecture

_MACHINES: Final = {"amd64": 62, "arm64": 183}
"""ELF's numbers of architectures."""
_PROGRAM_BYTES: Final = 256 * 1024
_IMAGES: Final = (
    "rke2-runtime", "hardened-kubernetes", "hardened-etcd", "hardened-calico", "mirrored-pause", "klipper-helm",
)  # fmt: skip


CHART_OF: Final[Mapping[str, str]] = {"6.9.8": "6.9.3"}
"""Releases without a chart of their own, and the chart that reaches them."""


def write_bundle(
    directory: Path,
    *,
    arch: str = "amd64",
    images_bytes: int = 12 * 1024**2,
    old: bool = False,
    release: str = chart.CHART_VERSION,
    kubesphere: bool = False,
    rook: bool = False,
) -> Path:
    """Make the bundle in a directory; ``images_bytes`` is about the size of the image archive; ``old`` has 5.17,
    with ``kubesphere`` there is KubeSphere as well, with ``rook`` Rook and Ceph."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {
        f"rke2.linux-{arch}.tar.gz": _compressed(_program_archive(arch)),
        f"rke2-images.linux-{arch}.tar.gz": _compressed(_image_archive(arch, images_bytes)),
    }
    if kubesphere:
        files |= _kubesphere(arch, max(1, images_bytes // 80))
    if rook:
        files |= _rook(arch, max(1, images_bytes // 80))
    files |= _rainbond(arch, max(1, images_bytes // 80), release, old=old)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    _write_sums(directory / f"sha256sum-{arch}.txt", files | write_helm(directory))
    packages = directory / "packages" / f"debian-12-{arch}"
    packages.mkdir(parents=True, exist_ok=True)
    package = {
        f"haproxy_2.6.12-1+deb12u1_{arch}.deb": _deb("haproxy", "2.6.12-1+deb12u1", arch),
        f"inotify-tools_3.22.6.0-4_{arch}.deb": _deb("inotify-tools", "3.22.6.0-4", arch),
        f"keepalived_2.2.7-1+b2_{arch}.deb": _deb("keepalived", "1:2.2.7-1+b2", arch),
        f"mysql-community-client_8.0.36-1debian12_{arch}.deb": _deb("mysql-community-client", "8.0.36-1debian12", arch),
        f"mysql-community-server_8.0.36-1debian12_{arch}.deb": _deb("mysql-community-server", "8.0.36-1debian12", arch),
        f"nfs-kernel-server_2.6.2-4_{arch}.deb": _deb("nfs-kernel-server", "1:2.6.2-4", arch),
        f"nfs-common_2.6.2-4_{arch}.deb": _deb("nfs-common", "1:2.6.2-4", arch),
        f"rsync_3.2.7-1_{arch}.deb": _deb("rsync", "3.2.7-1", arch),
    }
    for name, content in package.items():
        (packages / name).write_bytes(content)
    _write_sums(packages / "sha256sum.txt", package)
    return directory


def _rainbond(arch: str, image_bytes: int, release: str, *, old: bool) -> dict[str, bytes]:
    """The chart of Rainbond, and an archive of its images."""
    version = CHART_OF.get(release, release)
    files, names = chart.chart_files(version), chart.images(f"v{release}-release")
    if old:
        files, names, version = chart_old.chart_files(), chart_old.images(), chart_old.CHART_VERSION
    packed = _tar({name: (text.encode(), 0o644) for name, text in files.items()})
    images = _saved_images(arch, names, image_bytes)
    return {
        f"rainbond-{version}.tgz": _compressed(packed),
        f"rainbond-images-{arch}.tar.gz": _compressed(images),
    }


def _kubesphere(arch: str, image_bytes: int) -> dict[str, bytes]:
    """The chart of KubeSphere, and an archive of its images."""
    packed = _tar({name: (text.encode(), 0o644) for name, text in chart_kubesphere.chart_files().items()})
    return {
        f"ks-core-{chart_kubesphere.CHART_VERSION}.tgz": _compressed(packed),
        f"kubesphere-images-{arch}.tar.gz": _compressed(_saved_images(arch, chart_kubesphere.images(), image_bytes)),
    }


def _rook(arch: str, image_bytes: int) -> dict[str, bytes]:
    """The chart of Rook, and an archive of its images and of Ceph's own."""
    packed = _tar({name: (text.encode(), 0o644) for name, text in chart_rook.chart_files().items()})
    return {
        f"rook-ceph-{chart_rook.CHART_VERSION}.tgz": _compressed(packed),
        f"rook-images-{arch}.tar.gz": _compressed(_saved_images(arch, chart_rook.images(), image_bytes)),
    }


def write_helm(directory: Path) -> dict[str, bytes]:
    """helm for this machine, by its name: it runs `rbdtui.simulator.helm`; none for machines of an unknown kind."""
    arch = own_architecture()
    if arch not in HELM_MACHINES:
        return {}
    path, program = directory / f"helm-{arch}", helm_program(arch)
    path.write_bytes(program)
    path.chmod(0o755)
    return {path.name: program}


def _write_sums(path: Path, files: Mapping[str, bytes]) -> None:
    path.write_text("".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()))


def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=1, mtime=0)


def _tar(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def elf_program(arch: str, size_bytes: int = _PROGRAM_BYTES) -> bytes:
    """The header of a 64-bit Linux program, and noise."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, _MACHINES[arch], 1, 0x401000, 64, 0, 0, 64, 56, 0, 64, 0, 0)
    return head + _noise(arch, size_bytes - len(head))


def _noise(seed: str, size_bytes: int) -> bytes:
    return random.Random(seed).randbytes(size_bytes)  # noqa: S311 - filler that does not compress


def _program_archive(arch: str) -> bytes:
    script = b"#!/bin/sh\n# A simulated RKE2 has nothing to stop.\nexit 0\n"
    files = {
        "bin/rke2": (elf_program(arch) + RKE2_VERSION.encode(), 0o755),
        "bin/rke2-killall.sh": (script, 0o755),
        "bin/rke2-uninstall.sh": (script, 0o755),
        "share/rke2/LICENSE.txt": (b"Simulated.\n", 0o644),
    }
    for kind in ("server", "agent"):
        files[f"lib/systemd/system/rke2-{kind}.service"] = (_unit(kind).encode(), 0o644)
        files[f"lib/systemd/system/rke2-{kind}.env"] = (b"HOME=/root\n", 0o644)
    return _tar(files)


def _unit(kind: str) -> str:
    return f"""[Unit]
Description=Rancher Kubernetes Engine v2 ({kind})
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
EnvironmentFile=-/usr/local/lib/systemd/system/%N.env
KillMode=process
Delegate=yes
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStart=/usr/local/bin/rke2 {kind}
"""


def _image_archive(arch: str, size_bytes: int) -> bytes:
    tag = RKE2_VERSION.replace("+", "-")
    return _saved_images(arch, [f"docker.io/rancher/{name}:{tag}" for name in _IMAGES], size_bytes // len(_IMAGES))


def _saved_images(arch: str, names: Iterable[str], layer_bytes: int) -> bytes:
    """As ``docker save`` writes it: a manifest, and for each image a configuration and a layer."""
    files: dict[str, tuple[bytes, int]] = {}
    manifest = []
    for name in names:
        layer = _noise(name.rpartition("/")[2].partition(":")[0], layer_bytes)
        config = json.dumps({"architecture": arch, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
        digest = hashlib.sha256(config.encode() + layer).hexdigest()
        files[f"{digest}.json"] = (config.encode(), 0o644)
        files[f"{digest}/layer.tar"] = (layer, 0o644)
        manifest.append({"Config": f"{digest}.json", "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]})
    files["manifest.json"] = (json.dumps(manifest).encode(), 0o644)
    return _tar(files)


def _deb(package: str, version: str, arch: str) -> bytes:
    control = (
        f"Package: {package}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: rbdtui\nDescription: simulated\n"
    )
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _compressed(_tar({"./control": (control.encode(), 0o644)})),
        "data.tar.gz": _compressed(_tar({f"./usr/sbin/{package}": (elf_program(arch, 1024), 0o755)})),
    }
    parts = [b"!<arch>\n"]
    for name, content in members.items():
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)
