"""Whether a balancer leads each of its ports to every server behind it, tried before anything of the plan runs.

Each server listens for some seconds on the ports that the plan will use there and answers with a token of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rbdtui.checks.services.asking import THIS_MACHINE, Asking, KnownSecret
from rbdtui.checks.services.balancer_call import Outcome, Reply, call, hold, payload
from rbdtui.checks.services.balancer_findings import judge
from rbdtui.checks.services.balancer_seen import BalancerAnswer, BalancerQuestion, Call, Door, Listener, ListenerState
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding
from rbdtui.host_programs import HAPROXY
from rbdtui.probes.wire import Place
from rbdtui.profiles import Reach as PortReach
from rbdtui.spec.model import ApiMode, ClusterSpec, GatewayMode, Node, Role
from rbdtui.surely import surely
from rbdtui.together import together
from rbdtui.transport.base import Host, Reach, TransportError
from rbdtui.transport.scripts import script

_API: Final = 6443
_SUPERVISOR: Final = 9345
_TLS_PORTS: Final = frozenset({443, 8443, _API, _SUPERVISOR})
"""Ports that carry TLS from end to end, with certificates of clients or chosen by the server's name."""
_UNIT_LIMIT_S: Final = 45
"""Listeners end by themselves after so long, whatever becomes of us."""
_SILENCE_S: Final = 7
"""A connection is kept silent for so long: more than the 5 s that are the shortest in use, with room to see the cut."""
_CONNECT_S: Final = 2.5
_CALL_S: Final = 5.0
_FIRST_ANSWER_S: Final = 6.5
"""Until then a balancer must have found a server up: its health checks need two or three rounds."""
_ALL_ANSWERS_S: Final = 11.0
_STOP_S: Final = 5.0
_PAUSE_S: Final = 0.2
_AT_ONCE: Final = 4
"""Connections at once from one place."""
_ROUNDS: Final = 4
"""So many connections for each server behind a port are enough."""
_OUTCOMES: Final = {
    Reach.REFUSED: Outcome.REFUSED,
    Reach.TIMED_OUT: Outcome.FILTERED,
    Reach.UNREACHABLE: Outcome.ROUTE,
}


class BalancerCheck:
    """A balancer that is there already leads to every server, byte for byte."""

    name = "balancer"
    field = "gateway.address"
    limit_s = 25.0

    def question(self, view: ClusterView) -> BalancerQuestion | None:
        """The ports of balancers behind which nothing of the plan runs yet."""
        doors = tuple(door for door in _doors(view.spec) if _is_free(door, view))
        doors += tuple(door for door in _own_doors(view) if not _is_listened_on(door, view))
        return BalancerQuestion(doors, tuple(node.name for node, _ in view.answered())) if doors else None

    async def ask(self, question: BalancerQuestion, hosts: Mapping[str, Host], secret: KnownSecret) -> BalancerAnswer:
        """Listen on the servers, and connect through the balancer from everywhere; the listeners end with it."""
        trial = _Trial(question, hosts, secret)
        try:
            await trial.listen()
            await trial.connect()
        finally:
            await surely(trial.stop())
        return trial.answer

    def judge(self, question: BalancerQuestion, answer: BalancerAnswer | None, view: ClusterView) -> Iterable[Finding]:
        """What the balancer does with each port."""
        return judge(question, answer, view)


def _doors(spec: ClusterSpec) -> Iterator[Door]:
    if spec.gateway.mode is GatewayMode.EXTERNAL and spec.gateway.address is not None:
        nodes = _names(spec.gateways)
        for port in spec.profile.ports(PortReach.USERS):
            yield Door(str(spec.gateway.address), port, "gateway.address", port, port in _TLS_PORTS, nodes)
    api = spec.kubernetes.api
    if api.mode is ApiMode.EXTERNAL and api.address is not None:
        address, path = str(api.address), "kubernetes.api.address"
        yield Door(address, api.port, path, _API, True, _names(spec.nodes_with(Role.CONTROL_PLANE)))
        yield Door(address, _SUPERVISOR, path, _SUPERVISOR, True, _names(spec.servers))


def _own_doors(view: ClusterView) -> Iterator[Door]:
    """The gateway ports of our own pair, once that is made. Of the API HAProxy asks more than a listener can answer."""
    spec = view.spec
    made = [each for node, facts in view.answered() if node.is_balancer and view.is_ours(node.name)
            for each in facts.listeners if each.process == HAPROXY]  # fmt: skip
    if spec.gateway.vip is None or not spec.has_balancers:
        return
    for port in spec.profile.ports(PortReach.USERS):
        if any(each.port == port for each in made):
            address = str(spec.gateway.vip.ip)
            yield Door(address, port, "gateway.vip", port, port in _TLS_PORTS, _names(spec.gateways))


def _names(nodes: Iterable[Node]) -> tuple[str, ...]:
    return tuple(node.name for node in nodes)


def _is_free(door: Door, view: ClusterView) -> bool:
    """Whether a listener may stand in for what the plan puts there: on no server does anything listen, or run of ours.

    Where a port is taken the balancer would lead to who has it, and nothing could be told.
    """
    answered = [name for name in door.servers if name in view.facts]
    return bool(answered) and not any(view.is_ours(name) for name in answered) and not _is_listened_on(door, view)


def _is_listened_on(door: Door, view: ClusterView) -> bool:
    """Whether something listens on a port of a server behind it."""
    return any(
        each.protocol == "tcp" and each.port == door.listens
        for name in door.servers
        if name in view.facts
        for each in view.facts[name].listeners
    )


