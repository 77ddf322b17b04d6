"""Why a service is not reached from a place, told apart alike for every service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from rbdtui.checks.services.asking import THIS_MACHINE
from rbdtui.checks.services.witnesses import is_unresolved
from rbdtui.transport.base import Reach, ReachResult
from rbdtui.words import T, Text

SeenT = TypeVar("SeenT")


class Obstacle(StrEnum):
    """Why there is no connection."""

    NAME = "name"
    """The name has no address there."""
    ROUTE = "route"
    REFUSED = "refused"
    FILTERED = "filtered"
    FORBIDDEN = "forbidden"
    """The node's sshd does not forward, so this says nothing about the service."""


def obstacle(result: ReachResult) -> Obstacle | None:
    """What stood in the way of a connection; None when nothing did."""
    if result.reach is Reach.OPEN:
        return None
    if is_unresolved(result):
        return Obstacle.NAME
    return {
        Reach.REFUSED: Obstacle.REFUSED,
        Reach.TIMED_OUT: Obstacle.FILTERED,
        Reach.UNREACHABLE: Obstacle.ROUTE,
        Reach.FORBIDDEN: Obstacle.FORBIDDEN,
    }[result.reach]


def witnesses(names: Iterable[str]) -> Text | str:
    """The places that see the same, this machine last."""
    nodes = ", ".join(name for name in names if name != THIS_MACHINE)
    if THIS_MACHINE not in names:
        return nodes
    return T("service.nodes_and_this_machine", nodes=nodes) if nodes else T("service.this_machine")


def by_what_is_seen(answers: Mapping[str, SeenT]) -> dict[SeenT, list[str]]:
    """The places by what they see, each group in the order of the answers."""
    groups: dict[SeenT, list[str]] = {}
    for name, seen in answers.items():
        groups.setdefault(seen, []).append(name)
    return groups
