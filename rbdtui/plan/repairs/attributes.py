"""Files and directories that the plan writes and that were made immutable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.repairs.commands import Changeable
from rbdtui.plan.repairs.repair import Repair
from rbdtui.plan.resources.base import Resource
from rbdtui.spec.model import ClusterSpec


@dataclass(frozen=True, slots=True)
class AttributesOff(Repair):
    """Take the attributes off."""

    name: ClassVar[str] = "repair-attributes"
    codes: ClassVar[frozenset[str]] = frozenset({"RBD-DISK-113"})

    def resources(self, spec: ClusterSpec, facts: NodeFacts) -> Sequence[Resource]:
        """Those that were found."""
        return (Changeable(facts.immutable),) if facts.immutable else ()
