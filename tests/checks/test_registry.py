"""The check of an external registry against docker-registry (Debian's), each time spoilt in one way."""

from __future__ import annotations

import asyncio
import base64
import json
import string
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from rbdtui.checks.services import THIS_MACHINE, Asking
from rbdtui.checks.services.registry import CHECK
from rbdtui.checks.services.registry_answer import Fault, RegistryAnswer, RegistryFailure, RegistryQuestion
from rbdtui.checks.services.registry_trial import Trial
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding
from rbdtui.listening import listen
from rbdtui.profiles import RAINBOND_6, Profile
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.sections.rainbond import Rainbond
from rbdtui.words import LANGUAGES, say
from tests.checks.real_node import real_node
from tests.checks.support import place, spec_of
from tests.lab.servers.authority import Authority
from tests.lab.servers.process import free_port
from tests.lab.servers.registry import Registry, registry, unavailable

pytestmark = pytest.mark.timeout(120)

USER, PASSWORD = "rbd", "Push-1"
SPECIALS = string.printable.strip()


@pytest.fixture(scope="module")
def authority() -> Authority:
    if reason := unavailable():
        pytest.skip(f"NOT TESTED AGAINST A REAL REGISTRY: {reason}")
    return Authority()


@pytest.fixture(scope="module")
def ca(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    file.write_bytes(authority.pem)
    return file


@dataclass(frozen=True)
class Spoilt:
    """How the registry is set up, what is asked, and what must be told of it."""

    name: str
    codes: dict[str, str]
    server: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    field: str = ""
    evidence: str = ""
    password: str | None = PASSWORD
    tls: bool = True


PLAIN: dict[str, Any] = {"https": False, "username": "", "secret": "", "ca": ""}
LOGIN: dict[str, Any] = {"user": USER, "password": PASSWORD}
SPOILT = [
    Spoilt("TLS and a password", {}, LOGIN),
    Spoilt("TLS, nobody logs in", {}, asked={"username": "", "secret": ""}),
    Spoilt("plain HTTP", {}, asked=PLAIN, tls=False),
    Spoilt("no namespace is needed", {}, LOGIN, {"namespace": ""}),
    Spoilt("any certificate is taken", {}, {"names": ("other.corp",)}, {"verify": False}),
    Spoilt("a name that does not resolve", {"RBD-REG-101": "warning"}, asked={"host": "no.such.invalid"}),
    Spoilt("refused", {"RBD-REG-102": "warning"}, asked={"port": free_port()}, field="registry.domain"),
    Spoilt("no route", {"RBD-REG-104": "warning"}, asked={"host": "255.255.255.255"}),
    Spoilt("HTTP, not HTTPS", {"RBD-REG-110": "warning"}, tls=False, field="registry.scheme"),
    Spoilt("HTTP with a login, not HTTPS", {"RBD-REG-110": "warning"}, LOGIN, tls=False),
    Spoilt("HTTPS, not HTTP", {"RBD-REG-111": "warning"}, asked={"https": False}, field="registry.scheme"),
    Spoilt("an authority that nobody knows", {"RBD-REG-121": "warning"}, asked={"ca": ""}, field="registry.ca"),
    Spoilt("another name", {"RBD-REG-122": "warning"}, {"names": ("hub.corp", "127.0.0.9")}, evidence="127.0.0.1"),
    Spoilt("a common name alone", {"RBD-REG-122": "warning"}, {"names": ()}),
    Spoilt("expired", {"RBD-REG-123": "warning"}, {"end_days": -0.5}, evidence="expired"),
    Spoilt("of tomorrow", {"RBD-REG-124": "warning"}, {"begin_days": 1}, evidence="not yet valid"),
    Spoilt("expires soon", {"RBD-REG-125": "warning"}, {"end_days": 7.5}, evidence="GMT"),
    Spoilt("a CA file that is not there", {"RBD-REG-127": "warning"}, asked={"ca": "/no/such/ca.pem"}),
    Spoilt("no account in the plan", {"RBD-REG-131": "warning"}, LOGIN, {"username": "", "secret": ""}),
    Spoilt("wrong password", {"RBD-REG-132": "warning"}, LOGIN, password="wrong", field="registry.password"),
    Spoilt("unknown user", {"RBD-REG-132": "warning"}, LOGIN, {"username": "nobody"}, evidence="UNAUTHORIZED"),
    Spoilt("the vault is closed", {"RBD-REG-135": "warning"}, LOGIN, password=None),
    Spoilt("read-only", {"RBD-REG-144": "warning"}, {"read_only": True}),
    Spoilt("deletes nothing", {"RBD-REG-147": "info"}, {"deletes": False}, evidence="rainbond/rbdtui-check:check-"),
    Spoilt("images are missing", {"RBD-REG-151": "warning"}, LOGIN, {"images": ("builder:latest-amd64",)}),
]


def asked_of(server: Registry, ca_file: Path, **changes: Any) -> RegistryQuestion:
    known = RegistryQuestion(server.address, server.port, True, "rainbond", USER, "registry", str(ca_file), True, ())
    return replace(known, **changes)


def here(password: str | None = PASSWORD) -> Asking:
    return Asking({"registry": password}.get)


def judged(
    answers: dict[str, RegistryAnswer], asked: RegistryQuestion, spec: ClusterSpec | None = None
) -> list[Finding]:
    spec = spec or spec_of()
    findings = list(CHECK.judge(asked, answers, ClusterView(spec, {}, place, spec.profile.limits)))
    for finding in findings:
        for language in LANGUAGES:
            for part in (finding.message, finding.remedy):
                assert "finding." not in say(part, language)
                assert "{" not in say(part, language)
        assert PASSWORD not in finding.evidence
        assert base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode() not in finding.evidence
    return findings


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda spoilt: spoilt.name)
async def test_each_fault_is_named(spoilt: Spoilt, authority: Authority, ca: Path) -> None:
    with registry(authority=authority if spoilt.tls else None, **spoilt.server) as server:
        asked = asked_of(server, ca, **spoilt.asked)
        answer = await CHECK.ask(asked, here(spoilt.password))
        if not spoilt.tls and not spoilt.server:
            assert tags(server) in (None, [])
    findings = judged({THIS_MACHINE: answer}, asked)
    assert {finding.code: str(finding.severity) for finding in findings} == spoilt.codes
    if spoilt.field:
        assert findings[0].place.field == spoilt.field
    assert spoilt.evidence in " ".join(finding.evidence for finding in findings)
    # What only this machine has seen stops nobody; of a node the same is an error.
    from_nodes = judged({"node1": answer, "node2": answer, THIS_MACHINE: answer}, asked)
    assert [each.code for each in from_nodes] == [each.code for each in findings]
    errors = {each.code for each in from_nodes if str(each.severity) == "error"}
    assert errors == spoilt.codes.keys() - {"RBD-REG-125", "RBD-REG-135", "RBD-REG-147", "RBD-REG-151"}


