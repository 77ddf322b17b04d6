"""The script that shows a part of a host for a support bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.machine import Machine

_CONFIG: Final = ("/etc/rancher/rke2/", "/etc/keepalived/", "/etc/haproxy/", "/etc/sysctl.d/", "/etc/modules-load.d/")
_UNITS: Final = ("rke2-server", "rke2-agent", "keepalived", "haproxy")


def _system(machine: Machine) -> str:
    disks = "\n".join(f"{disk.path} {disk.available_bytes} bytes free" for disk in machine.files.disks)
    return f"$ uname -a\nLinux {machine.name}\n\n$ df\n{disks}\n"


def _network(machine: Machine) -> str:
    hosts = machine.files.text("/etc/hosts")
    return f"$ ip address\ninet {machine.ip}\n\n--- /etc/hosts\n{hosts}\n"


def _units(machine: Machine) -> str:
    known = machine.systemd.all_units()
    return "\n".join(f"Id={unit.name}\nActiveState={unit.active.value}\nSubState={unit.sub_state}\n" for unit in known)


def _journal(*units: str) -> Callable[[Machine], str]:
    def show(machine: Machine) -> str:
        lines = [line.text for unit in units for line in machine.systemd.lines(unit)]
        return "\n".join([f"$ journalctl {' '.join(f'-u {unit}' for unit in units)}", *lines, ""])

    return show


def _config(machine: Machine) -> str:
    files = [path for path in machine.files.walk() if path.startswith(_CONFIG) and not machine.files.is_dir(path)]
    return "".join(f"--- {path}\n{machine.files.text(path)}\n" for path in files)


def _absent(program: str) -> Callable[[Machine], str]:
    return lambda _: f"$ {program}\nsh: 1: {program}: not found\n(exit 127)\n"


_PARTS: Final[Mapping[str, Callable[[Machine], str]]] = {
    "system": _system,
    "network": _network,
    "units": _units,
    "rke2": _journal("rke2-server", "rke2-agent"),
    "keepalived": _journal("keepalived", "haproxy"),
    "kernel": _absent("journalctl"),
    "config": _config,
    "logs": lambda _: "",
    "containers": _absent("crictl"),
    "state": lambda machine: f"--- /var/lib/rbdtui/claim.json\n{machine.files.text('/var/lib/rbdtui/claim.json')}\n",
}


async def support_show(call: Call) -> int:
    """``support-show PART BYTES``."""
    part, most = call.args
    if part not in _PARTS:
        return 2
    call.out(_PARTS[part](call.machine).encode()[-int(most) :])
    return 0


VERBS: Verbs = {"support-show": support_show}
