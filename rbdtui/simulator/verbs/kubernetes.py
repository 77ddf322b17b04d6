"""Scripts on RKE2, the nodes of the cluster and etcd."""

from __future__ import annotations

import gzip
import io
import json
import posixpath
import re
import tarfile
from typing import Final
from urllib.parse import urlsplit

from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.files import FileSystem
from rbdtui.simulator.kubernetes.cluster import DATA_DIR, Cluster, cluster_of
from rbdtui.simulator.kubernetes.layout import BIN_DIR, ETCD_DATA_DIR, KUBECONFIG, TLS_DIR, archive_fault, import_images
from rbdtui.simulator.kubernetes.ports import ETCD_HTTP_PORT, LOOPBACK
from rbdtui.simulator.kubernetes.tokens import Token
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.units import Systemd
from rbdtui.simulator.verbs.files import make_state_dir, sha256
from rbdtui.simulator.verbs.system import unit_properties

NOTE: Final = "/var/lib/rbdtui/rke2-unpacked"
_ETCD_SERVER: Final = re.compile(r"--server=\"?https://127\.0\.0\.1:(\$?\w+)")
_PORT_CHOICE: Final = re.compile(r"\bport=(\d+)")
_FIRST_LINES: Final = 20
_MORE_LINES: Final = 400
_LINE_BYTES: Final = 600
_UNPACK_S: Final = 1.2
_IMPORT_S: Final = 1.5
_SOCKET: Final = "/run/k3s/containerd/containerd.sock"
_GATEWAY_PROGRAMS: Final = ("openresty", "rbd-gateway")


class KubectlError(Exception):
    """kubectl ends with 1; the words are its own."""


async def reached_cluster(machine: Machine, url: str = "") -> Cluster:
    """The cluster whose API answers kubectl on a machine, by default at its own; raises `KubectlError`."""
    if not machine.files.exists(f"{BIN_DIR}/kubectl"):
        raise KubectlError(f"sh: 1: {BIN_DIR}/kubectl: not found")
    if not machine.files.exists(KUBECONFIG):
        raise KubectlError(f"error: stat {KUBECONFIG}: no such file or directory")
    host, port = urlsplit(url or "https://127.0.0.1:6443").hostname or "", urlsplit(url).port or 6443
    try:
        target, _ = await machine.network.find_end(machine, host, port)
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise KubectlError(f"Unable to connect to the server: dial tcp {host}:{port}: connect: {words}") from None
    cluster = cluster_of(target)
    own = cluster_of(machine)
    if cluster is None or own is not cluster:
        raise KubectlError("error: You must be logged in to the server (Unauthorized)")
    if target.name not in cluster.api_running and (behind := cluster.api_for(target)) is not None:
        target = behind  # RKE2's own balancer on nodes without an API server
    if host not in cluster.api_running.get(target.name, frozenset()) and host != str(target.ip):
        names = ", ".join(sorted(cluster.api_running.get(target.name, frozenset())))
        raise KubectlError(
            "Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for "
            f"{names}, not {host}"
        )
    if not cluster.serves(target):
        raise KubectlError("Error from server (Timeout): etcdserver: request timed out")
    return cluster


async def kube_nodes(call: Call) -> int:
    """``kube-nodes [URL]``."""
    try:
        cluster = await reached_cluster(call.machine, call.args[0] if call.args else "")
    except KubectlError as error:
        return call.fail(str(error), 3)
    call.out(cluster.to_lines())
    return 0


async def kube_label(call: Call) -> int:
    """``kube-label NODE KEY=VALUE...``."""
    node, *pairs = call.args
    try:
        cluster = await reached_cluster(call.machine)
        call.line(cluster.label(node, pairs))
    except KubectlError as error:
        return call.fail(str(error), 3)
    except KeyError:
        return call.fail(f'Error from server (NotFound): nodes "{node}" not found', 3)
    return 0


async def kube_drain(call: Call) -> int:
    """``kube-drain NODE LIMIT_S``."""
    name = call.args[0]
    try:
        cluster = await reached_cluster(call.machine)
    except KubectlError as error:
        return call.fail(str(error), 3)
    if (node := cluster.nodes.get(name)) is None:
        return 0
    node.spec["unschedulable"] = True
    call.line(f"node/{name} cordoned")
    pods = cluster.store.kind("", "pods")
    for pod in list(cluster.store.listed(pods)):
        owners = {owner["kind"] for owner in pod["metadata"].get("ownerReferences", [])}
        if pod["spec"].get("nodeName") == name and "DaemonSet" not in owners:
            cluster.store.delete(pods, pod["metadata"]["namespace"], pod["metadata"]["name"])
            call.line(f"pod/{pod['metadata']['name']} evicted")
    call.line(f"node/{name} drained")
    return 0


