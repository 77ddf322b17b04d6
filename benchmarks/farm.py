"""Real OpenSSH servers on loopback addresses, one address for each node, with keys and a directory of their own."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = Path("/usr/sbin/sshd")
_ADDRESSES_PER_SERVER = 16
"""An sshd takes no more ListenAddress lines (MAX_LISTEN_SOCKS)."""
_CONFIG = """\
Port {port}
{addresses}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/key.pub
PidFile none
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
StrictModes no
PrintMotd no
UseDNS no
MaxStartups 1000
MaxSessions 200
Subsystem sftp internal-sftp
SetEnv HOME={directory}/home
# The same work for everybody: one cipher and one exchange that all contenders have.
Ciphers aes128-ctr
MACs hmac-sha2-256
KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org
"""


@dataclass(frozen=True)
class FarmNode:
    """One node of the farm."""

    name: str
    address: str


@dataclass(frozen=True)
class Farm:
    """Servers that are up."""

    directory: Path
    nodes: tuple[FarmNode, ...]
    port: int
    user: str

    @property
    def key(self) -> Path:
        """Private key of the user."""
        return self.directory / "key"

    @property
    def known_hosts(self) -> Path:
        """Host keys of all nodes."""
        return self.directory / "known_hosts"


def why_not() -> str:
    """Why no farm can be up here; empty when one can."""
    return "" if SSHD.exists() else f"{SSHD} is missing: install openssh-server"


@contextmanager
def farm(directory: Path, count: int) -> Iterator[Farm]:
    """Servers for ``count`` nodes for the time of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "home").mkdir(exist_ok=True)
    nodes = tuple(FarmNode(f"node{n}", f"127.88.0.{n}") for n in range(1, count + 1))
    up = Farm(directory, nodes, _free_port(nodes[0].address), getpass.getuser())
    _make_keys(up)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        for first in range(0, count, _ADDRESSES_PER_SERVER):
            servers.append(_start(up, first))
        for node in nodes:
            _wait_for(node.address, up.port)
        yield up
    finally:
        for server in servers:
            os.killpg(server.pid, signal.SIGTERM)
        for server in servers:
            server.wait(10)


def _make_keys(up: Farm) -> None:
    for name in ("host_key", "key"):
        if not (up.directory / name).exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(up.directory / name)]
            subprocess.run(command, check=True, timeout=60)
    kind, data = (up.directory / "host_key.pub").read_text().split()[:2]
    lines = [f"[{node.address}]:{up.port} {kind} {data}\n" for node in up.nodes]
    up.known_hosts.write_text("".join(lines))


def _start(up: Farm, first: int) -> subprocess.Popen[bytes]:
    part = up.nodes[first : first + _ADDRESSES_PER_SERVER]
    config = up.directory / f"sshd_config_{first}"
    addresses = "\n".join(f"ListenAddress {node.address}" for node in part)
    config.write_text(_CONFIG.format(port=up.port, addresses=addresses, directory=up.directory))
    log = (up.directory / f"sshd_{first}.log").open("wb")
    with log:
        return subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(config)], stderr=log, start_new_session=True)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
