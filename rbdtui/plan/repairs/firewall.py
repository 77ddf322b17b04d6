"""firewalld, which interferes with the pods' network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.repairs.repair import Repair
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.units import StoppedUnits
from rbdtui.spec.model import ClusterSpec


@dataclass(frozen=True, slots=True)
class FirewalldOff(Repair):
    """Stop it, also at boot, as RKE2's documentation advises."""

    name: ClassVar[str] = "repair-firewalld"
    codes: ClassVar[frozenset[str]] = frozenset({"RBD-FW-101"})

    def resources(self, spec: ClusterSpec, facts: NodeFacts) -> Sequence[Resource]:
        """firewalld, stopped and disabled."""
        return (StoppedUnits(("firewalld.service",)),)
