"""Commands that have ended before they were sent anything, as happens where this machine is slower than the host."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.simulator.machine import Sudo
from rbdtui.spec.loader import load_spec
from rbdtui.transport import link
from rbdtui.transport.base import ShellUnusableError, SudoPasswordWrongError
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from rbdtui.transport.routes import SharedConnection
from rbdtui.transport.scripts import Script
from tests.transport.conftest import Connect, StartSshd

SLOW_S = 0.3


@pytest.fixture(autouse=True)
def logins(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """How often somebody logged in, on a machine that comes to a new channel late."""
    opened = link.Link._try_to_open
    counted: list[object] = []
    log_in = SharedConnection._log_in

    async def late(self: link.Link, *arguments: Any) -> object:
        channel = await opened(self, *arguments)
        await asyncio.sleep(SLOW_S)
        return channel

    async def count(self: SharedConnection) -> object:
        counted.append(self)
        return await log_in(self)

    monkeypatch.setattr(link.Link, "_try_to_open", late)
    monkeypatch.setattr(SharedConnection, "_log_in", count)
    return counted


async def test_what_the_host_said_meanwhile_is_told_and_no_link_was_lost(
    start_sshd: StartSshd, connect: Connect, logins: list[object]
) -> None:
    sshd = await start_sshd(config="ForceCommand echo 'not for you'; exit 3")
    host = connect(sshd.endpoint(), sshd.known_hosts())
    with pytest.raises(ShellUnusableError) as caught:
        await host.run(Script("work", "echo out\n"), payload=b"x" * 200_000)
    assert "not for you" in str(caught.value.params["detail"])
    assert len(logins) == 1


@pytest.mark.parametrize("sudo", [Sudo.FREE, Sudo.PASSWORD])
async def test_a_user_becomes_root_by_one_login(tmp_path: Path, logins: list[object], sudo: Sudo) -> None:
    build = Build(user="ops", password="right", sudo=sudo)
    async with SimulatedFleet(1, speed=20.0, builds=(build,)) as fleet:
        site = write_demo_site(tmp_path / "site", fleet)
        site.known_hosts_file.write_text(fleet.known_hosts)
        spec = load_spec(site.spec_file).spec
        assert spec is not None
        for password in ("right", "wrong")[: 1 + (sudo is Sudo.PASSWORD)]:
            logins.clear()
            known = KnownHosts(site.known_hosts_file)
            async with HostPool(endpoints_of(spec), known, lambda _, said=password: said) as pool:  # type: ignore[misc]
                if password == "wrong":
                    with pytest.raises(SudoPasswordWrongError):
                        await pool["node1"].connect()
                else:
                    await pool["node1"].connect()
            assert len(logins) == 1
