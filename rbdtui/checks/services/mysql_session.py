"""A login to a MySQL server by pymysql, in a thread: what the server is, and what the account may do there."""

from __future__ import annotations

import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

from rbdtui.checks.services.mysql_answer import Greeting, MysqlAnswer, Schema, SchemaState, Settings, Stop
from rbdtui.probes.mysql_login import METHOD_UNKNOWN, Login, log_in
from rbdtui.spec.sections.mysql import DATABASES

MARK: Final = "rbdtui_check_"
"""How names of our throw-away tables begin."""
_OLD_MINUTES: Final = 10
"""A table of ours that is older belongs to a check that was killed."""
_WAIT_S: Final = 8
_LOCK_WAIT_S: Final = 3
_PINGS: Final = 20
_NEAR_MS: Final = 1.0
_TABLES_SHOWN: Final = 400
_ACCESS_DENIED: Final = 1045
_DENIED_IN_SCHEMA: Final = 1044
_UNKNOWN_SCHEMA: Final = 1049
_TLS_DEMANDED: Final = 3159
_DENIED: Final = frozenset({_DENIED_IN_SCHEMA, 1142, 1143, 1227, 1370})
_CLIENT_ERRORS: Final = range(2000, 3000)
"""Numbers of pymysql itself: no connection, or one that broke."""
_SENTENCE: Final = "Datei-Ä-数据库-🌈"
"""Comes back as it was only if every place on the way has utf8mb4."""
_GRANT: Final = re.compile(r"GRANT (?P<privileges>.+?) ON (?P<scope>\S+) TO ")
_COMMAND: Final = re.compile(r"^([A-Z]+)(?:, ?[A-Z ]+)* command denied")
_METHOD: Final = re.compile(r"IDENTIFIED (?:WITH|VIA) '?([a-z0-9_]+)'?", re.IGNORECASE)


class _StoppedError(Exception):
    """Nobody waits for the answer any more."""


def look(sock: socket.socket, greeting: Greeting, login: Login, stopped: threading.Event) -> MysqlAnswer:
    """Log in through a connected socket and look around; blocks. Never raises.

    Once ``stopped`` is set it only cleans up. The byte limit of the socket is the limit of what a server can send.
    """
    answer = MysqlAnswer(greeting=greeting)
    try:
        for latest in _looks(sock, answer, login, stopped):
            answer = latest
    except _StoppedError:
        return replace(answer, stop=Stop.BROKEN)
    except Exception as error:  # a hostile server can upset pymysql in any way
        return replace(answer, **_failure(error))
    return answer


def _failure(error: Exception) -> dict[str, Any]:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    words = str(error.args[1]) if number and len(error.args) > 1 else f"{type(error).__name__}: {error}"
    stop = Stop.LOGIN
    if number == _TLS_DEMANDED:
        stop = Stop.TLS_DEMANDED
    elif number == METHOD_UNKNOWN:
        stop = Stop.METHOD
    elif not number or number in _CLIENT_ERRORS:
        stop = Stop.BROKEN
    return {"stop": stop, "error": number, "detail": words[:300]}


def _looks(sock: socket.socket, answer: MysqlAnswer, login: Login, stopped: threading.Event) -> Iterator[MysqlAnswer]:
    """The answer after each step of the talk, so that a later failure keeps what is known."""
    link = log_in(sock, login, wait_s=_WAIT_S)
    try:
        with link.cursor() as cursor:
            session = _Session(cursor, stopped)
            answer = replace(answer, settings=session.settings())
            yield answer
            answer = replace(answer, clock_off_s=session.clock_off_s(), round_trip_ms=session.round_trip_ms())
            yield answer
            for name in DATABASES if "mariadb" not in answer.version.lower() else ():
                answer = replace(answer, schemas=(*answer.schemas, session.schema(name)))
                yield answer
    finally:
        link.close()


