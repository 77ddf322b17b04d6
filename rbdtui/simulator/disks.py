"""The disks of a simulated machine: the system's, and an empty one as Ceph may be given."""

from __future__ import annotations

from rbdtui.simulator.machine import Machine


def serial(machine: Machine) -> str:
    """Of the empty one."""
    return f"SIM-{machine.identity('disk')[:12].upper()}"


def links(machine: Machine) -> tuple[str, ...]:
    """The names under which that is found."""
    return (f"/dev/disk/by-id/scsi-{serial(machine)}", "/dev/disk/by-path/pci-0000:00:05.0-scsi-0:0:0:1")


def listed(machine: Machine) -> str:
    """As lsblk lists both, and the links that lead to them."""
    size, own = machine.hardware.disk_bytes, serial(machine)
    devices = [
        ("sda", "", "disk", "", "", "SIM SYSTEM", f"SYS-{own}"),
        ("sda1", "sda", "part", "ext4", "/", "", ""),
        ("sdb", "", "disk", machine.disk_signature, "", "SIM DATA", own),
    ]
    rows = [
        f'KNAME="{name}" PKNAME="{parent}" TYPE="{kind}" SIZE="{size}" ROTA="0" RO="0" RM="0" FSTYPE="{signature}" '
        f'MOUNTPOINT="{mounted}" MODEL="{model}" SERIAL="{told}" PTTYPE="{"gpt" if name == "sda" else ""}"\n'
        for name, parent, kind, signature, mounted, model, told in devices
    ]
    found = [("/dev/sda", f"/dev/disk/by-id/scsi-SYS-{own}"), *(("/dev/sdb", link) for link in links(machine))]
    shown = "".join(f"{link}\t{device}\n" for device, link in found)
    return f"== devices\n{''.join(rows)}== links\n{shown}"
