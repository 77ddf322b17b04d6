"""Real servers on loopback that answer as the ports of a cluster do, well or badly; and a certificate authority."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rbdtui.listening import listen

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serve(handler: Handler, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> AsyncIterator[int]:
    """A TCP server for the time of the block; yields its port and drops every connection at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        # Python 3.11 logs a cancelled handler as an error, so the cancellation ends here.
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            await handler(reader, writer)
        tasks.discard(task)
        writer.transport.abort()

    server = await listen(guarded, address, 0, tls=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks)


@contextmanager
def serve_handshakes(tls: ssl.SSLContext) -> Iterator[int]:
    """A TLS server that does nothing but shake hands, with alerts as servers in C and Go send them.

    A thread, because asyncio's own TLS servers drop the alert together with the connection.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def answer() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peer.settimeout(10)
                with suppress(OSError), tls.wrap_socket(peer, server_side=True) as secured:
                    secured.recv(1)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@contextmanager
def full_listener() -> Iterator[int]:
    """A port whose queue of connections is full: further attempts get no answer at all, as behind a packet filter."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port: int = listener.getsockname()[1]
    waiting = []
    try:
        for _ in range(4):
            waiting.append(attempt := socket.socket())
            attempt.setblocking(False)
            with suppress(BlockingIOError):
                attempt.connect(("127.0.0.1", port))
        yield port
    finally:
        for attempt in waiting:
            attempt.close()
        listener.close()


async def closed_port() -> int:
    """A port on which nothing listens."""
    server = await listen(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


def http(answers: Mapping[str, tuple[int, bytes]] | int) -> Handler:
    """An HTTP server: a status for every path, or status and body by path (404 for others)."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb = await reader.readexactly(4)
        if verb != b"GET ":
            writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        head = "GET " + (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1].split("?")[0]
        status, body = (answers, b"x") if isinstance(answers, int) else answers.get(path, (404, b"{}"))
        kind = "application/json" if body[:1] in b"{[" else "text/plain"
        headers = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(f"HTTP/1.1 {status} Word\r\n{headers}".encode() + body)
        await writer.drain()
        # The peer goes first, so that nothing of the answer is lost with the connection.
        await asyncio.wait_for(reader.read(), 5)

    return handler


async def accept_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a stream proxy does whose back-end is missing."""


async def accept_and_hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never says anything."""
    await reader.read()
    await asyncio.sleep(60)


async def speak_ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Another service on the port."""
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()
    await reader.read(1)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A certificate authority of one test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ahead = datetime.timedelta()
        """How far its clock is ahead for what it signs from now on."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self._certificate = self._sign(self._name, self._key, [], authority=True)
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, *names: str) -> Issued:
        """A certificate for names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = []
        for name in names:
            try:
                alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                alternatives.append(x509.DNSName(name))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
        certificate = self._sign(subject, key, alternatives, authority=False)
        plain = serialization.NoEncryption()
        return Issued(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
        )

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName], *, authority: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC) + self.ahead
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def server(self, *names: str, mutual: bool = False, tls12: bool = False) -> ssl.SSLContext:
        """A server's TLS context for names, wanting a client certificate of this authority if mutual."""
        issued = self.issue(*names)
        file = self._directory / f"{len(list(self._directory.iterdir()))}.pem"
        file.write_bytes(issued.certificate + issued.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        if mutual:
            context.load_verify_locations(cadata=self.pem.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        if tls12:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    def kubeconfig(self, path: Path, server: str = "https://127.0.0.1:6443") -> Path:
        """A kubeconfig in the shape in which RKE2 writes it (JSON is YAML too)."""
        import base64

        def inline(pem: bytes) -> str:
            return base64.b64encode(pem).decode()

        client = self.issue("admin")
        data = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "default",
            "clusters": [
                {"name": "default", "cluster": {"server": server, "certificate-authority-data": inline(self.pem)}}
            ],
            "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
            "users": [
                {
                    "name": "default",
                    "user": {
                        "client-certificate-data": inline(client.certificate),
                        "client-key-data": inline(client.key),
                    },
                }
            ],
        }
        path.write_text(json.dumps(data))
        return path


def only_for(context: ssl.SSLContext, name: str) -> ssl.SSLContext:
    """The context, refusing every other server name with an alert, as APISIX does without a certificate for it."""

    def choose(_: ssl.SSLObject, asked: str | None, __: ssl.SSLContext) -> int | None:
        return None if asked == name else int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)

    context.sni_callback = choose
    return context
