"""The check of MySQL against servers that are none or mean harm, and what no real server here can be made to show."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from rbdtui.checks.services import THIS_MACHINE, Asking
from rbdtui.checks.services import mysql as mysql_check
from rbdtui.checks.services.mysql import CHECK, MysqlQuestion
from rbdtui.checks.services.mysql_answer import Greeting, MysqlAnswer, Schema, SchemaState, Settings, Stop
from rbdtui.checks.services.mysql_session import _may_create
from rbdtui.checks.services.ways import Obstacle
from rbdtui.findings import Severity
from rbdtui.listening import listen
from tests.checks.test_mysql import judged, rainbond

PASSWORD = "s3cret-of-the-vault"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def greeting(version: str = "8.0.36", plugin: str = "mysql_native_password", flags: int = 0x81FFF7FF) -> bytes:
    low, high = flags & 0xFFFF, flags >> 16
    head = b"\x0a" + version.encode() + b"\0" + struct.pack("<I", 7) + b"saltsalt\0" + struct.pack("<H", low)
    return packet(
        0,
        head
        + b"\xff\x02\0"
        + struct.pack("<H", high)
        + bytes([21])
        + bytes(10)
        + b"morestuff123\0"
        + plugin.encode()
        + b"\0",
    )


def error(number: int, text: str, sequence: int = 0, state: bytes = b"") -> bytes:
    return packet(sequence, b"\xff" + struct.pack("<H", number) + state + text.encode())


@contextlib.asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[MysqlQuestion]:
    """A server on loopback; what it does to a connection is given."""

    running: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            running.discard(task)
            writer.transport.abort()

    server = await listen(one, "127.0.0.1", 0)
    try:
        yield MysqlQuestion("127.0.0.1", server.sockets[0].getsockname()[1], "rbd", "mysql")
    finally:
        server.close()
        for task in [*running]:
            task.cancel()
        await asyncio.sleep(0.05)


def says(*pieces: bytes, hold_s: float = 0.0) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        await asyncio.sleep(hold_s)

    return serve


def after_login(*pieces: bytes, hold_s: float = 0.0) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting())
        await reader.read(4096)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        await asyncio.sleep(hold_s)

    return serve


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """100 MB of one packet after another."""
    for _ in range(100):
        writer.write(b"\xff\xff\xff\0" + os.urandom(1 << 20))
        await writer.drain()


async def flood_after_login(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(greeting())
    await reader.read(4096)
    for number in range(2, 102):
        writer.write(b"\xff\xff\xff" + bytes([number]) + bytes(1 << 20))
        await writer.drain()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in greeting():
        writer.write(bytes([byte]))
        await asyncio.sleep(0.2)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(1, 13, struct.pack("ii", 1, 0))
    writer.close()


OK = packet(2, b"\0\0\0\x02\0\0\0")
HOSTILE: list[tuple[str, Serve, str, str]] = [
    ("says nothing", says(hold_s=30), "RBD-MYSQL-106", ""),
    ("hangs up", says(), "RBD-MYSQL-113", ""),
    ("resets", reset, "RBD-MYSQL-113", ""),
    ("an SSH server", says(b"SSH-2.0-OpenSSH_9.2\r\n", hold_s=30), "RBD-MYSQL-107", "SSH-2.0"),
    ("an HTML page", says(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>"), "RBD-MYSQL-107", "HTTP/1.1 400"),
    ("PostgreSQL", says(b"E\0\0\0\x0cSFATAL"), "RBD-MYSQL-107", ""),
    ("random bytes", says(os.urandom(4096)), "RBD-MYSQL-107", ""),
    ("100 MB", flood, "RBD-MYSQL-107", ""),
    ("half a greeting", says(greeting()[:30]), "RBD-MYSQL-107", ""),
    ("a byte now and then", drip, "RBD-MYSQL-107", ""),
    ("a greeting of nothing", says(packet(0, b"\x0a" + bytes(60))), "RBD-MYSQL-107", ""),
    ("not from here", says(error(1130, "Host '10.0.0.1' is not allowed to connect")), "RBD-MYSQL-108", "not allowed"),
    ("too many", says(error(1040, "Too many connections", state=b"#08004")), "RBD-MYSQL-108", "Too many"),
    ("a proxy that cannot", after_login(error(2002, "no backend", 2, b"#HY000")), "RBD-MYSQL-113", "no backend"),
    ("hangs up at the login", after_login(), "RBD-MYSQL-113", ""),
    ("garbage at the login", after_login(packet(2, os.urandom(300))), "RBD-MYSQL-113", ""),
    ("garbage for an answer", after_login(OK, packet(1, bytes(range(200)))), "RBD-MYSQL-113", ""),
    ("100 MB at the login", flood_after_login, "RBD-MYSQL-113", ""),
    ("silence at the login", after_login(hold_s=30), "RBD-MYSQL-113", ""),
    ("the password in clear", after_login(packet(2, b"\xfemysql_clear_password\0"), hold_s=5), "RBD-MYSQL-110", ""),
    ("a method of its own", after_login(packet(2, b"\xfeauth_gssapi_client\0x")), "RBD-MYSQL-110", ""),
    ("refused", after_login(error(1045, "Access denied", 2, b"#28000")), "RBD-MYSQL-111", "Access denied"),
    ("TLS announced, none there", says(greeting(), hold_s=0.1), "RBD-MYSQL-113", ""),
]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience of a test."""
    monkeypatch.setattr(mysql_check, "_GREETING_S", 1.0)
    monkeypatch.setattr(mysql_check, "_SESSION_S", 2.0)
    monkeypatch.setattr(mysql_check, "_CLEAN_UP_S", 0.3)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("name", "serve", "code", "evidence"), HOSTILE, ids=[name for name, *_ in HOSTILE])
