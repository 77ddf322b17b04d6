"""What is wrong with an external etcd and with the certificates for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rbdtui.checks.services.etcd_certificates import Flaw
from rbdtui.checks.services.etcd_client import Member
from rbdtui.checks.services.witnesses import Param, Seen, reach_code
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.probes.wire import ProbeFailure
from rbdtui.transport.base import Reach

_REACH: Final = ("RBD-ETCD-101", "RBD-ETCD-102", "RBD-ETCD-103", "RBD-ETCD-104", "RBD-ETCD-105")
_MIB: Final = 1 << 20
_LARGE_MIB: Final = 1600
"""Of the 2 GiB that etcd takes by default before it refuses to write (etcd-io/etcd, ``--quota-backend-bytes``)."""
_SLOW_MS: Final = 250.0
"""Beyond what a handshake over a network of one site takes by far."""


def certificate_findings(flaws: Sequence[Flaw], paths: Mapping[str, str], view: ClusterView) -> Iterator[Finding]:
    """Flaws of the files of this machine."""
    for flaw in flaws:
        params = {"path": paths[flaw.role], "detail": flaw.detail}
        field = f"etcd.{flaw.role}"
        yield view.finding(flaw.code, flaw.severity, field=field, evidence=flaw.detail, **params)


def look(endpoints: Sequence[str], members: Sequence[Member]) -> Iterator[Seen]:
    """What is wrong with each member by itself."""
    for index, (endpoint, member) in enumerate(zip(endpoints, members, strict=True)):
        field, params = f"etcd.endpoints[{index}]", {"endpoint": endpoint}
        evidence = member.evidence or f"{member.reach.reach} {member.reach.detail}".strip()
        if member.reach.reach is not Reach.OPEN:
            number = reach_code(member.reach)
            yield Seen(_REACH[number - 1], _severity(number), field, params, evidence)
        elif member.trouble is not None:
            yield _no_answer(member.trouble, field, {**params, "detail": member.evidence}, evidence)
        elif member.evidence:
            yield from _health(member, field, params, evidence)


def _severity(number: int) -> Severity:
    return Severity.WARNING if number == 5 else Severity.ERROR


def _no_answer(trouble: ProbeFailure, field: str, params: Mapping[str, Param], evidence: str) -> Seen:
    if trouble is ProbeFailure.CERTIFICATE:
        return Seen("RBD-ETCD-107", Severity.ERROR, field, params, evidence)
    endpoint = {"endpoint": params["endpoint"]}
    code = "RBD-ETCD-108" if trouble is ProbeFailure.TLS_REFUSED else "RBD-ETCD-106"
    return Seen(code, Severity.ERROR, field, endpoint, evidence)


def _health(member: Member, field: str, params: Mapping[str, Param], evidence: str) -> Iterator[Seen]:
    if not member.healthy or (member.told and member.leader == "0"):
        yield Seen("RBD-ETCD-109", Severity.ERROR, field, params, evidence)
    elif member.latency_ms > _SLOW_MS:
        yield Seen("RBD-ETCD-114", Severity.WARNING, field, params, f"{member.latency_ms:.0f} ms")
    size_mib = member.size_bytes // _MIB
    if size_mib >= _LARGE_MIB:
        yield Seen("RBD-ETCD-113", Severity.WARNING, field, {**params, "mib": size_mib}, evidence)


def cluster_findings(endpoints: Sequence[str], members: Sequence[Member]) -> Iterator[Seen]:
    """What is wrong with the members taken together."""
    told = [member for member in members if member.told]
    if not told:
        return
    evidence = "\n".join(f"{member.endpoint} cluster {member.cluster} member {member.member}" for member in told)
    if len({member.cluster for member in told}) > 1:
        yield Seen("RBD-ETCD-112", Severity.ERROR, "etcd.endpoints", {}, evidence)
        return
    if len({member.member for member in told}) < len({member.endpoint for member in told}):
        yield Seen("RBD-ETCD-115", Severity.WARNING, "etcd.endpoints", {}, evidence)
    if alarms := sorted({alarm for member in told for alarm in member.alarms}):
        params = {"alarms": ", ".join(alarms)}
        yield Seen("RBD-ETCD-110", Severity.ERROR, "etcd.endpoints", params, told[0].evidence)
    known = told[0].members
    counts: dict[str, Param] = {"members": len(known), "endpoints": len(set(endpoints))}
    names = "\n".join(f"{name}: {' '.join(urls)}" for name, urls in known)
    if len(known) > len(set(endpoints)):
        yield Seen("RBD-ETCD-111", Severity.WARNING, "etcd.endpoints", counts, names)
    elif len(known) % 2 == 0:
        yield Seen("RBD-ETCD-116", Severity.WARNING, "etcd.endpoints", {"members": len(known)}, names)
