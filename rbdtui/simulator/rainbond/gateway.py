"""What listens on a node with rbd-gateway: web ports, the API's and the console's streams, and the gateway's own ports.

Source: goodrain/rainbond-operator v6.2.1 to v6.9.3, controllers/handler/apigateway.go, api.go, app-ui.go, hub.go.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Callable, Iterator
from typing import Final

from rbdtui.listening import listen
from rbdtui.simulator.kubernetes.certificates import Pair, server_context
from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.controllers import pods_behind
from rbdtui.simulator.kubernetes.http import HttpServer, Request, Response, json_response
from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.kubernetes.store import StatusError
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.rainbond.parts import BUILTIN_HUB, NAMESPACE
from rbdtui.simulator.rainbond.parts_old import L4_PORT
from rbdtui.simulator.rainbond.registry import registry_of
from rbdtui.together import together

CONTROLLER_PORT: Final = 7080
ETCD_PORT: Final = 12379
WEB_PORT, TLS_PORT = 80, 443
ADMIN_PORT, METRICS_PORT = 9180, 8099
OLD_HEALTH_PORT: Final = 10254
OLD_CONTROL_PORTS: Final = (18080, 18081)
_NO_ROUTE: Final = {"error_msg": "404 Route Not Found"}


class StreamProxy:
    """A port that leads to a pod: it takes every connection, and closes it while nobody is behind it."""

    def __init__(self, is_up: Callable[[], bool], backend: tuple[str, int]) -> None:
        self._is_up, self._backend = is_up, backend
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> tuple[str, int]:
        """Begin to listen on loopback; address and port."""
        self._server = await listen(self._serve)
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    def stop(self) -> None:
        """Stop to listen and drop all connections."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_up():
            writer.close()
            return
        with contextlib.suppress(OSError):
            behind, to_behind = await asyncio.open_connection(*self._backend)
            self._open |= {writer, to_behind}
            try:
                await together(_pipe(reader, to_behind), _pipe(behind, writer))
            finally:
                for each in (writer, to_behind):
                    self._open.discard(each)
                    each.close()


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.write_eof()


class Opened:
    """Ports of one machine, and what is behind them."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._ports: list[tuple[str, int]] = []
        self._servers: list[HttpServer | StreamProxy] = []

    async def http(
        self,
        port: int,
        process: str,
        answer: Callable[[Request], Response],
        *,
        context: ssl.SSLContext | None = None,
        address: str = "0.0.0.0",  # noqa: S104 - of the simulated machine
    ) -> None:
        """A port that answers HTTP; raises `OSError` when it is taken."""
        self._listen(port, process, address, await self._start(HttpServer(context, answer)))

    async def stream(
        self,
        port: int,
        process: str,
        is_up: Callable[[], bool],
        answer: Callable[[Request], Response],
        context: ssl.SSLContext | None = None,
    ) -> None:
        """A port that leads to pods which answer HTTP; raises `OSError` when it is taken."""
        behind = await self._start(HttpServer(context, answer))
        self._listen(port, process, "0.0.0.0", await self._start(StreamProxy(is_up, behind)))  # noqa: S104

    async def _start(self, server: HttpServer | StreamProxy) -> tuple[str, int]:
        self._servers.append(server)
        return await server.start()

    def _listen(self, port: int, process: str, address: str, backend: tuple[str, int]) -> None:
        self._machine.listen(port, process, address=address, backend=backend)
        self._ports.append((address, port))

    def stop(self) -> None:
        """Close all of it."""
        for address, port in self._ports:
            self._machine.unlisten(port, address=address)
        for server in self._servers:
            server.stop()
        self._ports, self._servers = [], []


@contextlib.contextmanager
def _opening(machine: Machine) -> Iterator[Opened]:
    """Ports being opened one after another: all of them are closed when that fails or is given up."""
    opened = Opened(machine)
    try:
        yield opened
    except BaseException:
        opened.stop()
        raise


async def open_controller(cluster: Cluster, machine: Machine) -> Opened:
    """The ports of the container ``ingress-apisix``; raises `OSError`."""
    with _opening(machine) as opened:
        await opened.http(CONTROLLER_PORT, "apisix-ingress", lambda request: _healthz(request, "ok"))
        await opened.http(ETCD_PORT, "apisix-ingress", lambda request: Response(404, b""), address="127.0.0.1")
    return opened


async def open_gateway(cluster: Cluster, machine: Machine) -> Opened:
    """The ports of the container ``apisix``; raises `OSError`."""
    with _opening(machine) as opened:
        await _open_routes(opened, cluster, Routes(cluster), usual=None)
        await opened.http(ADMIN_PORT, "openresty", _not_found)
        await opened.http(METRICS_PORT, "openresty", lambda request: Response(200, b"apisix_nginx_http 1\n"))
    return opened


async def open_old_gateway(cluster: Cluster, machine: Machine) -> Opened:
    """The ports of 5.17's OpenResty, which knows what Ingresses say; raises `OSError`."""
    with _opening(machine) as opened:
        await _open_routes(opened, cluster, IngressRoutes(cluster), usual=_usual(cluster))
        await opened.http(OLD_HEALTH_PORT, "rbd-gateway", lambda request: _healthz(request, "ok"))
        for port in OLD_CONTROL_PORTS:
            await opened.http(port, "openresty", _not_found)
    return opened


