"""A real sudo behind a real sshd whose rules and passwords change while we work."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rbdtui.transport.base import Host, SudoPasswordMissingError, SudoPasswordWrongError
from rbdtui.transport.files import read_file, write_file
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scripts import Script
from tests.transport import sudo
from tests.transport.conftest import QUICK, StartSshd
from tests.transport.openssh import RealSshd, sshd_directory
from tests.transport.sudo import SudoUser

NASTY = """ p "a$s'$(s)\\ !`w`é密; id>%s; """
WORK = Script("work", 'id -un; echo "<$1>"; cat\n')
FREE = "ops ALL=(ALL) NOPASSWD: ALL"
ASKED = "ops ALL=(ALL) ALL"
PAYLOAD = b"first line\nsecond line\n\xff\x00third"


@pytest.fixture
def user() -> Iterator[SudoUser]:
    if reason := sudo.why_not():
        pytest.skip(f"NOT TESTED AGAINST SUDO: {reason}")
    with sshd_directory() as directory:
        yield SudoUser(directory)


@asynccontextmanager
async def logged_in(user: SudoUser, sshd: RealSshd, secrets: dict[str, str]) -> AsyncIterator[Host]:
    endpoint = user.endpoint(sshd) if secrets else sshd.endpoint(user=sudo.USER)
    async with HostPool({"n1": endpoint}, sshd.known_hosts(), lambda name: secrets[name], QUICK) as pool:
        yield pool["n1"]


async def works(host: Host) -> None:
    result = await host.run(WORK, "an 'argument'", payload=PAYLOAD)
    assert result.stdout == b"root\n<an 'argument'>\n" + PAYLOAD, result


@pytest.mark.parametrize(
    "more",
    ["", "Defaults timestamp_timeout=0", "Defaults timestamp_timeout=-1", "Defaults use_pty", "Defaults insults"],
)
@pytest.mark.parametrize("rule", [ASKED, FREE])
async def test_scripts_run_as_root_however_sudo_is_set(
    user: SudoUser, start_sshd: StartSshd, rule: str, more: str, tmp_path: Path
) -> None:
    user.set_up(NASTY)
    user.set_rules(rule, more)
    sshd = await start_sshd(mounts=user.mounts)
    async with logged_in(user, sshd, {"sudo": NASTY}) as host:
        await asyncio.gather(*(works(host) for _ in range(4)))
        source = tmp_path / "source"
        source.write_bytes(bytes(range(256)) * 20_000)
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        assert await host.upload(source, f"{user.directory}/file", sha256=digest)
        assert hashlib.sha256((user.directory / "file").read_bytes()).hexdigest() == digest
    assert user.refused == []


async def test_a_password_that_was_changed_costs_one_failed_try_and_is_named(
    user: SudoUser, start_sshd: StartSshd
) -> None:
    user.set_up(NASTY)
    sshd = await start_sshd(mounts=user.mounts)
    secrets = {"sudo": NASTY}
    async with logged_in(user, sshd, secrets) as host:
        await works(host)
        user.set_password("another")
        for _ in range(3):
            with pytest.raises(SudoPasswordWrongError):
                await host.run(WORK, payload=PAYLOAD)
        assert user.refused == [NASTY]
        secrets["sudo"] = "another"
        await works(host)
    assert user.refused == [NASTY]


async def test_a_password_that_was_changed_here_too_is_taken_up(user: SudoUser, start_sshd: StartSshd) -> None:
    user.set_up(NASTY)
    sshd = await start_sshd(mounts=user.mounts)
    secrets = {"sudo": NASTY}
    async with logged_in(user, sshd, secrets) as host:
        await works(host)
        user.set_password("another")
        secrets["sudo"] = "another"
        await works(host)
    assert user.refused == [NASTY]


@pytest.mark.parametrize("password", [NASTY, "id>%s;", "$(id>%s)", "`id>%s`", "exit 0", "{", "'", "\\"])
async def test_sudo_that_stops_to_ask_leaves_the_password_to_nobody(
    user: SudoUser, start_sshd: StartSshd, password: str
) -> None:
    trace = user.directory / "ran-as-root"
    password = password.replace("%s", str(trace))
    user.set_up(password)
    sshd = await start_sshd(mounts=user.mounts)
    async with logged_in(user, sshd, {"sudo": password}) as host:
        await works(host)
        user.set_rules(FREE)
        for _ in range(3):
            await works(host)
        user.set_rules(ASKED)
        await works(host)
    assert not trace.exists()
    assert user.refused == []


async def test_sudo_that_begins_to_ask_gets_the_password(user: SudoUser, start_sshd: StartSshd) -> None:
    user.set_up(NASTY, FREE)
    sshd = await start_sshd(mounts=user.mounts)
    async with logged_in(user, sshd, {"sudo": NASTY}) as host:
        await works(host)
        user.set_rules(ASKED)
        await asyncio.gather(*(works(host) for _ in range(3)))
    assert user.refused == []


async def test_sudo_that_begins_to_ask_for_what_nobody_named_is_told(user: SudoUser, start_sshd: StartSshd) -> None:
    user.set_up(NASTY, FREE)
    sshd = await start_sshd(mounts=user.mounts)
    async with logged_in(user, sshd, {}) as host:
        await works(host)
        user.set_rules(ASKED)
        for _ in range(2):
            with pytest.raises(SudoPasswordMissingError):
                await host.run(WORK, payload=PAYLOAD)
        user.set_rules(FREE)
        await works(host)
    assert user.refused == []


@pytest.mark.parametrize("rule", [ASKED, FREE])
async def test_a_log_of_what_goes_through_sudo_has_no_secret_in_it(
    user: SudoUser, start_sshd: StartSshd, rule: str
) -> None:
    logs = user.directory / "io"
    user.set_up(NASTY)
    user.set_rules(rule, f"Defaults log_input, log_output, iolog_dir={logs}")
    sshd = await start_sshd(mounts=user.mounts)
    async with logged_in(user, sshd, {"sudo": NASTY}) as host:
        target = f"{user.directory}/config.yaml"
        await write_file(host, target, b"token: SECRET-OF-THE-CLUSTER\n", mode=0o600)
        assert await read_file(host, target) == b"token: SECRET-OF-THE-CLUSTER\n"
    kept = {path: path.read_bytes() for path in logs.rglob("*") if path.is_file()}
    texts = {path.name: gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data for path, data in kept.items()}
    assert kept
    stdin = b"".join(
        gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        for path, data in kept.items()
        if path.name == "stdin"
    )
    assert b"SECRET" not in stdin
    assert NASTY.encode() not in b"".join(texts.values())


async def test_the_password_is_in_no_process_list(user: SudoUser, start_sshd: StartSshd) -> None:
    user.set_up(NASTY)
    sshd = await start_sshd(mounts=user.mounts)
    async with logged_in(user, sshd, {"sudo": NASTY}) as host:
        listing = await host.run(Script("work", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'\n"))
    assert "rbdtui/work" in listing.text
    assert NASTY.strip() not in listing.text
