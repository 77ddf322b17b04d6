"""A client of the registry's HTTP API (OCI distribution v1.1, Docker registry v2), for one login from one place."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import urlencode, urljoin, urlsplit

from rbdtui.checks.services.asking import Asking
from rbdtui.checks.services.registry_answer import Fault, RegistryError

if TYPE_CHECKING:
    import aiohttp

BODY_LIMIT_BYTES: Final = 1 << 20
_TOTAL_S: Final = 10.0
_CONNECT_S: Final = 5.0
_STORED_S: Final = 300.0
"""For the answer to a whole layer: a registry may look at all of it once more."""
_CHALLENGE: Final = re.compile(r'([a-z_]{1,32})="([^"]{0,400})"', re.IGNORECASE)
_SHOWN: Final = 200
_NAMES_ITSELF: Final = "docker-distribution-api-version"
_UNAUTHORIZED: Final = 401
DENIED: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in; nobody when there is no user."""

    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The header's value."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, its body cut at the limit."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes

    @property
    def is_html(self) -> bool:
        """Whether it is a page for people."""
        kind = self.headers.get("content-type", "").lower()
        return "html" in kind or self.body.lstrip()[:15].lower().startswith((b"<!doctype", b"<html"))

    @property
    def shown(self) -> str:
        """Status and beginning of the body, raw."""
        return f"{self.status} {self.body[:_SHOWN].decode('utf-8', 'backslashreplace')}".strip()

    @property
    def reason(self) -> str:
        """The first of the registry's own error codes, e.g. ``DENIED``; empty without one."""
        try:
            return str(json.loads(self.body)["errors"][0]["code"])[:64]
        except (ValueError, LookupError, TypeError):
            return ""


def written(answer: Answer, status: int) -> Answer:
    """The answer to something that was to be stored; raises `RegistryError` for another status than this one."""
    if answer.status == status:
        return answer
    fault = Fault.PUSH_FAILED
    if answer.status in DENIED:
        fault = Fault.NO_PUSH
    elif answer.status == 405:
        fault = Fault.READ_ONLY
    elif answer.status == 404:
        fault = Fault.NO_NAMESPACE
    raise RegistryError(fault, answer.reason, answer.status, answer.shown)


