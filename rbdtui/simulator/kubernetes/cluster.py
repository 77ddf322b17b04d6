"""The state of a simulated Kubernetes cluster: etcd members, nodes, who serves the API to whom."""

from __future__ import annotations

import hashlib
import json
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, Final

from rbdtui.simulator.kubernetes.certificates import Authority, server_context, show
from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.kubernetes.store import Store
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.network import Network

RKE2_VERSION: Final = "v1.30.4+rke2r1"
DATA_DIR: Final = "/var/lib/rancher/rke2"
ETCD_DIR: Final = f"{DATA_DIR}/server/db/etcd"
ETCD_NAME_FILE: Final = f"{ETCD_DIR}/name"
GRACE_S: Final = 40.0
"""Without a sign of life for this long a node counts as not ready (node-monitor-grace-period)."""
BEAT_S: Final = 5.0
"""How often a kubelet gives a sign of life."""
_LISTED_IMAGES: Final = 50
"""As many of its images a kubelet tells of (nodeStatusMaxImages)."""
_ETCD_VERSION: Final = "3.5.13"


@dataclass(slots=True, eq=False)
class Member:
    """One member of etcd; it stays one when its machine has lost the data."""

    machine: Machine
    name: str
    """The node's name with some digits that RKE2 adds, new ones whenever it begins without data."""
    learner: bool = False

    @property
    def id(self) -> int:
        """The number that etcd gives it."""
        return int(hashlib.sha256(f"member {self.name}".encode()).hexdigest()[:15], 16)

    @property
    def node_name(self) -> str:
        """The name without the digits."""
        return self.name.rpartition("-")[0]

    @property
    def has_data(self) -> bool:
        """Whether its data are still on its machine."""
        return self.machine.files.text(ETCD_NAME_FILE).strip() == self.name

    def to_json(self) -> dict[str, object]:
        """As etcd's JSON gateway writes it: numbers of 64 bits are strings."""
        ip = self.machine.ip
        urls: dict[str, object] = {
            "ID": str(self.id),
            "name": self.name,
            "peerURLs": [f"https://{ip}:2380"],
            "clientURLs": [f"https://{ip}:2379"],
        }
        return urls | ({"isLearner": True} if self.learner else {})


@dataclass(slots=True)
class KubeNode:
    """A registered node."""

    name: str
    machine: Machine
    labels: dict[str, str]
    created_at: float
    """Unix time."""
    beat_s: float
    """Simulated time of the last sign of life."""
    plumbed: bool = False
    """Whether its pod network is up; until then it is not ready."""
    changed_at: float = field(default_factory=time.time)
    annotations: dict[str, str] = field(default_factory=dict)
    """Those that somebody gave it."""
    spec: Object = field(default_factory=dict)
    """``taints`` and ``unschedulable``, where somebody set them."""


@dataclass(slots=True)
class Faults:
    """What somebody has broken among the cluster's pods."""

    crashing: dict[str, str] = field(default_factory=dict)
    """Last words of components that crash, by name."""
    database_silent: bool = False
    """Whether Rainbond's own database answers nobody."""

    nfs_silent: bool = False
    """Whether no NFS server answers a node that mounts something anew."""
    staying: set[str] = field(default_factory=set)
    """Names of components whose pods do not end."""
    torn: set[str] = field(default_factory=set)
    """Claims whose data is never written as it was read."""
    room_kib: int = 1 << 30
    """What new volumes have room for, beside what is in them."""
    lost_images: list[tuple[str, str, str]] = field(default_factory=list)
    """Machine, name and digest of images that were taken away."""

    def crash(self, pod: Object) -> str:
        """The last words of a pod's program; empty when it lives."""
        return self.crashing.get(str(pod["metadata"].get("labels", {}).get("name", "")), "")


@dataclass(frozen=True, slots=True)
class Saved:
    """What a snapshot of etcd holds."""

    objects: Any
    """As the store saves them."""
    nodes: dict[str, KubeNode]
    passwords: dict[str, str]