async def _open_routes(opened: Opened, cluster: Cluster, routes: Routes | IngressRoutes, *, usual: Pair | None) -> None:
    """The ports that lead to applications and to Rainbond's own parts, in either generation."""
    await opened.http(WEB_PORT, "openresty", routes.answer)
    await opened.http(TLS_PORT, "openresty", routes.answer, context=_tls_by_name(cluster, usual))
    for port, answer, context in (
        (6060, _not_found, None),
        (7070, _console, None),
        (8443, _region_api, _region_tls(cluster)),
        (8889, lambda request: _healthz(request, "ok"), None),
    ):
        await opened.stream(port, "openresty", routes.is_up(port), answer, context)


def _healthz(request: Request, word: str) -> Response:
    return Response(200, word.encode()) if request.path == "/healthz" else _not_found(request)


def _not_found(request: Request) -> Response:
    return Response(404, b"404 page not found\n")


def _console(request: Request) -> Response:
    if request.path == "/console/config/info":
        return json_response(200, {"code": 200, "msg": "query success", "data": {"bean": {"title": "Rainbond"}}})
    return Response(200, b"<!doctype html><title>Rainbond</title>\n", "text/html; charset=utf-8")


def _region_api(request: Request) -> Response:
    if request.path == "/v2/health":
        return json_response(200, {"bean": {"status": "health", "info": "api service health"}})
    return _not_found(request)


class Routes:
    """What the gateway knows of the cluster's ApisixRoutes."""

    def __init__(self, cluster: Cluster) -> None:
        self._store, self._registry = cluster.store, registry_of(cluster)

    def _all(self) -> list[Object]:
        try:
            return self._store.listed(self._store.kind("apisix.apache.org", "apisixroutes"))
        except StatusError:
            return []

    def is_up(self, port: int) -> Callable[[], bool]:
        """Whether a stream port leads to a pod that is ready."""

        def up() -> bool:
            for route in self._all():
                for stream in route["spec"].get("stream", []):
                    if stream["match"]["ingressPort"] == port:
                        namespace = route["metadata"]["namespace"]
                        return bool(pods_behind(self._store, namespace, stream["backend"]["serviceName"]))
            return False

        return up

    def answer(self, request: Request) -> Response:
        """An application's answer by its name, or that there is none."""
        host = request.headers.get("host", "").partition(":")[0]
        for route in self._all():
            for rule in route["spec"].get("http", []):
                if host in rule["match"].get("hosts", []):
                    backend = rule["backends"][0]["serviceName"]
                    pods = pods_behind(self._store, route["metadata"]["namespace"], backend)
                    if not pods:
                        return json_response(503, {"error_msg": "503 Service Temporarily Unavailable"})
                    return self._registry.answer(request) if backend == "rbd-hub" else Response(200, b"simulated\n")
        return json_response(404, _NO_ROUTE)


