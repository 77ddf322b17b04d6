"""The offline archives of RKE2 and Rainbond: tar files of programs and images, written without a container program."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    "coredns": ("docker.io/rancher/hardened-coredns:v1.11.1-build20240305",),
}
_CANAL_IMAGES: Mapping[str, Sequence[str]] = {
    "pause": (
        "docker.io/rancher/hardened-calico:v3.28.1-build20240806",
        "docker.io/rancher/hardened-flannel:v0.25.5-build20240801",
    ),
}
_TRAEFIK_IMAGES: Mapping[str, Sequence[str]] = {"ingress": ("docker.io/rancher/mirrored-library-traefik:3.6.4",)}
"""Layer, and the image names that it goes by in each of RKE2's archives."""
_ENTRYPOINTS: Mapping[str, Sequence[str]] = {
    "pause": ("/pause",),
    "ingress": ("/ingress",),
    "coredns": ("/coredns",),
}

_SHELL_NAMES = (
    "sh",
    "grep",
    "echo",
    "cat",
    "ls",
    "mkdir",
    "rm",
    "sleep",
    "nslookup",
    "wget",
    "nc",
    "httpd",
    "df",
    "test",
)
REPOSITORY = "registry.cn-hangzhou.aliyuncs.com/goodrain"
"""What the charts call their default repository, and the vendor's offline archive its images."""
_RELEASED_PARTS = (
    *("rainbond-operator", "rainbond", "rbd-api", "rbd-chaos", "rbd-mq", "rbd-worker", "rbd-init-probe"),
)


_PARTS_OF_5 = (
    *("rainbond-operator", "rbd-api", "rbd-chaos", "rbd-mq", "rbd-worker", "rbd-init-probe", "rbd-gateway", "rbd-node"),
    *("rbd-resource-proxy", "rbd-webcli", "rbd-monitor", "rbd-eventlog", "rbd-mesh-data-panel"),
)
_OTHERS_OF_5 = (
    *("etcd:v3.3.18", "registry:2.6.2", "rbd-db:8.0.19", "metrics-server:v0.4.1", "metrics-scraper:v1.0.4"),
    *("kubernetes-dashboard:v2.6.1", "mysqld-exporter:latest", "nfs-provisioner:latest"),
)


def rainbond_image_names(release: str) -> list[str]:
    """What the chart of a release names; the stand-in answers under all of them."""
    version = tuple(map(int, release.split(".")))
    if version < (6,):
        names = [*(f"{part}:v{release}-release" for part in _PARTS_OF_5), *_OTHERS_OF_5]
        return [f"{REPOSITORY}/{name}" for name in [*names, f"rainbond:v{release}-release-allinone"]]
    others = (
        *("rbd-monitor:v2.20.0", "apisix-ingress-controller:v1.8.3", "local-path-provisioner:v0.0.30"),
        *("minio:RELEASE.2023-10-24T04-42-36Z", "rbd-db:8.0.19", "registry:2.6.2"),
        "apisix:3.9.1-debian-fix" if version >= (6, 5) else "apisix:3.9.1-debian",
        "alpine:3" if version >= (6, 7, 2) else "alpine:latest",
    )
    return [f"{REPOSITORY}/{part}" for part in (*(f"{part}:v{release}-release" for part in _RELEASED_PARTS), *others)]


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


def kubernetes_images(programs: Path, runtime: Path) -> dict[str, bytes]:
    """RKE2's image archives `core`, `canal` and `traefik`, and the first two in one under "": tar, unpacked.

    `programs` holds hyperkube, pause and coredns, `runtime` Debian's containerd, runc and CNI plugins.
    """

    def write_runtime(tar: tarfile.TarFile) -> None:
        _add(tar, "bin/hyperkube", (programs / "hyperkube").read_bytes(), 0o755)
        for name in _HYPERKUBE_NAMES:
            _link(tar, f"bin/{name}", "hyperkube")
        for path in _RUNTIME_FILES:
            _add(tar, f"bin/{Path(path).name}", (runtime / path).read_bytes(), 0o755)

    def small(name: str) -> bytes:
        program = programs / ("coredns" if name == "coredns" else "pause")
        return _archive(lambda tar: _add(tar, name, program.read_bytes(), 0o755))

    layers = {name: small(name) for name in _ENTRYPOINTS}
    layers["rke2-runtime"] = _archive(write_runtime)
    both = {name: [*_CORE_IMAGES.get(name, ()), *_CANAL_IMAGES.get(name, ())] for name in layers}
    wanted = {"": both, CORE: _CORE_IMAGES, CANAL: _CANAL_IMAGES, TRAEFIK: _TRAEFIK_IMAGES}
    return {
        variant: _image_archive(
            {name: layers[name] for name in names},
            [_Image(name, tags, entrypoint=_ENTRYPOINTS.get(name, ())) for name, tags in names.items()],
        )
        for variant, names in wanted.items()
    }


def rainbond_images(rainbond: Path, busybox: Path, release: str, speed: float = 1) -> bytes:
    """`rainbond-images-amd64.tar.gz`, unpacked: the stand-in under every image name of a release, each image its own.

    An image knows its name and its release from its environment, as the real ones know theirs from what is in them;
    `speed` divides the delays of probes. Alpine's image holds a shell, for the jobs that need one.
    """

    def write(tar: tarfile.TarFile) -> None:
        _add(tar, "bin/rainbond", rainbond.read_bytes(), 0o755)
        for name in ("manager", "rbd", "bin/mysql"):
            _link(tar, name, "/bin/rainbond")

    def write_shell(tar: tarfile.TarFile) -> None:
        _add(tar, "bin/busybox", busybox.read_bytes(), 0o755)
        for name in _SHELL_NAMES:
            _link(tar, f"bin/{name}", "busybox")

    told = (f"RAINBOND_RELEASE={release}", f"LAB_RAINBOND_SPEED={speed:g}")
    images = [
        _Image("shell", (name,), env=(f"RAINBOND_IMAGE={name}",))
        if "/alpine:" in name
        else _Image("rainbond", (name,), entrypoint=("/rbd",), env=(*told, f"RAINBOND_IMAGE={name}"))
        for name in rainbond_image_names(release)
    ]
    return _image_archive({"rainbond": _archive(write), "shell": _archive(write_shell)}, images)


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


@dataclass(frozen=True, slots=True)
class _Image:
    layer: str
    names: Sequence[str]
    entrypoint: Sequence[str] = ()
    env: Sequence[str] = ()

    def config(self, layer: bytes) -> bytes:
        entry = {"Entrypoint": list(self.entrypoint)} if self.entrypoint else {}
        made = {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Env": ["PATH=/bin", *self.env], **entry},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
        return json.dumps(made).encode()


def _image_archive(layers: Mapping[str, bytes], images: Sequence[_Image]) -> bytes:
    def write(tar: tarfile.TarFile) -> None:
        for name, layer in layers.items():
            _add(tar, f"{name}/layer.tar", layer)
        manifest = []
        for image in images:
            data = image.config(layers[image.layer])
            file = f"{hashlib.sha256(data).hexdigest()}.json"
            _add(tar, file, data)
            manifest.append({"Config": file, "RepoTags": list(image.names), "Layers": [f"{image.layer}/layer.tar"]})
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
