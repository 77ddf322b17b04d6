"""A run as a matrix: kinds of steps by nodes, how each lane stands, and which step matters most now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Final

from rbdtui.engine.state import RunState, StepState, StepStatus
from rbdtui.plan.step import JUMP_LANE, StepKind
from rbdtui.words import Text

_URGENCY: Final = (
    StepStatus.ASKING, StepStatus.FAILED, StepStatus.RETRYING, StepStatus.RUNNING, StepStatus.BLOCKED,
    StepStatus.READY, StepStatus.WAITING,
)  # fmt: skip
"""What of a lane is told first."""
_IN_WORK: Final = frozenset({StepStatus.ASKING, StepStatus.FAILED, StepStatus.RETRYING, StepStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of step."""

    name: str
    title: Text
    gate: bool
    """Whether it is a barrier rather than work."""
    cells: Mapping[str, StepState]
    """By node; under `JUMP_LANE` alone for what belongs to no node."""

    @property
    def shared(self) -> StepState | None:
        """The step, when it is one for all nodes."""
        return self.cells.get(JUMP_LANE)


@dataclass(slots=True)
class Matrix:
    """The steps of a run, laid out once; the states in it are the run's own and change as it goes on."""

    steps: Mapping[str, StepState]
    nodes: tuple[str, ...]
    rows: tuple[Row, ...]
    lanes: Mapping[str, tuple[StepState, ...]]
    """By node."""
    _row_of: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, state: RunState) -> Matrix:
        """The matrix of a run."""
        by_name: dict[str, dict[str, StepState]] = {}
        lanes: dict[str, list[StepState]] = {}
        for step in state.steps.values():
            by_name.setdefault(step.info.name, {})[step.info.node] = step
            lanes.setdefault(step.info.node, []).append(step)
        names = _in_order(state.steps, lanes)
        rows = tuple(_row(name, by_name[name]) for name in names)
        nodes = tuple(node for node in lanes if node != JUMP_LANE)
        places = {step.info.id: index for index, row in enumerate(rows) for step in row.cells.values()}
        return cls(state.steps, nodes, rows, {node: tuple(lane) for node, lane in lanes.items()}, places)

    def row_of(self, step_id: str) -> int:
        """In which row a step stands."""
        return self._row_of[step_id]

    def step(self, row: int, node: str) -> StepState | None:
        """The step in a cell; the same for every node where it is shared."""
        cells = self.rows[row].cells
        return cells.get(node) or cells.get(JUMP_LANE)

    def lane_status(self, node: str) -> StepStatus:
        """How a lane stands: its most urgent step, or how it ended."""
        lane = self.lanes.get(node, ())
        found = {step.status for step in lane}
        for status in _URGENCY:
            if status in found:
                return status
        for status in (StepStatus.QUARANTINED, StepStatus.CHANGED):
            if status in found:
                return status
        return StepStatus.UNCHANGED

    def lane_counts(self, node: str) -> tuple[int, int]:
        """How many steps of a lane are settled, and how many there are."""
        lane = self.lanes.get(node, ())
        return sum(step.status.settled for step in lane), len(lane)

    def find(self, wanted: str, row: int, node: str) -> tuple[int, str] | None:
        """The cell that words mean, each of them a part of a node's name or of a step's.

        A node is the one that a word is, else the first that begins with it, else the first that has it; the step is
        the first that has all other words. What no word says stays as it is; None when a word is nowhere.
        """
        of_step: list[str] = []
        for word in wanted.lower().split():
            place = _first(word, [name.lower() for name in self.nodes])
            if place is None:
                of_step.append(word)
            else:
                node = self.nodes[place]
        titles = [f"{one.name} {one.title}".lower() for one in self.rows]
        rows = [index for index, title in enumerate(titles) if all(word in title for word in of_step)]
        if not rows:
            return None
        return (rows[0] if of_step else row), node

    def in_work(self) -> list[StepState]:
        """What is under way or needs somebody, the most urgent and then the longest under way first."""
        found = [step for step in self.steps.values() if step.status in _IN_WORK]
        return sorted(found, key=lambda step: (_URGENCY.index(step.status), step.started_at or 0.0))

    def last_done(self) -> list[StepState]:
        """The step that was done last, in a list; nothing before any was."""
        done = [step for step in self.steps.values() if step.finished_at is not None]
        return [max(done, key=lambda step: step.finished_at or 0.0)] if done else []

    def in_trouble(self) -> list[StepState]:
        """Steps that failed, ask, are tried again, or have been silent for long, row by row."""
        return [step for row in self.rows for step in row.cells.values() if in_trouble(step)]

    def waits_for(self, step: StepState) -> list[StepState]:
        """Steps that are not done and that a step needs."""
        needed = [self.steps[name] for name in step.info.after if name in self.steps]
        return [other for other in needed if not other.status.settled]


def in_trouble(step: StepState) -> bool:
    """Whether somebody should look at a step."""
    return step.stall is not None or step.status.failed or step.status is StepStatus.RETRYING


def _first(word: str, names: Sequence[str]) -> int | None:
    """Which of some names a word means: the same, else the first that begins with it, else the first that has it."""
    ranked = [(name != word, not name.startswith(word), index) for index, name in enumerate(names) if word in name]
    return min(ranked)[2] if ranked else None


def _row(name: str, cells: Mapping[str, StepState]) -> Row:
    first = next(iter(cells.values())).info
    return Row(name, first.title, first.kind == StepKind.GATE, cells)


def _in_order(steps: Mapping[str, StepState], lanes: Mapping[str, Sequence[StepState]]) -> list[str]:
    """Kinds of steps so that every lane is read from top to bottom, else in the order of the plan."""
    place = {name: index for index, name in enumerate(dict.fromkeys(step.info.name for step in steps.values()))}
    before: dict[str, set[str]] = {name: set() for name in place}
    for first, second in _neighbours(steps, lanes):
        if first != second:
            before[second].add(first)
    sorter = TopologicalSorter(before)
    ordered: list[str] = []
    try:
        sorter.prepare()
    except CycleError:
        return list(place)
    ready: list[str] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=place.__getitem__)
        ordered.append(ready.pop(0))
        sorter.done(ordered[-1])
    return ordered


def _neighbours(steps: Mapping[str, StepState], lanes: Mapping[str, Sequence[StepState]]) -> Iterable[tuple[str, str]]:
    """Kinds of which one stands above the other: in a lane, or before or behind what belongs to no node."""
    for node, lane in lanes.items():
        if node != JUMP_LANE:
            yield from ((one.info.name, two.info.name) for one, two in pairwise(lane))
    for step in steps.values():
        for needed in step.info.after:
            other = steps.get(needed)
            if other is not None and JUMP_LANE in (step.info.node, other.info.node):
                yield other.info.name, step.info.name
