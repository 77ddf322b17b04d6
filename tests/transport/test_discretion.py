"""A host that says back what it was told: no error of ours carries a password on."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from rbdtui.transport.base import NotSshError, RemoteScriptError, ShellUnusableError, SudoForbiddenError, TransportError
from rbdtui.transport.scripts import Script
from tests.transport.conftest import Connect
from tests.transport.inprocess import InProcessSshd

LOGIN, SUDO = "Login-canary 1", "Sudo-canary 2"


class Parrot(InProcessSshd):
    """Answers commands by itself, with what it hears."""

    asks_for_password = True

    def _start_command(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        task = asyncio.create_task(self._repeat(process))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _repeat(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        if "read -r pw" in command:
            heard = await process.stdin.read()
            process.stderr.write(b"sudo: no use for " + heard)
            process.exit(1)
        elif "sudo -n" in command:
            await process.stdin.read()
            process.stderr.write(b"sudo: a password is required\n")
            process.exit(1)
        elif "id -u" in command and self.asks_for_password:
            await process.stdin.read()
            process.stdout.write(b"1000\n")
            process.exit(0)
        else:
            process.stdout.write(await process.stdin.read())
            process.stderr.write(f"{LOGIN}\n".encode())
            process.exit(1)


class Telltale(dict[str, str]):
    """Passwords, of which asking for one ends the connection with it."""

    def get(self, user: str, default: object = None) -> str:
        raise asyncssh.DisconnectError(2, f"no entry for {self[user]}")


@pytest.fixture
async def parrot(tmp_path: Path) -> AsyncIterator[Parrot]:
    one = Parrot(tmp_path, passwords={"ops": LOGIN, "root": LOGIN})
    await one.start()
    yield one
    await one.stop()


def no_word_of(error: TransportError) -> None:
    told = f"{error!r} {error} {error.text!r} {error.remedy} {error.params} {error.args}"
    told += "".join(traceback.format_exception(error))
    if isinstance(error, RemoteScriptError):
        told += f"{error.result.text} {error.result.error_text} {error.result!r}"
    assert "canary" not in told
    assert error.node == "n1"


@pytest.mark.parametrize(
    ("user", "asks", "kind"),
    [("ops", True, SudoForbiddenError), ("ops", False, ShellUnusableError), ("root", False, ShellUnusableError)],
    ids=["sudo", "login shell", "login shell of root"],
)
async def test_what_a_host_says_back_is_in_no_error(
    parrot: Parrot, connect: Connect, user: str, asks: bool, kind: type[TransportError]
) -> None:
    parrot.asks_for_password = asks
    endpoint = parrot.endpoint(user=user, sudo_password="sudo")
    host = connect(endpoint, parrot.known_hosts(), login=LOGIN, sudo=SUDO)
    for call in (host.connect, lambda: host.run(Script("work", "echo ok\n")), lambda: host.run(Script("work", ""))):
        try:
            await call()
        except kind as error:
            no_word_of(error)
        else:
            assert (user, call) == ("root", host.connect)


async def test_why_a_host_hangs_up_is_told_without_the_password(parrot: Parrot, connect: Connect) -> None:
    parrot.passwords = Telltale(parrot.passwords)
    with pytest.raises(NotSshError) as caught:
        await connect(parrot.endpoint(), parrot.known_hosts(), login=LOGIN).run(Script("work", "echo ok\n"))
    assert "no entry for ******" in str(caught.value)
    no_word_of(caught.value)


async def test_the_words_of_a_script_that_failed_are_without_it(server: InProcessSshd, connect: Connect) -> None:
    server.passwords = {"root": LOGIN}
    host = connect(server.endpoint(), server.known_hosts(), login=LOGIN)
    with pytest.raises(RemoteScriptError) as caught:
        await host.must(Script("work", f"echo '{LOGIN}'; echo 'bad: {LOGIN}' >&2; exit 3\n"))
    no_word_of(caught.value)
    assert caught.value.result.error_text == "bad: ******\n"


async def test_a_password_that_is_also_a_name_hides_no_name(server: InProcessSshd, connect: Connect) -> None:
    server.passwords = {"root": "root"}
    host = connect(server.endpoint(), server.known_hosts(), login="root")
    with pytest.raises(RemoteScriptError) as caught:
        await host.must(Script("work", "echo 'root: no' >&2; exit 3\n"))
    assert caught.value.node == caught.value.params["node"] == "n1"
    server.passwords = {"root": "another"}
    with pytest.raises(TransportError) as refused:
        await connect(server.endpoint(), server.known_hosts(), login="root").run(Script("work", ""))
    assert refused.value.params["user"] == "root"
