"""Steps that somebody carries out by hand, as they are printed."""

from __future__ import annotations

from collections.abc import Sequence

from rbdtui.cli.output import answer, styled
from rbdtui.workbench.upkeep.storage_failover import Command


def answer_commands(steps: Sequence[Command]) -> None:
    """Each with its number, and its commands below it."""
    for number, step in enumerate(steps, 1):
        answer()
        answer(styled(f"{number}. {step.what}", bold=True))
        for line in step.commands.splitlines():
            answer(f"    {line}")
