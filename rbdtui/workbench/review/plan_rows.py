"""A plan as a list that is short enough to be read: one row for each kind of step, with its nodes behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.step import JUMP_LANE, Change, ChangeKind, Plan, Step, StepKind
from rbdtui.words import Text

SLOW_STEPS: Final = frozenset({"ship-bundle", "rke2-first-server", "rke2-server", "rke2-agent"})
"""Those that take minutes on real servers; why is ``review.slow.<name>``."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a step would do, which may be the same on several nodes."""

    nodes: tuple[str, ...]
    """Empty for work of the jump host."""
    satisfied: bool
    changes: tuple[Change, ...]
    unknown: Text | None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """All steps of one kind, in the order of the plan."""

    name: str
    title: Text
    steps: tuple[Step, ...]
    previewed: tuple[PreviewedStep, ...]
    """As many as steps, or none while nobody has asked the servers what would be changed."""
    after: tuple[Text, ...] = ()
    """Titles of the kinds of steps that it comes after."""

    @property
    def is_gate(self) -> bool:
        """Whether it is a barrier that only waits for a condition."""
        return self.steps[0].kind is StepKind.GATE

    @property
    def is_slow(self) -> bool:
        """Whether it takes minutes, unless everything is so already."""
        return self.name in SLOW_STEPS and not (self.previewed and self.satisfied == len(self.previewed))

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes that it is done on; none for work of the jump host."""
        return tuple(step.node for step in self.steps if step.node != JUMP_LANE)

    @property
    def to_change(self) -> int:
        """On how many nodes something would be changed."""
        return sum(bool(step.changes) for step in self.previewed)

    @property
    def not_known_yet(self) -> int:
        """On how many nodes only the run can tell what would be changed."""
        return sum(step.unknown is not None for step in self.previewed)

    @property
    def satisfied(self) -> int:
        """On how many nodes it is so already."""
        return sum(step.satisfied for step in self.previewed)

    @property
    def upload_mib(self) -> float:
        """How much is carried to all nodes together."""
        uploads = [change for step in self.previewed for change in step.changes if change.kind is ChangeKind.UPLOAD]
        sizes = (change.title.params.get("size_mib", 0) for change in uploads)
        return sum(size for size in sizes if isinstance(size, int | float))

    def outlooks(self) -> tuple[Outlook, ...]:
        """What would be done, nodes on which it is the same together."""
        together: dict[tuple[object, ...], list[PreviewedStep]] = {}
        for seen in self.previewed:
            words = tuple((change.kind, str(change.title), change.detail) for change in seen.changes)
            together.setdefault((seen.satisfied, str(seen.unknown or ""), words), []).append(seen)
        return tuple(
            Outlook(
                tuple(seen.step.node for seen in same if seen.step.node != JUMP_LANE),
                same[0].satisfied, same[0].changes, same[0].unknown,
            )
            for same in together.values()
        )  # fmt: skip

    def has(self, wanted: str) -> bool:
        """Whether a text occurs in its words, its nodes, or what it would change."""
        wanted = wanted.casefold()
        words = [self.name, str(self.title), *self.nodes]
        words += [f"{change.title} {change.detail}" for step in self.previewed for change in step.changes]
        return any(wanted in word.casefold() for word in words)


def plan_rows(plan: Plan, previewed: Sequence[PreviewedStep] = ()) -> tuple[PlanRow, ...]:
    """The rows of a plan, in the order in which each kind of step first occurs."""
    known: Mapping[str, PreviewedStep] = {step.step.id: step for step in previewed}
    kinds: dict[str, list[Step]] = {}
    for step in plan.steps:
        kinds.setdefault(step.name, []).append(step)
    titles = {step.id: (step.name, step.title) for step in plan.steps}
    return tuple(
        PlanRow(
            name, steps[0].title, tuple(steps), tuple(known[step.id] for step in steps if step.id in known),
            tuple(_after(name, steps, titles)),
        )
        for name, steps in kinds.items()
    )  # fmt: skip


def _after(name: str, steps: Sequence[Step], titles: Mapping[str, tuple[str, Text]]) -> list[Text]:
    before = dict(titles[needed] for step in steps for needed in step.after if needed in titles)
    return [title for kind, title in before.items() if kind != name]
