"""Logging in: every way to be let in, every way to be refused, and what of it may be seen."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from rbdtui.listening import listen
from rbdtui.transport.base import (
    ConnectionLostError,
    ConnectRefusedError,
    ConnectTimeoutError,
    CredentialError,
    HostKeyChangedError,
    HostKeyUnknownError,
    LoginRefusedError,
    NotSshError,
    SecondFactorError,
    TransportError,
    UnreachableError,
)
from rbdtui.transport.hostkeys import fingerprint
from rbdtui.transport.login import LONGEST_QUESTION
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scripts import Script
from tests.transport.conftest import QUICK, Connect, StartSshd
from tests.transport.inprocess import InProcessSshd
from tests.transport.openssh import RealSshd, make_key
from tests.transport.wire import Wire, known_by

OK = Script("work", "echo ok\n")
SECRET = 'pass "word" $HOME !§密'


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running ssh-agent; gives its socket."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if socket.exists():
                break
            time.sleep(0.02)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield socket
    finally:
        process.terminate()
        process.wait(10)


def add_to_agent(key: Path) -> None:
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env=dict(os.environ), timeout=20)


# --- who is let in


async def test_a_password_of_any_characters(server: InProcessSshd, connect: Connect) -> None:
    server.passwords = {"root": SECRET}
    host = connect(server.endpoint(), server.known_hosts(), login=SECRET)
    assert (await host.run(OK)).text == "ok\n"


@pytest.mark.parametrize("question", ["Password: ", "密码：", "ops@n1's secret"])
async def test_a_password_asked_for_by_the_keyboard_in_any_language(
    server: InProcessSshd, connect: Connect, question: str
) -> None:
    server.prompts = [(question, False)]
    host = connect(server.endpoint(), server.known_hosts(), login="right")
    assert (await host.run(OK)).text == "ok\n"


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("ed25519", "RFC4716"),
        ("rsa", "RFC4716"),
        ("rsa", "PEM"),
        ("rsa", "PKCS8"),
        ("ecdsa", "PEM"),
    ],
)
async def test_a_key_with_a_passphrase(sshd: RealSshd, connect: Connect, kind: str, form: str) -> None:
    key = sshd.directory / "secret_key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", SECRET, "-m", form, "-f", str(key)], check=True, timeout=60)
    (sshd.directory / "authorized_keys").write_bytes(key.with_suffix(".pub").read_bytes())
    host = connect(sshd.endpoint(key=key, passphrase="phrase"), sshd.known_hosts(), phrase=SECRET)
    assert (await host.run(OK)).text == "ok\n"


async def test_the_agent(sshd: RealSshd, connect: Connect, agent: Path) -> None:
    add_to_agent(sshd.key)
    host = connect(sshd.endpoint(key=None, agent=True), sshd.known_hosts())
    assert (await host.run(OK)).text == "ok\n"


async def test_the_agent_opens_a_key_file_whose_passphrase_is_not_named(
    sshd: RealSshd, connect: Connect, agent: Path
) -> None:
    add_to_agent(sshd.key)
    locked = sshd.directory / "locked"
    locked.write_bytes(sshd.key.read_bytes())
    locked.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "x12345", "-f", str(locked)], check=True, timeout=60)
    host = connect(sshd.endpoint(key=locked, agent=True), sshd.known_hosts())
    assert (await host.run(OK)).text == "ok\n"


async def test_an_agent_that_may_not_be_asked_is_not_asked(sshd: RealSshd, connect: Connect, agent: Path) -> None:
    add_to_agent(sshd.key)
    host = connect(sshd.endpoint(key=None, agent=False), sshd.known_hosts())
    with pytest.raises(LoginRefusedError):
        await host.run(OK)


async def test_an_agent_full_of_keys_leaves_room_for_the_password(
    server: InProcessSshd, connect: Connect, agent: Path, tmp_path: Path
) -> None:
    for number in range(9):
        add_to_agent(make_key(tmp_path / f"key{number}"))
    server.authorized = [asyncssh.generate_private_key("ssh-ed25519")]
    host = connect(server.endpoint(agent=True), server.known_hosts(), login="right")
    assert (await host.run(OK)).text == "ok\n"
    assert 0 < sum(login.startswith("publickey") for login in server.logins) <= 4


async def test_without_key_and_password_the_usual_key_files_are_tried(
    sshd: RealSshd, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(sshd.key.read_bytes())
    (tmp_path / ".ssh" / "id_rsa").write_text("not a key")
    host = connect(sshd.endpoint(key=None), sshd.known_hosts())
    assert (await host.run(OK)).text == "ok\n"


# --- who is refused


async def test_a_wrong_password_is_shown_once_only(server: InProcessSshd, connect: Connect) -> None:
    host = connect(server.endpoint(), server.known_hosts(), login="wrong")
    with pytest.raises(LoginRefusedError) as caught:
        await host.run(OK)
    assert server.logins == ["password wrong"]
    assert caught.value.params["tried"] == "password"
    assert not caught.value.retryable


async def test_a_refused_password_is_not_tried_again_until_it_is_another_one(server: InProcessSshd) -> None:
    secrets = {"login": "wrong"}
    async with HostPool({"n1": server.endpoint()}, server.known_hosts(), lambda name: secrets[name], QUICK) as pool:
        for _ in range(5):
            with pytest.raises(LoginRefusedError):
                await pool["n1"].run(OK)
        assert server.logins == ["password wrong"]
        secrets["login"] = "right"
        assert (await pool["n1"].run(OK)).text == "ok\n"


@pytest.mark.parametrize(
    ("prompts", "question"),
    [
        ([("Password: ", False), ("One-time code: ", False)], "One-time code:"),
        ([("Verification code\x1b[2J: ", True)], None),
        ([("Token" * 40, True)], None),
        ([("", True)], "?"),
    ],
)
async def test_a_second_factor_is_named_and_not_answered_with_the_password(
    server: InProcessSshd, connect: Connect, prompts: list[tuple[str, bool]], question: str | None
) -> None:
    server.prompts = prompts
    host = connect(server.endpoint(), server.known_hosts(), login="right")
    with pytest.raises(SecondFactorError) as caught:
        await host.run(OK)
    assert server.logins == []
    asked = str(caught.value.params["question"])
    assert asked == question or question is None
    assert asked.isprintable()
    assert len(asked) <= LONGEST_QUESTION


async def test_a_second_factor_behind_a_right_password_is_named_each_time(
    server: InProcessSshd, connect: Connect
) -> None:
    server.prompts = [("Password: ", False)]
    server.next_prompts = [("Verification code: ", False)]
    host = connect(server.endpoint(), server.known_hosts(), login="right")
    for _ in range(2):
        with pytest.raises(SecondFactorError) as caught:
            await host.run(OK)
        assert caught.value.params["question"] == "Verification code:"
    server.next_prompts = []
    assert (await host.run(OK)).text == "ok\n"


async def test_a_refusal_says_what_the_server_takes(server: InProcessSshd, connect: Connect, sshd: RealSshd) -> None:
    server.passwords = {}
    server.authorized = [asyncssh.generate_private_key("ssh-ed25519")]
    host = connect(server.endpoint(), server.known_hosts(), login="x")
    with pytest.raises(LoginRefusedError) as caught:
        await host.run(OK)
    assert "publickey" in str(caught.value.params["offered"])
    keys_only = connect(sshd.endpoint(key=None, password="login"), sshd.known_hosts(), login="x")
    with pytest.raises(LoginRefusedError) as caught:
        await keys_only.run(OK)
    assert caught.value.params["offered"] == "publickey, keyboard-interactive"
    assert caught.value.params["tried"] == "-"


async def test_a_key_that_is_not_authorized(sshd: RealSshd, connect: Connect, tmp_path: Path) -> None:
    host = connect(sshd.endpoint(key=make_key(tmp_path / "stranger")), sshd.known_hosts())
    with pytest.raises(LoginRefusedError) as caught:
        await host.run(OK)
    refused = f"n1: login as root refused by 127.0.0.1 port {sshd.port} "
    assert str(caught.value) == f"{refused}(tried: publickey; the server accepts: publickey, keyboard-interactive)."


@pytest.mark.parametrize(
    ("content", "passphrase", "reason"),
    [
        (None, "", "No such file or directory"),
        (b"this is no key", "", "it is not a readable private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "", "it is not"),
        ("locked", "", "no passphrase is given"),
        ("locked", "phrase", "its passphrase is wrong"),
    ],
)
async def test_a_key_file_that_cannot_be_used(
    sshd: RealSshd, connect: Connect, tmp_path: Path, content: bytes | str | None, passphrase: str, reason: str
) -> None:
    key = tmp_path / "the_key"
    if content == "locked":
        make_key(key, passphrase="right")
    elif isinstance(content, bytes):
        key.write_bytes(content)
    async with Wire(sshd.port) as wire:
        endpoint = sshd.endpoint(port=wire.port, key=key, passphrase=passphrase)
        host = connect(endpoint, known_by(wire, sshd), phrase="very wrong")
        with pytest.raises(CredentialError) as caught:
            await host.run(OK)
        assert wire.connections == 0
    assert reason in str(caught.value)
    assert "very wrong" not in repr(caught.value)


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a link to a device", "a file without end"])
async def test_what_is_named_as_a_key_is_neither_waited_for_nor_read_whole(
    connect: Connect, server: InProcessSshd, tmp_path: Path, kind: str
) -> None:
    key = tmp_path / "the_key"
    if kind == "a pipe":
        os.mkfifo(key)
    elif kind == "a device":
        key = Path("/dev/zero")
    elif kind == "a link to a device":
        key.symlink_to("/dev/zero")
    else:
        with key.open("wb") as file:
            file.truncate(1 << 40)
    host = connect(server.endpoint(key=key), server.known_hosts(), login="right")
    with pytest.raises(CredentialError) as caught:
        async with asyncio.timeout(10):
            await host.run(OK)
    assert "not a readable private key" in str(caught.value)


# --- who is not there


async def test_nothing_listens(sshd: RealSshd, connect: Connect) -> None:
    sshd.stop()
    with pytest.raises(ConnectRefusedError) as caught:
        await connect(sshd.endpoint(), sshd.known_hosts()).run(OK)
    assert caught.value.retryable


@asynccontextmanager
async def something_else(answer: bytes | None) -> AsyncIterator[int]:
    """A program that is no sshd: says something and closes, or says nothing and stays."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if answer is not None:
                writer.write(answer)
                await writer.drain()
            else:
                await reader.read(-1)
        finally:
            writer.close()

    listener = await listen(serve, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (None, ConnectTimeoutError),
        (b"", ConnectionLostError),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", (NotSshError, ConnectionLostError)),
        (b"SSH-1.5-Old\r\n", NotSshError),
        (b"\x5b\x00\x00\x00\x0a5.7.22\x00" + bytes(range(256)) * 40, (NotSshError, ConnectionLostError)),
        (b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(600), (NotSshError, ConnectionLostError)),
    ],
    ids=["hangs", "drops", "http", "ssh1", "mysql", "garbage"],
)
async def test_what_listens_is_no_sshd(
    server: InProcessSshd,
    connect: Connect,
    answer: bytes | None,
    kinds: type[TransportError] | tuple[type[TransportError], ...],
) -> None:
    async with something_else(answer) as port:
        limits = replace(QUICK, connect_timeout_s=2, login_timeout_s=2)
        began_at = time.monotonic()
        with pytest.raises(kinds):
            await connect(server.endpoint(port=port), server.known_hosts(), limits, login="x").run(OK)
        assert time.monotonic() - began_at < 15


