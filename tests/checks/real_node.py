"""A node behind a real sshd on loopback, from which services are asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from rbdtui.checks.services.asking import Asking
from rbdtui.transport.pool import HostPool
from tests.transport.openssh import RealSshd, sshd_directory, why_not


@asynccontextmanager
async def real_node(secrets: Mapping[str, str]) -> AsyncIterator[Asking]:
    """The node, with the secrets of a vault that is open; skips the test where there is no sshd."""
    if reason := why_not():
        pytest.skip(f"NOT TESTED AGAINST OPENSSH: {reason}")
    with sshd_directory() as directory:
        sshd = RealSshd(directory)
        await sshd.start()
        pool = HostPool({"node1": sshd.endpoint("node1")}, sshd.known_hosts(), dict[str, str]().__getitem__)
        try:
            yield Asking(secrets.get, pool["node1"])
        finally:
            await pool.close()
            sshd.stop()
