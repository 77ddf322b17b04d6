"""The SSH server of a simulated host: logins, commands and forwarded connections over the real protocol."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Final, cast
from weakref import WeakSet

from rbdtui.simulator.call import Verbs
from rbdtui.simulator.link import Cable, Link
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.network import Listening
from rbdtui.simulator.shell import Session, run_command
from rbdtui.transport.library import asyncssh

MAX_SESSIONS: Final = 10
"""As OpenSSH's ``MaxSessions``: more at a time on one connection are refused."""
_CHUNK_BYTES: Final = 64 * 1024
_KILLED: Final = 137
_NOBODY: Final = "invalid-user"


class Sshd:
    """One machine's sshd on a loopback address."""

    def __init__(self, machine: Machine, link: Link, verbs: Verbs, key: asyncssh.SSHKey) -> None:
        self.machine, self.link, self.key = machine, link, key
        self.port = 0
        self.allow_forwarding = True
        self._verbs = verbs
        self._cable: Cable | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._running: set[asyncio.Task[int]] = set()
        self.forwarded: WeakSet[asyncssh.SSHForwarder] = WeakSet()
        """Connections to programs; one that was being made when its channel broke is closed by nobody else."""

    @property
    def known_hosts_line(self) -> str:
        """The host key in the form of a ``known_hosts`` file."""
        public = self.key.export_public_key().decode().strip()
        return f"[{self.machine.ip}]:{self.port} {public}"

    async def start(self, port: int = 0) -> None:
        """Begin to listen, on the port of the last time when there was one."""
        self._cable = Cable(self.link, self._serve)
        self.port = await self._cable.listen(str(self.machine.ip), port or self.port)

    async def stop(self) -> None:
        """Break every connection, end every command and stop to listen: what a power cut does."""
        if self._cable is not None:
            await self._cable.close()
            self._cable = None
        for forwarder in list(self.forwarded):
            forwarder.close()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def drop_connections(self) -> None:
        """Break every connection; commands that run on go on, as with a real sshd."""
        if self._cable is not None:
            self._cable.drop()

    async def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, asyncssh.Error):
            await (await self._begin(sock)).wait_closed()

    async def _begin(self, sock: socket.socket) -> asyncssh.SSHServerConnection:
        try:
            return await asyncssh.run_server(
                sock,
                server_factory=lambda: _Login(self),
                server_host_keys=[self.key],
                encoding=None,
                login_timeout=120,
                allow_scp=False,
                server_version="simulated",
                gss_host=None,
            )
        except asyncio.CancelledError:
            sock.close()
            raise

    async def run(self, process: asyncssh.SSHServerProcess[bytes], user: str) -> None:
        """Run one command to its end, also when the connection is lost in between."""
        session = Session(
            self.machine,
            self.machine.users[user],
            _Stdin(process.stdin),
            _quiet_writer(process.stdout),
            _quiet_writer(process.stderr),
            has_terminal=process.term_type is not None,
        )
        if process.command is None:
            process.exit(session.complain("simulated host: there is no interactive shell here", 1))
            return
        task = asyncio.get_running_loop().create_task(run_command(session, process.command, self._verbs))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.wait({task})
        status = _KILLED if task.cancelled() else task.result()
        with contextlib.suppress(OSError, asyncssh.Error):
            process.exit(status)


def _quiet_writer(writer: asyncssh.SSHWriter[bytes]) -> Callable[[bytes], None]:
    """Write until nobody listens any more."""

    def write(data: bytes) -> None:
        with contextlib.suppress(OSError, asyncssh.Error):
            writer.write(data)

    return write


class _Stdin:
    """Standard input as a program sees it: a lost connection is the end of it."""

    def __init__(self, reader: asyncssh.SSHReader[bytes]) -> None:
        self._reader = reader

    async def read(self, size_bytes: int) -> bytes:
        try:
            return await self._reader.read(size_bytes)
        except (OSError, asyncssh.Error):
            return b""


class _Login(asyncssh.SSHServer):
    """One connection to a machine."""

    def __init__(self, sshd: Sshd) -> None:
        self._sshd = sshd
        self._user = _NOBODY
        self._sessions = 0
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        self._user = username
        if self._connection is not None and self._sshd.machine.greeting:
            self._connection.send_auth_banner(self._sshd.machine.greeting)
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        user = self._sshd.machine.users.get(username)
        return user is not None and user.password is not None and password == user.password

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        user = self._sshd.machine.users.get(username)
        offered = key.export_public_key().split()[1]
        return user is not None and any(own.encode().split()[1] == offered for own in user.keys)

    def session_requested(
        self,
    ) -> tuple[asyncssh.SSHServerChannel[bytes], asyncssh.SSHServerSession[bytes]]:
        if self._connection is None or self._sessions >= MAX_SESSIONS:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "open failed")
        channel = self._connection.create_server_channel(encoding=None)
        return channel, asyncssh.SSHServerProcess(self._process, None, 3, False)

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self._sessions += 1
        try:
            await self._sshd.run(process, self._user)
        finally:
            self._sessions -= 1

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Awaitable[asyncssh.SSHTCPSession[bytes]]:
        if not self._sshd.allow_forwarding or self._connection is None:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed")
        return self._connect(self._connection, dest_host, dest_port)

    async def _connect(
        self, connection: asyncssh.SSHServerConnection, address: str, port: int
    ) -> asyncssh.SSHTCPSession[bytes]:
        try:
            listening = await self._find(address, port)
        except OSError as error:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, error.strerror or str(error)) from None
        if listening.backend is None:
            return _Silent()
        forwarder = await connection.forward_connection(*listening.backend)
        self._sshd.forwarded.add(forwarder)
        return cast(asyncssh.SSHTCPSession[bytes], forwarder)

    async def _find(self, address: str, port: int) -> Listening:
        """What a name's addresses by the hosts file lead to, in turn; raises the last one's `OSError`."""
        machine = self._sshd.machine
        *others, last = machine.addresses_of(address) or [address]
        for other in others:
            with contextlib.suppress(OSError):
                return (await machine.network.find(machine, other, port))[1]
        return (await machine.network.find(machine, last, port))[1]


class _Silent(asyncssh.SSHTCPSession[bytes]):
    """A connection to a program that says nothing."""
