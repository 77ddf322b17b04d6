"""What connections through a balancer give rise to: one finding for all ports on which the same is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

from rbdtui.checks.services.asking import THIS_MACHINE
from rbdtui.checks.services.balancer_call import Outcome
from rbdtui.checks.services.balancer_seen import BalancerAnswer, BalancerQuestion, Call, Door, ListenerState
from rbdtui.checks.services.ways import witnesses
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.words import Text

_NO_ANSWER: Final = (Outcome.REFUSED, Outcome.FILTERED, Outcome.ROUTE, Outcome.EMPTY)
_CODES: Final = {
    Outcome.REFUSED: ("RBD-LB-110", Severity.ERROR),
    Outcome.FILTERED: ("RBD-LB-111", Severity.ERROR),
    Outcome.ROUTE: ("RBD-LB-111", Severity.ERROR),
    # A balancer whose health check asks for TLS or a path keeps our listeners out, although all is right.
    Outcome.EMPTY: ("RBD-LB-112", Severity.WARNING),
    Outcome.TLS: ("RBD-LB-113", Severity.ERROR),
    Outcome.CHANGED: ("RBD-LB-114", Severity.ERROR),
    Outcome.OTHER: ("RBD-LB-115", Severity.ERROR),
}
_LOST_TO_ITSELF: Final = 2
_ANSWERS_BEFORE_OTHERS: Final = (Outcome.TLS, Outcome.CHANGED, Outcome.OTHER)
"""These say more than a connection that came to nothing."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """Something about one port."""

    code: str
    severity: Severity
    door: Door
    params: tuple[tuple[str, str | Text], ...] = ()
    evidence: str = ""

    @property
    def same(self) -> tuple[object, ...]:
        return (self.code, self.door.address, tuple((key, str(value)) for key, value in self.params))


def judge(question: BalancerQuestion, answer: BalancerAnswer | None, view: ClusterView) -> Iterator[Finding]:
    """All findings, those on servers that could not listen first."""
    if answer is None:
        yield _plain(view, question.doors, "RBD-LB-124", Severity.WARNING)
        return
    yield from _listeners(question, answer, view)
    seen = [each for door in question.doors for each in _door(door, answer, view)]
    groups: dict[tuple[object, ...], list[_Seen]] = {}
    for each in seen:
        groups.setdefault(each.same, []).append(each)
    for group in groups.values():
        yield _finding(group, view)


def _finding(group: list[_Seen], view: ClusterView) -> Finding:
    first = group[0]
    ports = ", ".join(str(each.door.port) for each in group)
    params = {"address": first.door.address, "ports": ports, **dict(first.params)}
    return Finding(first.code, first.severity, view.place(first.door.field), params, first.evidence)


def _plain(view: ClusterView, doors: Iterable[Door], code: str, severity: Severity, **params: str) -> Finding:
    """A finding on the balancer as a whole."""
    first = next(iter(doors))
    return Finding(code, severity, view.place(first.field), {"address": first.address, **params})


def _listeners(question: BalancerQuestion, answer: BalancerAnswer, view: ClusterView) -> Iterator[Finding]:
    """Servers behind the balancer of which nothing can be proven."""
    absent = [name for name, each in answer.listeners.items() if each.state is ListenerState.ABSENT]
    if absent:
        yield _plain(view, question.doors, "RBD-LB-122", Severity.WARNING, hosts=", ".join(absent))
    reasons: dict[str, list[str]] = {}
    for name, each in answer.listeners.items():
        if each.state is ListenerState.FAILED:
            reasons.setdefault(each.detail, []).append(name)
    for detail, names in reasons.items():
        yield _plain(view, question.doors, "RBD-LB-123", Severity.WARNING, hosts=", ".join(names), detail=detail)


def _door(door: Door, answer: BalancerAnswer, view: ClusterView) -> Iterator[_Seen]:
    calls = answer.at(door)
    if not calls:
        return
    spoilt = next((each for each in calls if each.reply.outcome in _ANSWERS_BEFORE_OTHERS), None)
    if spoilt is not None:
        yield _by_outcome(door, spoilt)
    answered = [each for each in calls if each.reply.outcome is Outcome.ANSWERED]
    if not answered:
        if spoilt is None:
            most, _ = Counter(each.reply.outcome for each in calls).most_common(1)[0]
            yield _by_outcome(door, next(each for each in calls if each.reply.outcome is most))
        return
    for look in _LOOKS:
        yield from look(door, answer, view)


def _by_outcome(door: Door, one: Call) -> _Seen:
    code, severity = _CODES[one.reply.outcome]
    return _Seen(code, severity, door, evidence=one.reply.evidence)


def _deaf_places(door: Door, answer: BalancerAnswer, view: ClusterView) -> Iterator[_Seen]:
    """Places from which nothing gets through, although it does from others."""
    sources = list(dict.fromkeys(each.source for each in answer.at(door)))
    deaf = [source for source in sources if _is_deaf(answer.at(door, source))]
    if not deaf:
        return
    severity = Severity.WARNING if deaf == [THIS_MACHINE] else Severity.ERROR
    evidence = answer.at(door, deaf[0])[-1].reply
    yield _Seen(
        "RBD-LB-116", severity, door, (("hosts", witnesses(deaf)),), f"{evidence.outcome.value} {evidence.evidence}"
    )


def _is_deaf(calls: list[Call]) -> bool:
    outcomes = [each.reply.outcome for each in calls]
    # A single connection that brought nothing may have met a server that was not up yet, or a slow one.
    return all(each in _NO_ANSWER for each in outcomes) and outcomes != [Outcome.EMPTY]


def _missing_servers(door: Door, answer: BalancerAnswer, view: ClusterView) -> Iterator[_Seen]:
    """Servers to which no connection came; where each place always met the same one, nobody can tell."""
    met = {each.server for each in answer.at(door) if each.server}
    missing = [name for name in door.servers if name in answer.listening and name not in met]
    if not missing:
        return
    by_source: dict[str, list[str]] = {}
    for each in answer.at(door):
        if each.server:
            by_source.setdefault(each.source, []).append(each.server)
    looked = [servers for servers in by_source.values() if len(servers) > 1]
    sticky = len(met) > 1 and all(len(set(servers)) == 1 for servers in looked)
    code, severity = ("RBD-LB-118", Severity.INFO) if sticky else ("RBD-LB-117", Severity.WARNING)
    yield _Seen(code, severity, door, (("hosts", ", ".join(missing)),))


def _hairpin(door: Door, answer: BalancerAnswer, view: ClusterView) -> Iterator[_Seen]:
    """Servers that others reach through the balancer, but that do not reach themselves through it."""
    if _lost(answer.at(door, THIS_MACHINE)):
        return  # connections are lost for everybody
    cannot = []
    for name in door.servers:
        own = answer.at(door, name)
        met_itself = any(each.server == name for each in own)
        by_others = any(each.server == name and each.source != name for each in answer.at(door))
        if by_others and not met_itself and len(_lost(own)) >= _LOST_TO_ITSELF:
            cannot.append(name)
    if cannot:
        yield _Seen("RBD-LB-119", Severity.WARNING, door, (("hosts", ", ".join(cannot)),))


def _lost(calls: list[Call]) -> list[Call]:
    """Connections from one place that came to nothing after others had been answered: by then servers were up."""
    first = next((index for index, each in enumerate(calls) if each.server), len(calls))
    return [each for each in calls[first:] if each.reply.outcome is Outcome.EMPTY]


def _source_address(door: Door, answer: BalancerAnswer, view: ClusterView) -> Iterator[_Seen]:
    """Whether servers see where a connection comes from; asked of nodes only, whose addresses are known."""
    for each in answer.at(door):
        facts = view.facts.get(each.source)
        if facts is None or not each.reply.peer or each.server == each.source:
            continue
        own = {str(address.ip) for interface in facts.interfaces for address in interface.addresses}
        if each.reply.peer not in own:
            yield _Seen("RBD-LB-120", Severity.INFO, door, (("peer", each.reply.peer),))
            return


def _idle(door: Door, answer: BalancerAnswer, view: ClusterView) -> Iterator[_Seen]:
    cut_s = answer.cut_after_s.get(door, inf)
    if cut_s != inf:
        yield _Seen("RBD-LB-121", Severity.WARNING, door, (("seconds", f"{cut_s:.0f}"),))


_LOOKS: Final[tuple[Callable[[Door, BalancerAnswer, ClusterView], Iterator[_Seen]], ...]] = (
    _deaf_places,
    _missing_servers,
    _hairpin,
    _source_address,
    _idle,
)
