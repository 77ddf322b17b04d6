"""A clock that nothing keeps right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.repairs.commands import OneRuns
from rbdtui.plan.repairs.repair import Repair
from rbdtui.plan.resources.base import Resource
from rbdtui.spec.model import ClusterSpec

_UNITS = ("chronyd.service", "chrony.service", "ntpd.service", "systemd-timesyncd.service")


@dataclass(frozen=True, slots=True)
class TimeServiceOn(Repair):
    """Start the time service that the host has, with the sources that it has."""

    name: ClassVar[str] = "repair-time-service"
    codes: ClassVar[frozenset[str]] = frozenset({"RBD-TIME-104"})

    def resources(self, spec: ClusterSpec, facts: NodeFacts) -> Sequence[Resource]:
        """One of those that distributions bring."""
        return (OneRuns(_UNITS),)
