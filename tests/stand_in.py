"""What hosts that stand in for real ones have in common: everything a host must have, and nothing behind it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from rbdtui.transport.base import (
    DEFAULT_TIMEOUT_S,
    CommandResult,
    NotReachedError,
    Reach,
    ReachResult,
    UploadProgress,
)
from rbdtui.transport.channel_stream import Stream
from rbdtui.transport.failures import check
from rbdtui.transport.scripts import Script


class StandInHost:
    """A `Host` on which nothing listens; those that stand in for more say how they run scripts."""

    name: str

    async def connect(self) -> None:
        return

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
        raise NotImplementedError

    async def must(
        self,
        script: Script,
        *args: str,
        payload: bytes = b"",
        root: bool = True,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        output_limit_bytes: int | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> CommandResult:
        result = await self.run(script, *args, payload=payload, root=root, timeout_s=timeout_s, on_line=on_line)
        return check(self.name, script.name, result)

    async def upload(
        self,
        source: Path,
        target: str,
        *,
        sha256: str,
        mode: int = 0o644,
        within: Path | None = None,
        on_progress: Callable[[UploadProgress], None] | None = None,
    ) -> bool:
        raise NotImplementedError

    async def reach(self, address: str, port: int, *, timeout_s: float = 3.0) -> ReachResult:
        return ReachResult(Reach.REFUSED, 0.1)

    async def dial(self, address: str, port: int, *, timeout_s: float = 3.0) -> Stream:
        raise NotReachedError(await self.reach(address, port, timeout_s=timeout_s))

    def forward(self, address: str, port: int) -> AbstractAsyncContextManager[int]:
        raise NotImplementedError

    async def close(self) -> None:
        return
