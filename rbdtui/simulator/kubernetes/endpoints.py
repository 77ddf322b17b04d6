"""What answers on 6443, 9345 and 2381 of a simulated server: real sockets, which sshd's forwarding leads to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.machine import Machine

REQUEST_LIMIT_S: Final = 30.0
_REASONS: Final = {200: "OK", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error",
                    503: "Service Unavailable"}  # fmt: skip
_VERSION: Final = {"major": "1", "minor": "30", "gitVersion": "v1.30.4+rke2r1", "platform": "linux/amd64"}


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request without its body."""

    path: str
    """Without the query."""
    headers: dict[str, str]
    """Names in lower case."""
    client: str
    """Common name of the client's certificate; empty when it showed none."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


def _json(status: int, body: object) -> Response:
    return Response(status, json.dumps(body).encode(), "application/json")


def _refusal(status: int, reason: str, message: str = "") -> Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message or reason, "reason": reason}
    return _json(status, body | {"code": status})


class HttpServer:
    """HTTP, or HTTPS with a context, on a free loopback port; ``answer`` is asked for every request."""

    def __init__(self, context: ssl.SSLContext | None, answer: Callable[[Request], Response]) -> None:
        self._context, self._answer = context, answer
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> tuple[str, int]:
        """Begin to listen; address and port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    def stop(self) -> None:
        """Stop to listen and drop all connections."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            async with asyncio.timeout(REQUEST_LIMIT_S * 20):
                while await self._one(reader, writer):
                    pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ssl.SSLError):
            writer.transport.abort()
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        _, target, version = head[0].split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (h.partition(":") for h in head[1:] if h)}
        await reader.readexactly(int(headers.get("content-length", "0")))
        response = self._answer(Request(target.partition("?")[0], headers, _common_name(writer)))
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        writer.write(
            f"HTTP/1.1 {response.status} {_REASONS[response.status]}\r\nContent-Type: {response.content_type}\r\n"
            f"Content-Length: {len(response.body)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n".encode()
            + response.body
        )
        await writer.drain()
        return keep


def _common_name(writer: asyncio.StreamWriter) -> str:
    certificate = writer.get_extra_info("peercert") or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return str(names[0]) if names else ""


def api_server(cluster: Cluster, machine: Machine) -> Callable[[Request], Response]:
    """What the API server of a machine answers on 6443."""

    def answer(request: Request) -> Response:
        if not request.client:
            return _refusal(401, "Unauthorized")
        if not cluster.serves(machine):
            return Response(500, b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")
        if request.path in {"/readyz", "/livez", "/healthz"}:
            return Response(200, b"ok")
        if request.path == "/version":
            return _json(200, _VERSION)
        if request.path == "/api/v1/nodes":
            return _json(200, cluster.node_list())
        return _refusal(404, "NotFound")

    return answer


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
                return _refusal(401, "Unauthorized", "not authorized")
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
            return _json(200 if led else 503, body)
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