class _Session:
    """One login."""

    def __init__(self, cursor: Any, stopped: threading.Event) -> None:
        self._cursor, self._stopped = cursor, stopped

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        if self._stopped.is_set():
            raise _StoppedError
        self._cursor.execute(statement, values or None)
        return list(self._cursor.fetchall())

    def _tried(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of what not everybody may ask; none when it is refused."""
        import pymysql

        try:
            return self._rows(statement, *values)
        except (pymysql.err.ProgrammingError, pymysql.err.OperationalError) as error:
            if error.args and error.args[0] in _CLIENT_ERRORS:
                raise
            return []

    def settings(self) -> Settings:
        """What the server says of itself."""
        names = ("version", "version_comment", "character_set_server", "lower_case_table_names", "global.sql_mode")
        more = ("character_set_connection", "max_connections", "global.read_only")
        row = self._rows(f"SELECT {', '.join(f'@@{name}' for name in (*names, *more))}")[0]
        created = self._tried("SHOW CREATE USER CURRENT_USER()")
        method = _METHOD.search(str(created[0][0])) if created else None
        source = self._tried("SHOW SLAVE STATUS")
        return Settings(
            version=str(row[0])[:64],
            comment=str(row[1])[:120],
            charset=str(row[2]),
            lower_case_table_names=int(row[3]),
            sql_mode=frozenset(mode for mode in str(row[4]).split(",") if mode),
            connection_charset=str(row[5]),
            max_connections=int(row[6]),
            read_only=str(row[7]) in ("1", "ON"),
            replica_of=str(source[0][1])[:120] if source else "",
            plugin=method[1] if method else "",
        )

    def clock_off_s(self) -> float:
        """By how much the server's clock is ahead of this machine's."""
        asked_at = time.time()
        shown = float(self._rows("SELECT UNIX_TIMESTAMP(NOW(6))")[0][0])
        return shown - (asked_at + time.time()) / 2

    def round_trip_ms(self) -> float:
        """The shortest of several empty questions."""
        shortest = float("inf")
        for _ in range(_PINGS):
            asked_at = time.perf_counter()
            self._rows("DO 1")
            shortest = min(shortest, (time.perf_counter() - asked_at) * 1000)
            if shortest < _NEAR_MS:
                break
        return shortest

    def schema(self, name: str) -> Schema:
        """One database, by trying what Rainbond will do there."""
        import pymysql

        try:
            self._rows(f"USE `{name}`")
        except pymysql.MySQLError as error:
            number = error.args[0] if error.args else 0
            if number not in (_UNKNOWN_SCHEMA, _DENIED_IN_SCHEMA):
                raise
            state = SchemaState.MISSING if number == _UNKNOWN_SCHEMA else SchemaState.DENIED
            return Schema(name, state, may_create=_may_create(self._tried("SHOW GRANTS"), name))
        select = "SELECT DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s"
        charset = str((self._rows(select, name) or [("",)])[0][0])
        tables = [str(row[0]) for row in self._rows("SHOW TABLES")[:_TABLES_SHOWN]]
        schema = Schema(name, SchemaState.USABLE, charset, tuple(each for each in tables if not each.startswith(MARK)))
        return _Trial(self._rows, self._cursor, schema).run()


def _may_create(grants: Iterable[tuple[Any, ...]], name: str) -> bool:
    for row in grants:
        grant = _GRANT.match(str(row[0]))
        if grant is None:
            continue
        pattern = grant["scope"].removesuffix(".*").strip("`").replace("\\_", "_").replace("%", "*")
        privileges = {each.strip() for each in grant["privileges"].split(",")}
        if fnmatchcase(name, pattern) and privileges & {"ALL", "ALL PRIVILEGES", "CREATE"}:
            return True
    return False


class _Trial:
    """Uses every privilege that Rainbond needs on a throw-away table."""

    def __init__(self, rows: Callable[..., list[tuple[Any, ...]]], cursor: Any, schema: Schema) -> None:
        self._rows, self._cursor, self._schema = rows, cursor, schema
        self._table = f"{MARK}{secrets.token_hex(6)}"
        self._lacking: list[str] = []
        self._failed = ""

    def run(self) -> Schema:
        """The database with what the trial showed; the tables are gone again, or named."""
        table, child = self._table, f"{self._table}_c"
        # First of all DROP is tried on nothing: an account without it would leave its table behind.
        begun = self._may("DROP", f"DROP TABLE IF EXISTS `{table}`")
        left = ""
        if begun:
            self._remove_old()
            self._rows(f"SET SESSION lock_wait_timeout = {_LOCK_WAIT_S}, innodb_lock_wait_timeout = {_LOCK_WAIT_S}")
            try:
                self._use(table, child)
            finally:
                left = self._remove(child, table)
        return replace(self._schema, lacking=tuple(dict.fromkeys(self._lacking)), failed=self._failed, left=left)

    def _use(self, table: str, child: str) -> None:
        columns = "id INT PRIMARY KEY, name VARCHAR(40)"
        if not self._may("CREATE", f"CREATE TABLE `{table}` ({columns}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"):
            return
        self._may("ALTER", f"ALTER TABLE `{table}` ADD COLUMN more INT")
        self._may("INDEX", f"CREATE INDEX by_name ON `{table}` (name)")
        parent = f"parent INT, FOREIGN KEY (parent) REFERENCES `{table}` (id)"
        self._may("REFERENCES", f"CREATE TABLE `{child}` (id INT PRIMARY KEY, {parent}) ENGINE=InnoDB")
        written = self._may("INSERT", f"INSERT INTO `{table}` (id, name) VALUES (1, %s)", _SENTENCE)  # noqa: S608
        if self._may("SELECT", f"SELECT name FROM `{table}` WHERE id = 1"):  # noqa: S608 - the name is our own
            found = self._cursor.fetchall()
            if written and not self._failed and [tuple(row) for row in found] != [(_SENTENCE,)]:
                self._failed = "utf8mb4"
        self._may("UPDATE", f"UPDATE `{table}` SET name = '' WHERE id = 1")  # noqa: S608
        self._may("DELETE", f"DELETE FROM `{table}` WHERE id = 1")  # noqa: S608

    def _may(self, privilege: str, statement: str, *values: object) -> bool:
        import pymysql

        try:
            self._rows("DO 0")
            self._cursor.execute(statement, values or None)
        except pymysql.MySQLError as error:
            number, words = (*error.args, "", "")[:2]
            if number in _CLIENT_ERRORS or not isinstance(number, int):
                raise
            if number in _DENIED:
                named = _COMMAND.match(str(words))
                self._lacking.append(named[1] if named else privilege)
            else:
                self._failed = self._failed or f"{privilege}: {number} {words}"[:300]
            return False
        return True

    def _remove(self, *tables: str) -> str:
        """Remove tables whatever has happened; the name of one that stays."""
        import pymysql

        for table in tables:
            try:
                self._cursor.execute(f"DROP TABLE IF EXISTS `{table}`")
            except pymysql.MySQLError:
                return f"{self._schema.name}.{table}"
        return ""

    def _remove_old(self) -> None:
        """What a check that was killed has left; its child table goes first by its longer name."""
        old = (
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"
            " AND TABLE_NAME LIKE %s AND CREATE_TIME < NOW() - INTERVAL %s MINUTE"
        )
        pattern = MARK.replace("_", r"\_") + "%"
        names = [str(row[0]) for row in self._rows(old, self._schema.name, pattern, _OLD_MINUTES)]
        self._remove(*sorted(names, key=len, reverse=True))
