"""A cluster whose API servers listen, without the hosts that it takes to get there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from kubernetes.aio.client import ApiClient, Configuration

from rbdtui.kube.kubeconfig import Kubeconfig, in_memory
from rbdtui.simulator.chart import images
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.kubernetes.api import api_server
from rbdtui.simulator.kubernetes.certificates import server_context
from rbdtui.simulator.kubernetes.cluster import DATA_DIR, ETCD_NAME_FILE, Cluster, KubeNode, Member
from rbdtui.simulator.kubernetes.controllers import Controllers
from rbdtui.simulator.kubernetes.http import HttpServer
from rbdtui.simulator.kubernetes.kubelet import Kubelet
from rbdtui.simulator.rainbond.behaviours import BEHAVIOURS
from rbdtui.simulator.rainbond.operator import Operator


def bare_cluster(fleet: SimulatedFleet) -> Cluster:
    """Every machine a server that runs, and a node."""
    cluster = Cluster(fleet.network, "token", "seed", {})
    for name, machine in fleet.machines.items():
        machine.powered = True
        machine.files.put(ETCD_NAME_FILE, f"{name}-1")
        cluster.members.append(Member(machine, f"{name}-1"))
        cluster.etcd_running.add(name)
        machine.files.mkdir("/run/k3s/containerd")
        machine.files.mkdir(f"{DATA_DIR}/agent/etc")
        cluster.api_running[name] = frozenset({str(machine.ip)})
        fleet.network.clusters[name] = cluster
        machine.images = dict.fromkeys(images(), "sha256:1")
        node = KubeNode(name, machine, {"kubernetes.io/hostname": name}, 1.7e9, fleet.pace.now_s, plumbed=True)
        cluster.nodes[name] = node
    return cluster


@contextmanager
def stopping(server: HttpServer) -> Iterator[HttpServer]:
    try:
        yield server
    finally:
        server.stop()


class Api:
    """What a client gets: status and JSON."""

    def __init__(self, client: ApiClient, kubeconfig: str = "") -> None:
        self._client = client
        self.kubeconfig = kubeconfig
        """For a program that is to ask the same server."""

    async def __call__(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        url = f"{self._client.configuration.host}{path}"
        answer = await self._client.call_api(method, url, header_params=headers, body=body)
        text = await answer.response.read()
        is_json = "json" in answer.response.headers["Content-Type"]
        return answer.status, json.loads(text) if is_json else text.decode()

    async def good(self, method: str, path: str, body: Any = None, **more: str) -> Any:
        status, answer = await self(method, path, body, **more)
        assert status in {200, 201}, answer
        return answer

    async def watch(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        url = f"{self._client.configuration.host}{path}"
        answer = await self._client.call_api("GET", url, header_params={"Accept": "application/json"})
        try:
            async for line in answer.response.content:
                yield json.loads(line)
        finally:
            answer.response.close()


@asynccontextmanager
async def client_of(cluster: Cluster, name: str) -> AsyncIterator[Api]:
    """The product's own client for the API of one server, with the administrator's certificate."""
    machine = next(each for each in cluster.network.machines if each.name == name)
    serving = cluster.server_authority.server(name, [machine.ip], [])
    context = server_context(serving, cluster.client_authority.certificate)
    pair = cluster.client_authority.client("system:admin", "system:masters")
    credentials = Kubeconfig(cluster.server_authority.certificate, pair.certificate.encode(), pair.key.encode(), "")
    with stopping(HttpServer(context, api_server(cluster, machine))) as server:
        host, port = await server.start()
        with in_memory(credentials.certificate) as certificate, in_memory(credentials.key) as key:
            configuration = Configuration(
                host=f"https://{host}:{port}", ca_cert_data=credentials.authority, cert_file=certificate,
                key_file=key, tls_server_name=str(machine.ip),
            )  # fmt: skip
            client = ApiClient(configuration)
        async with client:
            yield Api(client, _kubeconfig(f"https://{host}:{port}", str(machine.ip), credentials))


def _kubeconfig(server: str, name: str, credentials: Kubeconfig) -> str:
    text = credentials.text(server).decode()
    return text.replace(f"    server: {server}\n", f"    server: {server}\n    tls-server-name: {name}\n")


@asynccontextmanager
async def working(cluster: Cluster) -> AsyncIterator[None]:
    """Let everything work that works on a cluster: controllers, Rainbond's operator, and a kubelet on every node."""
    machines = cluster.network.machines
    controllers, operator = Controllers(cluster), Operator(cluster)

    async def control() -> None:
        while True:
            for node in cluster.nodes.values():
                node.beat_s = cluster.network.pace.now_s
            controllers.step()
            operator.step()
            await cluster.network.pace.sleep(0.5)

    tasks = [asyncio.create_task(control())]
    tasks += [asyncio.create_task(Kubelet(cluster, each, each.name, BEHAVIOURS).run()) for each in machines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in results), results