async def kube_uncordon(call: Call) -> int:
    """``kube-uncordon look|open NODE``."""
    ask, name = call.args
    try:
        cluster = await reached_cluster(call.machine)
    except KubectlError as error:
        return call.fail(str(error), 3)
    node = cluster.nodes.get(name)
    if ask == "look":
        if node is not None:
            call.line(_yes(bool(node.spec.get("unschedulable"))))
        return 0
    if node is None:
        return call.fail(f'Error from server (NotFound): nodes "{name}" not found', 3)
    node.spec.pop("unschedulable", None)
    call.line(f"node/{name} uncordoned")
    return 0


async def kube_forget_node(call: Call) -> int:
    """``kube-forget-node look|delete NODE``."""
    verb, name = call.args
    try:
        cluster = await reached_cluster(call.machine)
    except KubectlError as error:
        return call.fail(str(error), 3)
    if verb == "look":
        call.line(f"node {_yes(name in cluster.nodes)}")
        call.line(f"secret {_yes(name in cluster.node_passwords)}")
        return 0
    there = name in cluster.nodes
    cluster.delete_node(name)
    if there:
        call.line(f'node "{name}" deleted')
    return 0


async def etcd_members(call: Call) -> int:
    """``etcd-members``: what kubectl is told at the port that the script has it ask."""
    machine = call.machine
    port = _etcd_port(call.text, machine)
    cluster = cluster_of(machine)
    if cluster is None or machine.listener(LOOPBACK, port) is None:
        return call.fail(
            f"The connection to the server {LOOPBACK}:{port} was refused - did you specify the right host or port?", 3
        )
    if port != ETCD_HTTP_PORT:
        return call.fail("Error from server (UnsupportedMediaType): unknown", 3)
    if not cluster.has_quorum(machine):
        return call.fail("Error from server (InternalError): context deadline exceeded", 3)
    own = cluster.member_on(machine)
    if own is not None and own.learner:
        return call.fail("Error from server: etcdserver: rpc not supported for learner", 3)
    call.line(json.dumps(cluster.etcd_member_list(call.machine)))
    call.line(json.dumps(cluster.etcd_status(call.machine)))
    return 0


def _etcd_port(text: str, machine: Machine) -> int:
    """The port behind ``--server`` in the script; of the two that it may choose from, the one that listens."""
    named = _ETCD_SERVER.search(text)
    if named is not None and named.group(1).isdigit():
        return int(named.group(1))
    ports = [int(port) for port in _PORT_CHOICE.findall(text)]
    return next((port for port in ports if machine.listener(LOOPBACK, port) is not None), ports[0])


async def rke2_identity(call: Call) -> int:
    """``rke2-identity``."""
    files = call.machine.files
    directory = f"{DATA_DIR}/server"
    token = Token.parse(files.text(f"{directory}/token").strip())
    certificates = files.text(f"{TLS_DIR}/server-ca.crt")
    settings = files.text("/etc/rancher/rke2/config.yaml").splitlines()
    call.line(f"etcd={_yes(files.is_dir(ETCD_DATA_DIR))}")
    call.line(f"joined={_yes(any(line.startswith('server:') for line in settings))}")
    call.line(f"token-ca={token.ca_hash if token.user == 'server' else ''}")
    call.line(f"ca={sha256(certificates.encode()) if certificates else ''}\n")
    call.out(certificates)
    return 0


async def rke2_state(call: Call) -> int:
    """``rke2-state``."""
    files = call.machine.files
    archive, _, prefix = files.text(NOTE).strip().partition(" ")
    prefix = prefix or "/usr/local"
    program = files.get(f"{prefix}/bin/rke2")
    names = ("rke2-server.service", "rke2-agent.service")
    places = (f"{prefix}/lib/systemd/system", "/etc/systemd/system")
    units = any(all(files.exists(f"{place}/{name}") for name in names) for place in places)
    call.line(f"archive={archive}")
    call.line(f"prefix={prefix}")
    call.line(f"program={_yes(program is not None and bool(program.mode & 0o111))}")
    call.line(f"units={_yes(units)}")
    return 0


def _yes(value: bool) -> str:
    return "yes" if value else "no"


async def rke2_unpack(call: Call) -> int:
    """``rke2-unpack ARCHIVE SHA256``."""
    archive, expected = call.args
    files = call.machine.files
    content = files.read(archive)
    if sha256(content) != expected:
        return call.fail(f"sha256 of {archive} is {sha256(content)}", 3)
    prefix = "/opt/rke2" if files.disk_of("/usr/local").path == "/usr/local" else "/usr/local"
    files.mkdir(prefix)
    files.remove(NOTE)
    await call.machine.network.pace.sleep(_UNPACK_S)
    try:
        _unpack(files, content, prefix)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError) as error:
        return call.fail(f"gzip: stdin: {error}\ntar: Child returned status 1\ntar: Error is not recoverable", 3)
    if prefix != "/usr/local":
        _adapt(files, prefix)
    call.machine.daemon_reload()
    make_state_dir(files, NOTE)
    files.write(NOTE, f"{expected} {prefix}\n".encode())
    call.line(f"prefix={prefix}")
    return 0


