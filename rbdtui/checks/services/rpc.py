"""ONC RPC over TCP (RFC 5531) as far as a client needs it, with limits on all that a server may send.

Values are in XDR (RFC 4506): big-endian, padded to four bytes.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.probes.wire import Place, ProbeFailure, WireError, connection

_RECORD_LIMIT_BYTES: Final = 1 << 20
_FRAGMENTS_LIMIT: Final = 256
_LAST_FRAGMENT: Final = 1 << 31
_CALL, _REPLY = 0, 1
_RPC_VERSION: Final = 2
_AUTH_NONE, _AUTH_SYS = 0, 1
_MACHINE: Final = b"rbdtui"


class RpcFault(StrEnum):
    """Why a call has no result, though the connection stands."""

    NOT_RPC = "not-rpc"
    """What came is no answer to a call."""
    NO_PROGRAM = "no-program"
    NO_VERSION = "no-version"
    """The program is there, but not in this version."""
    DENIED = "denied"
    """Who we say that we are is not accepted."""
    FAILED = "failed"


class RpcError(Exception):
    """A call without a result."""

    def __init__(self, fault: RpcFault, evidence: str = "") -> None:
        super().__init__(fault.value, evidence)
        self.fault = fault
        self.evidence = evidence[:500]


@dataclass(frozen=True, slots=True)
class Program:
    """A program in one version."""

    number: int
    version: int


class Unpacker:
    """Values out of an answer, one after the other; raises `RpcError` where the answer ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def u32(self) -> int:
        """Four bytes."""
        return int(struct.unpack(">I", self._take(4))[0])

    def u64(self) -> int:
        """Eight bytes."""
        return int(struct.unpack(">Q", self._take(8))[0])

    def fixed(self, length: int) -> bytes:
        """So many bytes, and their padding."""
        found = self._take(length)
        self._take(-length % 4)
        return found

    def opaque(self, most: int) -> bytes:
        """Bytes with their length in front; `RpcError` when there are more than ``most``."""
        length = self.u32()
        if length > most:
            raise RpcError(RpcFault.NOT_RPC, f"{length} bytes where {most} are the most")
        return self.fixed(length)

    def text(self, most: int) -> str:
        """A text of so many bytes at most; what is not UTF-8 is replaced."""
        return self.opaque(most).decode("utf-8", "replace")

    def _take(self, length: int) -> bytes:
        if self._at + length > len(self._data):
            raise RpcError(RpcFault.NOT_RPC, f"the answer ends after {len(self._data)} bytes")
        self._at += length
        return self._data[self._at - length : self._at]


def u32(*values: int) -> bytes:
    """Four bytes of each."""
    return struct.pack(f">{len(values)}I", *values)


def u64(*values: int) -> bytes:
    """Eight bytes of each."""
    return struct.pack(f">{len(values)}Q", *values)


def opaque(data: bytes) -> bytes:
    """Bytes with their length in front and their padding behind."""
    return u32(len(data)) + data + bytes(-len(data) % 4)


class RpcClient:
    """One connection, on which one call is made after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer_s: float) -> None:
        self._reader, self._writer, self._answer_s = reader, writer, answer_s
        self._last_id = secrets.randbits(31)

    async def call(
        self, program: Program, procedure: int, arguments: bytes = b"", *, as_root: bool = False
    ) -> Unpacker:
        """The results of a call, made by nobody or in the name of uid 0. Raises `RpcError` and `WireError`."""
        self._last_id += 1
        head = u32(self._last_id, _CALL, _RPC_VERSION, program.number, program.version, procedure)
        record = head + (_root() if as_root else u32(_AUTH_NONE, 0)) + u32(_AUTH_NONE, 0) + arguments
        try:
            async with asyncio.timeout(self._answer_s):
                self._writer.write(u32(_LAST_FRAGMENT | len(record)) + record)
                await self._writer.drain()
                return _result(Unpacker(await self._record()), self._last_id)
        except TimeoutError:
            raise WireError(ProbeFailure.SILENT, f"no answer within {self._answer_s:g} s") from None
        except (OSError, asyncio.IncompleteReadError) as error:
            raise WireError(ProbeFailure.CLOSED, str(error)) from error

    async def _record(self) -> bytes:
        record = bytearray()
        for _ in range(_FRAGMENTS_LIMIT):
            mark = int.from_bytes(await self._reader.readexactly(4))
            length = mark & ~_LAST_FRAGMENT
            if len(record) + length > _RECORD_LIMIT_BYTES:
                raise RpcError(RpcFault.NOT_RPC, f"a record of {len(record) + length} bytes, beginning {mark:08x}")
            record += await self._reader.readexactly(length)
            if mark & _LAST_FRAGMENT:
                return bytes(record)
        raise RpcError(RpcFault.NOT_RPC, f"a record in more than {_FRAGMENTS_LIMIT} pieces")


def _root() -> bytes:
    body = u32(0) + opaque(_MACHINE) + u32(0, 0, 0)
    return u32(_AUTH_SYS) + opaque(body)


def _result(answer: Unpacker, asked_id: int) -> Unpacker:
    identity, kind = answer.u32(), answer.u32()
    if identity != asked_id or kind != _REPLY:
        raise RpcError(RpcFault.NOT_RPC, f"an answer {identity:08x} of kind {kind} to the call {asked_id:08x}")
    if answer.u32():
        raise RpcError(RpcFault.DENIED, f"rejected for reason {answer.u32()}")
    answer.u32()
    answer.opaque(400)
    state = answer.u32()
    if state == 0:
        return answer
    if state == 2:
        raise RpcError(RpcFault.NO_VERSION, f"versions {answer.u32()} to {answer.u32()}")
    fault = RpcFault.NO_PROGRAM if state == 1 else RpcFault.FAILED
    raise RpcError(fault, f"accepted, but ended with {state}")


@asynccontextmanager
async def rpc_client(place: Place, *, connect_s: float, answer_s: float) -> AsyncIterator[RpcClient]:
    """A connection to a server of programs; raises `WireError`."""
    async with connection(place, tls=None, server_name=None, connect_s=connect_s, handshake_s=answer_s) as both:
        yield RpcClient(*both, answer_s)
