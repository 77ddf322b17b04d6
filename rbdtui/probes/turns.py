"""When a question's turn comes: together with all others about the same target, apart from other targets' questions.

What is asked together travels in the same packets and wakes this process, the target and its sshd once. Each question
at a moment of its own cost half as much again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

NEARNESS: Final = 0.05
"""A turn that comes sooner than this share of the interval is left out."""


class Turns:
    """Spreads the targets of one watch evenly over a span of time; times are seconds of one monotonic clock.

    ``targets``: their labels, in any order and number. Questions whose intervals have a common measure meet.
    """

    def __init__(self, targets: Iterable[str], begun_at_s: float, span_s: float) -> None:
        names = list(dict.fromkeys(targets))
        self._first_s = {name: begun_at_s + span_s * number / len(names) for number, name in enumerate(names)}

    def next_s(self, target: str, interval_s: float, asked_at_s: float) -> float:
        """The moment of the first turn that is not too near to when the target was last asked."""
        first_s = self._first_s[target]
        passed = (asked_at_s + NEARNESS * interval_s - first_s) / interval_s
        return first_s + math.ceil(passed) * interval_s
