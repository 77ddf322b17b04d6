"""The script ``facts``: what the real commands would print on a simulated machine, for the product's own parsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from rbdtui.facts.compose import frame_outputs
from rbdtui.facts.disks import PATHS
from rbdtui.facts.fact import Output
from rbdtui.facts.kernel import MODULES, SYSCTL_KEYS
from rbdtui.facts.software import CLAIM_FILE, FILES, LEFTOVER_PATHS, PACKAGES, RKE2_BIN, TOOLS, UNITS
from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.disks import listed
from rbdtui.simulator.files import Kind
from rbdtui.simulator.kubernetes.cluster import cluster_of
from rbdtui.simulator.kubernetes.layout import KUBECONFIG
from rbdtui.simulator.kubernetes.store import StatusError
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.network import Listening
from rbdtui.simulator.verbs.system import MODULES_ON_DISK, sysctl_value, unit_properties

_BLOCK_BYTES: Final = 4096
_INODES: Final = 13_000_000


def _uname(machine: Machine) -> str:
    return f"{machine.system.kernel}\n{machine.hardware.arch}\n"


def _hostname_addresses(machine: Machine) -> str:
    lines = (line.partition("#")[0].split() for line in machine.files.text("/etc/hosts").splitlines())
    return "".join(f"{words[0]}\n" for words in lines if machine.hostname in words[1:] and ":" not in words[0])


def _product_uuid(machine: Machine) -> str:
    word = machine.identity("product")
    return f"{word[:8]}-{word[8:12]}-{word[12:16]}-{word[16:20]}-{word[20:]}\n"


def _memory(machine: Machine) -> str:
    total = machine.hardware.memory_bytes // 1024
    swap = machine.hardware.swap_bytes // 1024
    return (
        f"MemTotal:       {total} kB\nMemFree:        {total // 2} kB\nMemAvailable:   {total * 9 // 10} kB\n"
        f"SwapTotal:      {swap} kB\nSwapFree:       {swap} kB\n"
        + "".join(f"fstab {line}\n" for line in machine.files.text("/etc/fstab").splitlines() if _is_swap(line))
    )


def _is_swap(line: str) -> bool:
    fields = line.split()
    return len(fields) > 2 and fields[0][0] != "#" and fields[2] == "swap"


def _mount_table(machine: Machine) -> str:
    lines = ["proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0", "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0"]
    for disk in machine.files.disks:
        lines.append(f"{disk.device} {disk.path} {disk.filesystem} {'ro' if disk.read_only else 'rw'},relatime 0 0")
    return "".join(f"{line}\n" for line in lines)


def _path_spaces(machine: Machine) -> str:
    lines = []
    for path in PATHS:
        real = machine.files.resolve(path)
        disk = machine.files.disk_of(real)
        access = "ro" if disk.read_only else "rw"
        blocks, free = disk.size_bytes // _BLOCK_BYTES, disk.available_bytes // _BLOCK_BYTES
        lines.append(f"{path}\t{real}\t{access}\t{_BLOCK_BYTES} {blocks} {free} {_INODES} {_INODES * 9 // 10}\n")
    return "".join(lines)


def _interfaces(machine: Machine) -> str:
    name = machine.interface
    addresses = "".join(f"2: {name}    inet {address} scope global {name}\n" for address in machine.addresses)
    return (
        f"== link\n{name} {machine.mac} 1500 0x1003\nlo 00:00:00:00:00:00 65536 0x9\n"
        f"== ip\n1: lo    inet 127.0.0.1/8 scope host lo\n{addresses}"
    )


def _little_endian(address: IPv4Address) -> str:
    return address.packed[::-1].hex().upper()


def _routes(machine: Machine) -> str:
    network = machine.address.network
    rows = [(IPv4Network("0.0.0.0/0"), network[1], 3), (network, IPv4Address(0), 1)]
    lines = ["Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"]
    for destination, gateway, flags in rows:
        words = [_little_endian(address) for address in (destination.network_address, gateway, destination.netmask)]
        lines.append(f"{machine.interface}\t{words[0]}\t{words[1]}\t{flags:04X}\t0\t0\t0\t{words[2]}\t0\t0\t0\n")
    return "".join(lines)


def _nameservers(machine: Machine) -> str:
    path = "/etc/resolv.conf"
    shown = f"== configured\n{machine.files.text(path)}\n" if machine.files.exists(path) else "== configured absent\n"
    return shown + "== upstream absent\n"


def _sockets(machine: Machine) -> str:
    lines = [
        f"   {number}: {_little_endian(IPv4Address(own.address))}:{own.port:04X} 00000000:0000 0A "
        f"00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0000000000000000 100 0 0 10 0\n"
        for number, (inode, _, own) in enumerate(_numbered(machine))
    ]
    return f"== tcp\n{''.join(lines)}== tcp6\n== udp\n== udp6\n"


def _numbered(machine: Machine) -> Iterator[tuple[int, int, Listening]]:
    """Inode, process id and socket of everything that listens."""
    for number, own in enumerate(machine.listening.values()):
        yield 20_000 + number, 700 + number, own


_UNIT_OF: Final = {
    "sshd": "ssh.service",
    "keepalived": "keepalived.service",
    "haproxy": "haproxy.service",
    "rke2": "rke2-server.service",
}


def _socket_owners(machine: Machine) -> str:
    holders, names, groups = [], [], []
    for inode, pid, own in _numbered(machine):
        holders.append(f"{inode} /proc/{pid}/fd:\n")
        names.append(f"/proc/{pid}/comm:{own.process[:15]}\n")
        group = f"system.slice/{_UNIT_OF[own.process]}" if own.process in _UNIT_OF else "kubepods/burstable"
        groups.append(f"/proc/{pid}/cgroup:0::/{group}\n")
    return f"== holders\n{''.join(holders)}== names\n{''.join(names)}== groups\n{''.join(groups)}"


def _kernel_modules(machine: Machine) -> str:
    loaded = "".join(f"loaded {name}\n" for name in MODULES if name in machine.modules)
    directory = f"kernel/{machine.system.kernel}"
    return loaded + "lists present\n" + "".join(
        f"available {directory}/{name}.ko.xz\n" for name in MODULES if name in MODULES_ON_DISK
    )  # fmt: skip


def _sysctl(machine: Machine) -> str:
    values = ((key, sysctl_value(machine, key)) for key in SYSCTL_KEYS)
    return "".join(f"{key} = {value}\n" for key, value in values if value is not None)


def _leftovers(machine: Machine) -> str:
    return "".join(f"{path}\n" for path in LEFTOVER_PATHS if _holds_anything(machine, path))


def _holds_anything(machine: Machine, path: str) -> bool:
    entry = machine.files.get(path)
    if entry is None:
        return False
    return entry.kind is not Kind.DIRECTORY or bool(machine.files.listdir(path))


def _units(machine: Machine) -> str:
    blocks = []
    for unit in UNITS:
        shown = unit_properties(machine, unit)
        blocks.append("".join(f"{key}={shown[key]}\n" for key in ("Id", "ActiveState", "UnitFileState")))
    return "\n".join(blocks)


def _packages(machine: Machine) -> str:
    return "== dpkg\n" + "".join(f"{name} ii \n" for name in PACKAGES if name in machine.packages)


def _lines_of(names: tuple[str, ...], there: Callable[[Machine, str], bool]) -> Callable[[Machine], str]:
    return lambda machine: "".join(f"{name}\n" for name in names if there(machine, name))


def _rke2(machine: Machine) -> str:
    link = machine.files.get(RKE2_BIN, follow=False)
    return f"{link.target}\n" if link is not None and link.kind is Kind.LINK else ""


def _rainbond(machine: Machine) -> str:
    cluster = cluster_of(machine)
    if cluster is None or not machine.files.exists(KUBECONFIG) or not cluster.serves(machine):
        return ""
    try:
        found = cluster.store.find(
            cluster.store.kind("rainbond.io", "rainbondclusters"), "rbd-system", "rainbondcluster"
        )
    except StatusError:
        return ""
    return str((found or {}).get("spec", {}).get("installVersion", ""))


def _file(path: str) -> Callable[[Machine], str]:
    return lambda machine: machine.files.text(path)


ANSWERS: Final[Mapping[str, Callable[[Machine], str]]] = {
    "os_release": _file("/etc/os-release"),
    "uname": _uname,
    "hostname": lambda machine: f"{machine.hostname}\n",
    "hosts_file": _file("/etc/hosts"),
    "machine_id": _file("/etc/machine-id"),
    "product_uuid": _product_uuid,
    "cpu_count": lambda machine: f"{machine.hardware.cpu_count}\n",
    "memory": _memory,
    "mount_table": _mount_table,
    "interfaces": _interfaces,
    "routes": _routes,
    "nameservers": _nameservers,
    "sockets": _sockets,
    "kernel_modules": _kernel_modules,
    "sysctl": _sysctl,
    "cgroups": lambda _: "== type\ncgroup2fs\n== v2\nrw\ncpuset cpu io memory hugetlb pids rdma misc\n",
    "selinux": lambda machine: {"enforcing": "1\n", "permissive": "0\n", "disabled": "disabled\n"}.get(
        machine.system.selinux, ""
    ),
    "selinux_at_boot": lambda machine: f"{machine.system.selinux}\n",
    "clock_synchronised": lambda _: "yes\n",
    "hosts_rewritten": lambda _: "",
    "immutable": lambda _: "--------------e------- /etc/hosts\n",
    "networkd_keeps": lambda _: "",
    "xfs_ftype": lambda _: "",
    "disks": listed,
    "turning_disks": lambda _: "disk 1 vda\npart 1 vda1\n",
    "users": lambda _: "",
    "rke2": _rke2,
    "rainbond": _rainbond,
    "apparmor": lambda machine: "Y\n" if "apparmor_parser" in machine.tools else "",
    "tools": _lines_of(TOOLS, lambda machine, name: name in machine.tools),
    "files": _lines_of(FILES, lambda machine, path: machine.files.exists(path)),
    "leftovers": _leftovers,
    "claim": _file(CLAIM_FILE),
    "firewall": lambda _: "== ufw\n== iptables\n-P INPUT ACCEPT\n",
    "units": _units,
    "packages": _packages,
    "socket_owners": _socket_owners,
    "path_spaces": _path_spaces,
    "hostname_addresses": _hostname_addresses,
}
"""What each fact's command prints, by the fact's name."""


async def facts(call: Call) -> int:
    """``facts``."""
    outputs = {name: Output(0, answer(call.machine)) for name, answer in ANSWERS.items()}
    call.out(frame_outputs(outputs, call.machine.clock()))
    return 0


VERBS: Verbs = {"facts": facts}
