"""One member of etcd asked over TLS with a client's certificate, by the HTTP gateway beside its gRPC.

Paths: etcd-io/etcd Documentation, "gRPC gateway": ``/v3`` since 3.4, ``/v3beta`` in 3.3; ``/health`` and ``/version``.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rbdtui.checks.services.asking import Asking
from rbdtui.probes.wire import HttpAnswer, Place, ProbeFailure, WireError, http_get
from rbdtui.transport.answers import UNREADABLE, whole_number
from rbdtui.transport.base import Reach, ReachResult

_CONNECT_S: Final = 3.0
_ANSWER_S: Final = 5.0
_PREFIXES: Final = ("/v3", "/v3beta")
_MEMBERS_LIMIT: Final = 50


@dataclass(frozen=True, slots=True)
class Member:
    """What one endpoint tells from one place."""

    endpoint: str
    reach: ReachResult
    trouble: ProbeFailure | None = None
    """Why it did not answer, though it took the connection."""
    evidence: str = ""
    version: str = ""
    healthy: bool = False
    told: bool = False
    """Whether it told more than its health, by its HTTP gateway."""
    cluster: str = ""
    member: str = ""
    leader: str = ""
    """Id of the leader; ``0`` without one."""
    size_bytes: int = 0
    members: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Name and addresses for clients of each member, as this one knows them."""
    alarms: tuple[str, ...] = ()
    latency_ms: float = 0.0
    """Of the answer to ``/health``, which reads through the quorum, with its handshake."""


def context_of(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """TLS that believes the authority and shows the client's certificate. Raises `ssl.SSLError` and `OSError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=ca)
    # A passphrase is never asked for on the terminal: an encrypted key is told as such before.
    context.load_cert_chain(cert, key, password=lambda: "")
    return context


async def ask_member(asking: Asking, endpoint: str, tls: ssl.SSLContext | None) -> Member:
    """Ask an endpoint ``address:port``; without TLS only whether it is reached. Raises `TransportError`."""
    host, _, port = endpoint.rpartition(":")
    reach = await asking.reach(host, int(port), timeout_s=_CONNECT_S)
    member = Member(endpoint, reach)
    if reach.reach is not Reach.OPEN or tls is None:
        return member
    async with asking.towards(host, int(port)) as place:
        try:
            health = await _get(place, "/health", host, tls)
        except WireError as error:
            return replace(member, trouble=error.trouble, evidence=error.evidence)
        member = replace(
            member,
            evidence=health.evidence,
            healthy=health.status == 200
            and '"health":"true"' in health.body.decode("utf-8", "replace").replace(" ", ""),
            latency_ms=health.latency_ms,
        )
        try:
            return await _more(place, host, tls, member)
        except (WireError, *UNREADABLE):
            return member


async def _get(place: Place, path: str, host: str, tls: ssl.SSLContext, body: bytes | None = None) -> HttpAnswer:
    return await http_get(
        place, path, host=host, connect_s=_CONNECT_S, answer_s=_ANSWER_S, tls=tls, server_name=host, body=body
    )


async def _more(place: Place, host: str, tls: ssl.SSLContext, member: Member) -> Member:
    """Members, status and alarms, where the HTTP gateway is on this port."""
    version = _json(await _get(place, "/version", host, tls)).get("etcdserver", "")
    member = replace(member, version=str(version)[:40])
    for prefix in _PREFIXES:
        answer = await _get(place, f"{prefix}/cluster/member/list", host, tls, b"{}")
        if answer.status == 200:
            break
    else:
        return member
    status = await _get(place, f"{prefix}/maintenance/status", host, tls, b"{}")
    alarm = await _get(place, f"{prefix}/maintenance/alarm", host, tls, b'{"action":"GET"}')
    evidence = "\n".join(each.body.decode("utf-8", "replace").strip()[:1500] for each in (answer, status, alarm))
    return read_answers(replace(member, evidence=evidence), _json(answer), _json(status), _json(alarm))


def _json(answer: HttpAnswer) -> Mapping[str, Any]:
    found = json.loads(answer.body)
    return found if isinstance(found, dict) else {}


def read_answers(
    member: Member, listed: Mapping[str, Any], status: Mapping[str, Any], alarm: Mapping[str, Any]
) -> Member:
    """What the gateway's three answers tell; raises one of `UNREADABLE`."""
    header = listed["header"]
    members = tuple(
        (str(each.get("name", ""))[:80], tuple(str(url)[:200] for url in each.get("clientURLs", ())))
        for each in listed["members"][:_MEMBERS_LIMIT]
    )
    return replace(
        member,
        told=True,
        cluster=str(header["cluster_id"])[:40],
        member=str(header["member_id"])[:40],
        leader=str(status.get("leader", "0"))[:40],
        size_bytes=whole_number(str(status.get("dbSize", 0))),
        members=members,
        alarms=tuple(str(each.get("alarm", "?"))[:40] for each in alarm.get("alarms", ())[:_MEMBERS_LIMIT]),
    )