class Cluster:
    """One cluster; it lives as long as the fleet, whatever becomes of its machines."""

    def __init__(self, network: Network[Machine], token: str, seed: str, settings: dict[str, object]) -> None:
        self.network, self.token, self.seed, self.settings = network, token, seed, settings
        self.agent_tokens: dict[str, str] = {}
        """Per server, what it was last started with as ``agent-token``; empty: agents use the server's token."""
        self.node_passwords: dict[str, str] = {}
        """Per node name, the password that its first agent came with (secret NAME.node-password.rke2)."""
        born_at = time.time()
        self.server_authority = Authority(seed, "rke2-server-ca", born_at)
        self.client_authority = Authority(seed, "rke2-client-ca", born_at)
        self.members: list[Member] = []
        self.nodes: dict[str, KubeNode] = {}
        self.store = Store()
        """Everything else that the API shows; nodes get there by `sync_nodes`."""
        self.etcd_running: set[str] = set()
        """Machines whose member runs."""
        self.api_running: dict[str, frozenset[str]] = {}
        """Machines whose API server runs, with the names and addresses in its certificate."""
        self.registries: dict[str, Callable[[str], bool]] = {}
        """By name, whether one that nodes reach through the gateway has an image (``name:tag``)."""
        self.faults = Faults()
        self.snapshots: dict[str, Saved] = {}
        """What snapshots hold that were taken, by their sums."""
        self._supervised: set[IPv4Address | str] = set()
        self._supervisor_tls: ssl.SSLContext | None = None
        self._pods_started = 0
        self._id = int(hashlib.sha256(f"cluster {seed}".encode()).hexdigest()[:15], 16)

    def supervisor_tls(self, addresses: Iterable[IPv4Address], names: Iterable[str]) -> ssl.SSLContext:
        """TLS of 9345, the same certificate on all servers, to which a server that starts adds its addresses and names.

        It is kept in Secret rke2-serving (k3s@130, pkg/cluster/https.go, tlsStorage; rancher/dynamiclistener).
        """
        self._supervised |= {*addresses, *names}
        told = sorted(self._supervised, key=str)
        pair = self.server_authority.server(
            "rke2", [each for each in told if isinstance(each, IPv4Address)],
            [each for each in told if isinstance(each, str)], group="rke2",
        )  # fmt: skip
        if self._supervisor_tls is None:
            self._supervisor_tls = server_context(pair, self.client_authority.certificate)
        else:
            show(self._supervisor_tls, pair)
        return self._supervisor_tls

    def member_on(self, machine: Machine) -> Member | None:
        """The member whose data a machine has."""
        return next((member for member in self.members if member.machine is machine and member.has_data), None)

    def _runs(self, member: Member) -> bool:
        return member.machine.name in self.etcd_running and member.has_data

    def has_quorum(self, machine: Machine) -> bool:
        """Whether most members run where a machine can reach them."""
        voting = [member for member in self.members if not member.learner]
        alive = [m for m in voting if self._runs(m) and self.network.linked(machine, m.machine)]
        return 2 * len(alive) > len(voting)

    def serves(self, machine: Machine) -> bool:
        """Whether the API server of a machine answers."""
        return machine.powered and machine.name in self.api_running and self.has_quorum(machine)

    def api_for(self, machine: Machine) -> Machine | None:
        """A machine whose API a node can use through RKE2's own balancer."""
        names = [machine.name, *self.api_running]
        servers = [m for name in names for m in self.network.machines if m.name == name]
        return next((m for m in servers if self.network.linked(machine, m) and self.serves(m)), None)

    def ready(self, node: KubeNode) -> str:
        """The status of the Ready condition."""
        if self.network.pace.now_s - node.beat_s > GRACE_S:
            return "Unknown"
        return "True" if node.plumbed else "False"

    @property
    def leader(self) -> Member | None:
        """The member that leads; None without quorum."""
        running = [m for m in self.members if self._runs(m) and not m.learner]
        return next((m for m in running if self.has_quorum(m.machine)), None)

    @property
    def size_bytes(self) -> int:
        """Of etcd's database file."""
        return 4_300_000 + 420_000 * len(self.nodes)

    def etcd_member_list(self, machine: Machine) -> dict[str, object]:
        """The answer of ``/v3/cluster/member/list``."""
        return {"header": self._header(machine), "members": [member.to_json() for member in self.members]}

    def etcd_status(self, machine: Machine) -> dict[str, object]:
        """The answer of ``/v3/maintenance/status``."""
        leader = self.leader
        status: dict[str, object] = {
            "header": self._header(machine),
            "version": _ETCD_VERSION,
            "dbSize": str(self.size_bytes),
            "leader": str(leader.id if leader else 0),
            "raftIndex": "18234",
            "raftTerm": "2",
            "raftAppliedIndex": "18234",
            "dbSizeInUse": str(self.size_bytes // 2),
        }
        own = self.member_on(machine)
        return status | ({"isLearner": True} if own is not None and own.learner else {})

    def _header(self, machine: Machine) -> dict[str, object]:
        own = self.member_on(machine)
        return {
            "cluster_id": str(self._id),
            "member_id": str(own.id if own else 0),
            "revision": "9120",
            "raft_term": "2",
        }

    def sync_nodes(self) -> None:
        """Put what the nodes are now among the objects."""
        kind = self.store.kind("", "nodes")
        for name in [item["metadata"]["name"] for item in self.store.listed(kind)]:
            if name not in self.nodes:
                self.store.delete(kind, "", name)
        for node in self.nodes.values():
            self.store.put(kind, self._node_json(node))

    def take_node(self, item: Object) -> None:
        """What somebody wrote into a node's object and what is theirs to write."""
        node = self.nodes[item["metadata"]["name"]]
        node.labels = dict(item["metadata"].get("labels") or {})
        node.annotations = dict(item["metadata"].get("annotations") or {})
        node.spec = {key: item["spec"][key] for key in ("taints", "unschedulable") if key in item.get("spec", {})}

    def _node_json(self, node: KubeNode) -> Object:
        system, hardware = node.machine.system, node.machine.hardware
        return {
            "metadata": {
                "name": node.name,
                "uid": node.machine.identity("node"),
                "creationTimestamp": _rfc3339(node.created_at),
                "labels": dict(sorted(node.labels.items())),
                "annotations": {"rke2.io/internal-ip": str(node.machine.ip)} | node.annotations,
            },
            "spec": {"podCIDR": self._pod_cidr(node), "podCIDRs": [self._pod_cidr(node)]} | node.spec,
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": str(node.machine.ip)},
                    {"type": "Hostname", "address": node.name},
                ],
                "capacity": {"cpu": str(hardware.cpu_count), "memory": f"{hardware.memory_bytes // 1024}Ki"},
                "conditions": list(self._conditions(node)),
                "images": [{"names": [name]} for name in sorted(node.machine.images)[:_LISTED_IMAGES]],
                "nodeInfo": {
                    "architecture": architecture(node.machine),
                    "kernelVersion": system.kernel,
                    "osImage": system.pretty_name,
                    "operatingSystem": "linux",
                    "kubeletVersion": RKE2_VERSION,
                    "kubeProxyVersion": RKE2_VERSION,
                    "containerRuntimeVersion": "containerd://1.7.20-k3s1",
                    "machineID": node.machine.identity("machine-id"),
                    "systemUUID": node.machine.identity("product"),
                    "bootID": node.machine.identity("boot"),
                },
            },
        }

    def _pod_cidr(self, node: KubeNode) -> str:
        number = list(self.nodes).index(node.name)
        base = str(self.settings.get("cluster-cidr", "10.42.0.0/16")).split(".")
        return f"{base[0]}.{base[1]}.{number}.0/24"

    def pod_address(self, node: str) -> str:
        """Another address of a node's range for each pod that asks."""
        self._pods_started += 1
        return self._pod_cidr(self.nodes[node]).replace("0/24", str(2 + self._pods_started % 250))

    def _conditions(self, node: KubeNode) -> Iterator[dict[str, str]]:
        status = self.ready(node)
        words = {
            "True": ("KubeletReady", "kubelet is posting ready status"),
            "False": ("KubeletNotReady", "container runtime network not ready: NetworkReady=false"),
            "Unknown": ("NodeStatusUnknown", "Kubelet stopped posting node status."),
        }
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure"):
            calm = "Unknown" if status == "Unknown" else "False"
            yield {"type": kind, "status": calm, "reason": f"KubeletHasNo{kind}", "message": ""}
        reason, message = words[status]
        moment = _rfc3339(node.changed_at)
        yield {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": moment,
            "lastTransitionTime": moment,
        }

    def admits(self, server: Machine, user: str, password: str) -> bool:
        """Whether a server takes a password, of the user ``server`` or ``node``."""
        if user == "server":
            return password == self.token
        return password == (self.agent_tokens.get(server.name) or self.token)

    def delete_node(self, name: str) -> None:
        """``kubectl delete node``: RKE2 takes the node's password and its member of etcd away as well."""
        self.nodes.pop(name, None)
        self.node_passwords.pop(name, None)
        self.members = [member for member in self.members if member.node_name != name]

    def label(self, name: str, pairs: list[str]) -> str:
        """Set labels (``key=value``) or take them away (``key-``); what kubectl says. Raises `KeyError`."""
        node = self.nodes[name]
        before = dict(node.labels)
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if equals:
                node.labels[key] = value
            elif key.endswith("-"):
                node.labels.pop(key.removesuffix("-"), None)
        return f"node/{name} {'labeled' if node.labels != before else 'not labeled'}"

    def to_lines(self) -> str:
        """The nodes as ``kubectl get nodes -o jsonpath`` prints them for us: five fields, parted by tabs."""
        lines = []
        for name in sorted(self.nodes):
            node = self.nodes[name]
            labels = json.dumps(dict(sorted(node.labels.items())), separators=(",", ":"))
            lines.append("\t".join((name, self.ready(node), str(node.machine.ip), RKE2_VERSION, labels)) + "\n")
        return "".join(lines)


def architecture(machine: Machine) -> str:
    """Kubernetes' word for a machine's architecture."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine.hardware.arch, machine.hardware.arch)


def _rfc3339(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def cluster_of(machine: Machine) -> Cluster | None:
    """The cluster that a machine has joined and still has the data of."""
    cluster = machine.network.clusters.get(machine.name)
    return cluster if cluster is not None and machine.files.is_dir(f"{DATA_DIR}/agent/etc") else None
