"""Faults by name, for whoever steers a fleet from another process."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.state import fleet_state

Action = Callable[..., object]


class Control:
    """Takes lines of JSON: ``do`` is the fault, the other keys its arguments."""

    def __init__(self, fleet: SimulatedFleet) -> None:
        self._fleet = fleet
        self._actions: Mapping[str, Action] = {
            "change_host_key": fleet.change_host_key,
            "crash_component": fleet.crash_component,
            "cut": fleet.cut,
            "fail_next": fleet.fail_next,
            "free_disk": fleet.free_disk,
            "full_disk": fleet.full_disk,
            "greet": fleet.greet,
            "hang": fleet.hang,
            "heal_rainbond": fleet.heal_rainbond,
            "kill": fleet.kill,
            "lose_image": fleet.lose_image,
            "mend": fleet.mend,
            "power_off": fleet.power_off,
            "power_on": fleet.power_on,
            "read_only": fleet.read_only,
            "reboot": fleet.reboot,
            "silence_database": fleet.silence_database,
            "silence_nfs": fleet.silence_nfs,
            "skew": fleet.skew,
            "slow": fleet.slow,
            "squat": fleet.squat,
            "state": lambda: fleet_state(fleet),
            "unsquat": fleet.unsquat,
            "wake": fleet.wake,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What can be asked for."""
        return tuple(self._actions)

    async def obey(self, line: bytes) -> dict[str, object]:
        """Do what a line says; ``{"ok": true}`` with an answer where there is one, or ``{"ok": false, "error": …}``."""
        try:
            wanted = json.loads(line)
            action = self._actions[wanted.pop("do")]
            name = wanted.pop("node", None)
            answer = action(**({} if name is None else {"name": name}), **wanted)
            if inspect.isawaitable(answer):
                answer = await cast(Awaitable[object], answer)
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}
        return {"ok": True} if answer is None else {"ok": True, "answer": answer}
