"""Pictures of clusters' health, made by hand, so that screens draw the same every time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from rbdtui.probes import api, certificates, clocks, cluster, components, etcd, gateway, hosts, mysql, restarts, vip
from rbdtui.probes.model import (
    CLUSTER,
    VIP,
    Answer,
    Health,
    HealthEvent,
    HealthSnapshot,
    ProbeKey,
    ProbeState,
    ProbeStatus,
)
from rbdtui.probes.verdict import verdict
from rbdtui.profiles import RAINBOND_6, Reach
from rbdtui.rainbond.why import Cause, CauseKind
from rbdtui.words import T, Text

AT: Final = 1_790_000_000.0
"""When the pictures were made, Unix time."""
SINCE: Final = AT - 3_000
API: Final = ProbeKey(api.API, VIP, 6443)
VIP_ADDRESS: Final = "127.88.0.100"
_WAVE: Final = (1.0, 2.0, 1.5, 3.0, 9.0, 2.0, 1.0, 1.2, 4.0, 2.2)


CAUSE: Final = Cause(CauseKind.IMAGE_PULL_FAILED, "rbd-app-ui", "rbd-app-ui-6", "ui", "server3", "goodrain.me/ui: EOF")


def status(key: ProbeKey, state: ProbeState, detail: Text, latency_ms: float | None = None) -> ProbeStatus:
    """An answer that has come often."""
    asked = f"rbdtui/health for {key.target}" if not key.port else f"https://{key.target}:{key.port}/"
    newest = Answer(key, state, detail, latency_ms, asked=asked, evidence=f"line one of {key.id}\nline two")
    waves = tuple(latency_ms * wave for wave in _WAVE) if latency_ms is not None else ()
    return ProbeStatus(key, state, detail, SINCE, latency_ms, waves, newest, AT)


def unasked(known: ProbeStatus) -> ProbeStatus:
    """The same question before its first answer."""
    waiting = T("probe.waiting")
    return ProbeStatus(known.key, ProbeState.UNKNOWN, waiting, AT)


def _of_node(name: str, *, server: bool, leader: bool) -> Iterable[ProbeStatus]:
    yield status(ProbeKey(hosts.SSH, name, 22), ProbeState.OK, T("probe.ssh.ok"), 6.0)
    disk = T("probe.disk.used", path="/", percent=38, free_gib="112.4")
    yield status(ProbeKey(hosts.DISK, name), ProbeState.OK, disk)
    clock = T("probe.clock.skew", skew_s="0.002", offset_s="0.004", uncertainty_s="0.003")
    yield status(ProbeKey(clocks.CLOCK, name), ProbeState.OK, clock)
    yield status(ProbeKey(cluster.NODE, name), ProbeState.OK, T("probe.node.ready"))
    until = T("probe.certificate.good", port=10250, days=340, date="2027-10-04 12:00 UTC")
    yield status(ProbeKey(certificates.CERTIFICATE, name), ProbeState.OK, until)
    yield status(ProbeKey(restarts.RESTART, name), ProbeState.OK, T("probe.restart.no"))
    if not server:
        return
    yield status(ProbeKey(vip.KEEPALIVED, name), ProbeState.OK, T("probe.keepalived.active"))
    yield status(ProbeKey(api.API, name, 6443), ProbeState.OK, T("probe.api.ok"), 4.0)
    member = T("probe.etcd.leader", size_mb=24) if leader else T("probe.etcd.member", size_mb=24)
    yield status(ProbeKey(etcd.ETCD, name), ProbeState.OK, member, 2.0)


def _gateway(target: str, *, used: bool) -> Iterable[ProbeStatus]:
    for place, port in enumerate(RAINBOND_6.ports(Reach.USERS)):
        key = ProbeKey(gateway.GATEWAY, target, port)
        if used:
            yield status(key, ProbeState.OK, T("probe.gateway.http", status=404), 2.0 + 3 * place)
        else:
            trouble = T("probe.trouble.refused")
            yield status(key, ProbeState.EXPECTED, T("probe.gateway.unused_closed", trouble=trouble))


PARTS: Final = ("rbd-api", "rbd-app-ui", "rbd-chaos", "rbd-gateway", "rbd-hub", "rbd-mq", "rbd-worker")


def _services() -> Iterable[ProbeStatus]:
    """What Rainbond is made of, and its database."""
    for name in PARTS:
        ready = T("probe.component.ready", ready=2, wanted=2)
        yield status(ProbeKey(components.COMPONENT, CLUSTER, part=name), ProbeState.OK, ready)
    yield status(ProbeKey(components.CLAIMS, CLUSTER), ProbeState.OK, T("probe.claims.bound", count=4))
    yield status(ProbeKey(mysql.MYSQL, CLUSTER, 3306), ProbeState.OK, T("probe.mysql.ok", version="8.0.36"), 7.0)


SERVERS: Final = ("server1", "server2", "server3")


def healthy_probes(
    agents: int = 1, *, gateway_used: bool = True, servers: Sequence[str] = SERVERS, workers: Sequence[str] = ()
) -> list[ProbeStatus]:
    """Three servers and some agents, or those that are named, all well."""
    found = [each for name in servers for each in _of_node(name, server=True, leader=name == servers[0])]
    for name in workers or [f"agent{number}" for number in range(1, agents + 1)]:
        found += _of_node(name, server=False, leader=False)
    holder = T("probe.vip.held", address=VIP_ADDRESS, node=servers[0])
    found.append(status(ProbeKey(vip.VIP_HOLDER, CLUSTER), ProbeState.OK, holder))
    found.append(status(API, ProbeState.OK, T("probe.api.ok"), 5.0))
    quorum = T("probe.etcd.quorum", healthy=3, planned=3, leader=servers[0], size_mb=24)
    found.append(status(ProbeKey(etcd.ETCD_QUORUM, CLUSTER), ProbeState.OK, quorum))
    found += _services() if gateway_used else ()
    for target in (*servers, VIP):
        found += _gateway(target, used=gateway_used)
    return found


def picture_of(probes: Iterable[ProbeStatus], changes: Iterable[HealthEvent] = ()) -> HealthSnapshot:
    """What a monitor makes of them."""
    known = tuple(probes)
    health, headline = verdict(known, API)
    return HealthSnapshot(health, headline, known, tuple(changes), AT)


def changed(probes: Iterable[ProbeStatus], worse: Mapping[str, tuple[ProbeState, Text]]) -> HealthSnapshot:
    """A picture in which some answers are others, with a change for each."""
    found: list[ProbeStatus] = []
    changes: list[HealthEvent] = []
    for known in probes:
        if known.key.id in worse:
            state, detail = worse[known.key.id]
            changes.append(HealthEvent(known.key, known.state, state, detail, None, AT - 60 + len(changes)))
            known = replace(status(known.key, state, detail), since=changes[-1].at)
        found.append(known)
    return picture_of(found, changes)


def healthy() -> HealthSnapshot:
    """All well."""
    return picture_of(healthy_probes())


def kubernetes_only() -> HealthSnapshot:
    """All well, and no gateway in the profile."""
    return picture_of(healthy_probes(gateway_used=False))


def degraded() -> HealthSnapshot:
    """A console that is not well, and a server that is gone."""
    gone = T("probe.unasked", reason=T("probe.trouble.timed_out"))
    late = T("probe.late", limit_s=8)
    worse = {
        "gateway-7070@server2": (ProbeState.DEGRADED, T("probe.gateway.console_status", status=502)),
        "ssh@server3": (ProbeState.DOWN, gone),
        "disk@server3": (ProbeState.UNKNOWN, late),
        "certificate@server3": (ProbeState.UNKNOWN, T("probe.certificate.unasked", node="server3")),
        "restart@server3": (ProbeState.UNKNOWN, T("probe.restart.unasked")),
        "component-rbd-app-ui": (
            ProbeState.DEGRADED,
            T("probe.component.because", ready=1, wanted=2, cause=CAUSE.text),
        ),
        "clock@server3": (ProbeState.UNKNOWN, late),
        "keepalived@server3": (ProbeState.UNKNOWN, late),
        "node@server3": (ProbeState.DOWN, T("probe.node.not_ready", reason="NodeStatusUnknown")),
        "etcd@server3": (ProbeState.DOWN, T("probe.etcd.silent")),
        "api@server3": (ProbeState.DOWN, T("probe.trouble.timed_out")),
    }
    return changed(healthy_probes(), worse)


def down() -> HealthSnapshot:
    """Nobody answers for the API."""
    worse = {"api@VIP": (ProbeState.DOWN, T("probe.trouble.refused"))}
    lost = (ProbeState.DOWN, T("probe.etcd.quorum_lost", planned=3))
    return changed(healthy_probes(gateway_used=False), {**worse, "etcd-quorum": lost})


def asking() -> HealthSnapshot:
    """The first answers."""
    probes = healthy_probes(gateway_used=False)
    return picture_of([*probes[:9], *map(unasked, probes[9:])])


def unknown() -> HealthSnapshot:
    """Nothing can be asked."""
    late = T("probe.late", limit_s=8)
    found = [status(known.key, ProbeState.UNKNOWN, late) for known in healthy_probes()]
    return picture_of(found)


def fifty() -> HealthSnapshot:
    """Fifty nodes, one of the last not ready."""
    worse = {"node@agent40": (ProbeState.DOWN, T("probe.node.not_ready", reason="KubeletNotReady"))}
    return changed(healthy_probes(47), worse)


HEALTHS: Final[Mapping[str, Callable[[], HealthSnapshot]]] = {
    "healthy": healthy,
    "kubernetes": kubernetes_only,
    "degraded": degraded,
    "down": down,
    "asking": asking,
    "unknown": unknown,
    "fifty": fifty,
}
VERDICTS: Final = {
    "healthy": Health.OK, "kubernetes": Health.OK, "degraded": Health.DEGRADED, "down": Health.DOWN,
    "asking": Health.UNKNOWN, "unknown": Health.UNKNOWN, "fifty": Health.DEGRADED,
}  # fmt: skip
