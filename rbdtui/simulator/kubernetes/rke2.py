"""The programs behind rke2-server.service and rke2-agent.service of a simulated host."""

from __future__ import annotations

import time
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Final, NoReturn
from urllib.parse import urlsplit

from rbdtui.simulator.kubernetes import settings as config
from rbdtui.simulator.kubernetes.certificates import Pair, server_context
from rbdtui.simulator.kubernetes.cluster import (
    BEAT_S,
    RKE2_VERSION,
    Cluster,
    KubeNode,
    Member,
    architecture,
    cluster_of,
)
from rbdtui.simulator.kubernetes.endpoints import HttpServer, api_server, etcd_metrics, supervisor
from rbdtui.simulator.kubernetes.layout import (
    ETCD_DIR,
    LayoutError,
    image_archives,
    prepare_agent,
    stage_runtime,
    write_agent_files,
    write_server_files,
)
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.units import ServiceFailed, Unit

RETRY_S: Final = 2.0
JOIN_S: Final = 4.0
"""How long a new etcd member is a learner; a second one cannot join meanwhile."""
LOOPBACK: Final = "127.0.0.1"
ETCD_HTTP_PORT: Final = 2382
"""Where etcd's JSON gateway answers; 2379 speaks gRPC alone."""
_SERVER_PORTS: Final = (
    ("0.0.0.0", 2379, "etcd"),  # noqa: S104 - of the simulated machine
    ("0.0.0.0", 2380, "etcd"),  # noqa: S104
    (LOOPBACK, ETCD_HTTP_PORT, "etcd"),
    (LOOPBACK, 10257, "kube-controller"),
    (LOOPBACK, 10259, "kube-scheduler"),
)
_NODE_PORTS: Final = (
    ("0.0.0.0", 10250, "kubelet"),  # noqa: S104
    (LOOPBACK, 10248, "kubelet"),
    (LOOPBACK, 10249, "kube-proxy"),
    (LOOPBACK, 10256, "kube-proxy"),
)


