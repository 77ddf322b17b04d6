"""Simulated hosts answer the product's own transport, scripts and parsers as real ones do."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

import pytest

from rbdtui.facts.gather import gather
from rbdtui.facts.table import FACTS
from rbdtui.paths import asset
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.simulator.machine import Sudo
from rbdtui.simulator.verbs import VERBS
from rbdtui.simulator.verbs.facts import ANSWERS
from rbdtui.transport.base import (
    HostKeyChangedError,
    NoSpaceError,
    Reach,
    ReadOnlyError,
    RemoteScriptError,
    RemoteTimeoutError,
    SudoPasswordWrongError,
    SudoTtyError,
    TransportError,
    UploadProgress,
)
from rbdtui.transport.files import file_states, read_file, remove_file, write_file
from rbdtui.transport.scripts import Script, script
from tests.simulator.conftest import SPEED, Login, eventually

PASSWORD = 'a "nasty" $word!'
OPS = Build(user="ops", password=PASSWORD)


SENT_ALONG = {"balancer-answer"}
"""Scripts that are never run as such: another one gets them, for a service to run."""


COMPOSED = {"facts", "audit-facts"}
"""Scripts that are put together of what is asked for."""


def test_every_script_has_a_handler() -> None:
    names = {path.stem for path in asset("scripts").glob("*.sh")} - SENT_ALONG
    assert names <= set(VERBS), f"no handler for {sorted(names - set(VERBS))}"
    assert set(VERBS) <= names | COMPOSED, f"handlers without a script: {sorted(set(VERBS) - names)}"


def test_every_fact_has_an_answer() -> None:
    assert {fact.name for fact in FACTS} == set(ANSWERS)


async def test_unknown_script_ends_with_127_and_says_so(log_in: Login) -> None:
    async with SimulatedFleet(1) as fleet, log_in(fleet) as hosts:
        result = await hosts["node1"].run(Script("no-such-thing", "true\n"))
        assert result.exit_status == 127
        assert "no handler for the script no-such-thing" in result.error_text


async def test_files_are_written_read_backed_up_and_removed(log_in: Login) -> None:
    async with SimulatedFleet(1) as fleet, log_in(fleet) as hosts:
        host = hosts["node1"]
        backup = "/var/lib/rbdtui/backup/r1"
        assert await write_file(host, "/etc/app/x.conf", b"one\n", mode=0o600)
        assert not await write_file(host, "/etc/app/x.conf", b"one\n", mode=0o600)
        assert await write_file(host, "/etc/app/x.conf", b"two\n", backup_dir=backup)
        assert await write_file(host, "/etc/app/x.conf", b"three\n", backup_dir=backup)
        assert await read_file(host, "/etc/app/x.conf") == b"three\n"
        assert await read_file(host, f"{backup}/etc/app/x.conf") == b"one\n"
        states = await file_states(host, ["/etc/app/x.conf", "/etc", "/none"])
        assert states["/none"] is None
        one = states["/etc/app/x.conf"]
        assert one is not None
        assert (one.sha256, one.mode, one.owner) == (hashlib.sha256(b"three\n").hexdigest(), 0o644, "root:root")
        assert await remove_file(host, "/etc/app/x.conf")
        assert not await remove_file(host, "/etc/app/x.conf")
        restored = await host.must(script("file-restore"), "/etc/app/x.conf", "/var/lib/rbdtui/backup")
        assert restored.text == "restored\n"
        assert await read_file(host, "/etc/app/x.conf") == b"one\n"


async def test_full_and_read_only_disks_are_told_apart_from_other_trouble(log_in: Login) -> None:
    async with SimulatedFleet(1) as fleet, log_in(fleet) as hosts:
        host = hosts["node1"]
        fleet.full_disk("node1")
        with pytest.raises(NoSpaceError):
            await write_file(host, "/etc/x", b"content")
        fleet.free_disk("node1")
        assert await write_file(host, "/etc/x", b"content")
        fleet.fail_next("node1", "file-write", message="dd: not today")
        with pytest.raises(RemoteScriptError):
            await write_file(host, "/etc/y", b"content")
        assert await write_file(host, "/etc/y", b"content")


async def test_a_read_only_mount_lasts_until_the_next_boot(log_in: Login) -> None:
    async with SimulatedFleet(1, speed=50.0) as fleet, log_in(fleet) as hosts:
        fleet.read_only("node1", "/tmp")
        with pytest.raises(ReadOnlyError):
            await write_file(hosts["node1"], "/tmp/x", b"content")
        await fleet.reboot("node1", down_s=1.0)
        assert await write_file(hosts["node1"], "/tmp/x", b"content")


async def test_a_greeting_comes_before_every_command_and_disturbs_nothing(log_in: Login) -> None:
    async with SimulatedFleet(1) as fleet, log_in(fleet) as hosts:
        fleet.greet("node1", "Welcome.\nstate=0\nNo space left on device\n")
        assert await write_file(hosts["node1"], "/etc/x", b"content")
        assert await read_file(hosts["node1"], "/etc/x") == b"content"


async def test_facts_are_read_by_the_products_parsers(log_in: Login) -> None:
    async with SimulatedFleet(2) as fleet, log_in(fleet) as hosts:
        fleet.skew("node2", 42.0)
        facts = await gather(hosts["node1"])
        assert facts.failed == {}
        assert facts.os.id == "debian"
        assert facts.interfaces[0].addresses[0] == fleet.machines["node1"].address
        assert facts.routes[0].destination.prefixlen == 0
        assert facts.memory.total_bytes == 16 * 1024**3
        assert [(own.port, own.process) for own in facts.listeners] == [(fleet.stations["node1"].sshd.port, "sshd")]
        assert facts.paths["/var/lib/rancher"].writable
        assert facts.cgroup_version == 2
        assert facts.clock is not None
        assert abs(facts.clock.offset_s) < 0.5
        other = await gather(hosts["node2"])
        assert other.machine_id != facts.machine_id
        assert other.clock is not None
        assert abs(other.clock.offset_s - 42.0) < 0.5


@pytest.mark.parametrize(
    ("build", "password", "expected"),
    [
        (OPS, PASSWORD, None),
        (OPS, "wrong", SudoPasswordWrongError),
        (Build(user="ops", sudo=Sudo.FREE), "", None),
        (Build(user="ops", password=PASSWORD, sudo=Sudo.TTY), PASSWORD, SudoTtyError),
    ],
    ids=["password", "wrong-password", "free", "requiretty"],
)
async def test_sudo(log_in: Login, build: Build, password: str, expected: type[TransportError] | None) -> None:
    async with SimulatedFleet(1, builds=[build]) as fleet, log_in(fleet, sudo=password) as hosts:
        if expected is not None:
            with pytest.raises(expected):
                await hosts["node1"].connect()
        else:
            assert await write_file(hosts["node1"], "/etc/x", b"content")


async def test_reach_tells_open_refused_unreachable_and_silence_apart(log_in: Login) -> None:
    async with SimulatedFleet(2, speed=SPEED) as fleet, log_in(fleet) as hosts:
        host = hosts["node1"]
        other = fleet.stations["node2"]
        address = str(other.machine.ip)
        assert (await host.reach(address, other.sshd.port)).reach is Reach.OPEN
        assert (await host.reach(address, 6443)).reach is Reach.REFUSED
        assert (await host.reach(str(fleet.vip.ip), 6443)).reach is Reach.UNREACHABLE
        assert (await host.reach("198.51.100.200", 22, timeout_s=0.2)).reach is Reach.TIMED_OUT
        fleet.stations["node1"].sshd.allow_forwarding = False
        assert (await host.reach(address, 6443)).reach is Reach.FORBIDDEN


async def test_upload_is_resumed_and_verified(log_in: Login, tmp_path: Path) -> None:
    source = tmp_path / "archive"
    source.write_bytes(b"x" * 3_000_000 + b"end")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    seen: list[UploadProgress] = []
    async with SimulatedFleet(1) as fleet, log_in(fleet) as hosts:
        machine = fleet.machines["node1"]
        machine.files.put("/var/lib/rbdtui/bundle/archive.part", b"x" * 1_000_000)
        target = "/var/lib/rbdtui/bundle/archive"
        assert await hosts["node1"].upload(source, target, sha256=digest, on_progress=seen.append)
        assert seen[0].sent_bytes == 1_000_000
        assert machine.files.read(target) == source.read_bytes()
        assert not await hosts["node1"].upload(source, target, sha256=digest)
        source.write_bytes(b"y" * 2_000_000)
        changed = hashlib.sha256(source.read_bytes()).hexdigest()
        fleet.full_disk("node1")
        with pytest.raises(TransportError):
            await hosts["node1"].upload(source, target, sha256=changed)


async def test_a_changed_host_key_is_noticed(log_in: Login) -> None:
    async with SimulatedFleet(1) as fleet, log_in(fleet) as hosts:
        await hosts["node1"].connect()
        fleet.change_host_key("node1")
        with pytest.raises(HostKeyChangedError):
            await hosts["node1"].must(script("clock"))


async def test_a_host_that_restarts_is_logged_in_to_again(log_in: Login) -> None:
    async with SimulatedFleet(1, speed=SPEED) as fleet, log_in(fleet) as hosts:
        await write_file(hosts["node1"], "/etc/x", b"content")
        fleet.machines["node1"].files.put("/run/gone", b"")
        await fleet.reboot("node1", down_s=2.0)
        assert await read_file(hosts["node1"], "/etc/x") == b"content"
        assert not fleet.machines["node1"].files.exists("/run/gone")


async def test_a_host_that_hangs_ends_by_the_time_limit(log_in: Login) -> None:
    async with SimulatedFleet(1) as fleet, log_in(fleet) as hosts:
        await hosts["node1"].connect()
        fleet.hang("node1")
        with pytest.raises(RemoteTimeoutError):
            await hosts["node1"].run(script("clock"), timeout_s=0.2)
        fleet.wake("node1")
        assert (await hosts["node1"].must(script("clock"))).text.startswith("@@clock ")


async def test_a_script_goes_on_when_its_link_is_lost(log_in: Login) -> None:
    async with SimulatedFleet(1) as fleet, log_in(fleet) as hosts:
        await hosts["node1"].connect()
        fleet.hang("node1")
        running = asyncio.create_task(write_file(hosts["node1"], "/etc/x", b"content"))
        await asyncio.sleep(0.2)
        running.cancel()
        fleet.stations["node1"].sshd.drop_connections()
        fleet.wake("node1")
        await eventually(lambda: fleet.machines["node1"].files.exists("/etc/x"))


async def test_a_cut_link_is_silent_and_comes_back(log_in: Login) -> None:
    async with SimulatedFleet(1) as fleet, log_in(fleet) as hosts:
        await hosts["node1"].connect()
        fleet.cut("node1")
        running = asyncio.create_task(hosts["node1"].must(script("clock")))
        done, _ = await asyncio.wait({running}, timeout=0.3)
        assert not done
        fleet.mend("node1")
        assert (await asyncio.wait_for(running, 10)).ok


async def test_fifty_machines_start_and_answer(log_in: Login) -> None:
    async with SimulatedFleet(50) as fleet, log_in(fleet) as hosts:
        results = await asyncio.gather(*(host.must(script("clock")) for host in hosts.values()))
        assert len(results) == 50
        assert all(re.fullmatch(r"@@clock \d+\.\d+\n", result.text) for result in results)
