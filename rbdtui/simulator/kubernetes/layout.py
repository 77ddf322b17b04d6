"""The files that RKE2 leaves on a host: programs, images, kubeconfig, token and certificates."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from typing import Final

from rbdtui.simulator.kubernetes.certificates import Pair, is_same
from rbdtui.simulator.kubernetes.cluster import DATA_DIR, ETCD_DIR, RKE2_VERSION, Cluster
from rbdtui.simulator.kubernetes.tokens import full_token
from rbdtui.simulator.machine import Machine, full_image_name

IMAGES_DIR: Final = f"{DATA_DIR}/agent/images"
BIN_DIR: Final = f"{DATA_DIR}/bin"
KUBECONFIG: Final = "/etc/rancher/rke2/rke2.yaml"
TLS_DIR: Final = f"{DATA_DIR}/server/tls"
NODE_PASSWORD_FILE: Final = "/etc/rancher/node/password"  # noqa: S105 - the name of a file
ETCD_DATA_DIR: Final = f"{ETCD_DIR}/member"
"""There once the machine has been a member that votes."""
_PROGRAMS: Final = ("containerd", "containerd-shim-runc-v2", "crictl", "ctr", "kubectl", "kubelet", "runc")


class LayoutError(Exception):
    """Something that RKE2 needs is not on the disk; the words are RKE2's."""


def image_archives(machine: Machine) -> list[str]:
    """Paths of the image archives."""
    if not machine.files.is_dir(IMAGES_DIR):
        return []
    return [f"{IMAGES_DIR}/{name}" for name in machine.files.listdir(IMAGES_DIR) if ".tar" in name]


def stage_runtime(machine: Machine) -> None:
    """Unpack the programs from an image archive; raises `LayoutError` when no readable one is there."""
    version = RKE2_VERSION.replace("+", "-")
    directory = f"{DATA_DIR}/data/{version}-{'5f1c0de5a1ad'}/bin"
    if not machine.files.is_dir(directory):
        if all(archive_fault(machine, path) for path in image_archives(machine)):
            image = f"index.docker.io/rancher/rke2-runtime:{version}"
            raise LayoutError(
                f"preparing server: failed to get runtime image {image}: not in {IMAGES_DIR}: "
                'Get "https://index.docker.io/v2/": dial tcp: lookup index.docker.io: no such host'
            )
        for program in _PROGRAMS:
            machine.files.put(f"{directory}/{program}", f"\x7fELF {program} {version}\n", mode=0o755)
    machine.files.link(directory, BIN_DIR)


def archive_fault(machine: Machine, path: str) -> str:
    """Why an image archive cannot be read; empty when it can."""
    if path.endswith((".zst", ".lz4")):
        return ""
    try:
        images_of(machine.files.read(path))
    except (tarfile.TarError, OSError, EOFError, ValueError, LookupError, TypeError) as error:
        return str(error)
    return ""


def images_of(archive: bytes) -> dict[str, str]:
    """Digests of the images of an archive as ``docker save`` writes it, by name; raises as `tarfile` and `json` do."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        source = tar.extractfile("manifest.json") if "manifest.json" in tar.getnames() else None
        entries = json.loads(source.read()) if source is not None else []
        digests = {name: _digest_in(tar, e["Config"]) for e in entries for name in e["RepoTags"]}
    return {full_image_name(name): digest for name, digest in digests.items()}


def _digest_in(tar: tarfile.TarFile, name: str) -> str:
    """Of an image's configuration, whatever the member is called that holds it."""
    source = tar.extractfile(name)
    return f"sha256:{hashlib.sha256(source.read() if source is not None else b'').hexdigest()}"


def import_images(machine: Machine, path: str) -> None:
    """Give containerd what is in an archive that can be read."""
    if not path.endswith((".zst", ".lz4")):
        machine.images |= images_of(machine.files.read(path))


