"""A real host over SSH: scripts, uploads, reachability and forwards over one connection."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rbdtui.transport.answers import parse_answer
from rbdtui.transport.base import (
    DEFAULT_TIMEOUT_S,
    CommandResult,
    ConnectionLostError,
    OutputTooLargeError,
    ReachResult,
    RemoteTimeoutError,
    ShellUnusableError,
    SudoPasswordWrongError,
    TransportError,
    UploadProgress,
)
from rbdtui.transport.become import Elevation, find_elevation, password_was_refused
from rbdtui.transport.channel_stream import Stream
from rbdtui.transport.credentials import Credentials
from rbdtui.transport.endings import TAG_NAME, new_tag
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.exchange import Exchange, LinkLostError, OutputLimitError
from rbdtui.transport.failures import check
from rbdtui.transport.library import asyncssh
from rbdtui.transport.limits import Limits
from rbdtui.transport.link import Link
from rbdtui.transport.meter import Meter
from rbdtui.transport.reach import dialled, forwarded_port, try_reach
from rbdtui.transport.routes import Routes
from rbdtui.transport.scripts import Script, script
from rbdtui.transport.upload import LONGEST_UPLOAD_S, Delivery, Places, Source, parse_remainder, send

_GRACE_S: Final = 15.0
"""How much longer than its own time limit a script may take to end: kill delay and a slow link."""
_TIMED_OUT: Final = 124
_KILLED: Final = {137, -1}
"""What becomes of ``timeout -k`` when it has to kill: its own status, or that it was ended by a signal."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A script about to be run."""

    script: Script
    args: tuple[str, ...]
    payload: bytes = field(repr=False)
    root: bool
    timeout_s: float
    output_limit_bytes: int | None = None
    on_line: Callable[[str], None] | None = None


