"""Objects of the Kubernetes API as raw JSON, over one connection: the only importer of the kubernetes package.

The package's typed calls take seconds to import and refuse objects that lack a field, so paths and JSON go through its
client as they are. Source of paths, patches and watches: kubernetes.io, Kubernetes API Concepts.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from rbdtui.kube.kubeconfig import Kubeconfig, in_memory
from rbdtui.transport.answers import UNREADABLE

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient

FIELD_MANAGER: Final = "rbdtui"
BODY_LIMIT_BYTES: Final = 16 << 20
_LOG_LIMIT_BYTES: Final = 256 << 10
_EVENT_LIMIT_BYTES: Final = 4 << 20
_WATCH_S: Final = 300
"""After this the API ends a watch by itself, and the watcher begins anew."""
_LATE_S: Final = 3.0
"""How much later than that the end of a watch may come."""
_ANSWER_S: Final = 15.0

Json = dict[str, Any]
"""An object of the API, whose shape nobody has checked."""


class KubeError(Exception):
    """The API did not do what it was asked; all texts are the API's own and raw."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(status, reason, message)
        self.status = status
        """HTTP status; 0 when there was no answer at all."""
        self.reason = reason
        """One word, e.g. ``Forbidden``; an exception's name when there was no answer."""
        self.message = message

    def __str__(self) -> str:
        return f"HTTP {self.status} {self.reason}: {self.message}" if self.status else f"{self.reason}: {self.message}"


class KubeAbsentError(KubeError):
    """There is no such object, or the API does not know its kind."""


class KubeConflictError(KubeError):
    """It is there already, or is not as it was when it was read."""


class KubeSilentError(KubeError):
    """No answer came, or one that is none: `KubeError.status` is 0."""


class CertificateFault(StrEnum):
    """What is wrong with the certificate that an API shows."""

    DATED = "dated"
    """It has expired, or is not valid yet, by this machine's clock."""
    OTHER_NAME = "other_name"
    """It does not name the address that it was asked at."""
    NOT_OURS = "not_ours"
    """The authority that is known has not signed it, or it cannot be used for this."""


_FAULTS: Final = {
    9: CertificateFault.DATED,
    10: CertificateFault.DATED,
    62: CertificateFault.OTHER_NAME,
    64: CertificateFault.OTHER_NAME,
}
"""By OpenSSL's X509_V_ERR_* (x509_vfy.h): NOT_YET_VALID, HAS_EXPIRED, HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH."""


class KubeCertificateError(KubeSilentError):
    """Who answers does not prove to be this API; `KubeError.message` is OpenSSL's reason."""

    def __init__(self, error: ssl.SSLCertVerificationError) -> None:
        super().__init__(0, "Certificate", error.verify_message or str(error))
        self.fault = _FAULTS.get(error.verify_code, CertificateFault.NOT_OURS)


class KubeSession:
    """One client of one API server; made by `open_session`."""

    def __init__(self, client: ApiClient, token: str, answer_s: float) -> None:
        self._client = client
        self._token = token
        self._answer_s = answer_s

    async def get(self, path: str) -> Json:
        """An object or a list; raises `KubeError`."""
        return _object(await self._ask("GET", path))

    async def find(self, path: str) -> Json | None:
        """An object, or None when there is none; raises `KubeError`."""
        try:
            return await self.get(path)
        except KubeAbsentError:
            return None

    async def text(self, path: str) -> str:
        """An answer that is no JSON, e.g. of ``/readyz``; raises `KubeError`."""
        return (await self._ask("GET", path)).decode("utf-8", "replace")

    async def create(self, path: str, body: Mapping[str, object]) -> Json:
        """A new object in a collection; raises `KubeConflictError` when there is one of its name."""
        return _object(await self._ask("POST", _with(path, fieldManager=FIELD_MANAGER), body, "application/json"))

    async def apply(self, path: str, body: Mapping[str, object]) -> Json:
        """The object's fields as in ``body``, whoever set them before; it is made when it is not there."""
        path = _with(path, fieldManager=FIELD_MANAGER, force="true")
        return _object(await self._ask("PATCH", path, body, "application/apply-patch+yaml"))

    async def patch(self, path: str, body: Mapping[str, object]) -> Json:
        """The fields in ``body`` merged into an object that is there (JSON merge patch: None takes a field away)."""
        path = _with(path, fieldManager=FIELD_MANAGER)
        return _object(await self._ask("PATCH", path, body, "application/merge-patch+json"))

    async def delete(self, path: str) -> Json:
        """Take an object away; ``path`` may say how, e.g. ``?propagationPolicy=Orphan``. Raises `KubeAbsentError`."""
        return _object(await self._ask("DELETE", path))

    async def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, tail_lines: int = 50
    ) -> str:
        """The last lines of a container, raw; with ``previous`` of its run before the last restart."""
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/log"
        query = {"container": container, "tailLines": tail_lines, "limitBytes": _LOG_LIMIT_BYTES}
        return await self.text(_with(path, **query, **({"previous": "true"} if previous else {})))

    async def watch(self, path: str, resource_version: str, *, lasts_s: int = _WATCH_S) -> AsyncGenerator[Json, None]:
        """Events of a collection from a version on, ``{"type": …, "object": …}``; it ends, and is begun anew.

        The API ends it after ``lasts_s``: an end that does not come is how a connection that died in silence is
        found out. Raises `KubeError`, with status 410 when the version is too old: whoever watches lists anew then.
        """
        query = {"watch": "1", "resourceVersion": resource_version, "timeoutSeconds": lasts_s}
        path = _with(path, allowWatchBookmarks="true", **query)
        response = None
        try:
            read_s = lasts_s + min(self._answer_s, _LATE_S)
            response = await self._send("GET", path, limit_s=self._answer_s, read_s=read_s)
            if response.status != 200:
                raise _refused(response.status, await _body(response, BODY_LIMIT_BYTES))
            async for line in _lines(response):
                event = _object(line)
                if event.get("type") == "ERROR":
                    raise _refused(0, json.dumps(event.get("object")).encode())
                yield event
        except KubeError:
            raise
        except Exception as error:
            raise _silent(error, self._answer_s) from error
        finally:
            # One that was not read to its end takes its connection with it.
            if response is not None:
                response.release()

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None, content_type: str = ""
    ) -> bytes:
        try:
            async with asyncio.timeout(self._answer_s):
                response = await self._send(method, path, body, content_type, limit_s=self._answer_s)
                content = await _body(response, BODY_LIMIT_BYTES)
        except Exception as error:  # whatever the client's own HTTP library raises comes through unchanged
            raise _silent(error, self._answer_s) from error
        if not 200 <= response.status < 300:
            raise _refused(response.status, content)
        return content

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        content_type: str = "",
        *,
        limit_s: float,
        read_s: float | None = None,
    ) -> Any:
        from aiohttp import ClientTimeout

        headers = {"Accept": "application/json"} if not path.partition("?")[0].endswith("/log") else {"Accept": "*/*"}
        # The API packs what is larger than 128 KiB for whoever takes gzip, and nothing here is unpacked without bounds.
        headers["Accept-Encoding"] = "identity"
        headers |= {"Authorization": f"Bearer {self._token}"} if self._token else {}
        headers |= {"Content-Type": content_type} if content_type else {}
        limit = ClientTimeout(total=None, sock_connect=limit_s, sock_read=read_s or limit_s)
        url = f"{self._client.configuration.host}{path}"
        answer = await self._client.call_api(
            method,
            url,
            header_params=headers,
            body=body,
            _request_timeout=limit,
        )
        return answer.response


