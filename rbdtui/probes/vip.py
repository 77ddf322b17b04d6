"""Who holds the virtual address, and whether keepalived runs on those that may."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rbdtui.probes.host_sample import HEALTH, HostSample, take_sample
from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.spec.model import Node
from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.words import T

KEEPALIVED: Final = ProbeKind("keepalived", 40, column="vrrp", is_brought=True)
VIP_HOLDER: Final = ProbeKind("vip-holder", 50, column="vrrp", is_shared=True, is_brought=True)
"""Who holds the virtual address: exactly one should."""


class HolderQuestion:
    """Who holds the virtual address, and whether keepalived runs on those that may."""

    def __init__(self, around: ProbeContext, carriers: Sequence[Node], address: str, *, with_keepalived: bool) -> None:
        self._around = around
        self._carriers = [node.name for node in carriers]
        self._address = address
        self._with_keepalived = with_keepalived
        holder = ProbeKey(VIP_HOLDER, CLUSTER)
        units = tuple(ProbeKey(KEEPALIVED, name) for name in self._carriers) if with_keepalived else ()
        self.keys = (holder, *units)
        self.interval_s = around.settings.cadence.vip_s
        self.limit_s = around.settings.limits.script_s * 2

    async def ask(self, post: Post) -> None:
        samples = await together(*(self._sample(name, post) for name in self._carriers))
        by_name = dict(zip(self._carriers, samples, strict=True))
        post(judge_holder(self._address, by_name, HEALTH, installing=self._around.installing))

    async def _sample(self, name: str, post: Post) -> HostSample | None:
        limit_s = self._around.settings.limits.answer_s
        try:
            async with asyncio.timeout(limit_s):
                sample = await take_sample(self._around.hosts[name], timeout_s=limit_s)
        except (TransportError, TimeoutError) as error:
            self._around.readiness.note(name, good=False)
            reason = error.text if isinstance(error, TransportError) else T("probe.late", limit_s=limit_s)
            if self._with_keepalived:
                key = ProbeKey(KEEPALIVED, name)
                post(Answer(key, ProbeState.UNKNOWN, T("probe.unasked", reason=reason), None, HEALTH))
            return None
        self._around.readiness.note(name, good=True)
        if self._with_keepalived:
            post(judge_keepalived(name, HEALTH, sample))
        return sample


def judge_keepalived(node: str, asked: str, sample: HostSample) -> Answer:
    """Whether keepalived runs on a node."""
    unit = sample.units.get("keepalived", {})
    active, loaded = unit.get("ActiveState", ""), unit.get("LoadState", "")
    state, detail = ProbeState.DOWN, T("probe.keepalived.state", state=active or "?")
    if not unit:
        state, detail = ProbeState.UNKNOWN, T("probe.keepalived.unread")
    elif loaded == "not-found":
        detail = T("probe.keepalived.absent")
    elif active == "active":
        state, detail = ProbeState.OK, T("probe.keepalived.active")
    elif active in ("activating", "reloading", "deactivating"):
        state = ProbeState.DEGRADED
    return Answer(ProbeKey(KEEPALIVED, node), state, detail, None, asked, sample.raw)


def judge_holder(address: str, samples: Mapping[str, HostSample | None], asked: str, *, installing: bool) -> Answer:
    """Who holds the virtual address; samples by node, None for one that could not be asked."""
    holders = [name for name, sample in samples.items() if sample and address in sample.addresses]
    unasked = [name for name, sample in samples.items() if sample is None]
    running = [
        name
        for name, sample in samples.items()
        if sample and sample.units.get("keepalived", {}).get("ActiveState") == "active"
    ]
    if len(holders) == 1:
        state, detail = ProbeState.OK, T("probe.vip.held", address=address, node=holders[0])
    elif holders:
        state, nodes, dead = (
            ProbeState.DOWN,
            ", ".join(holders),
            ", ".join(name for name in holders if name not in running),
        )
        detail = T("probe.vip.split", address=address, nodes=nodes)
        if dead:
            detail = T("probe.vip.left_behind", address=address, nodes=nodes, dead=dead)
    elif unasked:
        state, detail = ProbeState.UNKNOWN, T("probe.vip.unasked", address=address, nodes=", ".join(unasked))
    elif installing and not running:
        state, detail = ProbeState.EXPECTED, T("probe.vip.not_yet", address=address)
    else:
        state, detail = ProbeState.DOWN, T("probe.vip.nobody", address=address)
    words = {name: "?" if sample is None else "yes" if name in holders else "no" for name, sample in samples.items()}
    evidence = "\n".join(f"{name} {word}" for name, word in words.items())
    return Answer(ProbeKey(VIP_HOLDER, CLUSTER), state, detail, None, asked, evidence, ", ".join(holders))


def _questions(around: ProbeContext) -> Iterator[Question]:
    vip = around.spec.gateway.vip
    if around.spec.has_vip and vip is not None and around.carriers:
        yield HolderQuestion(around, around.carriers, str(vip.ip), with_keepalived=not around.installing)


PROBE: Final = Probe("vip", (KEEPALIVED, VIP_HOLDER), _questions, during_runs=True)
