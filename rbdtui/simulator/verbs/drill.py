"""The script that stops something for a drill."""

from __future__ import annotations

import asyncio

from rbdtui.simulator.call import Call, Verbs


async def drill(call: Call) -> int:
    """``drill ACTION UNIT ...``: the timer is a task that sleeps, and has no effect without power."""
    action, unit, *rest = call.args
    machine = call.machine
    timer = f"rbdtui-drill-{unit.removesuffix('.service')}"
    if action == "stop":

        async def start_later() -> None:
            await machine.network.pace.sleep(float(rest[0]))
            machine.receivers.pop(timer, None)
            if machine.powered:
                machine.start_unit(unit)

        machine.receivers[timer] = asyncio.create_task(start_later())
        await machine.systemd.stop(unit)
    elif action == "start":
        machine.start_unit(unit)
        if (task := machine.receivers.pop(timer, None)) is not None:
            task.cancel()
    elif action == "state":
        call.line(f"active={machine.systemd.unit(unit).active.value}")
        call.line(f"timer={'yes' if timer in machine.receivers else 'no'}")
    elif action != "gateway":  # no Rainbond runs there, so no gateway is ended
        return 64
    return 0


VERBS: Verbs = {"drill": drill}
