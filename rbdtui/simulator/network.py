"""The network of a simulated fleet: who can reach whom, and what answers where."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Any, Final, Generic, Protocol, TypeVar

from rbdtui.simulator.files import os_error
from rbdtui.simulator.pace import Pace

NO_ANSWER_S: Final = 20.0
"""How long a connection to nowhere stays without an answer; whoever asks has a shorter limit."""


@dataclass(slots=True)
class Listening:
    """A socket that waits for peers."""

    address: str
    """``0.0.0.0`` for all."""
    port: int
    process: str
    backend: tuple[str, int] | None = None
    """The real socket on loopback that serves it; None: connections are taken and nothing is said."""
    leads_to: Callable[[], tuple[str, int] | None] | None = None
    """Of a balancer's port: where the next connection is forwarded to, None when to nobody."""


class SimHost(Protocol):
    """What the network knows of a machine."""

    name: str
    powered: bool
    address: IPv4Interface
    addresses: list[IPv4Interface]

    def listener(self, address: str, port: int) -> Listening | None:
        """What waits on a port of one of its addresses."""
        ...


SimHostT = TypeVar("SimHostT", bound=SimHost)


class Network(Generic[SimHostT]):
    """The segment that all machines of a fleet are on."""

    def __init__(self, pace: Pace, seed: int) -> None:
        self.pace = pace
        self.random = random.Random(seed)  # noqa: S311 - invented latencies, nothing secret
        self.machines: list[SimHostT] = []
        self.squatters: set[IPv4Address] = set()
        """Addresses that a foreign device answers for."""
        self.announced: list[str] = []
        """Virtual routers of others, each as ``SOURCE VERSION ROUTER_ID PRIORITY ADDRESS``."""
        self.without_vrrp: set[str] = set()
        """Machines whose packet filter drops what comes in of IP protocol 112."""
        self.without_vxlan: set[str] = set()
        """Machines whose packet filter drops what comes in for VXLAN's port."""
        self.trials: dict[str, dict[str, str]] = {}
        """Who takes part in each trial of packets: names of machines by their addresses."""
        self.speakers: list[Any] = []
        """VRRP instances that run; see `rbdtui.simulator.keepalived`."""
        self.clusters: dict[str, Any] = {}
        """Which cluster a machine joined last, by the machine's name; see `rbdtui.simulator.kubernetes.cluster`."""
        self.node_passwords_made: dict[str, int] = {}
        """How many installations of a machine made themselves a node password, by the machine's name."""
        self.bundled_ingress = "rke2-ingress-nginx"
        """The ingress that RKE2 brings unless it is told otherwise; ``rke2-traefik`` since v1.36."""
        self._cut: set[str] = set()
        self._contents: dict[str, bytes] = {}

    def shared(self, sha256: str, content: bytes) -> bytes:
        """The same content as one object, however many machines have it."""
        return self._contents.setdefault(sha256, content)

    def cut(self, name: str) -> None:
        """Unplug a machine."""
        self._cut.add(name)

    def mend(self, name: str) -> None:
        """Plug a machine in again."""
        self._cut.discard(name)

    def plugged(self, machine: SimHostT) -> bool:
        """Whether a machine runs and has a link."""
        return machine.powered and machine.name not in self._cut

    def linked(self, one: SimHostT, other: SimHostT) -> bool:
        """Whether packets pass between two machines."""
        return one is other or (self.plugged(one) and self.plugged(other))

    def holders(self, address: IPv4Address) -> list[SimHostT]:
        """Running machines that have an address on an interface."""
        return [m for m in self.machines if m.powered and any(own.ip == address for own in m.addresses)]

    def seen_by(self, machine: SimHostT, others: Iterable[SimHostT]) -> list[SimHostT]:
        """Those of the others that a machine can talk to."""
        return [other for other in others if self.linked(machine, other)]

    async def find(self, source: SimHostT, address: str, port: int) -> tuple[SimHostT, Listening]:
        """What a TCP connection from a machine meets; raises `OSError` as ``connect`` would, after as long."""
        try:
            wanted = IPv4Address(address) if address != "localhost" else IPv4Address("127.0.0.1")
        except ValueError:
            raise os_error(errno.EHOSTUNREACH, address) from None
        local = wanted == IPv4Address("127.0.0.1")
        target = source if local else next(iter(self.seen_by(source, self.holders(wanted))), None)
        if target is None and wanted in self.squatters and self.plugged(source):
            raise os_error(errno.ECONNREFUSED, f"{address}:{port}")
        if target is None:
            await self._nobody(source, wanted)
            raise os_error(errno.ETIMEDOUT, address)
        if not local and target is not source:
            await self.pace.sleep(self.random.uniform(0.0002, 0.0008))
        listening = target.listener(address, port)
        if listening is None:
            raise os_error(errno.ECONNREFUSED, f"{address}:{port}")
        return target, listening

    async def find_end(self, source: SimHostT, address: str, port: int) -> tuple[SimHostT, Listening]:
        """The same past all balancers in between: what answers in the end."""
        target, listening = await self.find(source, address, port)
        while listening.leads_to is not None:
            onward = listening.leads_to()
            if onward is None:
                raise os_error(errno.ECONNRESET, f"{address}:{port}")
            target, listening = await self.find(target, *onward)
        return target, listening

    async def _nobody(self, source: SimHostT, wanted: IPv4Address) -> None:
        if wanted in source.address.network and self.plugged(source):
            # Nobody answers for the address in the segment: the kernel gives up after three seconds.
            await self.pace.sleep(3.0)
            raise os_error(errno.EHOSTUNREACH, str(wanted))
        await self.pace.sleep(NO_ANSWER_S)
