"""Until when a node's certificates are good: of its kubelet, and where it has them of the API, etcd and the gateway.

RKE2 makes its own for a year and renews them only when its unit starts within 120 days of their end (90 in older
releases), so a cluster that nobody restarts loses them. Asked on the node's loopback, where firewalls between nodes do
not matter.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from rbdtui.kube.access import API_PORT
from rbdtui.probes.model import Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.probes.routes import Target
from rbdtui.probes.settings import Thresholds
from rbdtui.probes.wire import Place, TlsAnswer, tls_hello
from rbdtui.spec.model import Node, Role
from rbdtui.together import together
from rbdtui.transport.answers import UNREADABLE
from rbdtui.words import T, Text

CERTIFICATE: Final = ProbeKind("certificate", 36, column="host", is_measured=True)
KUBELET_PORT: Final = 10250
ETCD_PORT: Final = 2379
REGION_PORT: Final = 8443
_DAY_S: Final = 86400
_FRESH_INTERVALS: Final = 3
"""A change is noticed after that many intervals and one more: within ten seconds."""


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when a certificate is good, Unix time."""

    port: int
    begin: float
    end: float
    subject: str


def validity(port: int, shown: bytes | x509.Certificate) -> Validity | None:
    """What a certificate (DER) says; None for one that cannot be read, or when none was shown."""
    try:
        certificate = x509.load_der_x509_certificate(shown) if isinstance(shown, bytes) else shown
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return Validity(port, begin.timestamp(), end.timestamp(), certificate.subject.rfc4514_string()[:200])
    except (*UNREADABLE, x509.InvalidVersion):
        return None


def judge_certificates(
    node: str, asked: str, found: Sequence[Validity], at: float, thresholds: Thresholds, *, reached: bool
) -> Answer:
    """The certificate that ends first; ``reached`` says whether the node could be asked, ``at`` is now, Unix time."""
    key = ProbeKey(CERTIFICATE, node)
    evidence = "\n".join(f"{each.port} {dated(each.begin)} - {dated(each.end)} {each.subject}" for each in found)
    if not reached:
        return Answer(key, ProbeState.UNKNOWN, T("probe.certificate.unasked", node=node), None, asked)
    if not found:
        return Answer(key, ProbeState.EXPECTED, T("probe.certificate.none"), None, asked)
    early = [each for each in found if each.begin > at]
    if early:
        detail = T("probe.certificate.early", port=early[0].port, date=dated(early[0].begin))
        return Answer(key, ProbeState.DEGRADED, detail, None, asked, evidence)
    first = min(found, key=lambda each: each.end)
    days = int((first.end - at) // _DAY_S)
    facts: dict[str, str | int | float | Text] = {"port": first.port, "date": dated(first.end), "days": abs(days)}
    if first.end <= at:
        return Answer(key, ProbeState.DOWN, T("probe.certificate.expired", **facts), None, asked, evidence)
    if days < thresholds.certificate_warn_days:
        return Answer(key, ProbeState.DEGRADED, T("probe.certificate.soon", **facts), None, asked, evidence)
    return Answer(key, ProbeState.OK, T("probe.certificate.good", **facts), None, asked, evidence)


def dated(at: float) -> str:
    """A moment, Unix time, as it is told."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


class CertificateQuestion:
    """All certificates that one node shows; those of the API and the gateway are mostly seen by who asks there."""

    def __init__(self, around: ProbeContext, node: Node) -> None:
        self._around = around
        self._node = node.name
        self._ports = [KUBELET_PORT]
        self._ports += [API_PORT] if Role.CONTROL_PLANE in node.roles else []
        self._ports += [ETCD_PORT] if Role.ETCD in node.roles else []
        region = REGION_PORT in (port.number for port in around.spec.profile.gateway_ports)
        self._ports += [REGION_PORT] if region and Role.GATEWAY in node.roles else []
        self.keys = (ProbeKey(CERTIFICATE, node.name),)
        self.interval_s = around.settings.cadence.certificates_s
        self.limit_s = around.settings.limits.script_s * 3
        self._read: dict[int, tuple[bytes, Validity | None]] = {}

    async def ask(self, post: Post) -> None:
        asked = f"TLS hello to 127.0.0.1 on {self._node}: {', '.join(map(str, self._ports))}"
        shown = await together(*(self._shown(port) for port in self._ports))
        found = [each for certificate in shown if certificate and (each := self._validity(*certificate)) is not None]
        reached = any(certificate is not None for certificate in shown)
        thresholds = self._around.settings.thresholds
        post(judge_certificates(self._node, asked, found, time.time(), thresholds, reached=reached))

    def _validity(self, port: int, der: bytes) -> Validity | None:
        """The same as last time for the same certificate, which is read once."""
        read = self._read.get(port)
        if read is None or read[0] != der:
            read = self._read[port] = der, validity(port, der)
        return read[1]

    async def _shown(self, port: int) -> tuple[int, bytes] | None:
        """The certificate on a port, empty where none is shown; None when the node could not be asked."""
        known = self._around.certificates.get((self._node, port))
        if known is not None and time.monotonic() - known.at_s < self.interval_s * _FRESH_INTERVALS:
            return port, known.der
        if not self._around.readiness.usable(self._node):
            return None
        limits = self._around.settings.limits

        async def question(place: Place) -> TlsAnswer:
            return await tls_hello(place, server_name="localhost", connect_s=limits.connect_s, answer_s=limits.answer_s)

        reply = await self._around.ways.ask_on(self._node, "127.0.0.1", port, question)
        if not reply.told:
            return None
        der = reply.value.certificate if reply.value is not None else b""
        self._around.note_certificate(Target("127.0.0.1", port, self._node), der)
        return port, der


def _questions(around: ProbeContext) -> Iterator[Question]:
    for node in around.spec.managed_cluster_nodes:
        yield CertificateQuestion(around, node)


PROBE: Final = Probe("certificate", (CERTIFICATE,), _questions)
