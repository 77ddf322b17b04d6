"""The files that RKE2 leaves on a host: programs, images, kubeconfig, token and certificates."""

from __future__ import annotations

import base64
import io
import tarfile
from typing import Final

from rbdtui.simulator.kubernetes.certificates import Pair
from rbdtui.simulator.kubernetes.cluster import DATA_DIR, RKE2_VERSION, Cluster
from rbdtui.simulator.machine import Machine

IMAGES_DIR: Final = f"{DATA_DIR}/agent/images"
BIN_DIR: Final = f"{DATA_DIR}/bin"
KUBECONFIG: Final = "/etc/rancher/rke2/rke2.yaml"
TLS_DIR: Final = f"{DATA_DIR}/server/tls"
ETCD_DIR: Final = f"{DATA_DIR}/server/db/etcd"
_PROGRAMS: Final = ("containerd", "containerd-shim-runc-v2", "crictl", "ctr", "kubectl", "kubelet", "runc")


class LayoutError(Exception):
    """Something that RKE2 needs is not on the disk; the words are RKE2's."""


def image_archives(machine: Machine) -> list[str]:
    """Paths of the image archives."""
    if not machine.files.is_dir(IMAGES_DIR):
        return []
    return [f"{IMAGES_DIR}/{name}" for name in machine.files.listdir(IMAGES_DIR) if ".tar" in name]


def stage_runtime(machine: Machine) -> None:
    """Unpack the programs from the image archive; raises `LayoutError` when there is none or it is damaged."""
    version = RKE2_VERSION.replace("+", "-")
    directory = f"{DATA_DIR}/data/{version}-{'5f1c0de5a1ad'}/bin"
    if not machine.files.is_dir(directory):
        archives = image_archives(machine)
        if not archives:
            image = f"index.docker.io/rancher/rke2-runtime:{version}"
            raise LayoutError(
                f"preparing server: failed to get runtime image {image}: not in {IMAGES_DIR}: "
                'Get "https://index.docker.io/v2/": dial tcp: lookup index.docker.io: no such host'
            )
        for path in archives:
            _check_archive(path, machine.files.read(path))
        for program in _PROGRAMS:
            machine.files.put(f"{directory}/{program}", f"\x7fELF {program} {version}\n", mode=0o755)
    machine.files.link(directory, BIN_DIR)


def _check_archive(path: str, content: bytes) -> None:
    if path.endswith((".zst", ".lz4")):
        return
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.getnames()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise LayoutError(f"failed to load images from {path}: {error}") from None


def prepare_agent(machine: Machine) -> None:
    """What every node gets before containerd starts."""
    files = machine.files
    files.put(f"{DATA_DIR}/agent/etc/containerd/config.toml", 'version = 2\nroot = "/var/lib/rancher/rke2/agent"\n')
    files.put(f"{DATA_DIR}/agent/etc/crictl.yaml", "runtime-endpoint: unix:///run/k3s/containerd/containerd.sock\n")
    files.put("/run/k3s/containerd/containerd.sock", b"")
    files.mkdir(f"{DATA_DIR}/agent/logs")
    files.mkdir("/etc/cni/net.d")
    files.mkdir("/var/lib/kubelet", mode=0o700)


def write_agent_files(machine: Machine, cluster: Cluster) -> None:
    """What a node gets when it has joined."""
    pair = cluster.client_authority.client(f"system:node:{machine.hostname}", "system:nodes")
    machine.files.put(f"{DATA_DIR}/agent/client-kubelet.crt", pair.certificate, mode=0o600)
    machine.files.put(f"{DATA_DIR}/agent/client-kubelet.key", pair.key, mode=0o600)
    machine.files.put(f"{DATA_DIR}/agent/server-ca.crt", cluster.server_authority.certificate, mode=0o600)
    machine.files.put("/etc/rancher/node/password", machine.identity("node password") + "\n", mode=0o600)


def write_server_files(machine: Machine, cluster: Cluster, serving: Pair, *, readable: bool) -> None:
    """What a server gets besides."""
    files = machine.files
    authority = cluster.server_authority
    token = f"K10{authority.digest}::server:{cluster.token}\n"
    for name in ("token", "node-token"):
        files.put(f"{DATA_DIR}/server/{name}", token, mode=0o600)
    client = cluster.client_authority.client("system:admin", "system:masters")
    etcd = cluster.client_authority.client("etcd-client")
    for name, text in (
        ("server-ca.crt", authority.certificate),
        ("client-ca.crt", cluster.client_authority.certificate),
        ("serving-kube-apiserver.crt", serving.certificate),
        ("serving-kube-apiserver.key", serving.key),
        ("client-admin.crt", client.certificate),
        ("client-admin.key", client.key),
        ("etcd/server-ca.crt", authority.certificate),
        ("etcd/peer-ca.crt", authority.certificate),
        ("etcd/client.crt", etcd.certificate),
        ("etcd/client.key", etcd.key),
        ("etcd/server-client.crt", serving.certificate),
        ("etcd/server-client.key", serving.key),
    ):
        files.put(f"{TLS_DIR}/{name}", text, mode=0o600 if name.endswith(".key") else 0o644)
    files.put(f"{ETCD_DIR}/name", machine.hostname + "\n", mode=0o600)
    files.put(KUBECONFIG, _kubeconfig(authority.certificate, client), mode=0o644 if readable else 0o600)


def _kubeconfig(authority: str, client: Pair) -> str:
    return f"""apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {_base64(authority)}
    server: https://127.0.0.1:6443
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {{}}
users:
- name: default
  user:
    client-certificate-data: {_base64(client.certificate)}
    client-key-data: {_base64(client.key)}
"""


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
