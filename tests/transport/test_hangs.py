"""Login shells that never come to their command: nothing of them stays on the host, and they are asked seldom."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.transport import shells, ssh
from rbdtui.transport.base import LoginShellHangsError, RemoteTimeoutError
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scripts import Script
from tests.transport.conftest import QUICK, Connect, StartSshd
from tests.transport.openssh import RealSshd, sshd_directory
from tests.transport.sudo import SudoUser
from tests.waiting import until

LIMITS = replace(QUICK, shell_start_s=2.0)
WORK = Script("work", "echo fine\n")
LOOP = "while :; do :; done\n"
HANGS = {
    "loop": LOOP,
    "sleeps": "sleep 600\n",
    "child that loops": "sh -c 'while :; do :; done'\n",
    "deaf to hang-ups": f"trap '' HUP; {LOOP}",
    "reads a pipe": "mkfifo ~/pipe; cat ~/pipe\n",
}


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports are used again; what was known of another server there is none of this one's."""
    monkeypatch.setattr(shells, "_KNOWN", {})


def hang(sshd: RealSshd, text: str, *files: str) -> None:
    """Give these start-up files of root this text."""
    for file in files:
        (sshd.directory / "home" / file).write_text(text)


def left(sshd: RealSshd) -> list[str]:
    """The processes that sessions of this server left running."""
    port = b" %d" % sshd.port
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            if command and any(word.startswith(b"SSH_CONNECTION=") and word.endswith(port) for word in words):
                found.append(command)
    return found


async def none_left(sshd: RealSshd) -> None:
    await until(lambda: not left(sshd))


@pytest.mark.parametrize("text", HANGS.values(), ids=HANGS)
@pytest.mark.parametrize("files", [(".bashrc",), (".bashrc", ".profile")], ids=["bashrc", "profile too"])
async def test_what_a_hanging_login_shell_of_root_began_is_ended(
    sshd: RealSshd, connect: Connect, text: str, files: tuple[str, ...]
) -> None:
    hang(sshd, text, *files)
    host = connect(sshd.endpoint(), sshd.known_hosts(), LIMITS)
    with pytest.raises(LoginShellHangsError) as caught:
        await host.run(WORK)
    assert "has been ended" in str(caught.value)
    await none_left(sshd)


async def test_of_many_commands_at_once_one_tries_and_the_others_hear_of_it(sshd: RealSshd, connect: Connect) -> None:
    hang(sshd, LOOP, ".bashrc")
    most = 0
    host = connect(sshd.endpoint(), sshd.known_hosts(), LIMITS)
    running = [asyncio.create_task(host.run(WORK)) for _ in range(6)]
    while not all(task.done() for task in running):
        most = max(most, sum("rbdtui/work" in command for command in left(sshd)))
        await asyncio.sleep(0.1)
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert all(isinstance(outcome, LoginShellHangsError) for outcome in outcomes)
    assert most == 1
    await none_left(sshd)


async def test_a_host_that_hangs_is_asked_seldom_by_whatever_pool(start_sshd: StartSshd) -> None:
    sshd = await start_sshd(config="LogLevel VERBOSE")
    hang(sshd, LOOP, ".bashrc")
    known = shells.shells_of(sshd.endpoint())
    pauses = []
    for _ in range(3):
        logins = []
        for _ in range(3):
            async with HostPool({"n1": sshd.endpoint()}, sshd.known_hosts(), str, LIMITS) as pool:
                with pytest.raises(LoginShellHangsError) as caught:
                    await pool["n1"].run(WORK)
            logins.append(sshd.log.count("Starting session: command"))
            pauses.append(caught.value.params["pause_s"])
        assert len(set(logins)) == 1
        known._ask_again_at = 0.0
    assert pauses == [15] * 3 + [30] * 3 + [60] * 3
    (sshd.directory / "home" / ".bashrc").unlink()
    async with HostPool({"n1": sshd.endpoint()}, sshd.known_hosts(), str, LIMITS) as pool:
        assert (await pool["n1"].run(WORK)).text == "fine\n"
    assert known.pause_s == 15
    await none_left(sshd)