class IngressRoutes:
    """What the gateway of 5.17 knows: Ingresses and Services that bear the label ``creator=Rainbond``."""

    def __init__(self, cluster: Cluster) -> None:
        self._store, self._registry = cluster.store, registry_of(cluster)

    def _all(self) -> list[Object]:
        listed = self._store.listed(self._store.kind("networking.k8s.io", "ingresses"))
        return [each for each in listed if _is_rainbonds(each)]

    def _pods(self, namespace: str, backend: Object) -> list[Object]:
        name = backend["service"]["name"]
        service = self._store.find(self._store.kind("", "services"), namespace, name)
        return pods_behind(self._store, namespace, name) if service is not None and _is_rainbonds(service) else []

    def is_up(self, port: int) -> Callable[[], bool]:
        """Whether a stream port leads to a pod that is ready."""

        def up() -> bool:
            for ingress in self._all():
                if ingress["metadata"].get("annotations", {}).get(L4_PORT) == str(port):
                    return bool(self._pods(ingress["metadata"]["namespace"], ingress["spec"]["defaultBackend"]))
            return False

        return up

    def answer(self, request: Request) -> Response:
        """An application's answer by its name, or that there is none."""
        host = request.headers.get("host", "").partition(":")[0]
        for ingress in self._all():
            for rule in ingress["spec"].get("rules", []):
                if rule.get("host") != host:
                    continue
                backend = rule["http"]["paths"][0]["backend"]
                if not self._pods(ingress["metadata"]["namespace"], backend):
                    return Response(503, b"503 Service Temporarily Unavailable\n")
                is_hub = backend["service"]["name"] == "rbd-hub"
                return self._registry.answer(request) if is_hub else Response(200, b"ok")
        return Response(404, b"404 page not found\n")


def _is_rainbonds(item: Object) -> bool:
    return bool(item["metadata"].get("labels", {}).get("creator") == "Rainbond")


def _secret(cluster: Cluster, name: str) -> dict[str, str] | None:
    store = cluster.store
    found = store.find(store.kind("", "secrets"), NAMESPACE, name)
    return {key: base64.b64decode(text).decode() for key, text in found["data"].items()} if found else None


def _usual(cluster: Cluster) -> Pair:
    """What OpenResty shows for a name that nobody has given a certificate to: `default_server` of its template."""
    return cluster.server_authority.server("default", [], ["default"])


def _tls_by_name(cluster: Cluster, usual: Pair | None) -> ssl.SSLContext:
    """TLS of the web port: a certificate for the registry's name, and for any other the usual one or no handshake."""

    def of(name: str | None) -> ssl.SSLContext | None:
        words = _secret(cluster, "hub-image-repository") if name == BUILTIN_HUB else None
        if words is None:
            return None if usual is None else server_context(usual, usual.certificate)
        return server_context(Pair(words["tls.crt"], words["tls.key"]), words["tls.crt"])

    return _chosen_at_hello(of)


def _region_tls(cluster: Cluster) -> ssl.SSLContext:
    """TLS of the region's API, which takes nobody without a certificate of its own."""

    def of(name: str | None) -> ssl.SSLContext | None:
        words = _secret(cluster, "rbd-api-server-cert")
        if words is None:
            return None
        return server_context(Pair(words["server.pem"], words["server.key.pem"]), words["ca.pem"])

    context = _chosen_at_hello(of)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _chosen_at_hello(of: Callable[[str | None], ssl.SSLContext | None]) -> ssl.SSLContext:
    """Certificates as they are when somebody connects, not as they were when the port was opened."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def choose(connection: ssl.SSLObject, name: str | None, first: ssl.SSLContext) -> int | None:
        chosen = of(name)
        if chosen is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = chosen
        return None

    context.sni_callback = choose
    return context
