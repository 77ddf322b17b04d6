"""Fleets that live in the test's own process, and the product's way to log in to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.spec.loader import load_spec
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from tests.waiting import LIMIT_S

SPEED = 50.0

Login = Callable[..., AbstractAsyncContextManager[HostPool]]


@pytest.fixture
def log_in(tmp_path: Path) -> Login:
    """Opens the product's pool of hosts on a fleet; ``sudo`` is the password that the vault would give."""

    @asynccontextmanager
    async def opened(fleet: SimulatedFleet, *, sudo: str = "") -> AsyncIterator[HostPool]:
        site = write_demo_site(tmp_path / "site", fleet, bundle=tmp_path)
        site.known_hosts_file.write_text(fleet.known_hosts)
        loaded = load_spec(site.spec_file)
        assert loaded.spec is not None, [str(finding) for finding in loaded.findings]
        pool = HostPool(endpoints_of(loaded.spec), KnownHosts(site.known_hosts_file), lambda name: sudo)
        async with pool:
            yield pool

    return opened


async def eventually(holds: Callable[[], bool], *, limit_s: float = LIMIT_S) -> None:
    """Wait until something holds; fails after a time limit."""
    async with asyncio.timeout(limit_s):
        while not holds():
            await asyncio.sleep(0.01)
