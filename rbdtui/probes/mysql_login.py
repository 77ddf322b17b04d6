"""A login to a MySQL server by pymysql through a connected socket; it blocks, so it belongs into a thread."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import Any, Final

METHOD_UNKNOWN: Final = 2059
"""The server wants the password in a way that we do not give it."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, and how."""

    username: str
    password: str = field(repr=False)
    with_tls: bool = False


def log_in(sock: socket.socket, login: Login, *, wait_s: int) -> Any:
    """A connection of pymysql; raises its errors, and whatever a hostile server can make it raise."""
    import pymysql  # loaded by those who ask a server only

    class Refused:
        """A password is never handed over as it is without TLS."""

        def __init__(self, _: object) -> None: ...

        def authenticate(self, _: object) -> object:
            raise pymysql.err.OperationalError(METHOD_UNKNOWN, "mysql_clear_password")

    link = pymysql.connect(
        host="mysql",
        user=login.username,
        password=login.password.encode(),  # of a text pymysql would make Latin-1
        charset="utf8mb4",
        autocommit=True,
        read_timeout=wait_s,
        write_timeout=wait_s,
        ssl=_any_certificate() if login.with_tls else None,
        ssl_disabled=not login.with_tls,
        auth_plugin_map={"mysql_clear_password": Refused},
        program_name="rbdtui",
        defer_connect=True,
    )
    link.connect(sock)
    return link


def _any_certificate() -> ssl.SSLContext:
    """As the clients of MySQL do by themselves: servers make a certificate that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
