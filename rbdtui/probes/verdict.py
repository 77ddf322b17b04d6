"""One word for the whole cluster, from all answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rbdtui.probes.model import CLUSTER, Health, ProbeKey, ProbeKind, ProbeState, ProbeStatus
from rbdtui.words import T, Text

_NAMED: Final = 3
"""How many probes a headline names."""
QUORUM: Final = ProbeKey(ProbeKind.ETCD_QUORUM, CLUSTER)


def verdict(probes: Sequence[ProbeStatus], api: ProbeKey) -> tuple[Health, Text]:
    """The verdict and its one sentence; ``api`` is the probe of the API through the address that everybody uses.

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
    if not bad:
        return waiting if len(answered) < len(probes) else (Health.OK, T("probe.verdict.ok", count=len(probes)))
    bad.sort(key=lambda status: status.state is ProbeState.UNKNOWN)
    names = ", ".join(status.key.id for status in bad[:_NAMED])
    if len(bad) <= _NAMED:
        return Health.DEGRADED, T("probe.verdict.degraded", bad=len(bad), count=len(probes), names=names)
    more = len(bad) - _NAMED
    return Health.DEGRADED, T("probe.verdict.degraded_more", bad=len(bad), count=len(probes), names=names, more=more)


def _says_something(status: ProbeStatus) -> bool:
    """Whether an answer came from the cluster; a closed door for SSH may only mean that we are cut off."""
    if status.state is ProbeState.DOWN:
        return status.key.kind is not ProbeKind.SSH
    return status.state is not ProbeState.UNKNOWN
