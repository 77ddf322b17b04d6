"""Small files of Rainbond for a bundle: charts of both generations, helm, archives of images."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping

from rbdtui.rainbond.images import needed_images, repository_of
from rbdtui.rainbond.releases import Release
from rbdtui.spec.model import ClusterSpec
from tests.bundle.archives import MACHINES, gz, tar, tar_gz

VALUES = """\
serviceAccount: {name: rainbond-operator}
operator: {name: rainbond-operator}
Cluster:
  gatewayIngressIPs:
  imageHub: {enable: false}
  replicas: 1
  imagePullPolicy: IfNotPresent
  containerdRuntimePath: /run/containerd
Component:
  rbd_app_ui: {enable: true}
"""


def chart_files(name: str = "rainbond", version: str = "6.2.1", values: str = VALUES) -> dict[str, bytes]:
    return {
        f"{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n".encode(),
        f"{name}/values.yaml": values.encode(),
        f"{name}/templates/deployment.yaml": b"{{ .Values.Cluster.replicas }}\n",
        f"{name}/charts/nfs-client-provisioner/Chart.yaml": b"name: nfs-client-provisioner\nversion: 1.2.11\n",
        f"{name}/charts/nfs-client-provisioner/values.yaml": b"replicaCount: 1\nnfs: {server: }\n",
    }


def chart(name: str = "rainbond", version: str = "6.2.1", values: str = VALUES) -> bytes:
    return tar_gz(chart_files(name, version, values))


def helm(arch: str, length: int = 4096) -> bytes:
    """A program of one segment that reaches to its end."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, MACHINES[arch], 1, 0x401000, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, length, length, 4096)
    return (head + segment).ljust(length, b"\0")


def archive(names: Iterable[str], arch: str = "amd64") -> bytes:
    """As ``docker save`` writes it; each image has a configuration of its own."""
    files: dict[str, bytes] = {}
    manifest = []
    for number, name in enumerate(names):
        files[f"{number}.json"] = json.dumps({"architecture": arch, "os": "linux", "of": name}).encode()
        files[f"{number}/layer.tar"] = f"layer of {name}".encode()
        manifest.append({"Config": f"{number}.json", "RepoTags": [name], "Layers": [f"{number}/layer.tar"]})
    return gz(tar({**files, "manifest.json": json.dumps(manifest).encode()}))


def image_names(spec: ClusterSpec, release: Release) -> list[str]:
    return [f"{repository_of(spec, release)}/{name}" for name in needed_images(spec, release)]


def files(spec: ClusterSpec, release: Release, arch: str = "amd64", own: str = "amd64") -> Mapping[str, bytes]:
    """All that a plan needs of Rainbond."""
    version = str(release.version).removeprefix("v")
    return {
        "rainbond.tgz": chart(release.chart, version),
        f"helm-{own}": helm(own),
        f"rainbond-images-{arch}.tar.gz": archive(image_names(spec, release), arch),
    }
