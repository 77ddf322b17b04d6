"""The programs behind rke2-server.service and rke2-agent.service of a simulated host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from typing import Final, NoReturn
from urllib.parse import urlsplit

from rbdtui.simulator.copying import BEHAVIOURS as COPYING
from rbdtui.simulator.kubernetes import ports
from rbdtui.simulator.kubernetes import settings as config
from rbdtui.simulator.kubernetes.api import api_server
from rbdtui.simulator.kubernetes.certificates import server_context
from rbdtui.simulator.kubernetes.cluster import (
    BEAT_S,
    ETCD_NAME_FILE,
    RKE2_VERSION,
    Cluster,
    KubeNode,
    Member,
    architecture,
    cluster_of,
)
from rbdtui.simulator.kubernetes.controllers import Controllers
from rbdtui.simulator.kubernetes.endpoints import etcd_metrics, supervisor
from rbdtui.simulator.kubernetes.http import HttpServer
from rbdtui.simulator.kubernetes.kubelet import Kubelet
from rbdtui.simulator.kubernetes.layout import (
    ETCD_DATA_DIR,
    LayoutError,
    archive_fault,
    image_archives,
    import_images,
    node_password,
    prepare_agent,
    stage_runtime,
    write_agent_files,
    write_resolver_file,
    write_server_files,
)
from rbdtui.simulator.kubernetes.node_ports import NodePorts
from rbdtui.simulator.kubernetes.ports import LOOPBACK, Port
from rbdtui.simulator.kubernetes.tokens import Token
from rbdtui.simulator.kubesphere import BEHAVIOURS as KUBESPHERE
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.rainbond.behaviours import BEHAVIOURS
from rbdtui.simulator.rainbond.operator import Operator
from rbdtui.simulator.rook import Rook
from rbdtui.simulator.units import ServiceFailed, Unit

RETRY_S: Final = 2.0
CONTROL_S: Final = 0.5
"""How long controllers rest after they have looked."""
JOIN_S: Final = 4.0
"""How long a new etcd member is a learner; a second one waits meanwhile."""
_WAITING: Final = "Waiting to retrieve agent configuration; server is not ready"


class JoinError(Exception):
    """Somebody cannot join now; a server ends with these words, an agent says them and tries again."""


class Rke2:
    """One start of RKE2 on a machine, as server or as agent."""

    def __init__(self, machine: Machine, *, server: bool) -> None:
        self._machine, self._server = machine, server
        self._pace = machine.network.pace
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

    @property
    def _has_etcd(self) -> bool:
        return self._server and not config.switch(self._settings, "disable-etcd")

    @property
    def _has_api(self) -> bool:
        return self._server and not config.switch(self._settings, "disable-apiserver")

    async def _run(self, unit: Unit) -> None:
        self._settings, skipped = config.read_settings(self._machine, server=self._server)
        for key in skipped:
            self._log("warning", f"Unknown flag --{key} found in config.yaml, skipping\\n")
        if not self._server and not (self._text("server") and self._token):
            self._fatal("--server and --token are required")
        self._info(f"Starting rke2 {'server' if self._server else 'agent'} {RKE2_VERSION}")
        stage_runtime(self._machine)
        cluster = await (self._cluster_of_server() if self._server else self._cluster_of_agent())
        await self._start_containerd()
        if self._server:
            await self._serve(cluster)
            unit.ready()
        node = await self._register(cluster)
        self._info("rke2 is up and running")
        unit.ready()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._live(cluster, node))
            tasks.create_task(Kubelet(cluster, self._machine, node.name, {**BEHAVIOURS, **KUBESPHERE, **COPYING}).run())
            tasks.create_task(NodePorts(cluster, self._machine).run())
            if self._has_api:
                tasks.create_task(self._control(cluster))

    async def _control(self, cluster: Cluster) -> None:
        """Controllers and operators, which work on one of the servers at a time."""
        controllers, operators = Controllers(cluster), (Operator(cluster), Rook(cluster))
        while True:
            version = cluster.store.version
            leader = next((m for m in self._machine.network.machines if cluster.serves(m)), None)
            if leader is self._machine:
                controllers.step()
                for operator in operators:
                    operator.step()
            await cluster.store.wait(version, CONTROL_S * 4 / self._pace.speed)
            await self._pace.sleep(CONTROL_S)

    async def _start_containerd(self) -> None:
        prepare_agent(self._machine)
        self._machine.modules |= {"overlay", "br_netfilter", "vxlan", "nf_conntrack", "nf_tables"}
        self._machine.sysctl["net.ipv4.ip_forward"] = "1"
        self._info("Running containerd -c /var/lib/rancher/rke2/agent/etc/containerd/config.toml")
        await self._listen_when_free(ports.CONTAINERD)
        await self._pace.sleep(0.6)
        for path in image_archives(self._machine):
            self._info(f"Importing images from {path}")
            await self._pace.sleep(0.8)
            if fault := archive_fault(self._machine, path):
                self._log("error", f"Error encountered while importing {path}: {fault}")
            else:
                import_images(self._machine, path)

    # --- joining ---------------------------------------------------------------------------------------------

    @property
    def _token(self) -> str:
        path = self._text("token-file")
        return self._text("token") or (self._machine.files.text(path).strip() if path else "")

    async def _cluster_of_server(self) -> Cluster:
        """The cluster that a server belongs to, joins or begins; 9345 listens from then on."""
        cluster = cluster_of(self._machine)
        has_data = self._machine.files.is_dir(ETCD_DATA_DIR)
        if cluster is None or (self._has_etcd and not has_data) or not self._has_etcd:
            cluster = await self._begin_or_join()
        elif Token.parse(self._token).password != cluster.token:
            self._fatal(
                "starting kubernetes: preparing server: failed to bootstrap cluster data: failed to reconcile with "
                "local datastore: bootstrap data already found and encrypted with different token"
            )
        cluster.agent_tokens[self._machine.name] = Token.parse(self._text("agent-token")).password
        self._machine.network.clusters[self._machine.name] = cluster
        write_agent_files(self._machine, cluster)
        await self._open_supervisor(cluster)
        if self._has_etcd and not has_data:
            await self._enter_etcd(cluster)
        return cluster

    async def _begin_or_join(self) -> Cluster:
        network = self._machine.network
        if self._text("server"):
            try:
                return await self._find_cluster()
            except JoinError as error:
                self._fatal(f"starting kubernetes: preparing server: {error}")
        if not self._has_etcd:
            self._fatal("starting kubernetes: preparing server: invalid flag use; --server is required with etcd off")
        self._info("Managed etcd cluster initializing")
        seed = f"{self._machine.identity('cluster')} {len(network.clusters)}"
        token = Token.parse(self._token).password or self._machine.identity("token")
        await self._pace.sleep(1.5)
        return Cluster(network, token, seed, self._settings)

    async def _cluster_of_agent(self) -> Cluster:
        while True:
            known = cluster_of(self._machine)
            server = known.api_for(self._machine) if known is not None else None
            try:
                if known is None or server is None:
                    cluster = await self._find_cluster()
                else:
                    cluster = known
                    self._show_token(cluster, server)
                self._prove_name(cluster)
            except JoinError as error:
                self._log(*_agent_words(error))
                await self._pace.sleep(RETRY_S)
                continue
            self._machine.network.clusters[self._machine.name] = cluster
            write_agent_files(self._machine, cluster)
            return cluster

    async def _find_cluster(self) -> Cluster:
        """The cluster behind the supervisor's address; raises `JoinError`."""
        parts = urlsplit(self._text("server"))
        host, port = parts.hostname or "", parts.port or ports.SUPERVISOR_PORT
        server = await self._dial(host, port)
        cluster: Cluster = self._machine.network.clusters[server.name]
        self._show_token(cluster, server)
        if self._server:
            self._compare(cluster.settings)
        return cluster

    def _show_token(self, cluster: Cluster, server: Machine) -> None:
        """Judge the other's CA by the token, then be judged by it; raises `JoinError`."""
        token = Token.parse(self._token)
        if token.ca_hash and token.ca_hash != cluster.server_authority.digest:
            raise JoinError(
                "token CA hash does not match the Cluster CA certificate hash: "
                f"{token.ca_hash} != {cluster.server_authority.digest}"
            )
        user = "server" if self._server else token.user or "node"
        if not cluster.admits(server, user, token.password):
            place = "failed to validate server configuration" if self._server else _FROM_SERVER
            raise JoinError(f"{place}: not authorized")

    async def _dial(self, host: str, port: int) -> Machine:
        """Connect to a name's addresses in turn, as Go's dialer does."""
        last: OSError | None = None
        for address in self._addresses(host):
            try:
                target, _ = await self._machine.network.find_end(self._machine, address, port)
            except OSError as error:
                last = error
            else:
                return target
        words = _words(last) if last is not None else f"dial tcp: lookup {host}: no such host"
        raise JoinError(f'failed to get CA certs: Get "https://{host}:{port}/cacerts": {words}')

    def _addresses(self, host: str) -> list[str]:
        """All addresses of a name by the hosts file; there is no other resolver here."""
        try:
            return [str(IPv4Address(host))]
        except ValueError:
            pass
        return self._machine.addresses_of(host)

    def _prove_name(self, cluster: Cluster) -> None:
        """An agent's name belongs to whoever came with it first; raises `JoinError`."""
        password = node_password(self._machine)
        if cluster.node_passwords.setdefault(self._node_name, password) != password:
            raise JoinError(
                "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match "
                "server node-passwd entry, try enabling a unique node name with the --with-node-id flag"
            )

    def _compare(self, theirs: Mapping[str, object]) -> None:
        if any(self._settings.get(key) != theirs.get(key) for key in config.SAME_EVERYWHERE):
            self._fatal(
                "starting kubernetes: preparing server: failed to validate server configuration: "
                "critical configuration value mismatch between servers"
            )

    async def _enter_etcd(self, cluster: Cluster) -> None:
        """Become a member that votes, the first one or one that learns beforehand."""
        files = self._machine.files
        left = next((m for m in cluster.members if m.machine is self._machine and m.learner), None)
        name = files.text(ETCD_NAME_FILE).strip() or f"{self._node_name}-{self._new_digits(cluster)}"
        is_first = not cluster.members
        if any(member.node_name == self._node_name and member is not left for member in cluster.members):
            files.remove(ETCD_NAME_FILE)
            self._fatal("etcd cluster join failed: duplicate node name found, please use a unique name for this node")
        files.put(ETCD_NAME_FILE, name, mode=0o600)
        if is_first:
            cluster.members.append(Member(self._machine, name))
        else:
            await self._learn(cluster, left or Member(self._machine, name, learner=True))
        files.mkdir(ETCD_DATA_DIR)

    def _new_digits(self, cluster: Cluster) -> str:
        used = {member.name.rpartition("-")[2] for member in cluster.members}
        words = (self._machine.identity(f"etcd {number}")[:8] for number in range(len(used) + 1))
        return next(word for word in words if word not in used)

    async def _learn(self, cluster: Cluster, member: Member) -> None:
        while fault := self._why_not_learn(cluster, member):
            self._info(f"Waiting for other members to finish joining etcd cluster: etcdserver: {fault}")
            await self._pace.sleep(RETRY_S)
        if member not in cluster.members:
            cluster.members.append(member)
        self._info(f"Adding member {member.name}=https://{self._machine.ip}:2380 to etcd cluster")
        try:
            await self._pace.sleep(JOIN_S)
            member.learner = False
        finally:
            if member.learner:
                cluster.members.remove(member)

    def _why_not_learn(self, cluster: Cluster, member: Member) -> str:
        if any(other.learner and other is not member for other in cluster.members):
            return "too many learner members in cluster"
        return "" if cluster.has_quorum(self._machine) else "unhealthy cluster"

    # --- serving ---------------------------------------------------------------------------------------------

    async def _open_supervisor(self, cluster: Cluster) -> None:
        """9345 is there long before anything else of a server."""
        names = frozenset((*_SERVICE_NAMES, self._node_name, *config.words(self._settings, "tls-san")))
        # Made on each server and kept there (k3s-io/k3s, pkg/daemons/control/deps/deps.go, genServerCerts).
        serving = cluster.server_authority.server(
            "kube-apiserver", *self._alternatives(names), made_on=self._machine.name
        )
        readable = self._text("write-kubeconfig-mode") in {"0644", "644"}
        write_server_files(self._machine, cluster, serving, readable=readable)
        self._names, self._context = names, server_context(serving, cluster.client_authority.certificate)
        answers = HttpServer(cluster.supervisor_tls(*self._alternatives(names)), supervisor(cluster, self._machine))
        self._listen(Port(ports.ANYWHERE, ports.SUPERVISOR_PORT, "rke2"), await self._open(answers))
        if not self._has_api:
            for port in ports.BALANCERS:
                self._listen(port)

    async def _serve(self, cluster: Cluster) -> None:
        if self._has_etcd:
            await self._listen_when_free(ports.ETCD, "Waiting for etcd server to become available")
            cluster.etcd_running.add(self._machine.name)
            metrics = await self._open(HttpServer(None, etcd_metrics(cluster, self._machine)))
            await self._listen_when_free((Port(LOOPBACK, ports.ETCD_METRICS_PORT, "etcd"),), backend=metrics)
        else:
            for port in ports.ETCD_BALANCER:
                self._listen(port)
        while not cluster.has_quorum(self._machine):
            self._info("Waiting for etcd server to become available")
            await self._pace.sleep(RETRY_S)
        if self._has_api:
            await self._start_control_plane(cluster)

    async def _start_control_plane(self, cluster: Cluster) -> None:
        for _ in range(3):
            self._info("Waiting for API server to become available")
            await self._pace.sleep(1.0)
        waiting = "Waiting for API server to become available"
        answers = await self._open(HttpServer(self._context, api_server(cluster, self._machine)))
        await self._listen_when_free(
            (Port(ports.ANYWHERE, ports.API_PORT, "kube-apiserver"),), waiting, backend=answers
        )
        await self._listen_when_free(ports.CONTROL_PLANE, waiting)
        cluster.api_running[self._machine.name] = self._names
        self._info("Kube API server is now running")

    def _alternatives(self, names: frozenset[str]) -> tuple[list[IPv4Address], list[str]]:
        addresses = [IPv4Address(LOOPBACK), self._machine.ip, IPv4Address("10.43.0.1")]
        for name in config.words(self._settings, "tls-san"):
            try:
                addresses.append(IPv4Address(name))
            except ValueError:
                continue
        return addresses, sorted(name for name in names if not name.replace(".", "").isdigit())

    # --- the node --------------------------------------------------------------------------------------------

    @property
    def _node_name(self) -> str:
        return self._text("node-name", self._machine.hostname).lower()

    async def _register(self, cluster: Cluster) -> KubeNode:
        if not self._server:
            for port in ports.BALANCERS:
                self._listen(port)
        await self._listen_when_free(ports.NODE)
        await self._pace.sleep(1.0)
        while cluster.api_for(self._machine) is None or not self._kubelet_starts():
            self._info(_WAITING)
            await self._pace.sleep(RETRY_S)
        old = cluster.nodes.get(self._node_name)
        node = old or KubeNode(self._node_name, self._machine, {}, time.time(), 0.0)
        node.machine = self._machine
        node.labels |= self._labels()
        node.beat_s = self._pace.now_s
        cluster.nodes[node.name] = node
        self._info(f"Labels and annotations have been set successfully on node: {node.name}")
        return node

    def _kubelet_starts(self) -> bool:
        named = self._text("resolv-conf")
        if named and not self._machine.files.exists(named):
            self._log("error", f"Kubelet exited: open {named}: no such file or directory")
            return False
        if not named and write_resolver_file(self._machine):
            self._log(
                "warning",
                "Host resolv.conf includes loopback or multicast nameservers - "
                "kubelet will use autogenerated resolv.conf with nameserver 8.8.8.8",
            )
        return True

    def _labels(self) -> dict[str, str]:
        labels = {
            "beta.kubernetes.io/arch": architecture(self._machine),
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": architecture(self._machine),
            "kubernetes.io/hostname": self._node_name,
            "kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": "rke2",
        }
        roles = (["control-plane", "master"] if self._has_api else []) + (["etcd"] if self._has_etcd else [])
        labels |= {f"node-role.kubernetes.io/{role}": "true" for role in roles}
        pairs = (pair.partition("=") for pair in config.words(self._settings, "node-label"))
        return labels | {key: value for key, _, value in pairs}

    async def _live(self, cluster: Cluster, node: KubeNode) -> None:
        if not node.plumbed:
            await self._pace.sleep(3.0)
        while True:
            if cluster.api_for(self._machine) is not None:
                if not node.plumbed or cluster.ready(node) != "True":
                    node.changed_at = time.time()
                node.plumbed, node.beat_s = True, self._pace.now_s
                self._run_ingress(cluster)
            await self._pace.sleep(BEAT_S)

    def _run_ingress(self, cluster: Cluster) -> None:
        """The bundled ingress has the web's ports on every node, where they are free, unless it is off."""
        ingress = self._machine.network.bundled_ingress
        chosen = config.text(cluster.settings, "ingress-controller")
        if ingress in config.words(cluster.settings, "disable") or chosen == "none":
            return
        for port in ports.INGRESS:
            if self._machine.listener(port.address, port.number) is None:
                self._listen(port)

    # --- bits ------------------------------------------------------------------------------------------------

    def _text(self, key: str, otherwise: str = "") -> str:
        return config.text(self._settings, key, otherwise)

    async def _open(self, server: HttpServer) -> tuple[str, int]:
        self._http.append(server)
        return await server.start()

    def _listen(self, port: Port, backend: tuple[str, int] | None = None) -> None:
        address = str(self._machine.ip) if port.address == ports.NODE_ADDRESS else port.address
        self._machine.listen(port.number, port.process, address=address, backend=backend)
        self._opened.append((address, port.number))

    async def _listen_when_free(
        self, wanted: Iterable[Port], waiting: str = "", backend: tuple[str, int] | None = None
    ) -> None:
        """Ports of other programs than RKE2's own: where one is taken, they fail in logs of theirs, again and again."""
        for port in wanted:
            while True:
                try:
                    self._listen(port, backend)
                    break
                except OSError:
                    if waiting:
                        self._info(waiting)
                    await self._pace.sleep(RETRY_S)

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


_FROM_SERVER: Final = "failed to retrieve configuration from server"
_SERVICE_NAMES: Final = (
    LOOPBACK, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local", "10.43.0.1",
)  # fmt: skip


def _agent_words(error: JoinError) -> tuple[str, str]:
    """Level and words of an agent that cannot join: what a server refuses it is a reason to wait."""
    refused = str(error).startswith((_FROM_SERVER, "Node password rejected"))
    return ("info", f"{_WAITING}: {error}") if refused else ("error", str(error))


def _words(error: OSError) -> str:
    place = f"dial tcp {error.filename}: " if error.filename else ""
    return f"{place}connect: {(error.strerror or str(error)).lower()}"