async def test_whoever_answers_is_told_as_what_it_is(name: str, serve: Serve, code: str, evidence: str) -> None:
    began_at = time.monotonic()
    async with served(serve) as asked:
        answer = await CHECK.ask(asked, Asking({"mysql": PASSWORD}.get))
    assert time.monotonic() - began_at < 8
    findings = [each for each in judged({"node1": answer}, rainbond(), asked) if each.severity is Severity.ERROR]
    assert [each.code for each in findings] == [code]
    assert evidence in findings[0].evidence


async def test_the_password_is_never_handed_over_in_clear() -> None:
    heard = bytearray()

    async def thief(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting())
        heard.extend(await reader.read(4096))
        writer.write(packet(2, b"\xfemysql_clear_password\0"))
        while piece := await reader.read(4096):
            heard.extend(piece)

    async with served(thief) as asked:
        answer = await CHECK.ask(asked, Asking({"mysql": PASSWORD}.get))
    assert answer.stop is Stop.METHOD
    assert b"rbd" in heard
    assert PASSWORD.encode() not in heard


@pytest.mark.usefixtures("quick")
async def test_a_check_of_a_silent_server_ends_at_once_when_it_is_cancelled() -> None:
    for serve in (says(hold_s=30), after_login(hold_s=30)):
        async with served(serve) as asked:
            asking = asyncio.ensure_future(CHECK.ask(asked, Asking({"mysql": PASSWORD}.get)))
            await asyncio.sleep(0.3)
            began_at = time.monotonic()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            assert time.monotonic() - began_at < 1.5


SETTINGS = Settings(
    "8.0.36",
    "MySQL Community Server - GPL",
    "utf8mb4",
    "utf8mb4",
    0,
    frozenset(),
    151,
    False,
    "",
    "mysql_native_password",
)
SCHEMAS = tuple(Schema(name, SchemaState.USABLE, "utf8mb4") for name in ("console", "region"))
GOOD = MysqlAnswer(greeting=Greeting("8.0.36"), settings=SETTINGS, clock_off_s=0.01, round_trip_ms=0.3, schemas=SCHEMAS)
ASKED = MysqlQuestion("db.corp", 3306, "rbd", "mysql")


def of_server(**changes: object) -> MysqlAnswer:
    return replace(GOOD, settings=replace(SETTINGS, **changes))  # type: ignore[arg-type]


def of_schema(**changes: object) -> MysqlAnswer:
    return replace(GOOD, schemas=(replace(SCHEMAS[0], **changes), SCHEMAS[1]))  # type: ignore[arg-type]


