"""A plan as a list that is short enough to be read: one row for each kind of step, with its nodes behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.step import JUMP_LANE, Plan, Step, StepKind
from rbdtui.words import Text

SLOW_STEPS: Final = frozenset({"ship-bundle", "rke2-first-server", "rke2-server", "rke2-agent"})
"""Those that take minutes on real servers; why is ``review.slow.<name>``."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """All steps of one kind, in the order of the plan."""

    name: str
    title: Text
    steps: tuple[Step, ...]
    previewed: tuple[PreviewedStep, ...]
    """As many as steps, or none while nobody has asked the servers what would be changed."""

    @property
    def is_gate(self) -> bool:
        """Whether it is a barrier that only waits for a condition."""
        return self.steps[0].kind is StepKind.GATE

    @property
    def is_slow(self) -> bool:
        """Whether it takes minutes."""
        return self.name in SLOW_STEPS

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes that it is done on; none for work of the jump host."""
        return tuple(step.node for step in self.steps if step.node != JUMP_LANE)

    @property
    def to_change(self) -> int:
        """On how many nodes something would be changed."""
        return sum(bool(step.changes) for step in self.previewed)

    @property
    def satisfied(self) -> int:
        """On how many nodes it is so already."""
        return sum(step.satisfied for step in self.previewed)


def plan_rows(plan: Plan, previewed: Sequence[PreviewedStep] = ()) -> tuple[PlanRow, ...]:
    """The rows of a plan, in the order in which each kind of step first occurs."""
    known: Mapping[str, PreviewedStep] = {step.step.id: step for step in previewed}
    kinds: dict[str, list[Step]] = {}
    for step in plan.steps:
        kinds.setdefault(step.name, []).append(step)
    return tuple(
        PlanRow(name, steps[0].title, tuple(steps), tuple(known[step.id] for step in steps if step.id in known))
        for name, steps in kinds.items()
    )
