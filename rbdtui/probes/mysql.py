"""The database outside of the cluster: whether it takes connections of a node, and our account.

A server counts connections that end before the login and shuts a host out after ``max_connect_errors`` (100) of them
(MySQL reference manual, B.3.2.5), so every round logs in: with the vault closed as nobody, which is refused politely.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from rbdtui.probes.bounded import bounded_socket
from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.mysql_login import METHOD_UNKNOWN, Login, log_in
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.probes.routes import Reply, by_way, failure_text
from rbdtui.probes.wire import Place, ProbeFailure, WireError
from rbdtui.spec.values import SECRET_PREFIX
from rbdtui.words import T

MYSQL: Final = ProbeKind("mysql", 102, column="svc", is_shared=True)
NOBODY: Final = "rbdtui-health"
"""An account that no server has: failed logins of a real one could lock it."""
_LIMIT_BYTES: Final = 64 * 1024
_ACCESS_DENIED: Final = 1045
_TLS_DEMANDED: Final = 3159
_CLIENT_ERRORS: Final = range(2000, 3000)
"""Numbers of pymysql itself: no connection, one that broke, or something else than MySQL."""
_PATIENCE_ROUNDS: Final = 10
"""After a refusal the password is tried in one round of so many, or it could lock the account."""
_NUMBER: Final = re.compile(r"[0-9][0-9A-Za-z.+~_-]{0,39}")


@dataclass(frozen=True, slots=True)
class MysqlSeen:
    """What a server said."""

    version: str = ""
    read_only: bool = False
    error: int = 0
    """Its number of an error; 0 after a login."""
    words: str = ""
    """Of the error, raw."""
    latency_ms: float = 0.0


def talk(sock: socket.socket, login: Login, wait_s: int) -> MysqlSeen:
    """Log in and ask one thing; blocks. Raises `WireError` when it is no MySQL, or breaks off."""
    import pymysql

    try:
        link = log_in(sock, login, wait_s=wait_s)
        try:
            with link.cursor() as cursor:
                cursor.execute("SELECT @@version, @@global.read_only")
                version, read_only = cursor.fetchone()
        finally:
            link.close()
    except pymysql.MySQLError as error:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        words = str(error.args[1] if len(error.args) > 1 else error)[:300]
        if not number or (number in _CLIENT_ERRORS and number != METHOD_UNKNOWN):
            raise WireError(ProbeFailure.CLOSED, words) from error
        return MysqlSeen(error=number, words=words)
    except Exception as error:  # a hostile server can upset pymysql in any way
        raise WireError(ProbeFailure.NOT_HTTP, f"{type(error).__name__}: {error}") from error
    found = _NUMBER.match(str(version))
    return MysqlSeen(found[0] if found else "?", str(read_only) in ("1", "ON"))


def judge_mysql(key: ProbeKey, asked: str, reply: Reply[MysqlSeen], *, known: bool) -> Answer:
    """What a reply is worth; ``known`` says whether our account logged in, and not nobody."""
    seen = reply.value
    if seen is None:
        state = ProbeState.DOWN if reply.told else ProbeState.UNKNOWN
        return Answer(key, state, by_way(failure_text(reply), reply.via), None, asked, reply.evidence)
    state, detail = ProbeState.DOWN, T("probe.mysql.refused", error=seen.error, words=seen.words)
    if not seen.error:
        state = ProbeState.DOWN if seen.read_only else ProbeState.OK
        detail = T("probe.mysql.ok", version=seen.version)
        detail = T("probe.mysql.read_only", version=seen.version) if seen.read_only else detail
    elif seen.error in (_ACCESS_DENIED, METHOD_UNKNOWN, _TLS_DEMANDED) and not known:
        state, detail = ProbeState.OK, T("probe.mysql.answers")
    evidence = f"{seen.error} {seen.words}" if seen.error else f"{seen.version}, read_only {int(seen.read_only)}"
    return Answer(key, state, by_way(detail, reply.via), seen.latency_ms, asked, evidence)


class MysqlQuestion:
    """The database as the nodes see it."""

    def __init__(self, around: ProbeContext) -> None:
        mysql = around.spec.mysql
        self._around = around
        self._host, self._port = around.spec.mysql_host, mysql.port
        self._username = mysql.username or ""
        self._secret = (mysql.password or "").removeprefix(SECRET_PREFIX)
        self._with_tls = False
        self._refused_for = 0
        """In how many rounds the password is not tried any more."""
        self.keys = (ProbeKey(MYSQL, CLUSTER, self._port),)
        self.interval_s = around.settings.cadence.services_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        password = self._around.secret(self._secret)
        login = Login(NOBODY, "")
        if password is not None and self._username and not self._refused_for:
            login = Login(self._username, password, self._with_tls)
        known = login.username != NOBODY
        reply = await self._by_a_node(login)
        if known and reply.value is not None and reply.value.error == _ACCESS_DENIED:
            # An account that must use TLS is refused with the same words as one with a wrong password.
            again = await self._by_a_node(replace(login, with_tls=not login.with_tls))
            if again.value is not None and not again.value.error:
                reply, self._with_tls = again, not login.with_tls
            else:
                self._refused_for = _PATIENCE_ROUNDS
        elif self._refused_for:
            self._refused_for -= 1
            if reply.value is not None:
                return  # the refusal stands until the password is tried again
        asked = f"MySQL login to {self._host}:{self._port} as {login.username}"
        post(judge_mysql(self.keys[0], asked, reply, known=known))

    async def _by_a_node(self, login: Login) -> Reply[MysqlSeen]:
        """The answer to the first of two nodes that can be asked."""
        limits = self._around.settings.limits

        async def question(place: Place) -> MysqlSeen:
            loop = asyncio.get_running_loop()
            begin = loop.time()
            try:
                async with (
                    asyncio.timeout(limits.answer_s),
                    bounded_socket(place, limit_bytes=_LIMIT_BYTES, connect_s=limits.connect_s) as sock,
                ):
                    seen = await asyncio.to_thread(talk, sock, login, int(limits.answer_s) + 1)
            except TimeoutError:
                raise WireError(ProbeFailure.SILENT, f"no answer within {limits.answer_s:g} s") from None
            except OSError as error:
                raise WireError(ProbeFailure.CLOSED, str(error)) from error
            return replace(seen, latency_ms=(loop.time() - begin) * 1000)

        return await self._around.ask_from_nodes(self._host, self._port, question)


def _questions(around: ProbeContext) -> Iterator[Question]:
    spec = around.spec
    if "mysql" in spec.profile.sections and spec.mysql_host:
        yield MysqlQuestion(around)


PROBE: Final = Probe("mysql", (MYSQL,), _questions)