SEEN: list[tuple[MysqlAnswer, dict[str, str]]] = [
    (GOOD, {}),
    (of_server(version="8.4.3"), {"RBD-MYSQL-122": "error"}),
    (of_server(version="9.1.0"), {"RBD-MYSQL-122": "error"}),
    (of_server(version="5.6.51"), {"RBD-MYSQL-121": "error"}),
    (of_server(version="unknown"), {"RBD-MYSQL-121": "error"}),
    (of_server(version="11.4.2-MariaDB"), {"RBD-MYSQL-123": "error"}),
    (of_server(comment="Percona Server (GPL), Release 27"), {"RBD-MYSQL-124": "warning"}),
    (of_server(version="8.0.11-TiDB-v7.5.0"), {"RBD-MYSQL-124": "warning"}),
    (of_server(lower_case_table_names=1), {"RBD-MYSQL-143": "warning"}),
    (of_server(sql_mode=frozenset({"ANSI", "PIPES_AS_CONCAT"})), {"RBD-MYSQL-144": "error"}),
    (of_server(replica_of="10.0.0.9", read_only=True), {"RBD-MYSQL-149": "error"}),
    (of_server(connection_charset="utf8"), {"RBD-MYSQL-150": "error"}),
    (of_server(plugin=""), {}),
    (of_schema(failed="utf8mb4"), {"RBD-MYSQL-150": "error"}),
    (of_schema(failed="CREATE: 3750 Unable to create a table without PK"), {"RBD-MYSQL-139": "error"}),
    (of_schema(left="console.rbdtui_check_1"), {"RBD-MYSQL-138": "warning"}),
    (replace(GOOD, clock_off_s=-60.0), {"RBD-MYSQL-147": "warning"}),
    (replace(GOOD, round_trip_ms=5.0), {"RBD-MYSQL-148": "warning"}),
    (replace(GOOD, round_trip_ms=12.0), {"RBD-MYSQL-148": "error"}),
    (MysqlAnswer(obstacle=Obstacle.FILTERED), {"RBD-MYSQL-104": "error"}),
    (MysqlAnswer(obstacle=Obstacle.FORBIDDEN), {"RBD-MYSQL-105": "warning"}),
]


@pytest.mark.parametrize(("answer", "codes"), SEEN)
def test_what_an_answer_means(answer: MysqlAnswer, codes: dict[str, str]) -> None:
    # Three nodes that see the same are one finding.
    findings = judged({f"node{i}": answer for i in (1, 2, 3)}, rainbond(), ASKED)
    assert [(each.code, str(each.severity)) for each in findings] == list(codes.items())


def test_what_only_one_node_sees_names_that_node() -> None:
    far = replace(GOOD, round_trip_ms=15.0)
    findings = judged({"node1": GOOD, "node2": far, THIS_MACHINE: far}, rainbond(), ASKED)
    assert [each.evidence for each in findings] == ["node2: 15.0 ms"]
    wrong_clock_here = {"node1": replace(GOOD, clock_off_s=9.0), "node2": GOOD}
    assert judged(wrong_clock_here, rainbond(), ASKED) == []


@pytest.mark.parametrize(
    ("grant", "may"),
    [
        ("GRANT ALL PRIVILEGES ON *.* TO 'rbd'@'%'", True),
        ("GRANT ALL PRIVILEGES ON `console`.* TO 'rbd'@'%'", True),
        ("GRANT SELECT, CREATE, DROP ON `con%`.* TO 'rbd'@'%'", True),
        (r"GRANT CREATE ON `con\_sole`.* TO 'rbd'@'%'", False),
        ("GRANT CREATE VIEW, SELECT ON *.* TO 'rbd'@'%'", False),
        ("GRANT USAGE ON *.* TO 'rbd'@'%'", False),
        ("GRANT ALL PRIVILEGES ON `region`.* TO 'rbd'@'%'", False),
        ("GRANT `admin`@`%` TO `rbd`@`%`", False),
        ("", False),
    ],
)
def test_whether_an_account_may_make_a_database(grant: str, may: bool) -> None:
    assert _may_create([(grant,)], "console") is may
