"""A host on a loopback address of this machine, on which the real scripts' listeners run without a service manager."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rbdtui.checks.services.asking import Asking, no_secret
from rbdtui.transport.base import DEFAULT_TIMEOUT_S, CommandResult, Reach, ReachResult
from rbdtui.transport.scripts import Script
from tests.stand_in import StandInHost

ACTIVATE = "systemd-socket-activate"


def why_no_listeners() -> str:
    """Why listeners cannot run here; empty when they can."""
    return "" if shutil.which(ACTIVATE) else f"{ACTIVATE} is missing: install systemd"


class ListeningHost(StandInHost):
    """Listens as it is told, with the answering script that it is given; connections start from this machine."""

    def __init__(self, name: str, address: str, *, word: str = "", forwards: bool = True) -> None:
        self.name, self.address, self._word, self._forwards = name, address, word, forwards
        self.ran: list[str] = []
        self.process: asyncio.subprocess.Process | None = None

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
        self.ran.append(script.name)
        if script.name == "balancer-stop":
            await self.end()
        elif not self._word:
            _, _, token, hold_s, *ports = args
            doors = [word for port in ports for word in ("-l", f"{self.address}:{port}")]
            handler = ("sh", "-c", payload.decode(), "rbdtui/balancer-answer", token, hold_s)
            self.process = await asyncio.create_subprocess_exec(
                ACTIVATE, "--accept", "--inetd", *doors, *handler, stderr=asyncio.subprocess.DEVNULL
            )
            for port in ports:
                while (await Asking(no_secret).reach(self.address, int(port))).reach is not Reach.OPEN:
                    await asyncio.sleep(0.02)
        return CommandResult(0, f"{self._word or 'listening'}\n".encode(), b"", 0.0)

    async def end(self) -> None:
        """End what listens."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def reach(self, address: str, port: int, *, timeout_s: float = 3.0) -> ReachResult:
        if not self._forwards:
            return ReachResult(Reach.FORBIDDEN, 0.1)
        return await Asking(no_secret).reach(address, port, timeout_s=timeout_s)

    @asynccontextmanager
    async def forward(self, address: str, port: int) -> AsyncIterator[int]:
        assert address == "127.0.0.1"
        yield port
