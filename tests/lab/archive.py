"""The offline archives of RKE2 and Rainbond: tar files of programs and images, written without a container program."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.lab.base import FILES

RKE2_VERSION = "v1.30.4+rke2r1"
KUBERNETES_VERSION = "v1.30.4"
_HYPERKUBE_NAMES = (
    *("kubeadm", "kubelet", "kubectl", "etcd", "etcdctl"),
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"),
)
_RUNTIME_FILES = (
    *("usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/bin/ctr", "usr/sbin/runc"),
    *(f"usr/lib/cni/{plugin}" for plugin in ("bridge", "host-local", "loopback", "portmap")),
)
_IMAGES: Mapping[str, Sequence[str]] = {
    "rke2-runtime": (
        f"docker.io/rancher/rke2-runtime:{RKE2_VERSION.replace('+', '-')}",
        "registry.k8s.io/etcd:3.5.12-0",
        *(
            f"registry.k8s.io/{part}:{KUBERNETES_VERSION}"
            for part in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
        ),
    ),
    "pause": ("docker.io/rancher/mirrored-pause:3.6", "registry.k8s.io/pause:3.9"),
}
"""Image and the names that kubeadm v1.30.4 and containerd ask for."""

_GOODRAIN = "registry.cn-hangzhou.aliyuncs.com/goodrain"
_RAINBOND_PARTS = (
    *(
        f"{part}:v6.2.1-release"
        for part in ("rainbond-operator", "rainbond", "rbd-api", "rbd-chaos", "rbd-mq", "rbd-worker", "rbd-init-probe")
    ),
    *(
        "rbd-monitor:v2.20.0",
        "apisix-ingress-controller:v1.8.3",
        "apisix:3.9.1-debian",
        "local-path-provisioner:v0.0.30",
    ),
    *("minio:RELEASE.2023-10-24T04-42-36Z", "rbd-db:8.0.19", "registry:2.6.2", "alpine:latest"),
)
"""What the chart of v6.2.1 names; the stand-in answers under all of them."""


def program_archive(rke2: Path) -> bytes:
    """`rke2.linux-amd64.tar.gz`, unpacked: the program, its scripts and units, to be laid over `/usr/local`."""

    def write(tar: tarfile.TarFile) -> None:
        _add(tar, "bin/rke2", rke2.read_bytes(), 0o755)
        for script in ("rke2-killall.sh", "rke2-uninstall.sh"):
            _add(tar, f"bin/{script}", (FILES / script).read_bytes(), 0o755)
        unit = (FILES / "rke2.service").read_text()
        for mode, other in (("server", "agent"), ("agent", "server")):
            text = unit.replace("@MODE@", mode).replace("@OTHER@", other)
            _add(tar, f"lib/systemd/system/rke2-{mode}.service", text.encode())
            _add(tar, f"lib/systemd/system/rke2-{mode}.env", b"HOME=/root\n")
        licence = "The lab's look-alike; Kubernetes, etcd and containerd are under the Apache License 2.0.\n"
        _add(tar, "share/rke2/LICENSE.txt", licence.encode())

    return _archive(write)


def kubernetes_images(hyperkube: Path, pause: Path, runtime: Path) -> bytes:
    """`rke2-images.linux-amd64.tar.gz`, unpacked; `runtime` holds Debian's containerd, runc, CNI plugins."""

    def write_runtime(tar: tarfile.TarFile) -> None:
        _add(tar, "bin/hyperkube", hyperkube.read_bytes(), 0o755)
        for name in _HYPERKUBE_NAMES:
            _link(tar, f"bin/{name}", "hyperkube")
        for path in _RUNTIME_FILES:
            _add(tar, f"bin/{Path(path).name}", (runtime / path).read_bytes(), 0o755)

    pause_layer = _archive(lambda tar: _add(tar, "pause", pause.read_bytes(), 0o755))
    return _image_archive({"rke2-runtime": _archive(write_runtime), "pause": pause_layer}, _IMAGES)


def rainbond_images(rainbond: Path) -> bytes:
    """`rainbond-images-amd64.tar.gz`, unpacked: the stand-in under every image name of the chart."""

    def write(tar: tarfile.TarFile) -> None:
        _add(tar, "bin/rainbond", rainbond.read_bytes(), 0o755)
        for name in ("manager", "rbd"):
            _link(tar, name, "/bin/rainbond")

    return _image_archive(
        {"rainbond": _archive(write)}, {"rainbond": [f"{_GOODRAIN}/{part}" for part in _RAINBOND_PARTS]}
    )


def write_compressed(path: Path, data: bytes) -> None:
    """Write gzip that is the same for the same content."""
    path.write_bytes(gzip.compress(data, 1, mtime=0))


def write_checksums(directory: Path, name: str) -> None:
    """Write sha256 sums of all files of a directory, in the form of `sha256sum`."""
    files = sorted(path for path in directory.iterdir() if path.is_file())
    (directory / name).write_text(
        "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    )


def _image_archive(layers: Mapping[str, bytes], names: Mapping[str, Sequence[str]]) -> bytes:
    def write(tar: tarfile.TarFile) -> None:
        manifest = []
        for name, layer in layers.items():
            _add(tar, f"{name}/layer.tar", layer)
            entry = {"Entrypoint": ["/pause"]} if name == "pause" else {}
            config = {
                "architecture": "amd64",
                "os": "linux",
                "created": "1970-01-01T00:00:00Z",
                "config": {"Env": ["PATH=/bin"], **entry},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            }
            data = json.dumps(config).encode()
            file = f"{hashlib.sha256(data).hexdigest()}.json"
            _add(tar, file, data)
            manifest.append({"Config": file, "RepoTags": list(names[name]), "Layers": [f"{name}/layer.tar"]})
        _add(tar, "manifest.json", json.dumps(manifest).encode())

    return _archive(write)


def _archive(write: Callable[[tarfile.TarFile], None]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        write(tar)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tar.addfile(info)
