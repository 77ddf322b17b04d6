"""Facts on listening sockets and the programs that own them, from ``/proc`` alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from rbdtui.facts.fact import KIB, Fact, sections
from rbdtui.facts.model import Listener
from rbdtui.transport.answers import whole_number

_LISTENING: Final = r": [0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:[0-9A-F]{4} %s "
"""A line of ``/proc/net/tcp`` or ``udp`` in a state: 0A listens (TCP), 07 is unconnected (UDP)."""

_INIT: Final = 1
"""systemd keeps a copy of the sockets that it hands to services; the service is the one to name."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A listening socket as the kernel lists it."""

    protocol: str
    address: str
    port: int
    inode: int
    """0 for a socket of the kernel itself, e.g. VXLAN's."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a socket."""

    pid: int
    process: str
    unit: str


def parse_sockets(text: str) -> tuple[Socket, ...]:
    """Read the listening lines of ``/proc/net/{tcp,tcp6,udp,udp6}``, each under its heading."""
    sockets = []
    for heading, lines in sections(text).items():
        for line in lines:
            fields = line.split()
            address, port = fields[1].split(":")
            number = whole_number(port, 16, most=0xFFFF)
            sockets.append(Socket(heading.removesuffix("6"), socket_address(address), number, whole_number(fields[9])))
    return tuple(sockets)


def socket_address(address_hex: str) -> str:
    """An address as ``/proc/net/tcp`` writes it: in words of four bytes, each with its bytes reversed."""
    words = [bytes.fromhex(address_hex[i : i + 8])[::-1] for i in range(0, len(address_hex), 8)]
    packed = b"".join(words)
    if len(packed) == 4:
        return str(IPv4Address(packed))
    address = IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def parse_owners(text: str) -> dict[int, Owner]:
    """Read who holds which socket: inode and process lines, then names and control groups by process."""
    parts = sections(text)
    names = dict(_by_pid(parts.get("names", ()), "comm"))
    units = {pid: _unit(group) for pid, group in _by_pid(parts.get("groups", ()), "cgroup")}
    owners: dict[int, Owner] = {}
    for line in parts.get("holders", ()):
        match = re.fullmatch(r"([0-9]{1,18}) /proc/([0-9]{1,18})/fd:", line.strip())
        if match:
            inode, pid = int(match[1]), int(match[2])
            if inode not in owners or owners[inode].pid == _INIT:
                owners[inode] = Owner(pid, names.get(pid, ""), units.get(pid, ""))
    return owners


def _by_pid(lines: Iterable[str], file: str) -> Iterable[tuple[int, str]]:
    for line in lines:
        match = re.match(rf"/proc/([0-9]{{1,18}})/{file}:(.*)", line)
        if match:
            yield int(match[1]), match[2].strip()


def _unit(group: str) -> str:
    """``kubepods`` or the innermost systemd unit of a control group's path."""
    if "kubepods" in group:
        return "kubepods"
    parts = group.replace(":", "/").split("/")
    return next((part for part in reversed(parts) if part.endswith((".service", ".socket"))), "")


def join_listeners(sockets: Iterable[Socket], owners: Mapping[int, Owner]) -> tuple[Listener, ...]:
    """The sockets with their owners, each (protocol, address, port) once."""
    listeners: dict[tuple[str, str, int], Listener] = {}
    for socket in sockets:
        owner = owners.get(socket.inode, Owner(0, "", ""))
        key = (socket.protocol, socket.address, socket.port)
        listeners.setdefault(key, Listener(*key, owner.process, owner.pid, owner.unit))
    return tuple(listeners[key] for key in sorted(listeners, key=lambda key: (key[2], key[0], key[1])))


_SOCKETS_BYTES: Final = 256 * KIB
SOCKETS: Fact[tuple[Socket, ...]] = Fact(
    "sockets",
    f"""for file in tcp tcp6 udp udp6; do
  state=0A
  case $file in udp*) state=07 ;; esac
  echo "== $file"
  [ ! -r "/proc/net/$file" ] || grep -E "{_LISTENING % "$state"}" "/proc/net/$file" || :
done""",
    parse_sockets,
    (),
    limit_bytes=_SOCKETS_BYTES,
)
SOCKET_OWNERS: Fact[dict[int, Owner]] = Fact(
    "socket_owners",
    f"""inodes=$(cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 2>/dev/null |
  grep -E '{_LISTENING % "(0A|07)"}' | sed 's/^ *//; s/  */ /g' | cut -d ' ' -f 10 | sort -u | tr '\\n' '|')
[ -n "$inodes" ] || exit 0
holders=$(ls -lnU /proc/[0-9]*/fd 2>/dev/null |
  sed -E -n -e '/^\\/proc/h' -e "/socket:\\[(${{inodes%|}})\\]/{{s/.*socket:\\[([0-9]*)\\].*/\\1/;G;s/\\n/ /;p}}")
echo '== holders'
printf '%s\\n' "$holders"
dirs=$(printf '%s\\n' "$holders" | sed -n 's/^[0-9]* \\(.*\\)\\/fd:$/\\1/p' | sort -u)
[ -n "$dirs" ] || exit 0
set --
for dir in $dirs; do set -- "$@" "$dir/comm"; done
echo '== names'
grep -H . "$@" 2>/dev/null
set --
for dir in $dirs; do set -- "$@" "$dir/cgroup"; done
echo '== groups'
grep -H -m 1 -E 'kubepods|[.](service|socket)' "$@" 2>/dev/null
exit 0""",
    parse_owners,
    {},
    limit_s=8,
    limit_bytes=_SOCKETS_BYTES,
)
