"""KubeSphere's console where users reach it, and its API server behind it.

What a console is asked for it hands on to ks-apiserver without a login: ``/.well-known/openid-configuration``
(kubesphere/console@v4.1.3, server/routes.js; kubesphere/kubesphere@v4.1.3, pkg/apiserver/apiserver.go). The login page
would not do: it is shown, as an error, without an API server as well (server/controllers/view.js).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rbdtui.kubesphere.chart import API_SERVER, NAMESPACE, console_port
from rbdtui.probes.model import BALANCER, VIP
from rbdtui.probes.routes import Limits, Target
from rbdtui.probes.wire import HttpAnswer, Place, http_get
from rbdtui.spec.model import ClusterSpec, GatewayMode

API_HEALTH: Final = f"/api/v1/namespaces/{NAMESPACE}/services/{API_SERVER}:80/proxy/healthz"
"""ks-apiserver has no port on the nodes (templates/services.yaml): it is asked through Kubernetes."""
CONSOLE_PATH: Final = "/.well-known/openid-configuration"
_TOLD: Final = b'"issuer"'
"""What every answer there has (pkg/kapis/oauth/handler.go)."""


@dataclass(frozen=True, slots=True)
class ConsolePlace:
    """Where the console may be reached."""

    label: str
    """The node's name, or `VIP` or `BALANCER`."""
    target: Target
    is_ours: bool
    """Whether it has to answer there: a balancer need not forward this port."""

    @property
    def node(self) -> str:
        """The node that it belongs to; empty where it moves."""
        return self.target.node


def console_places(spec: ClusterSpec) -> list[ConsolePlace]:
    """Every node, as Kubernetes opens the port on each, and the address in front of them."""
    port = console_port(spec)
    places = [
        ConsolePlace(node.name, Target(str(node.cluster_address), port, node.name), is_ours=True)
        for node in spec.cluster_nodes
    ]
    address = spec.gateway_address
    if address and address not in {place.target.address for place in places}:
        on_nodes = spec.gateway.mode is GatewayMode.KEEPALIVED
        places.append(ConsolePlace(VIP if spec.has_vip else BALANCER, Target(address, port), is_ours=on_nodes))
    return places


async def console_answer(place: Place, target: Target, limits: Limits) -> HttpAnswer:
    """What the console answers with the help of its API server; raises `WireError`."""
    host = f"{target.address}:{target.port}"
    return await http_get(place, CONSOLE_PATH, host=host, connect_s=limits.connect_s, answer_s=limits.answer_s)


def is_console(answer: HttpAnswer) -> bool:
    """Whether it is KubeSphere's, with an API server behind it."""
    return answer.status == 200 and _TOLD in answer.body
