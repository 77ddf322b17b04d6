"""A host in memory that answers the scripts of a preflight, and connections, as it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from rbdtui.facts.compose import frame_outputs
from rbdtui.facts.fact import Output
from rbdtui.transport.base import DEFAULT_TIMEOUT_S, CommandResult, Reach, ReachResult, TransportError
from rbdtui.transport.scripts import Script
from tests.checks.support import VIP
from tests.stand_in import StandInHost


def nobody_has_the_vip(address: str, port: int) -> Reach:
    """Nothing listens on the nodes yet, and nothing at all is at the VIP."""
    return Reach.UNREACHABLE if address == VIP else Reach.REFUSED


class ScriptedHost(StandInHost):
    """A host whose answers are given; ``reaches`` says what becomes of a connection."""

    def __init__(
        self,
        name: str,
        outputs: Mapping[str, Output],
        *,
        delay_s: float = 0.0,
        error: TransportError | None = None,
        reaches: Callable[[str, int], Reach] = nobody_has_the_vip,
        neighbours: Callable[[tuple[str, ...]], str] = lambda args: "",
        write_ms: int = 1,
    ) -> None:
        self.name = name
        self._outputs = outputs
        self._delay_s = delay_s
        self._error = error
        self._reaches = reaches
        self._neighbours = neighbours
        self._disk = "directory /var/lib\n" + f"{(write_ms + 1) * 1_000_000} 1000000\n" * 100
        self.reached: list[tuple[str, int]] = []
        self.under_way = 0
        self.most_under_way = 0

    async def connect(self) -> None:
        await asyncio.sleep(self._delay_s)
        if self._error is not None:
            raise self._error

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
        answers: dict[str, Callable[[], str]] = {
            "facts": lambda: frame_outputs(self._outputs, time.time()),
            "neighbour": lambda: self._neighbours(args),
            "resolve": lambda: VIP,
            "etcd-certificates": lambda: "",
            "fsync-try": lambda: self._disk,
            "vrrp-listen": lambda: "interface eth0\nlistened\n",
            "packets-between": lambda: "".join(f"heard {other}\n" for other in args[4:]) + "tried\n",
        }
        text = answers[script.name]()
        for line in text.splitlines():
            if on_line is not None:
                on_line(line)
        return CommandResult(0, text.encode(), b"", 0.01)

    async def reach(self, address: str, port: int, *, timeout_s: float = 3.0) -> ReachResult:
        self.reached.append((address, port))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return ReachResult(self._reaches(address, port), 0.1)
