"""Which way a question goes: straight from the jump host and, where that does not get through, from a node over SSH."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from rbdtui.probes.wire import OF_REACH, Place, ProbeFailure, WireError, connection
from rbdtui.transport.base import Host, NotReachedError, Reach, TransportError
from rbdtui.words import T, Text

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
STRAIGHT_AGAIN_S: Final = 60.0
"""How long a direct way that was found blocked is left alone."""
_HELPERS: Final = 2
"""How many nodes are asked at most for one question."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits of one question."""

    connect_s: float = 3.0
    answer_s: float = 5.0
    script_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked: an address and port, and the node it belongs to."""

    address: str
    port: int
    node: str = ""
    """Name of the node that the address belongs to; empty when it can move."""


@dataclass(frozen=True, slots=True)
class Reply(Generic[R_co]):
    """What came of a question, by whichever way."""

    value: R_co | None = None
    trouble: ProbeFailure | None = None
    """Why there is no value; None together with no value means that no way led to the target at all."""
    evidence: str = ""
    via: str = ""
    """The node it was asked from; empty for straight from the jump host."""
    straight: ProbeFailure | None = None
    """What came of the direct way, when a node had to help."""

    @property
    def met(self) -> bool:
        """Whether something took the connection, whatever it then said."""
        return self.value is not None or (self.trouble is not None and not self.trouble.before_connection)

    @property
    def told(self) -> bool:
        """Whether this says something of the target, and not only of a way that may be blocked."""
        return self.met or bool(self.via) or self.trouble is ProbeFailure.REFUSED


@dataclass(slots=True)
class Readiness:
    """Which hosts have lately answered over SSH; those that have not are not bothered by others' questions."""

    _good: dict[str, bool] = field(default_factory=dict)

    def note(self, node: str, good: bool) -> None:
        """Remember how a node's last script went."""
        self._good[node] = good

    def usable(self, node: str) -> bool:
        """Whether a node has answered, or has not been tried yet."""
        return self._good.get(node, True)