@dataclass(slots=True)
class _Trial:
    """Listeners that are up, and connections to them."""

    question: BalancerQuestion
    hosts: Mapping[str, Host]
    secret: KnownSecret
    answer: BalancerAnswer = field(default_factory=BalancerAnswer)
    _unit: str = field(default_factory=lambda: f"rbdtui-balancer-{secrets.token_hex(4)}")
    _tokens: dict[str, str] = field(default_factory=dict)
    """Names of servers by their tokens."""
    _began_at: float = 0.0
    _held: set[Door] = field(default_factory=set)

    async def listen(self) -> None:
        """Have every server listen on its ports; those that cannot say why."""
        ports: dict[str, list[int]] = {}
        for door in self.question.doors:
            for name in set(door.servers) & set(self.question.nodes):
                ports.setdefault(name, []).append(door.listens)
        await together(*(self._listen_on(name, ports[name]) for name in ports))

    async def _listen_on(self, name: str, ports: list[int]) -> None:
        token = secrets.token_hex(8)
        self._tokens[token] = name
        numbers = map(str, dict.fromkeys(ports))
        try:
            result = await self.hosts[name].must(
                script("balancer-listen"), self._unit, str(_UNIT_LIMIT_S), token, str(_SILENCE_S), *numbers,
                payload=script("balancer-answer").file_text(), timeout_s=10,
            )  # fmt: skip
        except TransportError as error:
            self.answer.listeners[name] = Listener(ListenerState.FAILED, str(error))
            return
        word, _, detail = result.text.strip().partition(" ")
        state = ListenerState(word) if word in tuple(ListenerState) else ListenerState.FAILED
        self.answer.listeners[name] = Listener(state, detail)

    async def stop(self) -> None:
        """End the listeners now rather than by themselves."""

        async def one(name: str) -> None:
            with contextlib.suppress(TransportError, TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await self.hosts[name].run(script("balancer-stop"), self._unit, timeout_s=_STOP_S)

        await together(*(one(name) for name in set(self._tokens.values())))

    async def connect(self) -> None:
        """Connect to each port from this machine and from all hosts that can be asked."""
        if not self.answer.listening:
            return
        self._began_at = time.monotonic()
        # All nodes use both addresses, not only those behind them.
        places = (THIS_MACHINE, *self.question.nodes)
        await together(*(self._from(name) for name in places))

    async def _from(self, source: str) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)
        asking = Asking(self.secret, self.hosts[source] if source != THIS_MACHINE else None)
        doors = (self._through(source, door, asking, slots) for door in self.question.doors)
        await together(*doors)

    async def _through(self, source: str, door: Door, asking: Asking, slots: asyncio.Semaphore) -> None:
        """Connect to one port from one place until there is nothing more to learn, or the time is over."""
        if not self.expected(door):
            return
        try:
            while True:
                async with slots:
                    tried = await asking.reach(door.address, door.port, timeout_s=_CONNECT_S)
                if tried.reach is Reach.FORBIDDEN:
                    return
                if tried.reach is Reach.OPEN:
                    break
                self._note(source, door, Reply(_OUTCOMES[tried.reach], evidence=tried.detail))
                if self._is_over(door):
                    return
                await asyncio.sleep(_PAUSE_S)
            async with asking.towards(door.address, door.port) as place:
                await self._rounds(source, door, place, slots)
        except TransportError:
            return  # a lost link says nothing of the balancer

    async def _rounds(self, source: str, door: Door, place: Place, slots: asyncio.Semaphore) -> None:
        sent = payload(door.address, tls=door.tls)
        holding: asyncio.Task[None] | None = None

        async def one() -> None:
            async with slots:
                self._note(source, door, await call(place, sent, limit_s=_CALL_S))

        try:
            while True:
                await one()
                if holding is None and door not in self._held and self._answers(source, door):
                    self._held.add(door)
                    holding = asyncio.create_task(self._hold(door, place))
                if self._is_enough(source, door) or self._is_over(door):
                    break
                await asyncio.sleep(_PAUSE_S)
            if holding is not None:
                await holding
        finally:
            if holding is not None:
                holding.cancel()

    async def _hold(self, door: Door, place: Place) -> None:
        cut_s = await hold(place, payload(door.address, tls=door.tls, hold=True), silence_s=_SILENCE_S)
        if cut_s is not None:
            self.answer.cut_after_s[door] = cut_s

    def _note(self, source: str, door: Door, reply: Reply) -> None:
        self.answer.calls.append(Call(source, door, reply, self._tokens.get(reply.token, "")))

    def expected(self, door: Door) -> set[str]:
        """The servers behind a port that listen."""
        return self.answer.listening & set(door.servers)

    def _answers(self, source: str, door: Door) -> list[Call]:
        return [each for each in self.answer.at(door, source) if each.reply.outcome is Outcome.ANSWERED]

    def _is_enough(self, source: str, door: Door) -> bool:
        own = self._answers(source, door)
        if not own:
            return False
        if source not in (THIS_MACHINE, *door.servers):
            return True
        seen = {each.server for each in self.answer.at(door) if each.server}
        met_itself = source not in self.expected(door) or any(each.server == source for each in own)
        many = len(self.answer.at(door, source)) >= _ROUNDS * len(door.servers)
        return seen >= self.expected(door) and (met_itself or many)

    def _is_over(self, door: Door) -> bool:
        spent_s = time.monotonic() - self._began_at
        nobody = not any(each.reply.outcome is Outcome.ANSWERED for each in self.answer.at(door))
        return spent_s > (_FIRST_ANSWER_S if nobody else _ALL_ANSWERS_S)


CHECK: Final = BalancerCheck()