async def test_a_shell_that_begins_to_hang_meanwhile_is_ended_and_a_slow_one_is_waited_for(
    sshd: RealSshd, connect: Connect
) -> None:
    host = connect(sshd.endpoint(), sshd.known_hosts(), replace(LIMITS, shell_start_s=6))
    assert (await host.run(WORK)).text == "fine\n"
    hang(sshd, "sleep 2\n", ".bashrc")
    assert (await host.run(WORK)).text == "fine\n"
    hang(sshd, LOOP, ".bashrc")
    outcomes = await asyncio.gather(*(host.run(WORK) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, LoginShellHangsError) for outcome in outcomes)
    await none_left(sshd)


async def test_nothing_stays_where_nobody_waits_any_more(sshd: RealSshd) -> None:
    hang(sshd, LOOP, ".bashrc")
    async with HostPool({"n1": sshd.endpoint()}, sshd.known_hosts(), str, QUICK) as pool:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await pool["n1"].run(WORK)
    await none_left(sshd)


async def test_what_cannot_be_ended_is_said_with_how_to_find_it(start_sshd: StartSshd, connect: Connect) -> None:
    sshd = await start_sshd(config="PermitTTY no")
    hang(sshd, LOOP, ".bashrc")
    host = connect(sshd.endpoint(), sshd.known_hosts(), LIMITS)
    with pytest.raises(LoginShellHangsError) as caught:
        await host.run(WORK)
    outcome = str(caught.value.params["outcome"])
    assert "could not be ended" in outcome
    (still,) = [command for command in left(sshd) if "rbdtui/work" in command]
    tag = outcome.partition("pgrep -f ")[2].partition("`")[0]
    assert tag in still
    await asyncio.to_thread(kill_tagged, tag)
    await none_left(sshd)


async def test_a_user_other_than_root_needs_no_terminal_for_it(start_sshd: StartSshd, connect: Connect) -> None:
    with sshd_directory() as directory:
        user = SudoUser(directory)
        user.set_up("password")
        (directory / "ops" / ".bashrc").write_text(LOOP)
        shutil.chown(directory / "ops" / ".bashrc", 4242, 4242)
        sshd = await start_sshd(config="PermitTTY no", mounts=user.mounts[:3])
        host = connect(sshd.endpoint(user="ops"), sshd.known_hosts(), LIMITS)
        with pytest.raises(LoginShellHangsError) as caught:
            await host.run(WORK, root=False)
        assert "has been ended" in str(caught.value)
        await none_left(sshd)


STUCK = Script("work", 'echo begun > "$1"; kill -STOP $PPID; while :; do sleep 1; done\n')
"""Its own time limit never ends it: what watches over that stands still."""


async def test_a_command_that_its_time_limit_does_not_end_is_ended(
    sshd: RealSshd, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_GRACE_S", 0.5)
    host = connect(sshd.endpoint(), sshd.known_hosts())
    with pytest.raises(RemoteTimeoutError) as caught:
        await host.run(STUCK, str(sshd.directory / "begun"), timeout_s=1.0)
    assert "was stopped" in str(caught.value)
    assert (sshd.directory / "begun").exists()
    await none_left(sshd)
    assert (await host.run(WORK)).text == "fine\n"


async def test_a_command_that_nothing_ends_is_said_with_how_to_find_it(
    start_sshd: StartSshd, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_GRACE_S", 0.5)
    sshd = await start_sshd(config="PermitTTY no")
    host = connect(sshd.endpoint(), sshd.known_hosts())
    with pytest.raises(RemoteTimeoutError) as caught:
        await host.run(STUCK, str(sshd.directory / "begun"), timeout_s=1.0)
    assert "was stopped" not in str(caught.value)
    tag = str(caught.value).partition("pgrep -f ")[2].partition("`")[0]
    assert any(tag in command for command in left(sshd) if tag)
    await asyncio.to_thread(kill_tagged, tag)
    await none_left(sshd)


async def test_a_command_that_is_cancelled_is_killed_for_users_other_than_root(
    start_sshd: StartSshd, connect: Connect
) -> None:
    with sshd_directory() as directory:
        user = SudoUser(directory)
        user.set_up("password")
        sshd = await start_sshd(mounts=user.mounts[:3])
        host = connect(sshd.endpoint(user="ops"), sshd.known_hosts(), LIMITS)
        begun = directory / "ops" / "begun"
        work = Script("work", 'echo begun > "$1"; while :; do sleep 1; done\n')
        running = asyncio.create_task(host.run(work, str(begun), root=False, timeout_s=300))
        await until(begun.exists)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await none_left(sshd)
        assert (await host.run(WORK, root=False)).text == "fine\n"


def kill_tagged(tag: str) -> None:
    """What an operator does with what is said."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if tag.encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