class Rke2:
    """One start of RKE2 on a machine, as server or as agent."""

    def __init__(self, machine: Machine, *, server: bool) -> None:
        self._machine, self._server = machine, server
        self._tempo = machine.network.tempo
        self._settings: dict[str, object] = {}
        self._opened: list[tuple[str, int]] = []
        self._http: list[HttpServer] = []
        self._unit: Unit | None = None

    async def __call__(self, unit: Unit) -> None:
        """Run until stopped."""
        self._unit = unit
        try:
            await self._run(unit)
        except (config.SettingsError, LayoutError) as error:
            self._fatal(str(error))
        except OSError as error:
            self._fatal(str(error.strerror if error.errno == 98 else error))
        finally:
            self._shut()

    async def _run(self, unit: Unit) -> None:
        self._settings = config.read_settings(self._machine)
        if not self._server and not (self._text("server") and self._text("token")):
            self._fatal("--server and --token are required")
        self._info(f"Starting rke2 {'server' if self._server else 'agent'} {RKE2_VERSION}")
        await self._start_containerd()
        cluster = cluster_of(self._machine)
        if cluster is None or (self._server and not self._machine.files.is_dir(ETCD_DIR)):
            cluster = await self._enrol()
        if self._server:
            await self._serve(cluster)
        node = await self._register(cluster)
        self._info("rke2 is up and running")
        unit.ready()
        await self._live(cluster, node)

    async def _start_containerd(self) -> None:
        stage_runtime(self._machine)
        prepare_agent(self._machine)
        self._machine.modules |= {"overlay", "br_netfilter", "vxlan", "nf_conntrack", "nf_tables"}
        self._machine.sysctl["net.ipv4.ip_forward"] = "1"
        self._info("Running containerd -c /var/lib/rancher/rke2/agent/etc/containerd/config.toml")
        await self._tempo.sleep(0.6)
        for path in image_archives(self._machine):
            self._info(f"Importing images from {path}")
            await self._tempo.sleep(0.8)

    # --- joining ---------------------------------------------------------------------------------------------

    async def _enrol(self) -> Cluster:
        join = self._text("server")
        token = _bare(self._text("token") or self._token_file())
        network = self._machine.network
        if not join:
            self._info("Managed etcd cluster initializing")
            seed = f"{self._machine.identity('cluster')} {len(network.clusters)}"
            cluster = Cluster(network, token or self._machine.identity("token"), seed, self._settings)
            await self._tempo.sleep(1.5)
            cluster.members.append(Member(self._machine))
        else:
            cluster = await self._find_cluster(join, token)
            if self._server:
                await self._add_member(cluster)
        network.clusters[self._machine.name] = cluster
        write_agent_files(self._machine, cluster)
        return cluster

    def _token_file(self) -> str:
        path = self._text("token-file")
        return self._machine.files.text(path).strip() if path else ""

    async def _find_cluster(self, join: str, token: str) -> Cluster:
        """The cluster behind a supervisor's address; waits for it as long as it takes."""
        parts = urlsplit(join)
        host, port = parts.hostname or "", parts.port or 9345
        while True:
            try:
                target, _ = await self._machine.network.find(self._machine, self._lookup(host), port)
            except OSError as error:
                self._log("error", f'failed to get CA certs: Get "https://{host}:{port}/cacerts": {_words(error)}')
                await self._tempo.sleep(RETRY_S)
                continue
            cluster = self._machine.network.clusters[target.name]
            if token != cluster.token:
                self._fatal(
                    f"starting kubernetes: preparing server: https://{host}:{port}/v1-rke2/server-bootstrap: "
                    "401 Unauthorized, token CA hash or token does not match"
                )
            self._compare(cluster.settings)
            return cluster

    def _lookup(self, host: str) -> str:
        """The address of a name by the hosts file."""
        for line in self._machine.files.text("/etc/hosts").splitlines():
            words = line.partition("#")[0].split()
            if host in words[1:]:
                return words[0]
        return host

    def _compare(self, theirs: Mapping[str, object]) -> None:
        if not self._server:
            return
        different = [key for key in config.SAME_EVERYWHERE if self._settings.get(key) != theirs.get(key)]
        if different:
            self._fatal(f"starting kubernetes: preparing server: critical configuration value mismatch: {different}")

    async def _add_member(self, cluster: Cluster) -> None:
        if any(member.learner for member in cluster.members):
            self._fatal("starting kubernetes: preparing server: etcdserver: too many learner members in cluster")
        if not cluster.has_quorum(self._machine):
            self._fatal("starting kubernetes: preparing server: etcdserver: unhealthy cluster")
        member = Member(self._machine, learner=True)
        cluster.members.append(member)
        self._info(f"Adding member {member.name}=https://{self._machine.ip}:2380 to etcd cluster")
        try:
            await self._tempo.sleep(JOIN_S)
            member.learner = False
        finally:
            if member.learner:
                cluster.members.remove(member)

    # --- serving ---------------------------------------------------------------------------------------------

    async def _serve(self, cluster: Cluster) -> None:
        names = frozenset((*_SERVICE_NAMES, self._node_name, *config.words(self._settings, "tls-san")))
        serving = self._certificate(cluster, names)
        context = server_context(serving, cluster.client_authority.certificate)
        write_server_files(
            self._machine, cluster, serving, readable=self._text("write-kubeconfig-mode") in {"0644", "644"}
        )
        for address, port, process in _SERVER_PORTS:
            self._listen(port, process, address)
        cluster.etcd_running.add(self._machine.name)
        metrics = await self._open(HttpServer(None, etcd_metrics(cluster, self._machine)))
        self._listen(2381, "etcd", LOOPBACK, metrics)
        while not cluster.has_quorum(self._machine):
            self._info("Waiting for etcd server to become available")
            await self._tempo.sleep(RETRY_S)
        for _ in range(3):
            self._info("Waiting for API server to become available")
            await self._tempo.sleep(1.0)
        for port, process, answer in (
            (9345, "rke2", supervisor(cluster, self._machine)),
            (6443, "kube-apiserver", api_server(cluster, self._machine)),
        ):
            self._listen(port, process, backend=await self._open(HttpServer(context, answer)))
        cluster.api_running[self._machine.name] = names
        self._info("Kube API server is now running")

    def _certificate(self, cluster: Cluster, names: frozenset[str]) -> Pair:
        addresses = [IPv4Address(LOOPBACK), self._machine.ip, IPv4Address("10.43.0.1")]
        for name in config.words(self._settings, "tls-san"):
            try:
                addresses.append(IPv4Address(name))
            except ValueError:
                continue
        dns = sorted(name for name in names if not name.replace(".", "").isdigit())
        return cluster.server_authority.server(f"kube-apiserver {self._machine.name}", addresses, dns)

    # --- the node --------------------------------------------------------------------------------------------

    @property
    def _node_name(self) -> str:
        return self._text("node-name", self._machine.hostname).lower()

    async def _register(self, cluster: Cluster) -> KubeNode:
        for address, port, process in _NODE_PORTS:
            self._listen(port, process, address)
        await self._tempo.sleep(1.0)
        while cluster.api_for(self._machine) is None or not self._kubelet_starts():
            self._info("Waiting to retrieve agent configuration; server is not ready")
            await self._tempo.sleep(RETRY_S)
        old = cluster.nodes.get(self._node_name)
        if old is not None and old.machine is not self._machine:
            self._fatal(
                f"Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password': {old.name}"
            )
        node = old or KubeNode(self._node_name, self._machine, {}, time.time(), 0.0)
        node.labels |= self._labels()
        node.beat_s = self._tempo.now_s
        cluster.nodes[node.name] = node
        self._info(f"Labels and annotations have been set successfully on node: {node.name}")
        return node

    def _kubelet_starts(self) -> bool:
        if self._machine.files.exists(self._text("resolv-conf", "/etc/resolv.conf")):
            return True
        self._log("error", "Kubelet exited: open /etc/resolv.conf: no such file or directory")
        return False

    def _labels(self) -> dict[str, str]:
        labels = {
            "beta.kubernetes.io/arch": architecture(self._machine),
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": architecture(self._machine),
            "kubernetes.io/hostname": self._node_name,
            "kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": "rke2",
        }
        if self._server:
            roles = ("control-plane", "etcd", "master")
            labels |= {f"node-role.kubernetes.io/{role}": "true" for role in roles}
        pairs = (pair.partition("=") for pair in config.words(self._settings, "node-label"))
        return labels | {key: value for key, _, value in pairs}

    async def _live(self, cluster: Cluster, node: KubeNode) -> None:
        if not node.plumbed:
            await self._tempo.sleep(3.0)
        while True:
            if cluster.api_for(self._machine) is not None:
                if not node.plumbed or cluster.ready(node) != "True":
                    node.changed_at = time.time()
                node.plumbed, node.beat_s = True, self._tempo.now_s
            await self._tempo.sleep(BEAT_S)

    # --- bits ------------------------------------------------------------------------------------------------

    def _text(self, key: str, otherwise: str = "") -> str:
        return config.text(self._settings, key, otherwise)

    async def _open(self, server: HttpServer) -> tuple[str, int]:
        self._http.append(server)
        return await server.start()

    def _listen(
        self,
        port: int,
        process: str,
        address: str = "0.0.0.0",  # noqa: S104
        backend: tuple[str, int] | None = None,
    ) -> None:
        self._machine.listen(port, process, address=address, backend=backend)
        self._opened.append((address, port))

    def _shut(self) -> None:
        for address, port in self._opened:
            self._machine.unlisten(port, address=address)
        for server in self._http:
            server.stop()
        self._opened, self._http = [], []
        cluster = self._machine.network.clusters.get(self._machine.name)
        if cluster is not None and self._server:
            cluster.etcd_running.discard(self._machine.name)
            cluster.api_running.pop(self._machine.name, None)

    def _info(self, message: str) -> None:
        self._log("info", message)

    def _log(self, level: str, message: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._machine.clock()))
        quoted = message.replace('"', '\\"')
        if self._unit is not None:
            self._unit.log(f'time="{stamp}" level={level} msg="{quoted}"')

    def _fatal(self, message: str) -> NoReturn:
        self._log("fatal", message)
        raise ServiceFailed(1)


_SERVICE_NAMES: Final = (
    LOOPBACK, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local", "10.43.0.1",
)  # fmt: skip


def _bare(token: str) -> str:
    """The secret part of a token in its full form (``K10…::server:SECRET``) or its short one."""
    return token.rpartition(":")[2]


def _words(error: OSError) -> str:
    place = f"dial tcp {error.filename}: " if error.filename else ""
    return f"{place}connect: {(error.strerror or str(error)).lower()}"