def tags(server: Registry) -> list[str] | None:
    """Throw-away images that a plain registry has."""
    url = f"http://{server.address}:{server.port}/v2/rainbond/rbdtui-check/tags/list"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)["tags"] or []
    except urllib.error.HTTPError:
        return None


async def test_every_printable_character_of_a_password_gets_through(authority: Authority, ca: Path) -> None:
    with registry(authority=authority, user=USER, password=SPECIALS[:70]) as server:
        assert await CHECK.ask(asked_of(server, ca), here(SPECIALS[:70])) == RegistryAnswer()
    with registry(authority=authority, user=USER, password=SPECIALS[60:]) as server:
        assert await CHECK.ask(asked_of(server, ca), here(SPECIALS[60:])) == RegistryAnswer()


async def test_a_check_that_is_cancelled_leaves_no_image_behind(ca: Path) -> None:
    with registry() as server:
        for wait_s in (0.005, 0.01, 0.02, 0.03, 0.05, 0.08):
            asking = asyncio.ensure_future(CHECK.ask(asked_of(server, ca, **PLAIN), here()))
            await asyncio.sleep(wait_s)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            assert tags(server) in (None, []), f"cancelled after {wait_s} s"


async def test_a_check_given_up_while_it_cleans_up_leaves_no_image(ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cleans_up = asyncio.Event()
    delete = Trial._delete

    async def slowly(trial: Trial, path: str) -> bool:
        cleans_up.set()
        await asyncio.sleep(0.05)
        return await delete(trial, path)

    monkeypatch.setattr(Trial, "_delete", slowly)
    with registry() as server:
        asking = asyncio.ensure_future(CHECK.ask(asked_of(server, ca, **PLAIN), here()))
        await cleans_up.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert tags(server) in (None, [])


@pytest.mark.parametrize("form", ["der", "key", "text", "empty", "bad"])
async def test_a_file_that_is_no_ca(form: str, authority: Authority, tmp_path: Path) -> None:
    content = {
        "der": authority.der,
        "key": b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
        "text": "证书".encode("gbk"),
        "empty": b"",
        "bad": b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n",
    }[form]
    (tmp_path / "ca.pem").write_bytes(content)
    with registry(authority=authority) as server:
        asked = asked_of(server, tmp_path / "ca.pem")
        found = judged({"node1": await CHECK.ask(asked, here())}, asked)
    assert [(each.code, each.place.field) for each in found] == [("RBD-REG-127", "registry.ca")]


async def test_a_bundle_of_authorities_in_any_order_will_do(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"# of the office\r\n" + Authority("other").pem + authority.pem)
    with registry(authority=authority) as server:
        assert await CHECK.ask(asked_of(server, tmp_path / "ca.pem"), here()) == RegistryAnswer()


class TokenService:
    """Signs tokens for docker-registry, as its specification asks for."""

    def __init__(self, rights: str = "pull,push,delete") -> None:
        self.rights = rights.split(",")
        self.key = rsa.generate_private_key(65537, 2048)
        self.asked: list[str] = []

    def token(self, query: dict[str, list[str]]) -> str:
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": [a for a in actions.split(",") if a in self.rights]})
        now = int(time.time())
        claims = {
            "iss": "lab",
            "sub": USER,
            "aud": "hub",
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "access": access,
        }
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(self.certificate()).decode()]}
        signed = b".".join(_url64(json.dumps(part).encode()) for part in (head, claims))
        return (signed + b"." + _url64(self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))).decode()

    def certificate(self, encoding: serialization.Encoding = serialization.Encoding.DER) -> bytes:
        from datetime import UTC, datetime, timedelta

        from cryptography import x509

        name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "lab tokens")])
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        builder = x509.CertificateBuilder(name, name, self.key.public_key(), 7, now - timedelta(1), now + timedelta(9))
        basic = x509.BasicConstraints(ca=True, path_length=None)
        return builder.add_extension(basic, critical=True).sign(self.key, hashes.SHA256()).public_bytes(encoding)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[int]:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            query = parse_qs(urlsplit(head.split()[1]).query)
            status, body = "401 Unauthorized", "{}"
            if wanted in head:
                status, body = "200 OK", json.dumps({"token": self.token(query)})
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()
            writer.close()

        server = await listen(one, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()


def _url64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


@pytest.mark.parametrize(
    ("rights", "password", "codes"),
    [
        ("pull,push,delete", PASSWORD, []),
        ("pull", PASSWORD, ["RBD-REG-142"]),
        ("", PASSWORD, ["RBD-REG-142", "RBD-REG-141"]),
        ("pull,push", PASSWORD, ["RBD-REG-147"]),
        ("pull,push,delete", "wrong", ["RBD-REG-132"]),
    ],
)
async def test_tokens(rights: str, password: str, codes: list[str], ca: Path, tmp_path: Path) -> None:
    service = TokenService(rights)
    async with service.served() as port:
        bundle = Path("/tmp") / f"rbdtui-token-{port}.pem"
        bundle.write_bytes(service.certificate(serialization.Encoding.PEM))
        realm = f"http://127.0.0.1:{port}/token"
        token = {"realm": realm, "service": "hub", "issuer": "lab", "rootcertbundle": str(bundle)}
        try:
            with registry(token=token) as server:
                asked = asked_of(server, ca, https=False)
                answer = await CHECK.ask(asked, here(password))
        finally:
            bundle.unlink()
    assert [each.code for each in judged({"node1": answer}, asked)] == codes
    scopes = {scope for head in service.asked for scope in parse_qs(urlsplit(head.split()[1]).query).get("scope", [])}
    assert all(scope.startswith("repository:rainbond/rbdtui-check:") for scope in scopes)


async def test_a_token_service_in_clear_gets_no_password(authority: Authority, ca: Path) -> None:
    service = TokenService()
    async with service.served() as port:
        bundle = Path("/tmp") / f"rbdtui-token-{port}.pem"
        bundle.write_bytes(service.certificate(serialization.Encoding.PEM))
        realm = f"http://127.0.0.1:{port}/token"
        token = {"realm": realm, "service": "hub", "issuer": "lab", "rootcertbundle": str(bundle)}
        try:
            with registry(authority=authority, token=token) as server:
                asked = asked_of(server, ca)
                answer = await CHECK.ask(asked, here())
        finally:
            bundle.unlink()
    assert [each.code for each in judged({"node1": answer}, asked)] == ["RBD-REG-134"]
    assert service.asked == []


@pytest.fixture
async def node() -> AsyncIterator[Asking]:
    """A node behind a real sshd."""
    async with real_node({"registry": PASSWORD}) as asking:
        yield asking


async def test_from_a_node_by_its_sshd(authority: Authority, ca: Path, node: Asking) -> None:
    with registry(authority=authority, names=("localhost",), **LOGIN) as server:
        asked = asked_of(server, ca, host="localhost")
        answers = {"node1": await CHECK.ask(asked, node), THIS_MACHINE: await CHECK.ask(asked, here())}
        assert judged(answers, asked) == []
        closed = replace(asked, port=free_port())
        found = judged({"node1": await CHECK.ask(closed, node)}, closed)
        assert [(each.code, str(each.severity)) for each in found] == [("RBD-REG-102", "error")]
        assert "node1" in say(found[0].message, "en")


def test_several_nodes_that_see_the_same_are_one_finding() -> None:
    seen = RegistryAnswer((RegistryFailure(Fault.NO_PUSH, "DENIED", 403),))
    answers = {"node1": seen, "node2": seen, "node3": RegistryAnswer(), THIS_MACHINE: RegistryAnswer()}
    asked = RegistryQuestion("hub.corp", 443, True, "rainbond", USER, "registry", "", True, ())
    found = judged(answers, asked)
    assert [each.code for each in found] == ["RBD-REG-142"]
    assert "node1, node2" in say(found[0].message, "en")


def rainbond(**section: object) -> ClusterSpec:
    written = spec_of().model_dump(mode="json", exclude_unset=True)
    known = {"mode": "external", "domain": "hub.corp", **section}
    return ClusterSpec.model_validate({**written, "registry": known, "rainbond": {"version": "v6.2.1-release"}})


def test_who_is_asked_and_when() -> None:
    asked = CHECK.question(rainbond(namespace="rbd", username="u", password="secret:hub"))
    assert asked is not None
    assert (asked.host, asked.port, asked.https, asked.secret) == ("hub.corp", 443, True, "hub")
    plain = CHECK.question(rainbond(domain="hub.corp:5000", scheme="http"))
    assert plain is not None
    assert (plain.host, plain.port, plain.https) == ("hub.corp", 5000, False)
    assert CHECK.hosts(rainbond()) == ["node1", "node2", "node3", THIS_MACHINE]
    assert CHECK.question(rainbond(domain=None)) is None
    assert CHECK.question(spec_of()) is None


WITHOUT_INSTALL = replace(RAINBOND_6, is_complete=False)


def images_of(version: str | None, *, profile: Profile = WITHOUT_INSTALL) -> tuple[str, ...]:
    spec = rainbond().model_copy(update={"profile": profile, "rainbond": Rainbond(version=version)})
    asked = CHECK.question(spec)
    assert asked is not None
    return asked.images


def test_the_images_of_a_release() -> None:
    assert "rbd-api:v6.2.1-release" in images_of("v6.2.1-release")
    assert "rbd-api:v6.9.8-release" in images_of("v6.9.8-release")
    assert "registry:2.6.2" not in images_of("v6.9.8-release"), "the registry is outside"
    assert "builder:latest-amd64" in images_of("v5.17.3-release")
    assert "rainbond:v5.17.3-release-allinone" in images_of("v5.17.3-release")
    assert images_of(None) == ()


def test_what_a_run_pushes_is_not_missed_before() -> None:
    complete = replace(RAINBOND_6, is_complete=True)
    assert images_of("v6.9.8-release", profile=complete) == ()
    assert "builder:latest-amd64" in images_of("v5.17.3-release", profile=complete)


@pytest.fixture(autouse=True)
def _no_files_left() -> Iterator[None]:
    yield
    assert list(Path("/tmp").glob("rbdtui-token-*")) == []
