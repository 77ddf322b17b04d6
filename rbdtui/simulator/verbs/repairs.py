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


async def swap_on(call: Call) -> int:
    """``swap-on DEVICE...``."""
    lines = "".join(f"{device} partition 1 0 -2\n" for device in call.args)
    call.machine.files.put("/proc/swaps", f"{call.machine.files.text('/proc/swaps')}{lines}")
    call.machine.hardware = replace(call.machine.hardware, swap_bytes=2**30)
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


async def user_remove(call: Call) -> int:
    """Take the line out again."""
    lines = call.machine.files.text(_USERS).splitlines(keepends=True)
    call.machine.files.put(_USERS, "".join(line for line in lines if not line.startswith(f"{call.args[0]}:")))
    return 0


VERBS: Verbs = {
    "attributes-clear": attributes_clear,
    "attributes-set": attributes_clear,
    "attributes-state": attributes_state,
    "swap-off": swap_off,
    "swap-on": swap_on,
    "user-add": user_add,
    "user-remove": user_remove,
}
