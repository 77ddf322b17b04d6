"""What answers on 9345 and 2381 of a simulated server."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.http import Request, Response, json_response
from rbdtui.simulator.kubernetes.store import StatusError
from rbdtui.simulator.machine import Machine


def supervisor(cluster: Cluster, machine: Machine) -> Callable[[Request], Response]:
    """What RKE2 itself answers on 9345."""

    def answer(request: Request) -> Response:
        if request.path == "/ping":
            return Response(200, b"pong")
        if request.path == "/cacerts":
            return Response(200, cluster.server_authority.certificate.encode())
        if request.path == "/v1-rke2/readyz":
            user, password = _credentials(request)
            if not cluster.admits(machine, user, password):
                return json_response(401, StatusError(401, "Unauthorized", "not authorized").to_json())
            return Response(200, b"ok") if cluster.serves(machine) else Response(500, b"runtime core not ready\n")
        return Response(404, b"404 page not found\n")

    return answer


def etcd_metrics(cluster: Cluster, machine: Machine) -> Callable[[Request], Response]:
    """What a member of etcd answers on its metrics port."""

    def answer(request: Request) -> Response:
        led = cluster.has_quorum(machine)
        if request.path == "/health":
            body: dict[str, str] = (
                {"health": "true", "reason": ""} if led else {"health": "false", "reason": "RAFT NO LEADER"}
            )
            return json_response(200 if led else 503, body)
        if request.path == "/metrics":
            return Response(200, "".join(f"{line}\n" for line in _metrics(cluster, machine, led)).encode())
        return Response(404, b"404 page not found\n")

    return answer


def _metrics(cluster: Cluster, machine: Machine, led: bool) -> Iterator[str]:
    own = cluster.member_on(machine)
    yield "# TYPE etcd_server_has_leader gauge"
    yield f"etcd_server_has_leader {int(led)}"
    yield f"etcd_server_is_leader {int(led and own is not None and own is cluster.leader)}"
    yield f"etcd_server_is_learner {int(own is not None and own.learner)}"
    yield f"etcd_mvcc_db_total_size_in_bytes {cluster.size_bytes:.7e}"
    for member in cluster.members:
        if own is not None and member is not own:
            yield f'etcd_network_known_peers{{Local="{own.id:x}",Remote="{member.id:x}"}} 1'


def _credentials(request: Request) -> tuple[str, str]:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password
