"""Which API servers a balancer in front of them leads to, once they run: told by the certificates that they show.

Every kube-apiserver of RKE2 shows a certificate whose key was made on its own server and never leaves it
(k3s-io/k3s pkg/daemons/control/deps/deps.go `genServerCerts`, `createClientCertKey`), so whoever shakes hands through
the balancer sees whom it met. RKE2's own port 9345 cannot be told apart like that: its certificate is kept in the
cluster (Secret ``rke2-serving``) and is the same on all servers (pkg/cluster/https.go `tlsStorage`). Nor can the ports
of gateways, which show one certificate for all.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from rbdtui.probes.routes import Limits, ProbeRoutes, Reply, Target
from rbdtui.probes.wire import Place, connection, http_get, shared_trusting_context
from rbdtui.spec.balanced import API_PORT, Behind, Forwarded, to_servers
from rbdtui.spec.model import ApiMode, ClusterSpec
from rbdtui.together import together

HERE: Final = ""
"""Stands for this machine where names of nodes do."""
ONCE_LIMITS: Final = Limits(connect_s=2.5, answer_s=3.0, script_s=4.0)
"""Of whoever asks once, as a check and a step do: several rounds of it fit into what they may take."""
_LEADS_ON: Final = (200, 401, 403)
"""Statuses of ``/readyz`` of a server that a balancer which checks it leads to; without credentials RKE2 says 401."""
_PER_SERVER: Final = 2
"""So many connections at once for each server: balancers that take turns then meet all, whoever else connects."""


class Verdict(Enum):
    """What can be said of the servers that were not met."""

    ALL = auto()
    """Every server that answers by itself was met."""
    MISSED = auto()
    """Some were met, others were not."""
    ONE = auto()
    """All places met one and the same: the balancer has no other, or has one active at a time."""
    STICKY = auto()
    """Each place always met the same one, but not all the same: it keeps clients to servers, and nobody can tell."""
    ALIKE = auto()
    """Servers show one certificate, so that nobody can tell."""
    NOBODY = auto()
    """No connection came to any of them."""
    UNASKED = auto()
    """No server answers by itself, or nobody could be asked to connect."""


@dataclass(frozen=True, slots=True)
class ApiFront:
    """A balancer's address for the API, and the servers behind it."""

    address: str
    port: int
    field: str
    """Of the address in cluster.yaml."""
    servers: tuple[Target, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the servers."""
        return tuple(server.node for server in self.servers)


def api_front(spec: ClusterSpec) -> ApiFront | None:
    """The balancer in front of the API, somebody else's or our own pair; None without one, or with one server only."""
    mode = spec.kubernetes.api.mode
    balanced = mode is ApiMode.EXTERNAL or (spec.has_balancers and mode is ApiMode.VIP)
    if spec.is_existing or not balanced:
        return None
    (forwarded,) = (each for each in to_servers(spec) if each.behind is Behind.API)
    if len(forwarded.nodes) < _PER_SERVER:
        return None
    field_path = "kubernetes.api.address" if mode is ApiMode.EXTERNAL else "gateway.vip"
    return ApiFront(str(spec.api_address), forwarded.port, field_path, _targets(forwarded))


def _targets(forwarded: Forwarded) -> tuple[Target, ...]:
    return tuple(Target(str(node.address), API_PORT, node.name) for node in forwarded.nodes)


@dataclass(slots=True)
class LedTo:
    """Whom connections through a balancer met."""

    front: ApiFront
    own: dict[str, str] = field(default_factory=dict)
    """The fingerprint that a server shows when it is asked itself; servers that do not answer well are not in it."""
    met: dict[str, list[str]] = field(default_factory=dict)
    """Fingerprints that came through the balancer, by the place (`HERE` or a node) that connected."""
    lost: dict[str, list[str]] = field(default_factory=dict)
    """Why connections came to nothing, raw, by place."""

    @property
    def _seen(self) -> set[str]:
        """A server that meets itself proves nothing: where it has the balancer's address, too, it never gets there."""
        return {shown for place, each in self.met.items() for shown in each if shown != self.own.get(place)}

    @property
    def servers(self) -> list[str]:
        """Those that were met, in the order of the plan."""
        return [name for name in self.front.names if self.own.get(name) in self._seen]

    @property
    def missing(self) -> list[str]:
        """Those that answer by themselves and were not met."""
        return [name for name in self.front.names if name in self.own and name not in self.servers]

    @property
    def strangers(self) -> list[str]:
        """Fingerprints of others, told only where every server of the plan is known by its own."""
        return sorted(self._seen - set(self.own.values())) if len(self.own) == len(self.front.names) else []

    @property
    def verdict(self) -> Verdict:
        """What there is to say."""
        if not self.own or not (self.met or self.lost):
            return Verdict.UNASKED
        if self.met and len(set(self.own.values())) < len(self.own):
            return Verdict.ALIKE
        if not self.servers:
            return Verdict.NOBODY
        if not self.missing:
            return Verdict.ALL
        if len({shown for each in self.met.values() for shown in each}) == 1:
            return Verdict.ONE
        is_kept = all(len(set(shown)) == 1 for shown in self.met.values())
        return Verdict.STICKY if is_kept else Verdict.MISSED

    @property
    def evidence(self) -> str:
        """Who shows what, and what was met from where, raw."""
        lines = [f"{name} shows {shown[:16]}" for name, shown in self.own.items()]
        names = {shown: name for name, shown in self.own.items()}
        for place, met in self.met.items():
            lines.append(f"from {place or 'here'}: {', '.join(names.get(shown, shown[:16]) for shown in met) or '-'}")
        lines += [f"from {place or 'here'}: lost {len(why)}: {why[0]}" for place, why in self.lost.items() if why]
        return "\n".join(lines)


async def look_through(front: ApiFront, ways: ProbeRoutes, limits: Limits, nodes: Sequence[str]) -> LedTo:
    """Shake hands through a balancer until every server that answers was met, or all places have tried; never raises.

    ``nodes``: those of its servers that can be asked over SSH; they help where this machine did not meet all.
    """
    led = LedTo(front)
    await together(*(_ask_itself(led, server, ways, limits) for server in front.servers))
    if led.own:
        await _connect_from(led, (HERE,), ways, limits)
    if led.own and not led.met:
        await _connect_from(led, nodes[:2], ways, limits)
    if led.own and led.verdict is not Verdict.ALL:
        await _connect_from(led, (HERE, *nodes) if led.met.get(HERE) else nodes, ways, limits)
    return led


async def _ask_itself(led: LedTo, server: Target, ways: ProbeRoutes, limits: Limits) -> None:
    """A server counts when it is as well as a balancer that checks it wants it to be."""

    async def question(place: Place) -> str:
        answer = await http_get(
            place, "/readyz", host=f"{server.address}:{server.port}", connect_s=limits.connect_s,
            answer_s=limits.answer_s, tls=shared_trusting_context(), server_name=server.address,
        )  # fmt: skip
        return _fingerprint(answer.certificate) if answer.status in _LEADS_ON else ""

    shown = (await ways.ask(server, question)).value
    if shown:
        led.own[server.node] = shown


async def _connect_from(led: LedTo, places: Iterable[str], ways: ProbeRoutes, limits: Limits) -> None:
    count = _PER_SERVER * len(led.front.servers)
    await together(*(_connect(led, place, count, ways, limits) for place in places))


async def _connect(led: LedTo, place: str, count: int, ways: ProbeRoutes, limits: Limits) -> None:
    """So many connections from one place, none closed before all of them have met somebody or failed.

    A balancer that prefers whoever has the fewest open connections comes to all servers by that, too.
    """
    waiting, over = count, asyncio.Event()

    def settled() -> None:
        nonlocal waiting
        waiting -= 1
        if waiting == 0:
            over.set()

    async def one() -> None:
        shown = ""

        async def question(at: Place) -> None:
            nonlocal shown
            hello = connection(
                at, tls=shared_trusting_context(), server_name=led.front.address, connect_s=limits.connect_s,
                handshake_s=limits.answer_s,
            )  # fmt: skip
            async with hello as (_, writer):
                shown = _fingerprint(writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b"")
                settled()
                await over.wait()

        reply = await _put(led.front, ways, place, question)
        if shown:
            led.met.setdefault(place, []).append(shown)
        else:
            settled()
        if not shown and reply is not None and reply.trouble is not None:
            led.lost.setdefault(place, []).append(f"{reply.trouble.value} {reply.evidence}".strip())

    await together(*(one() for _ in range(count)))


async def _put(
    front: ApiFront, ways: ProbeRoutes, place: str, question: Callable[[Place], Awaitable[None]]
) -> Reply[None] | None:
    if place == HERE:
        return await ways.ask_straight(front.address, front.port, question)
    return await ways.ask_on(place, front.address, front.port, question)


def _fingerprint(der: bytes) -> str:
    """Empty for no certificate."""
    return hashlib.sha256(der).hexdigest() if der else ""
