"""kube-proxy of one simulated node, as far as NodePorts go: each is open on every node and leads to pods anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.controllers import pods_behind
from rbdtui.simulator.kubernetes.http import Request, Response
from rbdtui.simulator.kubesphere import SERVICES
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.rainbond.gateway import Opened

_LOOK_S = 0.5


class NodePorts:
    """The NodePorts of a node, for as long as its RKE2 runs."""

    def __init__(self, cluster: Cluster, machine: Machine) -> None:
        self._cluster, self._machine = cluster, machine
        self._open: dict[tuple[str, str, int], Opened] = {}

    async def run(self) -> None:
        """Until cancelled; then all ports are closed."""
        store, pace = self._cluster.store, self._cluster.network.pace
        try:
            while True:
                version = store.version
                await self._look()
                await store.wait(version, _LOOK_S * 4 / pace.speed)
                await pace.sleep(_LOOK_S)
        finally:
            for opened in self._open.values():
                opened.stop()

    async def _look(self) -> None:
        wanted = set(self._wanted())
        for gone in self._open.keys() - wanted:
            self._open.pop(gone).stop()
        for namespace, name, port in wanted - self._open.keys():
            opened = self._open[namespace, name, port] = Opened(self._machine)
            is_up = partial(self._is_up, namespace, name)
            await opened.stream(port, "kube-proxy", is_up, partial(self._answer, namespace, name))

    def _wanted(self) -> Iterator[tuple[str, str, int]]:
        for item in self._cluster.store.listed(self._cluster.store.kind("", "services")):
            place = item["metadata"]["namespace"], item["metadata"]["name"]
            for port in item["spec"].get("ports", []):
                if item["spec"].get("type") == "NodePort" and port.get("nodePort") and place in SERVICES:
                    yield (*place, int(port["nodePort"]))

    def _is_up(self, namespace: str, name: str) -> bool:
        return bool(pods_behind(self._cluster.store, namespace, name))

    def _answer(self, namespace: str, name: str, request: Request) -> Response:
        return SERVICES[namespace, name](self._cluster, request)
