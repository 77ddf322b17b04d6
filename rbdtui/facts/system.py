"""Facts on the system as such: distribution, kernel, names, identifiers, processors and memory."""

from __future__ import annotations

import re
import shlex
from typing import Final

from rbdtui.facts.fact import KIB, Fact, shown
from rbdtui.facts.model import HostsEntry, Memory, OsRelease
from rbdtui.transport.answers import whole_number

_LONGEST_VALUE: Final = 300
_HOSTS_BYTES: Final = 512 * KIB
_ARCHES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def parse_os_release(text: str) -> OsRelease:
    """Read ``os-release``: shell assignments, values quoted or not."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            values[name] = _unquoted(value)
    if "ID" not in values:
        raise ValueError("no ID in os-release")
    return OsRelease(
        id=values["ID"],
        version_id=values.get("VERSION_ID", ""),
        pretty_name=values.get("PRETTY_NAME", ""),
        id_like=tuple(values.get("ID_LIKE", "").split()),
    )


def _unquoted(value: str) -> str:
    try:
        return "".join(shlex.split(value[:_LONGEST_VALUE]))
    except ValueError:
        return value[:_LONGEST_VALUE].strip("'\"")


def parse_uname(text: str) -> tuple[str, str]:
    """Kernel release and architecture, the latter in the words of the bundle where it has one."""
    kernel, machine = text.split()
    return kernel, _ARCHES.get(machine, machine)


def parse_line(text: str) -> str:
    """The first line that is not empty; '' when there is none."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def parse_cpu_count(text: str) -> int:
    """The number that ``nproc`` prints."""
    return whole_number(text.strip())


def parse_memory(text: str) -> Memory:
    """Read ``/proc/meminfo`` and, marked by ``fstab``, the swap lines of ``/etc/fstab``."""
    kib = {name: whole_number(value) for name, value in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
    free = kib.get("MemFree", 0) + kib.get("Buffers", 0) + kib.get("Cached", 0)
    return Memory(
        total_bytes=kib["MemTotal"] * 1024,
        available_bytes=kib.get("MemAvailable", free) * 1024,
        swap_bytes=kib.get("SwapTotal", 0) * 1024,
        swap_in_fstab=re.search(r"^fstab ", text, re.MULTILINE) is not None,
    )


def parse_hosts_file(text: str) -> tuple[HostsEntry, ...]:
    """Read ``/etc/hosts`` without its comments."""
    entries = []
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if names:
            entries.append(HostsEntry(address, tuple(names)))
    return tuple(entries)


def parse_hostname_addresses(text: str) -> tuple[str, ...] | None:
    """The addresses that ``getent ahostsv4`` printed, each once; None when the host has no getent."""
    lines = text.split()
    if lines[:1] == ["no-getent"]:
        return None
    return tuple(dict.fromkeys(line for line in lines if re.fullmatch(r"[0-9.]+", line)))


OS_RELEASE = Fact(
    "os_release",
    f"{shown('/etc/os-release')} 2>/dev/null || {shown('/usr/lib/os-release')}",
    parse_os_release,
    OsRelease(),
)
UNAME = Fact("uname", "uname -r; uname -m", parse_uname, ("", ""))
HOSTNAME = Fact("hostname", "cat /proc/sys/kernel/hostname", parse_line, "")
HOSTNAME_ADDRESSES: Fact[tuple[str, ...] | None] = Fact(
    "hostname_addresses",
    "command -v getent >/dev/null || { echo no-getent; exit 0; }\n"
    'timeout 2 getent ahostsv4 "$(cat /proc/sys/kernel/hostname)" | sed "s/[[:space:]].*//"',
    parse_hostname_addresses,
    None,
)
HOSTS_FILE: Fact[tuple[HostsEntry, ...]] = Fact(
    "hosts_file", shown("/etc/hosts", _HOSTS_BYTES), parse_hosts_file, (), limit_bytes=_HOSTS_BYTES
)
MACHINE_ID = Fact("machine_id", f"{shown('/etc/machine-id')} 2>/dev/null || :", parse_line, "")
PRODUCT_UUID = Fact("product_uuid", "cat /sys/class/dmi/id/product_uuid 2>/dev/null || :", parse_line, "")
CPU_COUNT = Fact("cpu_count", "nproc", parse_cpu_count, 0)
MEMORY = Fact(
    "memory",
    'cat /proc/meminfo\ngrep -E "^[^#]+[[:space:]]swap[[:space:]]" /etc/fstab 2>/dev/null | sed "s/^/fstab /" || :',
    parse_memory,
    Memory(),
)