async def test_a_name_that_nobody_knows(server: InProcessSshd, connect: Connect) -> None:
    endpoint = server.endpoint()
    unknown = type(endpoint)("n1", "no-such-host.invalid", password="login", agent=False)
    with pytest.raises(UnreachableError):
        await connect(unknown, server.known_hosts(), login="x").run(OK)


# --- host keys


async def test_a_key_that_is_not_pinned_is_shown_and_refused(server: InProcessSshd, connect: Connect) -> None:
    known = server.known_hosts()
    (server.directory / "known_hosts").write_text("")
    with pytest.raises(HostKeyUnknownError) as caught:
        await connect(server.endpoint(), known, login="right").run(OK)
    assert caught.value.params["fingerprint"] == fingerprint(server.host_keys[0])
    assert server.logins == []


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_a_changed_key_stops_the_login_and_shows_both(server: InProcessSshd, connect: Connect, kind: str) -> None:
    pinned = asyncssh.generate_private_key(kind)
    with pytest.raises(HostKeyChangedError) as caught:
        await connect(server.endpoint(), server.known_hosts(pinned), login="right").run(OK)
    assert caught.value.params["pinned"] == fingerprint(pinned)
    assert not caught.value.retryable
    assert "rbdtui trust" in str(caught.value.remedy)
    assert server.logins == []


