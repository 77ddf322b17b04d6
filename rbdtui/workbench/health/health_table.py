"""The answers of a cluster as a table: hosts and shared addresses as rows, what was asked of them as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rbdtui.probes.cluster import NODE
from rbdtui.probes.components import COMPONENT
from rbdtui.probes.etcd import ETCD_QUORUM
from rbdtui.probes.haproxy import HAPROXY
from rbdtui.probes.model import BALANCER, CLUSTER, VIP, HealthSnapshot, ProbeState, ProbeStatus
from rbdtui.probes.vip import KEEPALIVED
from rbdtui.workbench.health.gateway_view import gateways_of_health

VRRP: Final = KEEPALIVED.column
"""Column of keepalived on a gateway, and of the holder in the row of the shared address."""
_ORDER: Final = ("node", "ssh", "host", VRRP, HAPROXY.column, "api", "etcd", "svc")
_WORST: Final = (ProbeState.DOWN, ProbeState.DEGRADED, ProbeState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One host, or what all share."""

    target: str
    """A node's name, `VIP`, `BALANCER` or `CLUSTER`."""
    cells: Mapping[str, ProbeStatus]
    """By column, the worst of what is told there."""
    told: Mapping[str, tuple[ProbeStatus, ...]]
    """By column, all that is told there."""

    @property
    def rank(self) -> int:
        """How bad it is: the smaller the worse."""
        states = {status.state for status in self.cells.values()}
        return next((place for place, state in enumerate(_WORST) if state in states), len(_WORST))

    @property
    def is_shared(self) -> bool:
        """Whether it is no host, but what all share."""
        return self.target in (VIP, BALANCER, CLUSTER)

    @property
    def bad(self) -> tuple[ProbeStatus, ...]:
        """All answers that are not good."""
        return tuple(status for told in self.told.values() for status in told if not status.state.good)


@dataclass(frozen=True, slots=True)
class HealthTable:
    """All that was asked."""

    columns: tuple[str, ...]
    """``ssh``, ``disk``, … and gateway ports as text."""
    rows: tuple[HealthRow, ...]
    """Nodes in the order of the plan, and last what all share."""
    gateway_unused: bool
    """Whether the profile has no gateway, so that its ports are not in the table."""

    def of(self, places: Iterable[int]) -> HealthTable:
        """The same with these rows alone, in this order."""
        return HealthTable(self.columns, tuple(self.rows[place] for place in places), self.gateway_unused)


def health_table(snapshot: HealthSnapshot) -> HealthTable:
    """The table of a picture."""
    gateways = gateways_of_health(snapshot)
    unused = gateways.unused
    shown = [status for status in snapshot.probes if not (unused and status.key.kind.by_port)]
    targets = list(dict.fromkeys(status.key.target for status in shown))
    shared = next((target for target in (VIP, BALANCER) if target in targets), CLUSTER)
    nodes = [target for target in targets if target not in (VIP, BALANCER, CLUSTER)]
    cells: dict[str, dict[str, ProbeStatus]] = {target: {} for target in [*nodes, shared]}
    told: dict[tuple[str, str], list[ProbeStatus]] = {}
    for status in shown:
        target = shared if status.key.target == CLUSTER else status.key.target
        column = str(status.key.port) if status.key.kind.by_port else status.key.kind.column
        told.setdefault((target, column), []).append(status)
        present_one = cells[target].get(column)
        if present_one is None or _badness(status) > _badness(present_one):
            cells[target][column] = status
    present = {column for row in cells.values() for column in row}
    rows = tuple(
        HealthRow(target, row, {column: tuple(told[target, column]) for column in row})
        for target, row in cells.items()
        if row
    )
    others = sorted(present - {*_ORDER, *(str(port) for port in gateways.ports)})
    order = (*_ORDER, *others, *(str(port) for port in gateways.ports))
    return HealthTable(tuple(column for column in order if column in present), rows, unused)


def beside(snapshot: HealthSnapshot, status: ProbeStatus) -> list[ProbeStatus]:
    """What else is told in the cell of an answer, the worst first: a cell shows one answer of several."""
    own = status.key
    shared = (VIP, BALANCER, CLUSTER)
    others = [
        one
        for one in snapshot.probes
        if one.key != own
        and not (one.key.kind.by_port or own.kind.by_port)
        and one.key.kind.column == own.kind.column
        and (one.key.target == own.target or {one.key.target, own.target} <= set(shared))
    ]
    return sorted(others, key=_badness, reverse=True)


def _badness(status: ProbeStatus) -> int:
    """The greater the worse; of two that are as bad, the one that Kubernetes says counts."""
    rank = next((len(_WORST) - place for place, state in enumerate(_WORST) if status.state is state), 0)
    return 2 * rank + (status.key.kind is NODE)


@dataclass(frozen=True, slots=True)
class Summary:
    """A cluster in figures."""

    ready: int
    nodes: int
    holder: str
    """The node that holds the virtual address; empty when it is not exactly one."""
    quorum: ProbeStatus | None
    """How etcd stands."""
    components: tuple[int, int] | None = None
    """Rainbond's components that are ready, and how many there are; None where there are none yet."""
    notices: int = 0
    """How many answers are good and worth telling."""


def summary_of(snapshot: HealthSnapshot) -> Summary:
    """The figures of a picture."""
    members = [status for status in snapshot.probes if status.key.kind is NODE]
    quorum = next((status for status in snapshot.probes if status.key.kind is ETCD_QUORUM), None)
    ready = sum(status.state is ProbeState.OK for status in members)
    parts = [status.state for status in snapshot.probes if status.key.kind is COMPONENT]
    parts = [state for state in parts if state is not ProbeState.EXPECTED]
    components = (sum(state is ProbeState.OK for state in parts), len(parts)) if parts else None
    notices = sum(status.newest is not None and status.newest.notice for status in snapshot.probes)
    return Summary(ready, len(members), gateways_of_health(snapshot).holder_node, quorum, components, notices)
