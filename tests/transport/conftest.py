"""Servers to talk to: a real OpenSSH server, and one inside the process for protocol faults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest

from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.limits import Limits
from rbdtui.transport.pool import HostPool
from rbdtui.transport.ssh import SshHost
from tests.transport.inprocess import InProcessSshd
from tests.transport.openssh import RealSshd, sshd_directory, why_not

QUICK = Limits(connect_timeout_s=15, login_timeout_s=15, reconnect_window_s=20, keepalive_interval_s=5)
"""Limits that a busy machine keeps to; tests of a limit set it shorter themselves."""


@pytest.fixture(autouse=True)
def _nobodys_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither this machine's SSH agent nor its key files take part."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


class StartSshd(Protocol):
    """Starts one more OpenSSH server; ``config`` stands before the rest of its sshd_config."""

    async def __call__(self, *, config: str = "", mounts: tuple[str, ...] = (), keys: str = "ed25519") -> RealSshd: ...


@pytest.fixture
async def start_sshd() -> AsyncIterator[StartSshd]:
    """OpenSSH servers that are stopped at the end; the test is skipped, loudly, where there can be none."""
    if reason := why_not():
        pytest.skip(f"NOT TESTED AGAINST OPENSSH: {reason}")
    async with AsyncExitStack() as stack:

        async def start(*, config: str = "", mounts: tuple[str, ...] = (), keys: str = "ed25519") -> RealSshd:
            directory = stack.enter_context(sshd_directory())
            server = RealSshd(directory, config=config, mounts=mounts, keys=keys)
            await server.start()
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
async def sshd(start_sshd: StartSshd) -> RealSshd:
    """An OpenSSH server that lets root in with a key."""
    return await start_sshd()


class Connect(Protocol):
    """Opens a pool for one endpoint and gives its host; closed at the end of the test."""

    def __call__(
        self, endpoint: Endpoint, known_hosts: KnownHosts, limits: Limits = QUICK, **secrets: str
    ) -> SshHost: ...


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Hosts over SSH with quick limits."""
    async with AsyncExitStack() as stack:
        pools: list[HostPool] = []

        def open_host(endpoint: Endpoint, known_hosts: KnownHosts, limits: Limits = QUICK, **secrets: str) -> SshHost:
            pool = HostPool({endpoint.node: endpoint}, known_hosts, secrets.__getitem__, limits)
            pools.append(pool)
            stack.push_async_callback(pool.close)
            host = pool[endpoint.node]
            assert isinstance(host, SshHost)
            return host

        yield open_host


@pytest.fixture
async def host(sshd: RealSshd, connect: Connect) -> SshHost:
    """Root on the OpenSSH server."""
    return connect(sshd.endpoint(), sshd.known_hosts())


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[InProcessSshd]:
    """A server inside this process that knows root's password, ``right``."""
    one = InProcessSshd(tmp_path, passwords={"root": "right"})
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def workplace() -> Iterator[Path]:
    """A directory on the 'host' that is not under /tmp."""
    with sshd_directory() as directory:
        yield directory
