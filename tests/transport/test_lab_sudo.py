"""The same over real hosts: a real sudo with a nasty password, a bastion, systemd, cut links and power cuts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rbdtui.transport.base import (
    Host,
    HostKeyChangedError,
    LoginRefusedError,
    NoSpaceError,
    Reach,
    RemoteTimeoutError,
    ShellUnusableError,
    SudoAbsentError,
    SudoForbiddenError,
    SudoPasswordWrongError,
    SudoTtyError,
    TransportError,
)
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.files import file_states, read_file, write_file
from rbdtui.transport.hostkeys import KeyState, KnownHosts
from rbdtui.transport.jobs import run_job, stop_job
from rbdtui.transport.limits import Limits
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scan import scan_host_keys
from rbdtui.transport.scripts import Script
from tests.transport.follower import follow_and_be_killed
from tests.transport.test_jobs import COUNT

if TYPE_CHECKING:
    from tests.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

WHO = Script("work", "id -un; cat\n")
LIMITS = Limits(connect_timeout_s=5, login_timeout_s=10, keepalive_interval_s=2, keepalive_count=2)
SECRETS: dict[str, str] = {}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    from tests.lab import OP_PASSWORD, Lab

    SECRETS.update(op=OP_PASSWORD, wrong="wrong")
    with Lab("ssh", hosts=2, bundle=False, bastion_for=("n2",)) as lab:
        yield lab


@pytest.fixture
def known(lab: Lab, tmp_path: Path) -> KnownHosts:
    """All host keys of the lab pinned."""
    path = tmp_path / "known_hosts"
    lines = [line for name in ("n1", "n2", "bastion") for line in lab.host_keys(name)]
    path.write_text("".join(line + "\n" for line in lines))
    return KnownHosts(path)


def op(lab: Lab, **changes: object) -> Endpoint:
    """The user with the nasty sudo password on n1."""
    from tests.lab import OP_USER

    plain = Endpoint("n1", lab.hosts["n1"].address, user=OP_USER, key=lab.key, sudo_password="op", agent=False)
    return replace(plain, **changes)  # type: ignore[arg-type]


def root(lab: Lab, name: str = "n1") -> Endpoint:
    """Root on a host, through the bastion where that is the way."""
    from tests.lab import BASTION_USER

    endpoint = Endpoint(name, lab.hosts[name].address, key=lab.key, agent=False)
    if not lab.hosts[name].behind_bastion:
        return endpoint
    assert lab.bastion is not None
    gate = Endpoint("bastion", lab.bastion.address, user=BASTION_USER, key=lab.bastion_key, agent=False)
    return replace(endpoint, bastions=(gate,))


@asynccontextmanager
async def logged_in(endpoint: Endpoint, known: KnownHosts, limits: Limits = LIMITS) -> AsyncIterator[Host]:
    async with HostPool({endpoint.node: endpoint}, known, SECRETS.__getitem__, limits) as pool:
        yield pool[endpoint.node]


# --- sudo


async def test_a_nasty_sudo_password_makes_root(lab: Lab, known: KnownHosts, tmp_path: Path) -> None:
    async with logged_in(op(lab), known) as host:
        assert (await host.run(WHO, payload=b"payload")).text == "root\npayload"
        assert (await host.run(WHO, root=False)).text == "op\n"
        assert await write_file(host, "/etc/rbdtui-test", b"x", mode=0o600)
        assert not await write_file(host, "/etc/rbdtui-test", b"x", mode=0o600)
        assert await read_file(host, "/etc/rbdtui-test") == b"x"
        assert await read_file(host, "/etc/rbdtui-test-none", root=False) is None
        source = tmp_path / "source"
        source.write_bytes(bytes(range(256)) * 20_000)
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        assert await host.upload(source, "/var/lib/rbdtui/bundle/file", sha256=digest)
        assert not await host.upload(source, "/var/lib/rbdtui/bundle/file", sha256=digest)
        state = (await file_states(host, ["/var/lib/rbdtui/bundle/file"]))["/var/lib/rbdtui/bundle/file"]
        assert state is not None
        assert (state.sha256, state.owner) == (digest, "root:root")
    assert lab.ssh("n1", "stat -c %a /var/lib/rbdtui").stdout.strip() == "700"


async def test_the_sudo_password_is_in_no_process_list_and_no_log(lab: Lab, known: KnownHosts) -> None:
    from tests.lab import OP_PASSWORD

    async with logged_in(op(lab), known) as host:
        listing = await host.run(
            Script("work", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'\n")
        )
    journal = lab.ssh("n1", "journalctl --no-pager -o cat; cat /var/log/auth.log 2>/dev/null || true").stdout
    assert "rbdtui/work" in listing.text
    assert "COMMAND=" in journal
    assert OP_PASSWORD not in listing.text + journal


async def test_a_wrong_sudo_password_counts_as_one_failed_try(lab: Lab, known: KnownHosts) -> None:
    before = _failures(lab)
    async with logged_in(op(lab, sudo_password="wrong"), known) as host:
        for _ in range(3):
            with pytest.raises(SudoPasswordWrongError):
                await host.run(WHO)
        assert (await host.run(WHO, root=False)).text == "op\n"
    assert _failures(lab) == before + 1


def _failures(lab: Lab) -> int:
    journal = lab.ssh("n1", "journalctl --no-pager -o cat -t sudo").stdout
    return journal.count("authentication failure;")


@pytest.mark.parametrize(
    ("sudoers", "error"),
    [
        ("op ALL=(ALL) ALL\\nDefaults:op requiretty\\n", SudoTtyError),
        ("op ALL=(ALL) /bin/ls\\n", SudoForbiddenError),
        ("", SudoForbiddenError),
        ("op ALL=(ALL) NOPASSWD: ALL\\n", None),
    ],
    ids=["requiretty", "another command", "no right", "no password"],
)
async def test_what_sudoers_says_is_told_apart(
    lab: Lab, known: KnownHosts, sudoers: str, error: type[TransportError] | None
) -> None:
    lab.ssh("n1", f"cp -p /etc/sudoers.d/op /root/op && printf '{sudoers}' > /etc/sudoers.d/op")
    try:
        async with logged_in(op(lab), known) as host:
            if error is None:
                assert (await host.run(WHO)).text == "root\n"
            else:
                with pytest.raises(error):
                    await host.run(WHO)
    finally:
        lab.ssh("n1", "mv /root/op /etc/sudoers.d/op")


async def test_a_host_without_sudo_is_named(lab: Lab, known: KnownHosts) -> None:
    lab.ssh("n1", "mv /usr/bin/sudo /root/sudo")
    try:
        async with logged_in(op(lab), known) as host:
            with pytest.raises(SudoAbsentError):
                await host.run(WHO)
    finally:
        lab.ssh("n1", "mv /root/sudo /usr/bin/sudo")


async def test_a_login_shell_that_talks_disturbs_nothing(lab: Lab, known: KnownHosts) -> None:
    lab.ssh("n1", "cp -p /home/op/.bashrc /root/bashrc; printf 'echo hello; echo there >&2\\n' > /home/op/.bashrc")
    try:
        async with logged_in(op(lab), known) as host:
            assert (await host.run(WHO)).stdout == b"root\n"
    finally:
        lab.ssh("n1", "cp -p /root/bashrc /home/op/.bashrc")


async def test_an_account_without_a_shell_is_named(lab: Lab, known: KnownHosts) -> None:
    lab.ssh("n1", "chsh -s /usr/sbin/nologin op")
    try:
        async with logged_in(op(lab), known) as host:
            with pytest.raises(ShellUnusableError, match="not available"):
                await host.run(WHO)
    finally:
        lab.ssh("n1", "chsh -s /bin/bash op")


async def test_passwords_of_real_accounts(lab: Lab, known: KnownHosts) -> None:
    async with logged_in(op(lab, key=None, password="op"), known) as host:
        assert (await host.run(WHO)).text == "root\n"
    async with logged_in(op(lab, key=None, password="wrong"), known) as host:
        with pytest.raises(LoginRefusedError):
            await host.run(WHO)


# --- bastion and host keys


async def test_a_host_behind_the_bastion(lab: Lab, known: KnownHosts) -> None:
    async with logged_in(root(lab, "n2"), known) as host:
        assert (await host.run(WHO)).text == "root\n"
        assert (await host.reach(lab.hosts["n1"].address, 22)).reach is Reach.OPEN
        assert (await host.reach(lab.hosts["n1"].address, 1)).reach is Reach.REFUSED
        nobody = str(lab.vips[-1])
        silent = await host.reach(nobody, 22, timeout_s=6)
        assert (silent.reach, silent.detail) == (Reach.UNREACHABLE, "No route to host")
        async with host.forward(lab.hosts["n1"].address, 22) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert (await reader.readline()).startswith(b"SSH-2.0-OpenSSH")
            writer.close()


async def test_keys_are_seen_pinned_and_found_changed(lab: Lab, tmp_path: Path) -> None:
    pinned = KnownHosts(tmp_path / "known_hosts")
    endpoints = [root(lab, "n1"), root(lab, "n2")]
    for _ in range(2):
        pinned.pin(await scan_host_keys(endpoints, pinned, str, limits=LIMITS))
    seen = await scan_host_keys(endpoints, pinned, str, limits=LIMITS)
    assert {key.state for key in seen} == {KeyState.PINNED}
    assert {key.node for key in seen} == {"n1", "n2", "bastion"}
    lab.rekey("n1")
    async with logged_in(root(lab), pinned) as host:
        with pytest.raises(HostKeyChangedError):
            await host.run(WHO)
    again = await scan_host_keys(endpoints[:1], pinned, str, limits=LIMITS)
    assert {key.state for key in again} == {KeyState.CHANGED}


# --- long work


async def test_a_job_is_a_unit_of_systemd_and_outlives_a_cut_link(lab: Lab, known: KnownHosts) -> None:
    lines: list[str] = []
    async with logged_in(op(lab), known) as host:
        following = asyncio.create_task(run_job(host, "cut", COUNT, "40", "0.5", timeout_s=90, on_line=lines.append))
        await _until(lambda: len(lines) > 4)
        units = lab.ssh("n1", "systemctl is-active rbdtui-cut.service").stdout
        assert units == "active\n"
        lab.cut("n1")
        await asyncio.sleep(8)
        lab.mend("n1")
        result = await following
        left = await host.run(
            Script("work", "ls -A /var/lib/rbdtui/jobs; systemctl list-units --all --plain --no-legend 'rbdtui-*'\n")
        )
    assert result.ok
    assert lines == [f"line {number}" for number in range(1, 41)]
    assert left.text == ""


async def test_a_job_is_found_again_after_its_follower_was_killed(lab: Lab, known: KnownHosts, tmp_path: Path) -> None:
    known_file = tmp_path / "known_hosts"
    assert await follow_and_be_killed(root(lab), known_file, "kill", COUNT, "30", "0.2") == "line 1"
    lines: list[str] = []
    async with logged_in(root(lab), known) as host:
        result = await run_job(host, "kill", COUNT, "30", "0.2", timeout_s=60, on_line=lines.append)
    assert (result.found, result.ok) == (True, True)
    assert lines == [f"line {number}" for number in range(1, 31)]


async def test_a_job_whose_host_loses_power_is_started_again(lab: Lab, known: KnownHosts) -> None:
    work = Script("work", 'echo x >> "$1"; sync; [ "$(wc -l < "$1")" -gt 1 ] || sleep 60; echo whole\n')
    async with logged_in(root(lab), known) as host:
        following = asyncio.create_task(run_job(host, "power", work, "/var/tmp/ran", timeout_s=120))
        await _until(lambda: lab.ssh("n1", "test -s /var/tmp/ran", check=False).returncode == 0)
        await asyncio.to_thread(lab.off, "n1")
        await asyncio.to_thread(lab.on, "n1")
        result = await following
    assert (result.exit_status, result.tail, result.found) == (0, ("whole",), True)
    assert lab.ssh("n1", "wc -l < /var/tmp/ran").stdout.strip() == "2"


async def test_a_job_ends_by_its_limit_by_name_or_by_itself(lab: Lab, known: KnownHosts) -> None:
    work = Script("work", "sleep 61 & wait\n")
    async with logged_in(root(lab), known) as host:
        with pytest.raises(RemoteTimeoutError):
            await run_job(host, "limit", work, timeout_s=1)
        following = asyncio.create_task(run_job(host, "name", work, timeout_s=60))
        await _until(lambda: lab.ssh("n1", "systemctl is-active rbdtui-name", check=False).stdout == "active\n")
        assert await stop_job(host, "name")
        with pytest.raises(TransportError):
            await following
        failed = await run_job(host, "self", Script("work", "yes | head -n 1; exit 4\n"), timeout_s=30)
        assert (failed.exit_status, failed.tail) == (4, ("y",))
        assert (await host.run(Script("work", "ps -e -o args= | grep '^sleep 61' || true\n"))).text == ""


async def test_a_disk_that_is_full_loses_neither_files_nor_results(lab: Lab, known: KnownHosts) -> None:
    async with logged_in(root(lab), known) as host:
        assert await write_file(host, "/etc/rbdtui-full", b"old")
        work = Script("work", "sleep 8; echo y; exit 6\n")
        following = asyncio.create_task(run_job(host, "full", work, timeout_s=60))
        await _until(lambda: lab.ssh("n1", "systemctl is-active rbdtui-full", check=False).stdout == "active\n")
        lab.fill("n1")
        try:
            with pytest.raises(NoSpaceError):
                await write_file(host, "/etc/rbdtui-full", b"x" * 2_000_000)
            assert await read_file(host, "/etc/rbdtui-full") == b"old"
            assert (await following).exit_status == 6
        finally:
            lab.drain("n1")


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(happened):
            await asyncio.sleep(0.2)
