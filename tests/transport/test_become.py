"""Becoming root: what sudo says is told apart, its password is tried once, and nothing secret is visible.

The sentences are those of sudo 1.9.13 as it printed them; a real sudo with a real account is tried in the lab.
"""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import pytest

from rbdtui.transport.base import (
    CommandResult,
    SudoAbsentError,
    SudoForbiddenError,
    SudoPasswordMissingError,
    SudoPasswordWrongError,
    SudoTtyError,
    TransportError,
)
from rbdtui.transport.become import Elevation, find_elevation
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scripts import Script
from tests.transport.conftest import QUICK, Connect
from tests.transport.inprocess import InProcessSshd

WANTS_PASSWORD = (1, "sudo: a password is required\n")
NASTY = """p "a$s'$(s)\\ !`w`é密 """


class Shell:
    """Answers three questions: who am I, who am I with sudo, who am I with sudo and a password."""

    def __init__(self, free: tuple[int, str], with_password: tuple[int, str]) -> None:
        self._free, self._with_password = free, with_password
        self.given: list[tuple[str, bytes]] = []

    async def __call__(self, command: str, stdin: bytes) -> CommandResult:
        self.given.append((command, stdin))
        if "sudo" not in command:
            return CommandResult(0, b"motd\n1000\n", b"", 0.0)
        status, text = self._free if " -n " in command else self._with_password
        return CommandResult(status, b"0\n" if status == 0 else b"", text.encode(), 0.0)


@pytest.mark.parametrize(
    ("free", "with_password", "error"),
    [
        (
            WANTS_PASSWORD,
            (1, "Sorry, try again.\n\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n"),
            SudoPasswordWrongError,
        ),
        (WANTS_PASSWORD, (1, "\nops is not in the sudoers file.\n"), SudoForbiddenError),
        (
            WANTS_PASSWORD,
            (1, "Sorry, user ops is not allowed to execute '/usr/bin/timeout -k 5 20 id -u' as root on n1.\n"),
            SudoForbiddenError,
        ),
        (WANTS_PASSWORD, (1, "sudo: Account expired or PAM config lacks an account section\n"), SudoForbiddenError),
        (
            (1, "sudo: interactive authentication is required\n"),
            (1, "sudo: Authentication failed, try again.\nsudo: Maximum 3 incorrect authentication attempts\n"),
            SudoPasswordWrongError,
        ),
        (
            (1, "sudo: interactive authentication is required\n"),
            (1, "sudo: I'm sorry ops. I'm afraid I can't do that\n"),
            SudoForbiddenError,
        ),
        ((1, "sudo: sorry, you must have a tty to run sudo\n"), (0, ""), SudoTtyError),
        (WANTS_PASSWORD, (1, "sudo: sorry, you must have a tty to run sudo\n"), SudoTtyError),
        ((127, "env: 'sudo': No such file or directory\n"), (0, ""), SudoAbsentError),
        ((1, "sudo: /etc/sudoers is owned by uid 1000, should be 0\n"), (0, ""), SudoForbiddenError),
    ],
)
async def test_every_refusal_of_sudo_has_its_own_error(
    free: tuple[int, str], with_password: tuple[int, str], error: type[TransportError]
) -> None:
    shell = Shell(free, with_password)
    with pytest.raises(error) as caught:
        await find_elevation("n1", "ops", shell, lambda: NASTY)
    assert not caught.value.retryable
    assert caught.value.params["user"] == "ops"
    assert NASTY not in str(caught.value) + repr(caught.value)


async def test_root_asks_nothing() -> None:
    shell = Shell(WANTS_PASSWORD, WANTS_PASSWORD)
    assert await find_elevation("n1", "root", shell, lambda: NASTY) == Elevation()
    assert shell.given == []


async def test_sudo_without_a_password_gets_none() -> None:
    shell = Shell((0, "We trust you have received the usual lecture\n"), WANTS_PASSWORD)
    elevation = await find_elevation("n1", "ops", shell, lambda: NASTY)
    assert elevation.input == b""
    assert " -n " in elevation.prefix
    assert all(stdin == b"" for _, stdin in shell.given)


@pytest.mark.parametrize("words", ["interactive authentication is required", "words of a sudo that nobody knows yet"])
async def test_a_password_at_hand_is_tried_whatever_sudo_said_before(words: str) -> None:
    shell = Shell((1, f"sudo: {words}\n"), (0, ""))
    elevation = await find_elevation("n1", "ops", shell, lambda: NASTY)
    assert elevation.input == NASTY.encode() + b"\n"


