"""A script that runs on a simulated host: what it was given and where its output goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from rbdtui.simulator.machine import Machine

_CHUNK_BYTES: Final = 128 * 1024


class Input(Protocol):
    """The standard input of a script."""

    async def read(self, size_bytes: int) -> bytes:
        """At most this many bytes; empty at the end."""
        ...


@dataclass(slots=True)
class BytesInput:
    """Standard input that is all there."""

    data: bytes

    async def read(self, size_bytes: int) -> bytes:
        """At most this many bytes; empty at the end."""
        head, self.data = self.data[:size_bytes], self.data[size_bytes:]
        return head


@dataclass(slots=True)
class Call:
    """One run of a script."""

    machine: Machine
    script: str
    """Its name without ``rbdtui/``."""
    args: tuple[str, ...]
    text: str
    """The script itself, as it came over the wire."""
    stdin: Input
    write_out: Callable[[bytes], None] = field(repr=False)
    write_error: Callable[[bytes], None] = field(repr=False)
    verbs: Verbs = field(repr=False)
    """All verbs of the host, for those that run others."""
    user: str = "root"

    def out(self, text: str | bytes) -> None:
        """Write to standard output, as it is."""
        self.write_out(text.encode() if isinstance(text, str) else text)

    def line(self, text: str) -> None:
        """Write a line to standard output."""
        self.write_out(text.encode() + b"\n")

    def fail(self, text: str, status: int = 1) -> int:
        """Write a line to standard error and give the exit status."""
        self.write_error(text.encode() + b"\n")
        return status

    async def payload(self) -> bytes:
        """All that remains of standard input."""
        parts = []
        while part := await self.stdin.read(_CHUNK_BYTES):
            parts.append(part)
        return b"".join(parts)


Verb = Callable[[Call], Awaitable[int]]
"""Does on a simulated machine what a script does on a real one; gives the exit status."""

Verbs = Mapping[str, Verb]
