"""Names and addresses of a lab: what is derived from its name and its quarter of the lab's network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from tests.lab.shell import LabError

LAB_NETWORK = IPv4Network("198.51.100.0/24")
"""A network for documentation (RFC 5737, TEST-NET-2), so no real machine is ever meant."""
SECOND_NETWORK = IPv4Network("203.0.113.0/24")
"""Another one (TEST-NET-3), for second network cards."""
QUARTERS = tuple(LAB_NETWORK.subnets(new_prefix=26))

OP_USER = "op"
OP_PASSWORD = 'Op"er$at!or 1'
"""SSH and sudo password of `op`: quote, dollar, exclamation mark and space are there to break careless quoting."""
BASTION_USER = "jump"

JUMP = "jump"
"""Name of this machine where a fault may be put on its uplink."""
BASTION = "bastion"

_JUMP_OFFSET = 1
_BASTION_OFFSET = 10
_FIRST_HOST_OFFSET = 11
_FIRST_VIP_OFFSET = 50
MAX_HOSTS = _FIRST_VIP_OFFSET - _FIRST_HOST_OFFSET
_NAME = re.compile(r"[a-z][a-z0-9]{0,7}")


@dataclass(frozen=True, slots=True)
class Host:
    """One machine of the lab; `index` 0 is the bastion."""

    name: str
    index: int
    address: str
    keepalived: bool
    """Whether keepalived is installed from the start."""
    behind_bastion: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a lab consists of; written to disk, so that another process finds the lab again."""

    name: str
    quarter: int
    hosts: tuple[Host, ...]
    bastion: Host | None
    disk_gib: int

    @property
    def network(self) -> IPv4Network:
        """The lab's quarter."""
        return QUARTERS[self.quarter]

    @property
    def second_network(self) -> IPv4Network:
        """Where second network cards are; this machine is not in it."""
        return tuple(SECOND_NETWORK.subnets(new_prefix=26))[self.quarter]

    def second_address(self, host: Host) -> str:
        """What a host has there."""
        return str(self.second_network[_FIRST_HOST_OFFSET + host.index - 1])

    @property
    def jump_address(self) -> str:
        """This machine, as the hosts see it."""
        return _address(self.quarter, _JUMP_OFFSET)

    @property
    def vips(self) -> tuple[str, ...]:
        """Addresses that the lab itself never uses."""
        last = self.network.num_addresses - 2
        return tuple(_address(self.quarter, offset) for offset in range(_FIRST_VIP_OFFSET, last + 1))

    @property
    def machines(self) -> tuple[Host, ...]:
        """Everything that boots: the hosts, and the bastion before them where there is one."""
        return ((self.bastion,) if self.bastion else ()) + self.hosts

    def machine(self, name: str) -> Host:
        """The machine of that name; `LabError` where there is none."""
        for host in self.machines:
            if host.name == name:
                return host
        raise LabError(f"no host {name!r}; there are {', '.join(host.name for host in self.machines)}")


def check_name(name: str) -> None:
    """Refuse a name that would not fit into the names of links."""
    if not _NAME.fullmatch(name):
        raise LabError(f"lab name {name!r}: a letter, then at most seven letters or digits, all lower case")


def make_plan(
    name: str,
    quarter: int,
    *,
    host_count: int,
    without_keepalived: Sequence[str] | None,
    bastion_for: Sequence[str],
    disk_gib: int,
) -> Plan:
    """Lay out a lab; `LabError` for a name or number that cannot be."""
    check_name(name)
    if not 1 <= host_count <= MAX_HOSTS:
        raise LabError(f"{host_count} hosts: from 1 to {MAX_HOSTS} are possible")
    if quarter not in range(len(QUARTERS)):
        raise LabError(f"quarter {quarter}: 0 to {len(QUARTERS) - 1}")
    names = [f"n{index}" for index in range(1, host_count + 1)]
    bare = names[2:3] if without_keepalived is None else list(without_keepalived)
    unknown = sorted({*bare, *bastion_for} - set(names))
    if unknown:
        raise LabError(f"no such hosts: {', '.join(unknown)}")
    hosts = tuple(
        Host(each, index, _address(quarter, _FIRST_HOST_OFFSET + index - 1), each not in bare, each in bastion_for)
        for index, each in enumerate(names, start=1)
    )
    bastion = Host(BASTION, 0, _address(quarter, _BASTION_OFFSET), False, False) if bastion_for else None
    return Plan(name, quarter, hosts, bastion, disk_gib)


def bridge_name(lab: str) -> str:
    """The bridge that all hosts of a lab hang on."""
    return f"rbdlab-{lab}"


def second_bridge_name(lab: str) -> str:
    """The bridge that second network cards hang on."""
    return f"rbdlb2-{lab}"


def second_cable_name(lab: str, index: int) -> str:
    """The near end of the cable of a host's second network card."""
    return f"vc-{machine_name(lab, index)}"


def machine_name(lab: str, index: int) -> str:
    """Name of a host on this machine, unique over all labs."""
    return f"{lab}-{index}"


def cable_name(lab: str, index: int) -> str:
    """The near end of a host's cable: systemd-nspawn names it so for `--network-bridge`."""
    return f"vb-{machine_name(lab, index)}"


def group_name(lab: str, part: int | str) -> str:
    """The cgroup that holds every process of one host, or of the lab's helpers on this machine."""
    return f"{group_prefix(lab)}{part}"


def group_prefix(lab: str) -> str:
    """What the names of all cgroups of a lab begin with."""
    return f"rbdlab-{lab}-"


def squatter_name(lab: str, address: str) -> str:
    """Network namespace and cable of the machine that squats on an address."""
    return f"sq-{lab}-{address.rsplit('.', 1)[1]}"


def squatter_prefix(lab: str) -> str:
    """What the names of all squatters of a lab begin with."""
    return f"sq-{lab}-"


def _address(quarter: int, offset: int) -> str:
    return str(QUARTERS[quarter][offset])