@pytest.mark.parametrize("words", ["a password is required", "interactive authentication is required"])
async def test_a_password_that_is_not_named_is_not_guessed(words: str) -> None:
    shell = Shell((1, f"sudo: {words}\n"), (0, ""))
    with pytest.raises(SudoPasswordMissingError):
        await find_elevation("n1", "ops", shell, lambda: None)
    assert len(shell.given) == 2


async def test_the_password_is_tried_once_and_alone_on_standard_input() -> None:
    shell = Shell(WANTS_PASSWORD, (0, ""))
    elevation = await find_elevation("n1", "ops", shell, lambda: NASTY)
    assert [stdin for _, stdin in shell.given if stdin] == [NASTY.encode() + b"\n"]
    assert NASTY not in repr(elevation)
    assert all(NASTY not in command for command, _ in shell.given)


# --- through a connection, with programs that stand in for sudo and id


SUDO = """#!/bin/sh
# Takes the password as sudo does: a line of standard input, up to three times.
echo "$*" >> {directory}/sudo-calls
case " $* " in *" -n "*) echo "sudo: a password is required" >&2; exit 1 ;; esac
IFS= read -r line
printf '%s\n' "$line" >> {directory}/passwords
[ "$line" = "$(cat {directory}/password)" ] || {{ echo "Sorry, try again." >&2; IFS= read -r line &&
  printf '%s\n' "$line" >> {directory}/passwords; echo "sudo: 1 incorrect password attempt" >&2; exit 1; }}
while [ "$1" != timeout ]; do shift; done
IS_ROOT=1; export IS_ROOT
exec "$@"
"""
ID = '#!/bin/sh\nif [ -n "$IS_ROOT" ]; then echo 0; else echo 1000; fi\n'


@pytest.fixture
def op(server: InProcessSshd) -> Endpoint:
    """A user who needs sudo with the password ``NASTY``."""
    programs = server.directory / "programs"
    programs.mkdir()
    for name, text in (("sudo", SUDO.format(directory=shlex.quote(str(server.directory)))), ("id", ID)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (server.directory / "password").write_text(NASTY + "\n")
    server.path = f"{programs}:{server.path}"
    server.passwords = {"op": "right"}
    return server.endpoint(user="op", sudo_password="sudo")


def passwords_tried(server: InProcessSshd) -> list[str]:
    file = server.directory / "passwords"
    return file.read_text().splitlines() if file.exists() else []


async def test_scripts_run_as_root_and_their_payload_is_theirs(
    server: InProcessSshd, connect: Connect, op: Endpoint
) -> None:
    server.noise = b"Last login: yesterday\n"
    host = connect(op, server.known_hosts(), login="right", sudo=NASTY)
    work = Script("work", 'echo "root=$IS_ROOT"; cat\n')
    results = await asyncio.gather(*(host.run(work, payload=b"secret %d\n" % number) for number in range(4)))
    assert [result.text for result in results] == [f"root=1\nsecret {number}\n" for number in range(4)]
    assert passwords_tried(server) == [NASTY] * 5
    plain = await host.run(work, root=False)
    assert plain.text == "root=\n"
    assert NASTY not in (server.directory / "sudo-calls").read_text() + "".join(server.commands)


async def test_a_wrong_sudo_password_is_shown_to_sudo_once_and_no_script_text_with_it(
    server: InProcessSshd, connect: Connect, op: Endpoint
) -> None:
    host = connect(op, server.known_hosts(), login="right", sudo="wrong")
    with pytest.raises(SudoPasswordWrongError):
        await host.run(Script("work", "echo never\n"))
    assert passwords_tried(server) == ["wrong"]
    assert (await host.run(Script("work", "echo as myself\n"), root=False)).text == "as myself\n"


async def test_connect_says_at_once_that_root_is_out_of_reach(
    server: InProcessSshd, connect: Connect, op: Endpoint, tmp_path: Path
) -> None:
    host = connect(server.endpoint(user="op"), server.known_hosts(), login="right")
    with pytest.raises(SudoPasswordMissingError) as caught:
        await host.connect()
    assert "sudo_password" in str(caught.value.remedy)


async def test_a_wrong_sudo_password_is_not_tried_again_until_it_is_another_one(
    server: InProcessSshd, connect: Connect, op: Endpoint
) -> None:
    secrets = {"login": "right", "sudo": "wrong"}
    async with HostPool({"n1": op}, server.known_hosts(), lambda name: secrets[name], QUICK) as pool:
        host, work = pool["n1"], Script("work", "echo done\n")
        outcomes = await asyncio.gather(*(host.run(work) for _ in range(4)), return_exceptions=True)
        assert all(isinstance(outcome, SudoPasswordWrongError) for outcome in outcomes)
        assert passwords_tried(server) == ["wrong"]
        secrets["sudo"] = NASTY
        assert (await host.run(work)).text == "done\n"