@asynccontextmanager
async def open_session(
    place_address: str, port: int, *, server_name: str, credentials: Kubeconfig, answer_s: float = _ANSWER_S
) -> AsyncIterator[KubeSession]:
    """A session with the API that is reached at a place; ``answer_s`` limits each request.

    The certificate must be the cluster's and name ``server_name``, whatever the place is. Never raises itself.
    """
    await load_client()
    async with _client(place_address, port, server_name, credentials) as client:
        yield KubeSession(client, credentials.token, answer_s)


async def load_client() -> None:
    """Import the client, which takes seconds the first time and holds up nothing else that runs."""
    await asyncio.to_thread(_import_client)


def _import_client() -> None:
    import kubernetes.aio.client  # noqa: F401


@asynccontextmanager
async def _client(address: str, port: int, server_name: str, credentials: Kubeconfig) -> AsyncIterator[ApiClient]:
    from aiohttp import TraceConfig
    from kubernetes.aio.client import ApiClient, Configuration

    redirects = TraceConfig()
    redirects.on_request_redirect.append(_refuse)
    with in_memory(credentials.certificate) as certificate, in_memory(credentials.key) as key:
        configuration = Configuration(
            host=f"https://{address}:{port}",
            ca_cert_data=credentials.authority,
            cert_file=certificate,
            key_file=key,
            tls_server_name=server_name,
            client_session_kwargs={"trust_env": False, "auto_decompress": False},
            trace_configs=[redirects],
        )
        configuration.disable_strict_ssl_verification = True
        client = ApiClient(configuration)
    async with client:
        yield client


async def _refuse(*_: object) -> None:
    """The API has no reason to send anybody elsewhere; who does is not followed."""
    raise ValueError("redirected")


async def _body(response: Any, limit_bytes: int) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit_bytes:
            raise ValueError(f"more than {limit_bytes >> 20} MiB")
    return bytes(body)


async def _lines(response: Any) -> AsyncIterator[bytes]:
    rest = bytearray()
    async for piece in response.content.iter_any():
        rest += piece
        *whole, last = rest.split(b"\n")
        rest = bytearray(last)
        if len(rest) > _EVENT_LIMIT_BYTES:
            raise ValueError(f"more than {_EVENT_LIMIT_BYTES >> 20} MiB")
        for line in whole:
            if line:
                yield bytes(line)


def _with(path: str, **query: object) -> str:
    return f"{path}{'&' if '?' in path else '?'}{urlencode(query)}"


def _object(content: bytes) -> Json:
    try:
        value = json.loads(content)
    except UNREADABLE as error:
        raise KubeSilentError(0, type(error).__name__, content[:200].decode("utf-8", "replace")) from error
    if not isinstance(value, dict):
        raise KubeSilentError(0, "TypeError", f"no object: {content[:200].decode('utf-8', 'replace')}")
    return value


def _silent(error: Exception, limit_s: float) -> KubeError:
    if isinstance(error, KubeError):
        return error
    if isinstance(error, TimeoutError):
        return KubeSilentError(0, "TimeoutError", f"no answer within {limit_s:g} s")
    cause = getattr(error, "certificate_error", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return KubeCertificateError(cause)
    return KubeSilentError(0, type(error).__name__, str(error))


def _refused(status: int, content: bytes) -> KubeError:
    """What the API says, which is a ``Status`` object or, from whoever stands in front of it, any text."""
    try:
        said = json.loads(content)
        status = status or int(said["code"])
        reason, message = str(said["reason"]), str(said["message"])
    except UNREADABLE:
        reason, message = "", content.decode("utf-8", "replace")
    kind = {404: KubeAbsentError, 409: KubeConflictError}.get(status, KubeError)
    return kind(status, reason, message[:2000])
