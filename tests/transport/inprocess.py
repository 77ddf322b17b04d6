"""An SSH server inside the test process, for what an OpenSSH server of today cannot be made to do."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts


@dataclass
class InProcessSshd:
    """Runs commands in a local shell; who may log in, and what goes wrong, is set by attributes."""

    directory: Path
    passwords: dict[str, str] = field(default_factory=dict)
    authorized: list[asyncssh.SSHKey] = field(default_factory=list)
    host_keys: list[asyncssh.SSHKey] = field(default_factory=lambda: [asyncssh.generate_private_key("ssh-ed25519")])
    options: dict[str, object] = field(default_factory=dict)
    path: str = field(default_factory=lambda: os.environ["PATH"])
    """Where the shell finds programs."""
    banner: str = ""
    prompts: list[tuple[str, bool]] = field(default_factory=list)
    """Questions of keyboard-interactive; empty turns it off."""
    next_prompts: list[tuple[str, bool]] = field(default_factory=list)
    """Further questions, asked once the first are answered rightly."""
    noise: bytes = b""
    """What the login shell writes before every command, on both outputs."""
    drop_at_login: int = 0
    """How many connections are dropped before anything is said."""
    logins: list[str] = field(default_factory=list)
    """Methods by which logins were tried, in order."""
    commands: list[str] = field(default_factory=list)
    port: int = 0
    _connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._acceptor = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=lambda: _Login(self),
            server_host_keys=self.host_keys,
            process_factory=self._start_command,
            encoding=None,
            gss_host=None,
            **self.options,
        )
        self.port = self._acceptor.get_port()

    async def stop(self) -> None:
        """Stop listening and break every connection."""
        self._acceptor.close()
        for connection in list(self._connections):
            connection.abort()
            await connection.wait_closed()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._acceptor.wait_closed()

    def endpoint(self, node: str = "n1", **changes: object) -> Endpoint:
        """How to log in as root with the password ``secret:login``."""
        known: dict[str, object] = {"password": "login", "agent": False, "port": self.port, **changes}
        return Endpoint(node, "127.0.0.1", **known)  # type: ignore[arg-type]

    def known_hosts(self, *keys: asyncssh.SSHKey) -> KnownHosts:
        """A file with these keys pinned for the server (default: its own)."""
        path = self.directory / "known_hosts"
        lines = [key.export_public_key().decode().strip() for key in keys or self.host_keys]
        path.write_text("".join(f"[127.0.0.1]:{self.port} {line}\n" for line in lines))
        return KnownHosts(path)

    def _start_command(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        task = asyncio.create_task(self._run(process))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self.commands.append(process.command or "")
        if self.noise:
            process.stdout.write(self.noise)
            process.stderr.write(self.noise)
        shell = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", process.command or "", stdin=-1, stdout=-1, stderr=-1, env={"PATH": self.path}
        )
        assert shell.stdin is not None
        assert shell.stdout is not None
        assert shell.stderr is not None
        feeding = asyncio.create_task(_feed(process.stdin, shell.stdin))
        try:
            await asyncio.gather(_show(shell.stdout, process.stdout), _show(shell.stderr, process.stderr))
            status = await shell.wait()
            with contextlib.suppress(OSError, asyncssh.Error):
                process.exit(status)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            shell.stdin.close()


async def _feed(source: asyncssh.SSHReader[bytes], sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.close()


async def _show(source: asyncio.StreamReader, sink: asyncssh.SSHWriter[bytes]) -> None:
    while data := await source.read(65536):
        with contextlib.suppress(OSError, asyncssh.Error):
            sink.write(data)


class _Login(asyncssh.SSHServer):
    def __init__(self, sshd: InProcessSshd) -> None:
        self._sshd = sshd
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._sshd._connections.add(conn)
        if self._sshd.drop_at_login > 0:
            self._sshd.drop_at_login -= 1
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._sshd._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        if self._sshd.banner and self._connection is not None:
            self._connection.send_auth_banner(self._sshd.banner)
        return True

    def public_key_auth_supported(self) -> bool:
        return bool(self._sshd.authorized)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._sshd.logins.append(f"publickey {key.get_fingerprint()}")
        return key in self._sshd.authorized

    def password_auth_supported(self) -> bool:
        return bool(self._sshd.passwords) and not self._sshd.prompts

    def validate_password(self, username: str, password: str) -> bool:
        self._sshd.logins.append(f"password {password}")
        return self._sshd.passwords.get(username) == password

    def kbdint_auth_supported(self) -> bool:
        return bool(self._sshd.prompts)

    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return "", "", "", self._sshd.prompts

    def validate_kbdint_response(
        self, username: str, responses: Sequence[str]
    ) -> bool | tuple[str, str, str, list[tuple[str, bool]]]:
        self._sshd.logins.append(f"keyboard-interactive {list(responses)}")
        right = list(responses) == [self._sshd.passwords.get(username)]
        return ("", "", "", self._sshd.next_prompts) if right and self._sshd.next_prompts else right

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True
