"""A real OpenSSH server on loopback, in a mount namespace of its own, with its own keys."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts

SSHD = Path("/usr/sbin/sshd")


def why_not() -> str:
    """Why no OpenSSH server can be started here; empty when one can."""
    if not SSHD.exists():
        return f"{SSHD} is missing: install openssh-server"
    if os.geteuid() != 0:
        return "an sshd that lets root in needs root"
    return ""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new key pair; the public half is beside it with ``.pub``."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(path)]
    if kind == "rsa":
        command += ["-b", "2048"]
    subprocess.run(command, check=True, timeout=60)
    return path


class RealSshd:
    """One sshd; root may log in with ``key``."""

    def __init__(self, directory: Path, *, config: str = "", mounts: Sequence[str] = (), keys: str = "ed25519") -> None:
        self.directory = directory
        self.port = free_port()
        self.key = make_key(directory / "id")
        self.log_file = directory / "log"
        self._config = config
        self._mounts = mounts
        self._process: subprocess.Popen[bytes] | None = None
        self.rekey(*keys.split())

    def rekey(self, *kinds: str) -> None:
        """New host keys of these types, from the next start on."""
        for old in self.directory.glob("host_*"):
            old.unlink()
        for kind in kinds:
            make_key(self.directory / f"host_{kind}", kind)

    @property
    def known_hosts_lines(self) -> list[str]:
        """What a known_hosts file needs to hold."""
        public = [file.read_text().split() for file in sorted(self.directory.glob("host_*.pub"))]
        return [f"[127.0.0.1]:{self.port} {kind} {data}" for kind, data, *_ in public]

    def endpoint(self, node: str = "n1", **changes: object) -> Endpoint:
        """How to log in as root."""
        known: dict[str, object] = {"user": "root", "key": self.key, "agent": False, "port": self.port, **changes}
        return Endpoint(node, "127.0.0.1", **known)  # type: ignore[arg-type]

    def known_hosts(self, *others: RealSshd) -> KnownHosts:
        """A file with the keys of this server and others pinned."""
        path = self.directory / "known_hosts"
        lines = [line for server in (self, *others) for line in server.known_hosts_lines]
        path.write_text("".join(line + "\n" for line in lines))
        return KnownHosts(path)

    async def start(self) -> None:
        """Start and wait until it listens."""
        Path("/run/sshd").mkdir(exist_ok=True)
        config_file = self.directory / "sshd_config"
        config_file.write_text(self._config_text())
        (self.directory / "authorized_keys").write_bytes(self.key.with_suffix(".pub").read_bytes())
        server = f"exec {SSHD} -D -e -f {shlex.quote(str(config_file))}"
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        # Root's own shell start-up files on this machine are no part of a test.
        script = "; ".join(["set -e", f"mount --bind {shlex.quote(str(home))} /root", *self._mounts, server])
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", script],
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"]},
                start_new_session=True,
            )
        async with asyncio.timeout(20):
            while not await self._listens():
                assert self._process.poll() is None, self.log_file.read_text()
                await asyncio.sleep(0.02)

    def stop(self, *, sessions_too: bool = True) -> None:
        """Kill the listener and (else they go on) every session, as a restart of the host does."""
        if self._process is None:
            return
        listener = self._process.pid
        sessions = _children(listener) if sessions_too else []
        for process in (listener, *sessions):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait(10)
        self._process = None

    @contextlib.contextmanager
    def without_network(self) -> Iterator[int]:
        """A further port where every connection is served by an sshd that has no network at all."""
        command = ["unshare", "--net", str(SSHD), "-i", "-e", "-f", str(self.directory / "sshd_config")]
        sessions: list[subprocess.Popen[bytes]] = []

        def serve(listener: socket.socket, log: BinaryIO) -> None:
            with contextlib.suppress(OSError):
                while True:
                    accepted, _ = listener.accept()
                    with accepted:
                        descriptor = accepted.fileno()
                        sessions.append(subprocess.Popen(command, stdin=descriptor, stdout=descriptor, stderr=log))

        with socket.create_server(("127.0.0.1", 0)) as listener, self.log_file.open("ab") as log:
            server = threading.Thread(target=serve, args=(listener, log), daemon=True)
            server.start()
            try:
                yield listener.getsockname()[1]
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                server.join(10)
                for session in sessions:
                    session.kill()
                    session.wait(10)

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return self.log_file.read_text() if self.log_file.exists() else ""

    def _config_text(self) -> str:
        host_keys = "".join(f"HostKey {path.with_suffix('')}\n" for path in self.directory.glob("host_*.pub"))
        return (
            f"{self._config}\nPort {self.port}\nListenAddress 127.0.0.1\n{host_keys}"
            f"AuthorizedKeysFile {self.directory}/authorized_keys\nUsePAM no\nPasswordAuthentication no\n"
            "PermitRootLogin yes\nStrictModes no\nPidFile none\nPrintMotd no\nUseDNS no\n"
        )

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True


def _children(process: int) -> list[int]:
    """Descendants of a process."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found


def is_alive(process: int) -> bool:
    """Whether a process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


@contextlib.contextmanager
def sshd_directory() -> Iterator[Path]:
    """A directory that is not under /tmp, so that a test may put something else there."""
    directory = Path(tempfile.mkdtemp(prefix="rbdtui-test-", dir="/var/tmp"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