@pytest.mark.parametrize("pinned", ["ed25519", "rsa", "ecdsa"])
async def test_the_host_shows_a_key_of_the_type_that_is_pinned(
    start_sshd: StartSshd, connect: Connect, pinned: str
) -> None:
    sshd = await start_sshd(keys="ed25519 rsa ecdsa")
    known = sshd.known_hosts()
    lines = [line for line in sshd.known_hosts_lines if pinned in line]
    assert len(lines) == 1
    (sshd.directory / "known_hosts").write_text(lines[0] + "\n")
    assert (await connect(sshd.endpoint(), known).run(OK)).text == "ok\n"


async def test_a_host_that_no_longer_has_a_key_of_the_pinned_type_has_changed(sshd: RealSshd, connect: Connect) -> None:
    known = sshd.known_hosts()
    old = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    line = old.export_public_key().decode().strip()
    (sshd.directory / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {line}\n")
    with pytest.raises(HostKeyChangedError) as caught:
        await connect(sshd.endpoint(), known).run(OK)
    assert caught.value.params["pinned"] == fingerprint(old)
    assert caught.value.params["algorithm"] == "ssh-ed25519"


async def test_a_revoked_key_is_refused(server: InProcessSshd, connect: Connect) -> None:
    known = server.known_hosts()
    file = server.directory / "known_hosts"
    file.write_text(file.read_text() + "@revoked " + file.read_text())
    with pytest.raises(TransportError):
        await connect(server.endpoint(), known, login="right").run(OK)
    assert server.logins == []


# --- old servers


@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"server_version": "OpenSSH_7.4", "kex_algs": ["diffie-hellman-group14-sha1"], "mac_algs": ["hmac-sha1"]},
        {"server_version": "OpenSSH_6.6.1", "encryption_algs": ["aes128-ctr"], "signature_algs": ["ssh-rsa"]},
    ],
    ids=["old key exchange", "only ssh-rsa signatures"],
)
async def test_a_server_that_knows_only_what_is_old(
    tmp_path: Path, connect: Connect, options: dict[str, object], pinned: bool
) -> None:
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    one = InProcessSshd(
        tmp_path, authorized=[key.convert_to_public()], host_keys=[asyncssh.generate_private_key("ssh-rsa")]
    )
    one.options = options
    await one.start()
    key.write_private_key(tmp_path / "old_key")
    known = one.known_hosts()
    if not pinned:
        (tmp_path / "known_hosts").write_text("")
    host = connect(one.endpoint(password="", key=tmp_path / "old_key"), known)
    try:
        if pinned:
            assert (await host.run(OK)).text == "ok\n"
        else:
            with pytest.raises(HostKeyUnknownError):
                await host.run(OK)
    finally:
        await host.close()
        await one.stop()


async def test_a_fast_cipher_is_preferred(sshd: RealSshd, connect: Connect) -> None:
    host = connect(sshd.endpoint(), sshd.known_hosts())
    await host.connect()
    connection = await host._link.connection()
    assert connection.get_extra_info("send_cipher") == "aes128-gcm@openssh.com"


# --- what may be seen


async def test_no_secret_is_in_logs_errors_or_representations(
    server: InProcessSshd, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good = connect(server.endpoint("good"), server.known_hosts(), login="right")
    await good.run(Script("work", "cat > /dev/null\n"), payload=b"canary-payload")
    bad = connect(server.endpoint("bad"), server.known_hosts(), login="canary-password")
    with pytest.raises(LoginRefusedError) as caught:
        await bad.run(OK)
    seen = caplog.text + repr(good) + repr(bad) + repr(caught.value) + str(caught.value) + repr(vars(bad))
    assert "canary" not in seen
    assert "canary" not in "".join(server.commands)