@dataclass(frozen=True, slots=True)
class RegistryAt:
    """Where a registry is and how it is spoken to."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """None for plain HTTP."""

    @property
    def scheme(self) -> str:
        """As in a URL."""
        return "http" if self.tls is None else "https"

    @property
    def authority(self) -> str:
        """Host and port as a client would write them."""
        usual = self.port == (80 if self.tls is None else 443)
        return self.host if usual else f"{self.host}:{self.port}"


class RegistryClient:
    """Speaks to one registry; raises `RegistryError` where there is no answer to go on with."""

    def __init__(self, session: aiohttp.ClientSession, asking: Asking, at: RegistryAt, account: Account) -> None:
        self._session, self._asking, self._at, self._account = session, asking, at, account
        self._challenge: dict[str, str] | None = None
        """What the registry asks for: empty for a password with each request, otherwise its token service."""
        self._tokens: dict[str, str] = {}

    async def hello(self) -> None:
        """Make sure that a registry answers and that it takes the account."""
        answer = await self._send("GET", "/v2/")
        if answer.status == _UNAUTHORIZED:
            self._challenge = _challenge_of(answer)
            if not self._account.username:
                raise RegistryError(Fault.LOGIN_NEEDED)
            if not self._challenge:
                answer = await self._send("GET", "/v2/", authorization=self._account.basic)
                if answer.status == _UNAUTHORIZED:
                    raise RegistryError(Fault.LOGIN_REFUSED, answer.reason, answer.status, answer.shown)
            else:
                await self._token("")
                return
        _refuse_what_is_no_registry(answer)

    def forget_tokens(self) -> None:
        """Ask for new ones: they hold for a few minutes only."""
        self._tokens.clear()

    async def send(
        self, method: str, path: str, scope: str, *, body: bytes | BinaryIO = b"", kind: str = "", accept: str = ""
    ) -> Answer:
        """One request with the account's rights in ``scope``, e.g. ``repository:a/b:pull,push``.

        A file is sent from where it stands, for as long as something moves, and is closed.
        """
        authorization = ""
        if self._challenge:
            authorization = f"Bearer {await self._token(scope)}"
        elif self._challenge is not None:
            authorization = self._account.basic
        return await self._send(method, path, authorization=authorization, body=body, kind=kind, accept=accept)

    def own_path(self, location: str) -> str:
        """Path and query of an address that the registry named; `RegistryError` when it is not its own."""
        own = f"{self._at.scheme}://{self._at.authority}"
        named = urlsplit(urljoin(own + "/", location))
        port = named.port or (443 if named.scheme == "https" else 80)
        if (named.scheme, named.hostname, port) != (self._at.scheme, self._at.host.lower(), self._at.port):
            raise RegistryError(Fault.LEADS_ELSEWHERE, f"{named.scheme}://{named.netloc}"[:_SHOWN])
        return named.path + (f"?{named.query}" if named.query else "")

    async def _token(self, scope: str) -> str:
        if scope not in self._tokens:
            assert self._challenge is not None
            self._tokens[scope] = await self._new_token(self._challenge, scope)
        return self._tokens[scope]

    async def _new_token(self, challenge: Mapping[str, str], scope: str) -> str:
        realm = urlsplit(challenge["realm"])
        if realm.scheme not in ("http", "https") or not realm.hostname:
            raise RegistryError(Fault.TOKEN_SERVICE, challenge["realm"][:_SHOWN])
        if realm.scheme == "http" and self._at.tls is not None:
            raise RegistryError(Fault.TOKEN_IN_CLEAR, challenge["realm"][:_SHOWN])
        query = {"service": challenge.get("service", ""), "scope": scope}
        asked = urlencode({name: value for name, value in query.items() if value})
        path = f"{realm.path or '/'}?{'&'.join(part for part in (realm.query, asked) if part)}"
        tls = self._at.tls if realm.scheme == "https" else None
        if realm.scheme == "https" and tls is None:
            tls = ssl.create_default_context()
        at = RegistryAt(realm.hostname, realm.port or (443 if tls else 80), tls)
        try:
            answer = await self._send("GET", path, authorization=self._account.basic, at=at)
        except RegistryError as error:
            raise RegistryError(Fault.TOKEN_SERVICE, at.authority, evidence=error.trouble.detail) from error
        if answer.status in (_UNAUTHORIZED, 403):
            raise RegistryError(Fault.LOGIN_REFUSED, answer.reason, answer.status, answer.shown)
        try:
            body = json.loads(answer.body)
            token = body.get("token") or body["access_token"]
        except (ValueError, LookupError, AttributeError):
            token = None
        if answer.status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise RegistryError(Fault.TOKEN_SERVICE, at.authority, answer.status, answer.shown)
        return token

    async def _send(
        self,
        method: str,
        path: str,
        *,
        authorization: str = "",
        body: bytes | BinaryIO = b"",
        kind: str = "",
        accept: str = "",
        at: RegistryAt | None = None,
    ) -> Answer:
        """One request through the place that asks, with the name of the real registry in it."""
        at = at or self._at
        headers = {"Host": at.authority, "User-Agent": "rbdtui", "Accept": accept or "*/*"}
        headers |= {"Authorization": authorization} if authorization else {}
        headers |= {"Content-Type": kind} if kind else {}
        async with self._asking.towards(at.host, at.port) as place:
            return await self._answer(method, f"{at.scheme}://{place.address}:{place.port}{path}", at, headers, body)

    async def _answer(
        self, method: str, url: str, at: RegistryAt, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> Answer:
        import aiohttp
        import yarl

        tls: dict[str, Any] = {"ssl": at.tls, "server_hostname": at.host} if at.tls is not None else {}
        address = yarl.URL(url, encoded=True)
        asked = {"data": body or None, "headers": headers, "allow_redirects": False, **tls}
        if not isinstance(body, bytes):
            asked["timeout"] = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_STORED_S)
        try:
            async with self._session.request(method, address, **asked) as response:
                content = b"" if method == "HEAD" else await _read(response)
                kept = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, kept, content)
        except aiohttp.ClientConnectorCertificateError as error:
            raise RegistryError(Fault.CERTIFICATE, str(error.certificate_error)) from error
        except aiohttp.ClientSSLError as error:
            raise RegistryError(Fault.TLS_REFUSED, str(error)) from error
        except TimeoutError as error:
            raise RegistryError(Fault.SILENT) from error
        except aiohttp.ClientResponseError as error:
            raise RegistryError(Fault.NOT_HTTP, f"{type(error).__name__}: {error.message}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RegistryError(Fault.BROKEN, f"{type(error).__name__}: {error}") from error


@asynccontextmanager
async def client_of(asking: Asking, at: RegistryAt, account: Account) -> AsyncIterator[RegistryClient]:
    """A client for the time of the block; each request has a connection of its own."""
    import aiohttp

    limits = aiohttp.ClientTimeout(total=_TOTAL_S, sock_connect=_CONNECT_S)
    connector = aiohttp.TCPConnector(force_close=True)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, timeout=limits, cookie_jar=jar, trust_env=False, auto_decompress=False
    ) as session:
        yield RegistryClient(session, asking, at, account)
    await asyncio.sleep(0)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    while len(body) < BODY_LIMIT_BYTES and (piece := await response.content.read(BODY_LIMIT_BYTES - len(body))):
        body += piece
    return bytes(body)


def _challenge_of(answer: Answer) -> dict[str, str]:
    """What ``WWW-Authenticate`` asks for: a token service, or nothing but the password."""
    asked = answer.headers.get("www-authenticate", "")
    scheme, _, rest = asked.partition(" ")
    if scheme.lower() == "bearer":
        values = {name.lower(): value for name, value in _CHALLENGE.findall(rest)}
        if "realm" not in values:
            raise RegistryError(Fault.TOKEN_SERVICE, asked[:_SHOWN])
        return values
    if scheme.lower() != "basic" or (answer.is_html and _NAMES_ITSELF not in answer.headers):
        raise RegistryError(Fault.NOT_REGISTRY, "", answer.status, answer.shown)
    return {}


def _refuse_what_is_no_registry(answer: Answer) -> None:
    if 300 <= answer.status < 400:
        raise RegistryError(Fault.REDIRECTS, answer.headers.get("location", "")[:_SHOWN], answer.status, answer.shown)
    if answer.is_html or answer.status in (400, 404, 405, 406, 410):
        raise RegistryError(Fault.NOT_REGISTRY, "", answer.status, answer.shown)
    if answer.status >= 500:
        raise RegistryError(Fault.UNWELL, answer.reason, answer.status, answer.shown)
    named = answer.headers.get(_NAMES_ITSELF, "").startswith("registry/2")
    if answer.status != 200 or not (named or answer.body.strip() in (b"{}", b"", b"true")):
        raise RegistryError(Fault.NOT_REGISTRY, "", answer.status, answer.shown)
