"""Certificates that servers show to whoever connects: Rainbond's own, and those of the servers that it uses.

Read in a TLS handshake, whoever signed them. What does not answer, or speaks no TLS, shows none: that is a matter of
health, not of dates.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.checks.services.mysql_greeting import offers_tls
from rbdtui.probes.certificates import REGION_PORT, validity
from rbdtui.probes.wire import Place, WireError, connection, shake_hands, shared_trusting_context, tls_hello
from rbdtui.profiles.rainbond_6 import REGISTRY_NAME
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.spec.sections.mysql import MysqlMode
from rbdtui.spec.sections.registry import RegistryMode, RegistryScheme
from rbdtui.together import together
from rbdtui.transport.base import Host, TransportError

_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 5.0
_HTTPS_PORT: Final = 443
_MOST_NODES_ASKED: Final = 2
_GREETING_BYTES: Final = 2048
_SSL_REQUEST: Final = struct.pack("<IIB23x", 0x0200 | 0x0800 | 0x8000, 1 << 24, 45)
"""Protocol 4.1, TLS, long passwords; the longest packet; utf8mb4 (MySQL's client/server protocol, SSLRequest)."""


class ServedKind(StrEnum):
    """What shows a certificate."""

    REGION = "region"
    """Rainbond's API, on a gateway."""
    HUB = "hub"
    """Rainbond's own registry, through a gateway."""
    REGISTRY = "registry"
    """The registry outside."""
    MYSQL = "mysql"
    ETCD = "etcd-outside"


@dataclass(frozen=True, slots=True)
class Served:
    """Where a certificate is to be seen."""

    kind: ServedKind
    node: str
    """On whose loopback; empty for a server outside, which is asked from a node of the cluster."""
    address: str
    port: int
    server_name: str

    @property
    def where(self) -> str:
        """Where it is, for people: the node, or the address with its port."""
        return self.node or f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """What was shown."""

    at: Served
    end: float
    """Unix time."""


def places_of(spec: ClusterSpec) -> Iterator[Served]:
    """Where a site's certificates are to be seen besides those of RKE2."""
    ports = {port.number for port in spec.profile.gateway_ports}
    for node in spec.gateways:
        if REGION_PORT in ports:
            yield Served(ServedKind.REGION, node.name, "127.0.0.1", REGION_PORT, "localhost")
        if _HTTPS_PORT in ports and spec.registry.mode is RegistryMode.BUILTIN:
            yield Served(ServedKind.HUB, node.name, "127.0.0.1", _HTTPS_PORT, REGISTRY_NAME)
    sections = spec.profile.sections
    registry, mysql, etcd = spec.registry, spec.mysql, spec.etcd
    is_served = registry.mode is RegistryMode.EXTERNAL and registry.scheme is RegistryScheme.HTTPS
    if "registry" in sections and is_served and registry.domain:
        yield _outside(ServedKind.REGISTRY, registry.domain, _HTTPS_PORT)
    if "mysql" in sections and mysql.mode is MysqlMode.EXTERNAL and mysql.host:
        yield Served(ServedKind.MYSQL, "", mysql.host, mysql.port, mysql.host)
    if "mysql" in sections and mysql.mode is MysqlMode.PAIR:
        for name in filter(None, (mysql.source, mysql.replica)):
            yield Served(ServedKind.MYSQL, name, "127.0.0.1", mysql.port, "localhost")
    if "etcd" in sections and etcd.mode is EtcdMode.EXTERNAL:
        for endpoint in etcd.endpoints:
            yield _outside(ServedKind.ETCD, endpoint, _HTTPS_PORT)


async def served_certificates(spec: ClusterSpec, hosts: Mapping[str, Host]) -> Sequence[ServedCertificate]:
    """Look at all of them at once; those that show none are left out."""
    places = list(places_of(spec))
    askers = [hosts[node.name] for node in spec.managed_cluster_nodes if node.name in hosts][:_MOST_NODES_ASKED]

    async def shown(place: Served) -> ServedCertificate | None:
        from_hosts = askers if not place.node else [hosts[place.node]] if place.node in hosts else []
        for host in from_hosts:
            der = await _shown(place, host)
            if der is not None:
                read = validity(place.port, der)
                return ServedCertificate(place, read.end) if read is not None else None
        return None

    found = await together(*(shown(place) for place in places))
    return [each for each in found if each is not None]


def _outside(kind: ServedKind, told: str, usual_port: int) -> Served:
    address, _, port = told.rpartition(":") if ":" in told else (told, "", "")
    return Served(kind, "", address, int(port) if port.isdigit() else usual_port, address)


async def _shown(served: Served, host: Host) -> bytes | None:
    """DER, empty where none is shown; None where this host cannot ask."""
    ask: Callable[[Place, str], Awaitable[bytes]] = _of_mysql if served.kind is ServedKind.MYSQL else _of_tls
    try:
        return await ask(Place(served.address, served.port, host), served.server_name)
    except WireError:
        return b""
    except TransportError:
        return None


async def _of_tls(place: Place, server_name: str) -> bytes:
    hello = await tls_hello(place, server_name=server_name, connect_s=_CONNECT_S, answer_s=_ANSWER_S)
    return hello.certificate


async def _of_mysql(place: Place, server_name: str) -> bytes:
    """MySQL greets in clear, and changes to TLS when it is asked to."""
    limits = {"connect_s": _CONNECT_S, "handshake_s": _ANSWER_S}
    async with connection(place, tls=None, server_name=None, **limits) as (reader, writer):
        try:
            async with asyncio.timeout(_ANSWER_S):
                head = await reader.readexactly(4)
                length = int.from_bytes(head[:3], "little")
                body = await reader.readexactly(length) if 0 < length <= _GREETING_BYTES else b""
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            return b""
        if not offers_tls(body):
            return b""
        writer.write(len(_SSL_REQUEST).to_bytes(3, "little") + bytes([head[3] + 1]) + _SSL_REQUEST)
        return await shake_hands(writer, shared_trusting_context(), server_name, _ANSWER_S)
