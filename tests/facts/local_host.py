"""A host that is this machine: runs scripts as the transport does, without SSH; for read-only scripts only."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from rbdtui.transport.base import DEFAULT_TIMEOUT_S, CommandResult, TransportError
from rbdtui.transport.scripts import Script
from tests.stand_in import StandInHost


class LocalHost(StandInHost):
    """This machine under a node's name; ``first_in_path`` lets a test put programs of its own before the real ones."""

    def __init__(self, name: str, *, first_in_path: Path | None = None, delay_s: float = 0.0) -> None:
        self.name = name
        self._first_in_path = first_in_path
        self._delay_s = delay_s
        self.ran: list[str] = []
        """Names of the scripts that ran."""

    async def connect(self) -> None:
        await asyncio.sleep(self._delay_s)

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
        began = time.monotonic()
        environment = dict(os.environ)
        if self._first_in_path is not None:
            environment["PATH"] = f"{self._first_in_path}:{environment['PATH']}"
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", script.command(args, limit_s=timeout_s), env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(script.wire_text() + payload)
        process.stdin.close()
        errors = asyncio.create_task(process.stderr.read())
        lines = []
        async for line in process.stdout:
            lines.append(line)
            if on_line is not None:
                on_line(line.decode("utf-8", "replace").rstrip("\n"))
        status = await process.wait()
        return CommandResult(status, b"".join(lines), await errors, time.monotonic() - began)


class DeadHost(LocalHost):
    """A host that cannot be logged in to."""

    def __init__(self, name: str, error: TransportError) -> None:
        super().__init__(name)
        self._error = error

    async def connect(self) -> None:
        raise self._error