def prepare_agent(machine: Machine) -> None:
    """What every node gets before containerd starts."""
    files = machine.files
    files.put(f"{DATA_DIR}/agent/etc/containerd/config.toml", 'version = 2\nroot = "/var/lib/rancher/rke2/agent"\n')
    files.put(f"{DATA_DIR}/agent/etc/crictl.yaml", "runtime-endpoint: unix:///run/k3s/containerd/containerd.sock\n")
    files.put("/run/k3s/containerd/containerd.sock", b"")
    files.mkdir(f"{DATA_DIR}/agent/logs")
    files.mkdir("/etc/cni/net.d")
    files.mkdir("/var/lib/kubelet", mode=0o700)


def node_password(machine: Machine) -> str:
    """What this installation proves its node name with; made when there is none."""
    if not machine.files.exists(NODE_PASSWORD_FILE):
        made = machine.network.node_passwords_made
        made[machine.name] = made.get(machine.name, 0) + 1
        word = machine.identity(f"node password {made[machine.name]}")
        machine.files.put(NODE_PASSWORD_FILE, word + "\n", mode=0o600)
    return machine.files.text(NODE_PASSWORD_FILE).strip()


def write_resolver_file(machine: Machine) -> str:
    """What kubelet gives to pods where the host's own file names no server that they could ask; empty otherwise."""
    own = f"{DATA_DIR}/agent/etc/resolv.conf"
    for path in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        servers = [line.split()[1] for line in machine.files.text(path).splitlines() if line.startswith("nameserver ")]
        if servers and not any(server.startswith("127.") for server in servers):
            return ""
    machine.files.put(own, "nameserver 8.8.8.8\n", mode=0o600)
    return own


def write_agent_files(machine: Machine, cluster: Cluster) -> None:
    """What a node gets when it has joined."""
    pair = cluster.client_authority.client(f"system:node:{machine.hostname}", "system:nodes")
    machine.files.put(f"{DATA_DIR}/agent/client-kubelet.crt", pair.certificate, mode=0o600)
    machine.files.put(f"{DATA_DIR}/agent/client-kubelet.key", pair.key, mode=0o600)
    machine.files.put(f"{DATA_DIR}/agent/server-ca.crt", cluster.server_authority.certificate, mode=0o600)


def write_server_files(machine: Machine, cluster: Cluster, serving: Pair, *, readable: bool) -> None:
    """What a server gets besides."""
    files = machine.files
    authority = cluster.server_authority
    agent_token = cluster.agent_tokens.get(machine.name)
    files.put(f"{DATA_DIR}/server/token", full_token(authority.digest, "server", cluster.token) + "\n", mode=0o600)
    if agent_token:
        own = full_token(authority.digest, "node", agent_token)
        files.remove(f"{DATA_DIR}/server/agent-token")
        files.put(f"{DATA_DIR}/server/agent-token", own + "\n", mode=0o600)
    else:
        files.link(f"{DATA_DIR}/server/token", f"{DATA_DIR}/server/agent-token")
    files.link(f"{DATA_DIR}/server/token", f"{DATA_DIR}/server/node-token")
    client = cluster.client_authority.client("system:admin", "system:masters")
    # RKE2 has an authority of its own for etcd, which signs both sides; here the servers' stands for it.
    etcd = authority.client("etcd-client")
    leaves = {
        "serving-kube-apiserver": serving, "client-admin": client, "etcd/client": etcd, "etcd/server-client": serving,
    }  # fmt: skip
    authorities = {
        "server-ca": authority,
        "client-ca": cluster.client_authority,
        "etcd/server-ca": authority,
        "etcd/peer-ca": authority,
    }
    for name, signer in authorities.items():
        files.put(f"{TLS_DIR}/{name}.crt", signer.certificate, mode=0o644)
    for name, pair in leaves.items():
        _put_leaf(machine, f"{TLS_DIR}/{name}", pair)
    files.put(KUBECONFIG, _kubeconfig(authority.certificate, client), mode=0o644 if readable else 0o600)


def _put_leaf(machine: Machine, path: str, pair: Pair) -> None:
    """A start leaves what is good alone (k3s@136, pkg/daemons/control/deps/deps.go, createClientCertKey)."""
    files = machine.files
    if files.exists(f"{path}.key") and is_same(files.text(f"{path}.crt"), pair.certificate):
        return
    files.put(f"{path}.crt", pair.certificate, mode=0o644)
    files.put(f"{path}.key", pair.key, mode=0o600)


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
