"""One word for the whole cluster, from all answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rbdtui.probes.etcd import ETCD_QUORUM
from rbdtui.probes.hosts import SSH
from rbdtui.probes.model import CLUSTER, Health, ProbeKey, ProbeState, ProbeStatus
from rbdtui.probes.restarts import RESTART
from rbdtui.words import T, Text

_NAMED: Final = 3
"""How many probes a headline names."""
QUORUM: Final = ProbeKey(ETCD_QUORUM, CLUSTER)


def verdict(probes: Sequence[ProbeStatus], api: ProbeKey, *, arriving: bool = False) -> tuple[Health, Text]:
    """The verdict and its one sentence; ``api`` is the probe of the API through the address that everybody uses.

    While a first installation is under way (``arriving``) a cluster of which nothing is bad is not called healthy yet.
    Down: the API does not answer at its address, or etcd has lost its quorum. Unknown: nothing could be asked, or
    not everything has been asked yet. Degraded: anything else is not good, or could not be asked.
    """
    answered = [status for status in probes if status.newest is not None]
    waiting = Health.UNKNOWN, T("probe.verdict.waiting", answered=len(answered), count=len(probes))
    if not any(_says_something(status) for status in answered):
        return waiting if len(answered) < len(probes) else (Health.UNKNOWN, T("probe.verdict.unknown"))
    for status in answered:
        if status.key in (api, QUORUM) and status.state is ProbeState.DOWN:
            sentence = T("probe.verdict.api_down", detail=status.detail) if status.key == api else status.detail
            return Health.DOWN, sentence
    bad = [status for status in answered if not status.state.good]
    used = sum(status.state is not ProbeState.EXPECTED for status in probes)
    if not bad and arriving:
        good = sum(status.state is ProbeState.OK for status in answered)
        return Health.UNKNOWN, T("probe.verdict.arriving", good=good, count=len(probes))
    if not bad:
        return waiting if len(answered) < len(probes) else (Health.OK, T("probe.verdict.ok", count=used))
    return Health.DEGRADED, _headline(answered, bad, used)


def _headline(answered: Sequence[ProbeStatus], bad: Sequence[ProbeStatus], count: int) -> Text:
    """Servers that are gone first, as one fault each and not one for each probe; then what else is not good."""
    gone = gone_servers(answered)
    others = sorted(
        (status for status in bad if status.key.target not in gone), key=lambda one: one.state is ProbeState.UNKNOWN
    )
    if not gone:
        return _after_restart(others) or _probes_not_good(others, count)
    shown = ", ".join(gone[:_NAMED])
    servers = (
        T("probe.verdict.gone_more", nodes=shown, more=len(gone) - _NAMED)
        if len(gone) > _NAMED
        else T("probe.verdict.gone", nodes=shown)
    )
    if not others:
        return servers
    names = ", ".join(status.key.id for status in others[:_NAMED])
    return T("probe.verdict.gone_and_others", servers=servers, bad=len(others), names=names)


def _after_restart(bad: Sequence[ProbeStatus]) -> Text | None:
    """One sentence for what servers that were restarted are still getting up; None when something else is bad, too."""
    nodes = [status.key.target for status in bad if status.key.kind is RESTART and status.state is ProbeState.DEGRADED]
    others = [status.key.id for status in bad if status.key.kind is not RESTART]
    if not nodes or any(status.key.target not in (*nodes, CLUSTER) for status in bad):
        return None
    more = len(others) - _NAMED
    names = ", ".join(others[:_NAMED]) + (f" +{more}" if more > 0 else "")
    return T("probe.verdict.restarted", nodes=", ".join(nodes[:_NAMED]), names=names)


def _probes_not_good(bad: Sequence[ProbeStatus], count: int) -> Text:
    names = ", ".join(status.key.id for status in bad[:_NAMED])
    if len(bad) <= _NAMED:
        return T("probe.verdict.degraded", bad=len(bad), count=count, names=names)
    return T("probe.verdict.degraded_more", bad=len(bad), count=count, names=names, more=len(bad) - _NAMED)


def gone_servers(answered: Sequence[ProbeStatus]) -> list[str]:
    """Servers that do not let us in and of which nothing else is good either."""
    by_server: dict[str, list[ProbeStatus]] = {}
    for status in answered:
        by_server.setdefault(status.key.target, []).append(status)
    return [
        server
        for server, probes in by_server.items()
        if len(probes) > 1
        and any(one.key.kind is SSH for one in probes)
        and not any(one.state is ProbeState.OK for one in probes)
        and any(one.state is ProbeState.DOWN for one in probes)
    ]


def _says_something(status: ProbeStatus) -> bool:
    """Whether an answer came from the cluster; a closed door for SSH may only mean that we are cut off."""
    if status.state is ProbeState.DOWN:
        return status.key.kind is not SSH
    return status.state not in (ProbeState.UNKNOWN, ProbeState.EXPECTED)
