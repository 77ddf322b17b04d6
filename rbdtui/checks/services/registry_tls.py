"""Which scheme a registry speaks, and whether its certificate proves it to the nodes."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rbdtui.checks.services.registry_answer import Fault, RegistryError, RegistryFailure
from rbdtui.probes.wire import Place, ProbeFailure, WireError, connection, tls_hello, trusting_context

_CONNECT_S: Final = 4.0
_ANSWER_S: Final = 5.0
_SOON_DAYS: Final = 30
_DAY_S: Final = 86400
_LONGEST_CA_BYTES: Final = 1 << 20
_REASONS: Final = {
    9: Fault.NOT_YET_VALID,
    10: Fault.EXPIRED,
    18: Fault.UNTRUSTED,
    19: Fault.UNTRUSTED,
    20: Fault.UNTRUSTED,
    21: Fault.UNTRUSTED,
    62: Fault.OTHER_NAME,
    64: Fault.OTHER_NAME,
}
"""OpenSSL's numbers (x509_vfy.h)."""
_WIRE: Final = {
    ProbeFailure.SILENT: Fault.SILENT,
    ProbeFailure.TLS_REFUSED: Fault.TLS_REFUSED,
}


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a try to speak TLS showed."""

    certificate: bytes = b""
    """DER; empty when the other side speaks no TLS."""


async def try_tls(place: Place, server_name: str) -> Handshake:
    """Try a handshake, whoever signed the certificate; raises `RegistryError` where that tells nothing."""
    try:
        hello = await tls_hello(place, server_name=server_name, connect_s=_CONNECT_S, answer_s=_ANSWER_S)
    except WireError as error:
        # Servers of plain HTTP answer a handshake with an error page, or hang up; HTTP is then tried for itself.
        if error.trouble in (ProbeFailure.NOT_TLS, ProbeFailure.CLOSED, ProbeFailure.NOT_HTTP):
            return Handshake()
        raise RegistryError(_WIRE.get(error.trouble, Fault.BROKEN), error.evidence) from error
    return Handshake(hello.certificate)


def trust(ca_file: str, *, verify: bool) -> ssl.SSLContext:
    """A context that trusts a CA file, or this system's CAs without one. Raises `RegistryError`."""
    if not verify:
        return trusting_context()
    if not ca_file:
        return ssl.create_default_context()
    path = Path(ca_file).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_CA_BYTES)
    except OSError as error:
        raise RegistryError(Fault.CA_FILE, error.strerror or str(error)) from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise RegistryError(Fault.CA_FILE, "DER" if content[:1] == b"\x30" else "PEM")
    try:
        return ssl.create_default_context(cadata=content.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise RegistryError(Fault.CA_FILE, str(error)) from error


async def certificate_troubles(place: Place, server_name: str, context: ssl.SSLContext) -> list[RegistryFailure]:
    """What is wrong with the certificate of a server that speaks TLS."""
    limits = {"connect_s": _CONNECT_S, "handshake_s": _ANSWER_S}
    try:
        async with connection(place, tls=context, server_name=server_name, **limits) as (_, writer):
            shown = writer.get_extra_info("peercert") or {}
    except WireError as error:
        cause = error.__cause__
        if not isinstance(cause, ssl.SSLCertVerificationError):
            return [RegistryFailure(_WIRE.get(error.trouble, Fault.BROKEN), error.evidence)]
        fault = _REASONS.get(cause.verify_code, Fault.CERTIFICATE)
        return [RegistryFailure(fault, cause.verify_message, evidence=cause.verify_message)]
    until = shown.get("notAfter")
    if isinstance(until, str):
        days = int((ssl.cert_time_to_seconds(until) - time.time()) // _DAY_S)
        if days < _SOON_DAYS:
            return [RegistryFailure(Fault.EXPIRES_SOON, until, days, until)]
    return []