class ProbeRoutes:
    """The ways to all targets of one monitor."""

    def __init__(self, hosts: Mapping[str, Host], readiness: Readiness, limits: Limits, *, straight: bool) -> None:
        self._hosts = hosts
        self._readiness = readiness
        self._limits = limits
        self._straight = straight
        self._blocked_until: dict[str, float] = {}

    async def ask(self, target: Target, question: Callable[[Place], Awaitable[R]]) -> Reply[R]:
        """Put a question that raises `WireError` when it gets no answer; never raises itself."""
        direct: Reply[R] = Reply()
        if self._may_go_straight(target.address):
            direct = await _put(question, Place(target.address, target.port))
            if direct.met:
                return direct
            if direct.trouble is not ProbeFailure.REFUSED:
                self._blocked_until[target.address] = time.monotonic() + STRAIGHT_AGAIN_S
        helped = await self._by_nodes(target, question, direct.trouble)
        if helped is None or (direct.trouble is ProbeFailure.REFUSED and not helped.met):
            return direct
        return helped

    async def ask_on(self, node: str, address: str, port: int, question: Callable[[Place], Awaitable[R]]) -> Reply[R]:
        """Put a question from one node only, e.g. about its own loopback; never raises."""
        return await self._by_node(node, Target(address, port, node), question, None) or Reply()

    async def ask_straight(self, address: str, port: int, question: Callable[[Place], Awaitable[R]]) -> Reply[R] | None:
        """Put a question from this machine and nowhere else; None where nothing is asked from here. Never raises."""
        return await _put(question, Place(address, port)) if self._straight else None

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[tuple[Place, str]]:
        """A place that leads to the target until the block ends, and the node that it leads through (empty: straight).

        Raises `WireError`. Whether the target answers there is for the caller to find out: the way is proven by one
        connection only.
        """
        direct: Reply[None] = Reply()
        if self._may_go_straight(target.address):
            place = Place(target.address, target.port)
            direct = await _put(self._connects, place)
            if direct.trouble is None:
                yield place, ""
                return
        async with AsyncExitStack() as stack:
            yield await self._through_a_node(target, stack, direct)

    async def _connects(self, place: Place) -> None:
        async with connection(place, tls=None, server_name=None, connect_s=self._limits.connect_s, handshake_s=0):
            pass

    async def _through_a_node(self, target: Target, stack: AsyncExitStack, direct: Reply[None]) -> tuple[Place, str]:
        trouble, evidence = direct.trouble or ProbeFailure.UNREACHABLE, [direct.evidence] if direct.evidence else []
        for name in self._helpers(target):
            host = self._hosts[name]
            try:
                reach = await host.reach(target.address, target.port, timeout_s=self._limits.connect_s)
                if reach.reach is Reach.OPEN:
                    place = Place(target.address, target.port, host)
                    return await stack.enter_async_context(place.port_here()), name
                trouble = OF_REACH.get(reach.reach, trouble)
                evidence.append(f"{name}: {reach.reach.value} {reach.detail}".strip())
            except (TransportError, TimeoutError, OSError) as error:
                self._readiness.note(name, good=False)
                evidence.append(str(error) if isinstance(error, TransportError) else f"{name}: {error}")
        raise WireError(trouble, "\n".join(evidence))

    def _helpers(self, target: Target) -> list[str]:
        """The nodes that can be asked, others before the target's own."""
        others = [name for name in self._hosts if name != target.node]
        names = [*others, *(name for name in self._hosts if name == target.node)]
        return [name for name in names if self._readiness.usable(name)]

    def _may_go_straight(self, address: str) -> bool:
        return self._straight and time.monotonic() >= self._blocked_until.get(address, 0.0)

    async def _by_nodes(
        self, target: Target, question: Callable[[Place], Awaitable[R]], straight: ProbeFailure | None
    ) -> Reply[R] | None:
        """The answer from nodes that can be asked, other nodes before the target's own; None for none.

        Two views that agree are enough: one node's when the direct way has failed too, else two nodes'.
        """
        failed: list[Reply[R]] = []
        for name in self._helpers(target)[:_HELPERS]:
            reply = await self._by_node(name, target, question, straight)
            if reply is not None and reply.met:
                return reply
            failed += [reply] if reply is not None else []
            if failed and straight is not None:
                break
        return failed[0] if failed else None

    async def _by_node(
        self, name: str, target: Target, question: Callable[[Place], Awaitable[R]], straight: ProbeFailure | None
    ) -> Reply[R] | None:
        """The answer from one node; None when that node cannot tell."""
        host = self._hosts[name]
        try:
            async with asyncio.timeout(self._limits.connect_s + self._limits.answer_s + self._limits.script_s):
                reply = await _put(question, Place(target.address, target.port, host))
        except (TransportError, TimeoutError, OSError):
            self._readiness.note(name, good=False)
            return None
        except NotReachedError:
            # Its sshd forwards nothing, which says nothing of the target.
            return None
        return Reply(reply.value, reply.trouble, reply.evidence, name, straight)


async def _put(question: Callable[[Place], Awaitable[R]], place: Place) -> Reply[R]:
    try:
        return Reply(await question(place))
    except WireError as error:
        return Reply(None, error.trouble, error.evidence)


_NO_ANSWER: Final[Mapping[ProbeFailure, Text]] = {
    ProbeFailure.CLOSED: T("probe.trouble.closed"),
    ProbeFailure.SILENT: T("probe.trouble.silent"),
    ProbeFailure.NOT_TLS: T("probe.trouble.not_tls"),
    ProbeFailure.TLS_REFUSED: T("probe.trouble.tls_refused"),
    ProbeFailure.CERTIFICATE: T("probe.trouble.certificate"),
    ProbeFailure.NOT_HTTP: T("probe.trouble.not_http"),
    ProbeFailure.REFUSED: T("probe.trouble.refused"),
    ProbeFailure.TIMED_OUT: T("probe.trouble.timed_out"),
    ProbeFailure.UNREACHABLE: T("probe.trouble.unreachable"),
}


def failure_text(reply: Reply[object]) -> Text:
    """A sentence for a question without an answer."""
    return _NO_ANSWER[reply.trouble] if reply.trouble else T("probe.trouble.no_way")


def by_way(detail: Text, via: str) -> Text:
    """The detail together with the node it was asked from."""
    return T("probe.via", detail=detail, node=via) if via else detail
