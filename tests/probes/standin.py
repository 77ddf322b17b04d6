"""A host whose scripts answer from a table and whose network is a table of loopback ports."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import DEFAULT_TIMEOUT_S, CommandResult, NotReachedError, Reach, ReachResult, TransportError
from rbdtui.transport.channel_stream import Stream
from rbdtui.transport.scripts import Script
from tests.stand_in import StandInHost

NAMES: Mapping[str, Sequence[str]] = dict.fromkeys(("goodrain.me", "region.goodrain.me"), ("198.51.100.50",))
"""What every host finds for Rainbond's names in a site as `spec_of` plans it."""
Network = dict[tuple[str, int], int | Reach]
"""What answers at an address and port: a port of ours, or how the attempt ends; what is not there is refused."""


def health_output(
    *addresses: str,
    disks: Mapping[str, int] | None = None,
    keepalived: str = "loaded active running",
    skew_s: float = 0.0,
    rke2: str = "loaded active running",
    listens: bool = True,
    boot: str = "11111111",
    inodes: Mapping[str, int] | None = None,
    names: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """What the ``health`` script prints on a host."""
    units = {"keepalived": keepalived, "rke2-server": rke2, "rke2-agent": rke2}
    lines = [
        f"time {time.time() + skew_s:.9f}",
        *(
            "unit {} LoadState={} ActiveState={} SubState={}".format(name, *state.split())
            for name, state in units.items()
        ),
        *(["listens 9345"] if listens else []),
        *(f"address {address}" for address in ("127.0.0.1", *addresses)),
        f"boot {boot}",
        *(f"disk {percent} 100000000 52428800 {path}" for path, percent in (disks or {"/": 40}).items()),
        *(f"inodes {percent} {path}" for path, percent in (inodes or {}).items()),
    ]
    for name, found in (NAMES if names is None else names).items():
        lines += [*(f"name {name} {address}" for address in found), f"asked {name}"]
    return "\n".join(lines) + "\n"


@dataclass
class StandIn(StandInHost):
    """A `Host` for tests of what is asked and what is made of the answers."""

    name: str
    network: Network = field(default_factory=dict)
    scripts: dict[str, Callable[[], str | CommandResult]] = field(default_factory=dict)
    broken: TransportError | None = None
    """Raised by everything while set."""
    hangs: bool = False
    """Whether everything waits for ever."""
    calls: Counter[str] = field(default_factory=Counter)

    async def connect(self) -> None:
        await self._trouble()

    async def run(
        self,
        script: Script,
        *args: str,
        payload: bytes = b"",
        root: bool = True,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        output_limit_bytes: int | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> CommandResult:
        self.calls[script.name] += 1
        await self._trouble()
        made = self.scripts.get(script.name, lambda: CommandResult(3, b"", b"not there", 0.001))()
        result = made if isinstance(made, CommandResult) else CommandResult(0, made.encode(), b"", 0.001)
        for line in result.text.splitlines() if on_line else []:
            assert on_line is not None
            on_line(line)
        return result

    async def reach(self, address: str, port: int, *, timeout_s: float = 3.0) -> ReachResult:
        self.calls[f"reach {address}:{port}"] += 1
        await self._trouble()
        there = self.network.get((address, port), Reach.REFUSED)
        return ReachResult(there if isinstance(there, Reach) else Reach.OPEN, 0.5)

    async def dial(self, address: str, port: int, *, timeout_s: float = 3.0) -> Stream:
        result = await self.reach(address, port, timeout_s=timeout_s)
        if result.reach is not Reach.OPEN:
            raise NotReachedError(result)
        return await asyncio.open_connection("127.0.0.1", int(self.network[(address, port)]))

    @asynccontextmanager
    async def forward(self, address: str, port: int) -> AsyncIterator[int]:
        await self._trouble()
        there = self.network[(address, port)]
        assert not isinstance(there, Reach)
        yield there

    async def _trouble(self) -> None:
        if self.hangs:
            await asyncio.sleep(3600)
        if self.broken is not None:
            raise self.broken


def spec_of(profile: str = "rainbond-6", **changes: object) -> ClusterSpec:
    """Three servers, two of them gateways behind a VIP, and an agent; addresses are never connected to."""
    roles = ["control-plane", "etcd", "worker"]
    data: dict[str, object] = {
        "apiVersion": "rbdtui/v1",
        "name": "site-a",
        "profile": profile,
        "bundle": "/data",
        "nodes": [
            {"name": "node1", "address": "198.51.100.11", "roles": [*roles, "gateway"]},
            {"name": "node2", "address": "198.51.100.12", "roles": [*roles, "gateway"]},
            {"name": "node3", "address": "198.51.100.13", "roles": roles},
            {"name": "node4", "address": "198.51.100.14", "roles": ["worker"]},
        ],
        "gateway": {"mode": "keepalived", "vip": "198.51.100.50/26", "virtual_router_id": 87},
        **changes,
    }
    return ClusterSpec.model_validate(data)
