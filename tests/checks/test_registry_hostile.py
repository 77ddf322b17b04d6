"""The check of a registry against servers that are none or mean harm, and registries that spoil one answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from rbdtui.checks.services import Asking
from rbdtui.checks.services import registry_client as client
from rbdtui.checks.services import registry_tls as tls
from rbdtui.checks.services.registry import CHECK
from rbdtui.checks.services.registry_answer import Fault, RegistryAnswer, RegistryFailure, RegistryQuestion
from rbdtui.listening import listen
from tests.checks.test_registry import PASSWORD, USER, judged

Serve = Callable[[str, bytes, asyncio.StreamWriter], Awaitable[None]]
NAMED = "Docker-Distribution-Api-Version: registry/2.0\r\n"


@contextlib.asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[RegistryQuestion]:
    """Plain HTTP on loopback; each request is given with its body, each connection has one."""
    running: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
                first = await reader.read(1)
                if first == b"\x16":  # a TLS handshake
                    return
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(
                    (int(line.split(":")[1]) for line in head.split("\r\n") if "content-length" in line.lower()), 0
                )
                await serve(head, await reader.readexactly(length), writer)
                await writer.drain()
        finally:
            running.discard(task)
            writer.transport.abort() if "reset" in serve.__name__ else writer.close()

    server = await listen(one, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield RegistryQuestion("127.0.0.1", port, False, "rainbond", USER, "registry", "", True, ())
    finally:
        server.close()
        for task in [*running]:
            task.cancel()
        await asyncio.sleep(0.05)


def http(status: str, body: bytes = b"", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def always(*pieces: bytes, hold_s: float = 0.0) -> Serve:
    async def serve(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        await asyncio.sleep(hold_s)

    return serve


async def flood(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
    for _ in range(100):
        writer.write(bytes(1 << 20))
        await writer.drain()


async def flood_of_headers(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        writer.write(f"X-{number}: {'x' * 900}\r\n".encode())
        await writer.drain()


async def reset(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))


async def drip(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
    for byte in http("200 OK", b"{}"):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.2)


def spoilt(step: str, answer: bytes) -> Serve:
    """A registry that does well but for one step: POST, PUT of a blob, PUT of a manifest, GET, or DELETE."""
    kept: dict[str, bytes] = {}

    async def serve(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        method, path = head.split()[:2]
        at = method if method in ("POST", "DELETE") else f"{method} {'manifest' if '/manifests/' in path else 'blob'}"
        if path == "/v2/":
            writer.write(http("200 OK", b"{}", NAMED))
        elif at == step:
            writer.write(answer)
        elif method == "POST":
            writer.write(
                http("202 Accepted", headers="Location: /v2/rainbond/rbdtui-check/blobs/uploads/1?_state=a\r\n")
            )
        elif method == "PUT":
            name = path.partition("digest=")[2].replace("%3A", ":") or path.rpartition("/")[2]
            kept[name] = body
            writer.write(http("201 Created"))
        elif method == "DELETE":
            writer.write(http("202 Accepted"))
        else:
            writer.write(http("200 OK", kept.get(path.rpartition("/")[2], b"")))

    return serve


def error(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": "…"}]}).encode()


PAGE = b"<!DOCTYPE html><html><body>Welcome to nginx</body></html>"
HTML = "Content-Type: text/html\r\n"
HOSTILE: list[tuple[str, Serve, str, str]] = [
    ("all is well", spoilt("", b""), "", ""),
    ("a page of HTML", always(http("200 OK", PAGE, HTML)), "RBD-REG-108", "Welcome to nginx"),
    ("a page in place of the error", always(http("404 Not Found", PAGE, HTML)), "RBD-REG-108", ""),
    (
        "a login page",
        always(http("401 Unauthorized", PAGE, f'{HTML}WWW-Authenticate: Form realm="x"\r\n')),
        "RBD-REG-108",
        "",
    ),
    ("some JSON", always(http("200 OK", b'{"hello": 1}')), "RBD-REG-108", "hello"),
    ("to a login page", always(http("302 Found", headers="Location: https://sso.corp/\r\n")), "RBD-REG-112", "302"),
    ("the registry behind is down", always(http("502 Bad Gateway", b"nginx")), "RBD-REG-113", "502"),
    ("a proxy's page of that", always(http("503 Service Unavailable", PAGE, HTML)), "RBD-REG-108", ""),
    ("an SSH server", always(b"SSH-2.0-OpenSSH_9.2\r\n"), "RBD-REG-109", ""),
    ("random bytes", always(os.urandom(3000).translate(None, b"{}")), "RBD-REG-109", ""),
    ("hangs up", always(), "RBD-REG-107", ""),
    ("resets", reset, "RBD-REG-107", ""),
    ("says nothing", always(hold_s=30), "RBD-REG-106", ""),
    ("a byte now and then", drip, "RBD-REG-106", ""),
    ("100 MB", flood, "RBD-REG-108", ""),
    ("headers without end", flood_of_headers, "RBD-REG-109", ""),
    (
        "a challenge that is none",
        always(http("401 X", headers="WWW-Authenticate: Bearer nonsense\r\n")),
        "RBD-REG-133",
        "",
    ),
    (
        "a token service at a file",
        always(http("401 X", headers='WWW-Authenticate: Bearer realm="file:///etc"\r\n')),
        "RBD-REG-133",
        "",
    ),
    (
        "a token service that is not there",
        always(http("401 X", headers='WWW-Authenticate: Bearer realm="http://127.0.0.1:9/t",service="x"\r\n')),
        "RBD-REG-133",
        "",
    ),
    (
        "no project of that name",
        spoilt("POST", http("404 Not Found", error("NAME_UNKNOWN"))),
        "RBD-REG-143",
        "NAME_UNKNOWN",
    ),
    ("may not push", spoilt("POST", http("403 Forbidden", error("DENIED"))), "RBD-REG-142", "DENIED"),
    ("the disk is full", spoilt("PUT blob", http("500 X", error("UNKNOWN"))), "RBD-REG-145", "UNKNOWN"),
    ("too large for the proxy", spoilt("PUT manifest", http("413 X", PAGE, HTML)), "RBD-REG-145", "413"),
    (
        "uploads lead to http elsewhere",
        spoilt("POST", http("202 X", headers="Location: http://registry.internal:5000/v2/up\r\n")),
        "RBD-REG-146",
        "registry.internal",
    ),
    ("no address for the upload", spoilt("POST", http("202 Accepted")), "RBD-REG-145", ""),
    ("a cache with old answers", spoilt("GET manifest", http("200 OK", b"{}")), "RBD-REG-148", ""),
    ("may not pull", spoilt("GET manifest", http("403 Forbidden", error("DENIED"))), "RBD-REG-141", "DENIED"),
    ("deletes nothing", spoilt("DELETE", http("405 X", error("UNSUPPORTED"))), "RBD-REG-147", ""),
]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience of a test."""
    monkeypatch.setattr(client, "_TOTAL_S", 1.5)
    monkeypatch.setattr(tls, "_ANSWER_S", 1.5)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("name", "serve", "code", "evidence"), HOSTILE, ids=[name for name, *_ in HOSTILE])
