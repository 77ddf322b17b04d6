"""What a runner needs to be given: the parts that a run is carried out with, and who puts them together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from rbdtui.engine.events import ProbeChanged
from rbdtui.engine.inputs import RunInputs
from rbdtui.plan.step import Bundle, Plan
from rbdtui.transport.base import Host


class HealthSource(Protocol):
    """Where the health of the cluster comes from while a run is under way."""

    def changes(self) -> AsyncGenerator[ProbeChanged, None]:
        """Answers that differ from those before, first of all every first answer; goes on until it is cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class RunParts:
    """What a run is carried out with."""

    plan: Plan
    hosts: Mapping[str, Host]
    """By node name."""
    bundle: Bundle
    health: HealthSource | None = None


Assemble = Callable[[RunInputs, Callable[[str], str]], AbstractAsyncContextManager[RunParts]]
"""Puts the parts together from the inputs and a way to get a secret by name; leaving the block lets go of the hosts."""
