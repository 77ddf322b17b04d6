"""Facts on the network: interfaces with their IPv4 addresses, routes, and the resolver's servers.

Addresses come from ``ip`` where the host has it, else from ``/proc/net/fib_trie`` and ``/proc/net/route``: the first
knows which addresses are the host's own, the second which interface serves their network and with which prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from rbdtui.facts.fact import KIB, Fact, sections, shown
from rbdtui.facts.model import Interface, Route
from rbdtui.transport.answers import whole_number

_IFF_UP: Final = 0x1
_RTF_UP, _RTF_GATEWAY, _RTF_REJECT = 0x1, 0x2, 0x200
_LOOPBACK: Final = IPv4Network("127.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Nameservers:
    """The resolver's servers: as programs see them, and as systemd-resolved asks them itself."""

    configured: tuple[str, ...] | None
    """None when there is no ``/etc/resolv.conf``."""
    upstream: tuple[str, ...] = ()


def parse_routes(text: str) -> tuple[Route, ...]:
    """Read ``/proc/net/route``: addresses are hexadecimal in the byte order of a little-endian machine."""
    routes = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 8 or fields[0] == "Iface":
            continue
        flags = whole_number(fields[3], 16)
        if flags & _RTF_UP and not flags & _RTF_REJECT:
            destination = IPv4Network(f"{_address(fields[1])}/{_address(fields[7])}", strict=False)
            gateway = _address(fields[2]) if flags & _RTF_GATEWAY else None
            routes.append(Route(destination, gateway, fields[0]))
    return tuple(routes)


def _address(little_endian_hex: str) -> IPv4Address:
    return IPv4Address(bytes.fromhex(little_endian_hex.zfill(8))[::-1])


def parse_interfaces(text: str) -> tuple[Interface, ...]:
    """Read our own ``link`` lines, then ``ip -o -4 addr`` or the two tables of the kernel."""
    parts = sections(text)
    links = [_link(line) for line in parts["link"] if line]
    lent: dict[str, list[IPv4Address]] = {}
    if "ip" in parts:
        held, lent = _addresses_of_ip(parts["ip"])
    else:
        routes = parse_routes("\n".join(parts["route"]))
        held = _addresses_of_tables(parts["fib_trie"], routes)
    return tuple(
        replace(link, addresses=tuple(held.get(link.name, ())), leased=tuple(lent.get(link.name, ()))) for link in links
    )


def _link(line: str) -> Interface:
    name, mac, mtu, flags = line.split(" ")
    return Interface(name, mac.lower(), whole_number(mtu), bool(whole_number(flags, 16) & _IFF_UP))


def _addresses_of_ip(
    lines: Iterable[str],
) -> tuple[dict[str, list[IPv4Interface]], dict[str, list[IPv4Address]]]:
    """All addresses by interface, and those of them that are marked ``dynamic``: their life is limited."""
    held: dict[str, list[IPv4Interface]] = {}
    lent: dict[str, list[IPv4Address]] = {}
    for line in lines:
        number, name, family, address, *more = [*line.split(), "", "", "", ""]
        if number.removesuffix(":").isdecimal() and family == "inet" and address:
            # Of a point-to-point link the prefix stands with the peer.
            prefix = (more[1] if more[0] == "peer" else address).partition("/")[2] or "32"
            own = IPv4Interface(f"{address.partition('/')[0]}/{prefix}")
            held.setdefault(name.partition("@")[0], []).append(own)
            if "dynamic" in line.partition("\\")[0].split():
                lent.setdefault(name.partition("@")[0], []).append(own.ip)
    return held, lent


def _addresses_of_tables(trie: Iterable[str], routes: Iterable[Route]) -> dict[str, list[IPv4Interface]]:
    connected: dict[IPv4Network, str] = {}
    for route in routes:
        if route.gateway is None:
            connected.setdefault(route.destination, route.interface)
    lengths = sorted({network.prefixlen for network in connected}, reverse=True)
    held: dict[str, list[IPv4Interface]] = {}
    for address in _own_addresses(trie):
        if address in _LOOPBACK:
            held.setdefault("lo", []).append(IPv4Interface(f"{address}/8"))
            continue
        around = (IPv4Network((address, length), strict=False) for length in lengths)
        network = next((each for each in around if each in connected), None)
        if network is not None:
            held.setdefault(connected[network], []).append(IPv4Interface(f"{address}/{network.prefixlen}"))
    return held


def _own_addresses(trie: Iterable[str]) -> list[IPv4Address]:
    """Leaves of the trie marked ``/32 host LOCAL``; the same tables may be printed twice (Main and Local)."""
    own: dict[IPv4Address, None] = {}
    leaf: IPv4Address | None = None
    for line in trie:
        if match := re.search(r"\|-- ([0-9.]+)", line):
            leaf = IPv4Address(match[1])
        elif "/32 host LOCAL" in line and leaf is not None:
            own[leaf] = None
    return list(own)


def parse_nameservers(text: str) -> Nameservers:
    """Read the ``nameserver`` lines of both files; a heading that ends with ``absent`` has no file."""
    parts = sections(text)
    configured = None if "configured absent" in parts else _servers(parts["configured"])
    return Nameservers(configured, _servers(parts.get("upstream", [])))


def _servers(lines: Iterable[str]) -> tuple[str, ...]:
    matches = (re.match(r"nameserver\s+(\S+)", line) for line in lines)
    return tuple(match[1] for match in matches if match)


_TABLE_BYTES: Final = 256 * KIB
INTERFACES: Fact[tuple[Interface, ...]] = Fact(
    "interfaces",
    """echo '== link'
for dir in /sys/class/net/*; do
  [ -r "$dir/mtu" ] || continue
  mac='' mtu=0 flags=0
  { read -r mac <"$dir/address"; read -r mtu <"$dir/mtu"; read -r flags <"$dir/flags"; } 2>/dev/null || :
  printf '%s %s %s %s\\n' "${dir##*/}" "$mac" "$mtu" "$flags"
done
if command -v ip >/dev/null; then
  echo '== ip'
  ip -o -4 addr show
else
  echo '== fib_trie'
  cat /proc/net/fib_trie
  echo '== route'
  cat /proc/net/route
fi""",
    parse_interfaces,
    (),
    limit_bytes=_TABLE_BYTES,
)
ROUTES: Fact[tuple[Route, ...]] = Fact(
    "routes", shown("/proc/net/route", _TABLE_BYTES), parse_routes, (), limit_bytes=_TABLE_BYTES
)
NAMESERVERS = Fact(
    "nameservers",
    """show() {
  if [ -e "$2" ]; then
    echo "== $1"
    head -c 16384 "$2"
    echo
  else
    echo "== $1 absent"
  fi
}
show configured /etc/resolv.conf
show upstream /run/systemd/resolve/resolv.conf""",
    parse_nameservers,
    Nameservers(()),
)