async def test_whoever_answers_is_told_as_what_it_is(name: str, serve: Serve, code: str, evidence: str) -> None:
    began_at = time.monotonic()
    async with served(serve) as asked:
        answer = await CHECK.ask(asked, Asking({"registry": PASSWORD}.get))
    assert time.monotonic() - began_at < 10
    findings = judged({"node1": answer}, asked)
    assert [each.code for each in findings] == ([code] if code else [])
    assert evidence in "".join(each.evidence for each in findings)


@pytest.mark.usefixtures("quick")
async def test_a_check_of_a_silent_registry_ends_at_once_when_it_is_cancelled() -> None:
    async with served(always(hold_s=30)) as asked:
        asking = asyncio.ensure_future(CHECK.ask(asked, Asking({"registry": PASSWORD}.get)))
        await asyncio.sleep(0.3)
        began_at = time.monotonic()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert time.monotonic() - began_at < 1


SEEN = [
    (RegistryFailure(Fault.OBSTACLE, "", 3), "RBD-REG-103", "error"),
    (RegistryFailure(Fault.OBSTACLE, "", 5), "RBD-REG-105", "warning"),
    (RegistryFailure(Fault.TLS_REFUSED, "tlsv1 alert"), "RBD-REG-120", "error"),
    (RegistryFailure(Fault.CERTIFICATE, "unsuitable certificate purpose"), "RBD-REG-126", "error"),
]


@pytest.mark.parametrize(("trouble", "code", "severity"), SEEN)
def test_what_an_answer_means(trouble: RegistryFailure, code: str, severity: str) -> None:
    asked = RegistryQuestion("hub.corp", 443, True, "rainbond", USER, "registry", "", True, ())
    found = judged({"node1": RegistryAnswer((trouble,))}, asked)
    assert [(each.code, str(each.severity)) for each in found] == [(code, severity)]