def _unpack(files: FileSystem, content: bytes, prefix: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive:
            path = posixpath.join(prefix, posixpath.normpath(member.name))
            if member.isdir():
                files.mkdir(path)
            elif member.isfile():
                source = archive.extractfile(member)
                files.put(path, source.read() if source else b"", mode=member.mode & 0o7777)


def _adapt(files: FileSystem, prefix: str) -> None:
    for name in ("rke2-server.service", "rke2-agent.service"):
        source = f"{prefix}/lib/systemd/system/{name}"
        files.write(source, files.read(source).replace(b"/usr/local", prefix.encode()))
        files.rename(source, f"/etc/systemd/system/{name}")


async def rke2_uninstall(call: Call) -> int:
    """``rke2-uninstall``."""
    machine = call.machine
    for prefix in ("/usr/local", "/opt/rke2"):
        if not machine.files.exists(f"{prefix}/bin/rke2-uninstall.sh"):
            continue
        for unit in ("rke2-server", "rke2-agent"):
            await machine.systemd.stop(unit)
            machine.disable(unit)
            machine.files.remove(f"{prefix}/lib/systemd/system/{Systemd.full_name(unit)}")
            machine.files.remove(f"/etc/systemd/system/{Systemd.full_name(unit)}")
        for path in ("rke2", "rke2-killall.sh", "rke2-uninstall.sh"):
            machine.files.remove(f"{prefix}/bin/{path}")
        for path in ("/etc/rancher/rke2", "/etc/rancher/node", "/etc/cni", "/var/lib/kubelet", DATA_DIR):
            machine.files.remove(path)
        call.line("+ rm -rf /var/lib/rancher/rke2")
    machine.files.remove(NOTE)
    machine.daemon_reload()
    return 0


async def rke2_progress(call: Call) -> int:
    """``rke2-progress UNIT CURSOR``."""
    unit, cursor = call.args
    machine = call.machine
    shown = unit_properties(machine, unit)
    lines = list(machine.systemd.lines(unit))
    start = next((i + 1 for i, line in enumerate(lines) if cursor and line.cursor == cursor), None)
    new = lines[-_FIRST_LINES:] if start is None else lines[start:][-_MORE_LINES:]
    cluster = cluster_of(machine)
    api = cluster is not None and shown["ActiveState"] == "active" and cluster.serves(machine)
    call.line(f"active={shown['ActiveState']}\nrestarts={shown['NRestarts']}")
    call.line(f"supervisor={_yes(machine.listener('127.0.0.1', 9345) is not None)}\napi={_yes(api)}")
    call.line(f"cursor={new[-1].cursor if new else cursor}\n")
    for line in new:
        call.out(line.text.encode()[:_LINE_BYTES] + b"\n")
    return 0


async def images_state(call: Call) -> int:
    """``images-state``."""
    if not call.machine.files.exists(_SOCKET):
        return call.fail(f"{BIN_DIR}/ctr or {_SOCKET} is not there", 3)
    for name, digest in sorted(call.machine.images.items()):
        call.line(f"{name} {digest}")
    return 0


async def images_import(call: Call) -> int:
    """``images-import ARCHIVE NAME...``."""
    archive = call.args[0]
    machine = call.machine
    if not machine.files.exists(_SOCKET):
        return call.fail(f"{BIN_DIR}/ctr or {_SOCKET} is not there", 3)
    await machine.network.pace.sleep(_IMPORT_S)
    if fault := archive_fault(machine, archive):
        return call.fail(f"ctr: {fault}", 1)
    before = set(machine.images)
    import_images(machine, archive)
    for name in sorted(set(machine.images) - before):
        call.line(f"unpacking {name} ({machine.images[name]})...done")
    return 0


async def port_owners(call: Call) -> int:
    """``port-owners PORT...``: of pods only the gateway's listen on their host."""
    cluster, machine = cluster_of(call.machine), call.machine
    pods = cluster.store.listed(cluster.store.kind("", "pods")) if cluster is not None else []
    own = [pod for pod in pods if pod["spec"].get("nodeName") == machine.name]
    uids = [pod["metadata"]["uid"] for pod in own if pod["metadata"]["name"].startswith("rbd-gateway-")]
    for port in map(int, call.args):
        if (found := machine.listener("127.0.0.1", port)) is not None:
            uid = uids[0] if uids and found.process in _GATEWAY_PROGRAMS else "-"
            call.line(f"{port} {found.process} {uid}")
    return 0


VERBS: Verbs = {
    "etcd-members": etcd_members,
    "images-import": images_import,
    "images-state": images_state,
    "kube-drain": kube_drain,
    "kube-uncordon": kube_uncordon,
    "kube-forget-node": kube_forget_node,
    "kube-label": kube_label,
    "kube-nodes": kube_nodes,
    "port-owners": port_owners,
    "rke2-identity": rke2_identity,
    "rke2-progress": rke2_progress,
    "rke2-state": rke2_state,
    "rke2-uninstall": rke2_uninstall,
    "rke2-unpack": rke2_unpack,
}
