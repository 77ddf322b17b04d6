"""Swap that is on, or would be after the next boot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.repairs.commands import NoSwap
from rbdtui.plan.repairs.repair import Repair
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.edited import EditedFile
from rbdtui.spec.model import ClusterSpec


@dataclass(frozen=True, slots=True)
class SwapOff(Repair):
    """Turn swap off now, and its lines in /etc/fstab into comments."""

    name: ClassVar[str] = "repair-swap"
    codes: ClassVar[frozenset[str]] = frozenset({"RBD-HW-105", "RBD-HW-106"})

    def resources(self, spec: ClusterSpec, facts: NodeFacts) -> Sequence[Resource]:
        """The file first: whoever boots in between stays without swap."""
        return (EditedFile("/etc/fstab", without_swap), NoSwap())


def without_swap(text: str) -> str:
    """A table of file systems in which each line of type swap is a comment."""
    return "".join(f"# {line}" if _is_swap(line) else line for line in text.splitlines(keepends=True))


def _is_swap(line: str) -> bool:
    fields = line.split()
    return len(fields) >= 3 and not fields[0].startswith("#") and fields[2] == "swap"