class SshHost:
    """One server over SSH; implements `rbdtui.transport.base.Host`."""

    def __init__(
        self, endpoint: Endpoint, routes: Routes, credentials: Credentials, limits: Limits, uploads: Places
    ) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._limits = limits
        self._uploads = uploads
        self._link = Link(endpoint, routes, limits)
        self._elevation: Elevation | None = None
        self._elevating = asyncio.Lock()

    def __repr__(self) -> str:
        return f"SshHost({self._endpoint.node!r}, {str(self._endpoint)!r})"

    @property
    def name(self) -> str:
        """The node's name in the spec."""
        return self._endpoint.node

    async def connect(self) -> None:
        """Log in and find out how to become root, if that has not happened yet; raises `TransportError`."""
        with self._discreet():
            await self._link.persist(self._link.connection)
            await self._link.persist(self._elevate)

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
        """Run a script and return what it left, whatever its exit status; see `Host.run`.

        When a lost link makes it run once more, ``on_line`` gets its lines once more too. Cancelled, it asks sshd
        to kill the script, which that does for users other than root; else its time limit on the host ends it.
        """
        invocation = Invocation(script, args, payload, root, timeout_s, output_limit_bytes, on_line)
        with self._discreet():
            return await self._link.persist(lambda: self._run_once(invocation))

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
        """As `run`, but raises `NoSpaceError`, `ReadOnlyError` or `RemoteScriptError` unless it ends with 0."""
        result = await self.run(
            script, *args, payload=payload, root=root, timeout_s=timeout_s, output_limit_bytes=output_limit_bytes,
            on_line=on_line,
        )  # fmt: skip
        with self._discreet():
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
        """Bring a file to the host; see `Host.upload`."""
        file = await asyncio.to_thread(Source, self.name, source, within)
        delivery = Delivery(file, target, sha256, mode, Meter(file.size_bytes, on_progress))
        try:
            with self._discreet():
                async with self._uploads.place_for(delivery.meter):
                    return await self._link.persist(lambda: self._deliver(delivery))
        finally:
            file.close()

    async def reach(self, address: str, port: int, *, timeout_s: float = 3.0) -> ReachResult:
        """Try a TCP connection from the host; see `Host.reach`."""
        with self._discreet():
            return await self._link.persist(lambda: self._reach_once(address, port, timeout_s))

    async def dial(self, address: str, port: int, *, timeout_s: float = 3.0) -> Stream:
        """A stream that leads to address:port as seen from the host; see `Host.dial`."""
        with self._discreet():
            return await self._link.persist(lambda: self._dial_once(address, port, timeout_s))

    def forward(self, address: str, port: int) -> AbstractAsyncContextManager[int]:
        """Listen on a loopback port that leads to address:port as seen from the host; yields our port."""
        return forwarded_port(lambda: self._link.persist(self._link.connection), address, port)

    def hang_up(self) -> None:
        """Begin to log out; needs no turn of the loop."""
        self._link.hang_up()

    async def close(self) -> None:
        """Log out."""
        await self._link.close()

    @contextlib.contextmanager
    def _discreet(self) -> Iterator[None]:
        """Errors leave without the passwords that the host was told."""
        try:
            yield
        except TransportError as error:
            self._credentials.take_out_of(error, self._endpoint)
            raise

    async def _reach_once(self, address: str, port: int, timeout_s: float) -> ReachResult:
        connection = await self._link.connection()
        try:
            return await try_reach(connection, address, port, timeout_s=timeout_s)
        except asyncssh.Error as error:
            self._link.lost(connection)
            raise ConnectionLostError(self.name, detail=str(error)[:300]) from None

    async def _dial_once(self, address: str, port: int, timeout_s: float) -> Stream:
        connection = await self._link.connection()
        try:
            return await dialled(connection, address, port, timeout_s=timeout_s)
        except asyncssh.Error as error:
            self._link.lost(connection)
            raise ConnectionLostError(self.name, detail=str(error)[:300]) from None

    async def _run_once(self, invocation: Invocation) -> CommandResult:
        elevation = await self._elevate() if invocation.root else Elevation()
        exchange, result = await self._try(invocation, elevation)
        if not exchange.started and elevation.by_sudo:
            # sudo's rules or password are no longer what they were; the script has not begun.
            self._reconsider(elevation, result)
            exchange, result = await self._try(invocation, await self._elevate())
        if not exchange.started:
            raise ShellUnusableError(self.name, user=self._endpoint.user, detail=exchange.noise[-300:])
        return result

    async def _try(self, invocation: Invocation, elevation: Elevation) -> tuple[Exchange, CommandResult]:
        script = invocation.script
        limit_bytes = invocation.output_limit_bytes or self._limits.output_bytes
        exchange = Exchange(output_limit_bytes=limit_bytes, on_line=invocation.on_line, tag=new_tag())
        result = await self._exchange(
            exchange,
            elevation.command(script, invocation.args, limit_s=invocation.timeout_s, tag=exchange.tag),
            elevation.input + script.wire_text() + invocation.payload,
            script.name,
            invocation.timeout_s,
        )
        killed = result.exit_status in _KILLED and result.duration_s >= invocation.timeout_s
        if killed or result.exit_status == _TIMED_OUT:
            raise RemoteTimeoutError(self.name, script=script.name, limit_s=invocation.timeout_s)
        return exchange, result

    async def _deliver(self, delivery: Delivery, *, again: bool = True) -> bool:
        """One try of an upload; False when the file was there already."""
        result = await self._run_once(
            Invocation(script("upload-state"), delivery.state_args, b"", True, delivery.limit_s)
        )
        told = check(self.name, "upload-state", result, path=delivery.target).text
        remainder = parse_answer(self.name, "upload-state", lambda: parse_remainder(told))
        if remainder is None:
            delivery.meter.finish()
            return False
        offset = remainder.offset_bytes if await delivery.source.starts_with(remainder) else 0
        delivery.check_space(self.name, remainder)
        delivery.meter.start(offset)
        elevation = await self._elevate()
        receive = script("upload-receive")
        exchange = Exchange(output_limit_bytes=self._limits.output_bytes, tag=new_tag())
        args = delivery.receive_args(offset)
        command = elevation.command(receive, args, limit_s=LONGEST_UPLOAD_S, tag=exchange.tag)
        with self._link_errors(receive.name, delivery.limit_s):
            async with self._begun(exchange, command, elevation.input + receive.wire_text()) as channel:
                await send(delivery.source, channel, exchange, delivery.meter)
                async with asyncio.timeout(delivery.limit_s):
                    result = await exchange.finish()
        if not exchange.started and elevation.by_sudo and again:
            self._reconsider(elevation, result)
            return await self._deliver(delivery, again=False)
        delivery.check_result(self.name, result)
        return True

    def _reconsider(self, elevation: Elevation, result: CommandResult) -> None:
        """Forget how to become root; raises `SudoPasswordWrongError` where sudo refused the password we still have."""
        if self._elevation is elevation:
            self._elevation = None
        if not (elevation.input and password_was_refused(result)):
            return
        if self._credentials.sudo_password(self._endpoint) == elevation.input[:-1].decode():
            error = SudoPasswordWrongError(self.name, user=self._endpoint.user)
            self._credentials.note_refusal(self._endpoint, self._endpoint.sudo_password, error)
            raise error

    async def _elevate(self) -> Elevation:
        async with self._elevating:
            if self._elevation is None:
                endpoint, credentials = self._endpoint, self._credentials
                try:
                    self._elevation = await find_elevation(
                        self.name, endpoint.user, self._run_plainly, lambda: credentials.sudo_password(endpoint)
                    )
                except SudoPasswordWrongError as error:
                    credentials.note_refusal(endpoint, endpoint.sudo_password, error)
                    raise
            return self._elevation

    async def _run_plainly(self, command: str, stdin: bytes) -> CommandResult:
        exchange = Exchange(output_limit_bytes=self._limits.output_bytes, whole_output=True, tag=new_tag())
        tagged = f"env {TAG_NAME}={exchange.tag} {command}"
        return await self._exchange(exchange, tagged, stdin, "become-root", DEFAULT_TIMEOUT_S)

    async def _exchange(
        self, exchange: Exchange, command: str, stdin: bytes, script_name: str, timeout_s: float
    ) -> CommandResult:
        limit_s = timeout_s + _GRACE_S
        with self._link_errors(script_name, timeout_s):
            async with self._begun(exchange, command, stdin, limit_s, whole=True), asyncio.timeout(limit_s):
                return await exchange.finish()

    @contextlib.asynccontextmanager
    async def _begun(
        self, exchange: Exchange, command: str, stdin: bytes, limit_s: float = math.inf, *, whole: bool = False
    ) -> AsyncIterator[asyncssh.SSHClientChannel[bytes]]:
        """A session whose command has begun to run; ``whole`` says that nothing more is to be sent to it.

        Raises `LoginShellHangsError` where it does not begin.
        """
        try:
            async with self._link.session(command, exchange) as channel:
                if not channel.is_closing():  # else it ended before it was told anything, of which `finish` tells
                    channel.write(stdin)
                    if whole:
                        channel.write_eof()
                async with asyncio.timeout(min(self._limits.shell_start_s, limit_s)):
                    await exchange.sign()
                yield channel
        except TimeoutError:
            if (verdict := await self._link.verdict(exchange)) is not None:
                raise verdict from None
            raise

    @contextlib.contextmanager
    def _link_errors(self, script_name: str, limit_s: float) -> Iterator[None]:
        """Turn what can go wrong with a channel into our own errors."""
        try:
            yield
        except TimeoutError:
            raise RemoteTimeoutError(self.name, script=script_name, limit_s=round(limit_s)) from None
        except OutputLimitError as error:
            raise OutputTooLargeError(self.name, script_name, error.limit_bytes) from None
        except (LinkLostError, OSError, asyncssh.Error):
            raise ConnectionLostError(self.name, detail=script_name) from None
