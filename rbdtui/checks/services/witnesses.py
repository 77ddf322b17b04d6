"""What several places see of a service, told once for all that see the same."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from rbdtui.checks.services.asking import THIS_MACHINE
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.transport.base import Reach, ReachResult
from rbdtui.words import T, Text

Answer = TypeVar("Answer")
Param = str | int | float | Text

_UNRESOLVED = (
    "not known",
    "name resolution",
    "no address associated",
    "nodename nor servname",
    "non-recoverable failure",
)
"""How C libraries say that a name leads nowhere; sshd passes their words on (OpenSSH, channels.c)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Something wrong with a service as one place sees it."""

    code: str
    severity: Severity
    path: str
    """Of the field in cluster.yaml."""
    params: Mapping[str, Param] = field(default_factory=dict)
    evidence: str = ""


def is_unresolved(reach: ReachResult) -> bool:
    """Whether a name could not be turned into an address where it was asked from."""
    said = reach.detail.lower()
    return reach.reach is Reach.UNREACHABLE and (
        any(words in said for words in _UNRESOLVED) or f"[errno {socket.EAI_NONAME}]" in said
    )


def reach_code(reach: ReachResult) -> int:
    """How a connection failed, as one of the numbers that all services have for it: the code's last digit.

    1 the name leads nowhere, 2 refused, 3 no answer, 4 no route, 5 the host's sshd does not forward.
    """
    if is_unresolved(reach):
        return 1
    return {Reach.REFUSED: 2, Reach.TIMED_OUT: 3, Reach.UNREACHABLE: 4, Reach.FORBIDDEN: 5}[reach.reach]


def told_once(
    view: ClusterView,
    answers: Mapping[str, Answer],
    look: Callable[[str, Answer], Iterable[Seen]],
    *,
    this_machine_too: bool = False,
) -> Iterator[Finding]:
    """One finding for all nodes that see the same, named as ``hosts``.

    This machine uses no service, so that it counts only while no node has answered, unless it is to count as well;
    what it sees alone stops nobody.
    """
    nodes = [node.name for node in view.spec.nodes if node.name in answers]
    counted = [*nodes, *([THIS_MACHINE] if THIS_MACHINE in answers and (this_machine_too or not nodes) else [])]
    found: dict[tuple[str, str, tuple[tuple[str, str], ...]], tuple[Seen, list[str]]] = {}
    for name in counted:
        for seen in look(name, answers[name]):
            key = (seen.code, seen.path, tuple(sorted((key, str(value)) for key, value in seen.params.items())))
            found.setdefault(key, (seen, []))[1].append(name)
    for seen, names in found.values():
        alone = names == [THIS_MACHINE]
        severity = Severity.WARNING if alone and seen.severity is Severity.ERROR else seen.severity
        place = view.place(seen.path)
        yield Finding(seen.code, severity, place, {**seen.params, "hosts": _named(names)}, seen.evidence)


def _named(names: list[str]) -> Param:
    if names == [THIS_MACHINE]:
        return T("service.this_machine")
    shown = ", ".join(name for name in names if name != THIS_MACHINE)
    return T("service.and_this_machine", hosts=shown) if THIS_MACHINE in names else shown
