"""Checks on clocks: against each other, against the jump host, and whether anything keeps them right."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Final

from rbdtui.checks.view import ClusterView, NodeView
from rbdtui.facts.software import SYSTEMD
from rbdtui.findings import Finding, Severity

_SYNC_UNITS: Final = frozenset(
    {"chrony", "chronyd", "ntp", "ntpd", "ntpsec", "openntpd", "systemd-timesyncd"}
)  # fmt: skip


def kept_right(view: NodeView) -> Iterator[Finding]:
    """A service keeps the clock right."""
    facts = view.facts
    if "units" not in facts.failed and SYSTEMD in facts.files and not facts.active_units & _SYNC_UNITS:
        yield view.finding("RBD-TIME-104", Severity.WARNING)


def synchronised(view: NodeView) -> Iterator[Finding]:
    """The service that keeps the clock right has really reached its source."""
    facts = view.facts
    if facts.clock_synchronised is False and facts.active_units & _SYNC_UNITS:
        services = ", ".join(sorted(facts.active_units & _SYNC_UNITS))
        yield view.finding("RBD-TIME-106", Severity.WARNING, services=services)


def skew(view: ClusterView) -> Iterator[Finding]:
    """No clock is off the others; what is said is what is proven, with the uncertainty of the measurement taken off."""
    clocks = {node.name: facts.clock for node, facts in view.answered() if facts.clock is not None}
    if not clocks:
        return
    middle = _middle([clock.offset_s for clock in clocks.values()])
    for name, clock in clocks.items():
        deviation = clock.offset_s - middle
        params = {"seconds": f"{deviation:+.2f}", "uncertainty": f"{clock.uncertainty_s:.2f}"}
        proven = abs(deviation) - clock.uncertainty_s
        if proven > view.limits.skew_error_s:
            yield view.finding("RBD-TIME-102", Severity.ERROR, node=name, **params)
        elif proven > view.limits.skew_warning_s:
            yield view.finding("RBD-TIME-101", Severity.WARNING, node=name, **params)
        elif clock.uncertainty_s > view.limits.skew_warning_s:
            yield view.finding("RBD-TIME-105", Severity.INFO, node=name, **params)


def jump_host_clock(view: ClusterView) -> Iterator[Finding]:
    """The nodes agree with the machine that installs them; certificates made there or here must be valid on both."""
    clocks = [facts.clock for _, facts in view.answered() if facts.clock is not None]
    if not clocks:
        return
    offset = median(clock.offset_s for clock in clocks)
    uncertainty = max(clock.uncertainty_s for clock in clocks)
    if abs(offset) - uncertainty > view.limits.skew_error_s:
        yield view.finding("RBD-TIME-103", Severity.WARNING, seconds=f"{offset:+.2f}", uncertainty=f"{uncertainty:.2f}")


def _middle(offsets: list[float]) -> float:
    """The median; with an even number of nodes the jump host (offset 0) has the casting vote."""
    return median(offsets if len(offsets) % 2 else [*offsets, 0.0])
