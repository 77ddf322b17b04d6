"""keepalived where it carried the VIP before the plan gave that to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.repairs.repair import Repair
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.units import StoppedUnits
from rbdtui.plan.steps.keepalived import UNIT
from rbdtui.spec.model import ClusterSpec


@dataclass(frozen=True, slots=True)
class StaleKeepalivedOff(Repair):
    """Stop it, also at boot: two would hold the VIP at once."""

    name: ClassVar[str] = "repair-keepalived"
    codes: ClassVar[frozenset[str]] = frozenset({"RBD-LB-108"})

    def resources(self, spec: ClusterSpec, facts: NodeFacts) -> Sequence[Resource]:
        """The unit."""
        return (StoppedUnits((UNIT,)),)
