"""The offline archives of RKE2 and Rainbond: tar files of programs and images, written without a container program."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.lab.base import FILES

RKE2_VERSION = "v1.30.4+rke2r1"
KUBERNETES_VERSION = "v1.30.4"
_HYPERKUBE_NAMES = (
    *("kubelet", "kubectl", "etcd", "etcdctl"),
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"),
)
_RUNTIME_FILES = (
    *("usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/bin/ctr", "usr/sbin/runc"),
    *(f"usr/lib/cni/{plugin}" for plugin in ("bridge", "host-local", "loopback", "portmap")),
)
CORE, CANAL, TRAEFIK = "core", "canal", "traefik"
_CORE_IMAGES: Mapping[str, Sequence[str]] = {
    "rke2-runtime": (
        f"docker.io/rancher/rke2-runtime:{RKE2_VERSION.replace('+', '-')}",
        "docker.io/rancher/hardened-kubernetes:v1.30.4-rke2r1-build20240815",
        "docker.io/rancher/hardened-etcd:v3.5.13-k3s1-build20240531",
    ),
    "pause": ("docker.io/rancher/mirrored-pause:3.6",),
    "ingress": ("docker.io/rancher/nginx-ingress-controller:v1.10.4-hardened2",),
}
_CANAL_IMAGES: Mapping[str, Sequence[str]] = {
    "pause": (
        "docker.io/rancher/hardened-calico:v3.28.1-build20240806",
        "docker.io/rancher/hardened-flannel:v0.25.5-build20240801",
    ),
}
_TRAEFIK_IMAGES: Mapping[str, Sequence[str]] = {"ingress": ("docker.io/rancher/mirrored-library-traefik:3.6.4",)}
"""Layer, and the image names that it goes by in each of RKE2's archives."""
_ENTRYPOINTS: Mapping[str, Sequence[str]] = {"pause": ("/pause",), "ingress": ("/ingress",)}

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


def kubernetes_images(hyperkube: Path, pause: Path, runtime: Path) -> dict[str, bytes]:
    """RKE2's image archives `core`, `canal` and `traefik`, and the first two in one under "": tar, unpacked.

    `runtime` holds Debian's containerd, runc and CNI plugins.
    """

    def write_runtime(tar: tarfile.TarFile) -> None:
        _add(tar, "bin/hyperkube", hyperkube.read_bytes(), 0o755)
        for name in _HYPERKUBE_NAMES:
            _link(tar, f"bin/{name}", "hyperkube")
        for path in _RUNTIME_FILES:
            _add(tar, f"bin/{Path(path).name}", (runtime / path).read_bytes(), 0o755)

    program = pause.read_bytes()

    def small(name: str) -> bytes:
        return _archive(lambda tar: _add(tar, name, program, 0o755))

    layers = {name: small(name) for name in _ENTRYPOINTS}
    layers["rke2-runtime"] = _archive(write_runtime)
    both = {name: [*_CORE_IMAGES.get(name, ()), *_CANAL_IMAGES.get(name, ())] for name in layers}
    wanted = {"": both, CORE: _CORE_IMAGES, CANAL: _CANAL_IMAGES, TRAEFIK: _TRAEFIK_IMAGES}
    return {variant: _image_archive({name: layers[name] for name in names}, names) for variant, names in wanted.items()}


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
    """Write gzip or, where the name says so, zstd: the same for the same content."""
    if path.suffix == ".zst":
        packed = subprocess.run(
            ["zstd", "-q", "-3", "-T2", "-c"], input=data, capture_output=True, check=True, timeout=600
        )
        path.write_bytes(packed.stdout)
    else:
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
            entry = {"Entrypoint": list(_ENTRYPOINTS[name])} if name in _ENTRYPOINTS else {}
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
