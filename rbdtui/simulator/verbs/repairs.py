"""Scripts by which repairs change a machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rbdtui.simulator.call import Call, Verbs

_USERS: Final = "/etc/passwd"


async def swap_off(call: Call) -> int:
    """Turn swap off."""
    call.machine.hardware = replace(call.machine.hardware, swap_bytes=0)
    call.machine.files.put("/proc/swaps", "Filename Type Size Used Priority\n")
    return 0


async def attributes_state(call: Call) -> int:
    """The file system here knows no attributes."""
    return 0


async def attributes_clear(call: Call) -> int:
    """As ``chattr`` says it of such a file system."""
    return call.fail(f"chattr: Operation not supported while reading flags on {call.args[0]}", 3)


async def user_add(call: Call) -> int:
    """Add a line to the users."""
    name, comment = call.args
    files = call.machine.files
    files.put(_USERS, f"{files.text(_USERS)}{name}:x:999:999:{comment}:/home/{name}:/sbin/nologin\n")
    return 0


VERBS: Verbs = {
    "attributes-clear": attributes_clear,
    "attributes-state": attributes_state,
    "swap-off": swap_off,
    "user-add": user_add,
}
