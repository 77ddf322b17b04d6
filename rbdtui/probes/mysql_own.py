"""A MySQL server of a pair that the plan makes, asked on its own host as its administrator.

What is sent goes through SSH to the host's own loopback address, so the account may be one of that host alone.
Statements of replication have other names from 8.0.22 and 8.0.23 on, and the old ones are gone in 8.4 (MySQL reference
manual, 13.4.2 and the release notes of 8.0.22, 8.0.23).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from rbdtui.probes.bounded import bounded_socket
from rbdtui.probes.gtid import GtidSet, missing_gtids, parse_gtids, shown_gtids
from rbdtui.probes.mysql_login import Login, log_in
from rbdtui.probes.mysql_semi_sync import COUNTERS, SemiSync, read_semi_sync, version_of
from rbdtui.probes.wire import Place
from rbdtui.spec.mysql_accounts import ADMIN
from rbdtui.transport.base import Host

T = TypeVar("T")
LOOPBACK: Final = "127.0.0.1"
_CONNECT_S: Final = 5.0
_WAIT_S: Final = 20
_LIMIT_BYTES: Final = 4 << 20
_NEW_WORDS: Final = (8, 0, 23)
SYSTEM_SCHEMAS: Final = ("information_schema", "mysql", "performance_schema", "sys")


class MysqlTalkError(Exception):
    """A server that is not reached, does not let us in, or refuses a statement."""

    def __init__(self, words: str, number: int = 0) -> None:
        super().__init__(words)
        self.number = number
        """The server's; 0 where there was no connection."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, as anybody may see it and as it is sent."""

    shown: str
    sent: str = field(default="", repr=False)
    """Only where it holds what nobody may see."""
    values: tuple[str, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        """What the server gets, with places for the values."""
        return self.sent or self.shown


@dataclass(frozen=True, slots=True)
class Replication:
    """What a replica says of the two threads that copy."""

    source: str
    """ADDRESS:PORT."""
    receives: str
    """``Yes``, ``No`` or ``Connecting``."""
    applies: str
    lag_s: int | None
    """None while it is not known, as when a thread stands still."""
    auto_position: bool
    retrieved: GtidSet = field(default_factory=dict)
    """What has come over, carried out or not."""
    receive_error: str = ""
    apply_error: str = ""

    @property
    def runs(self) -> bool:
        """Whether both threads do their work."""
        return self.receives == "Yes" and self.applies == "Yes"

    @property
    def errors(self) -> str:
        """What the threads stopped at, raw."""
        return "\n".join(filter(None, (self.receive_error, self.apply_error)))


@dataclass(frozen=True, slots=True)
class MysqlServerState:
    """A server as its administrator sees it."""

    version: str
    uuid: str
    has_gtids: bool
    super_read_only: bool
    executed: GtidSet
    purged: GtidSet
    """No longer in its binary logs."""
    has_tls: bool
    replicas: int
    """How many copy from it now."""
    replication: Replication | None = None
    databases: Mapping[str, tuple[str, str, int]] = field(default_factory=dict)
    """Character set, collation and number of tables, by name; the system's own left out."""
    accounts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What passwords are compared with, by ``user@host``."""
    rights: frozenset[tuple[str, str]] = frozenset()
    """Which of them have rights in which database; ``*`` for all of the server."""
    semi_sync: SemiSync = field(default_factory=SemiSync)

    @property
    def words(self) -> ReplicationWords:
        """How this server names replication."""
        return words_for(self.version)

    def lacks(self, other: MysqlServerState) -> GtidSet:
        """Transactions of another server that this one has not carried out."""
        return missing_gtids(other.executed, self.executed)

    def evidence(self) -> str:
        """What of it may be seen, raw."""
        lines = [f"MySQL {self.version}, super_read_only {int(self.super_read_only)}"]
        lines.append(f"gtid_executed {shown_gtids(self.executed)}")
        lines.append(self.semi_sync.evidence())
        if self.replication is not None:
            one = self.replication
            lines.append(f"{one.source}: receives {one.receives}, applies {one.applies}, behind {one.lag_s}")
            lines += [one.errors] if one.errors else []
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class ReplicationWords:
    """What one and the same is called before and after 8.0.23."""

    replica: str
    source: str
    change: str

    @property
    def status(self) -> str:
        """The question for the state of the threads."""
        return f"SHOW {self.replica} STATUS"

    def column(self, name: str) -> str:
        """The name of a column of the state, ``{r}`` and ``{s}`` filled in."""
        return name.format(r=self.replica.capitalize(), s=self.source.capitalize())

    def copy_from(self, address: str, port: int, user: str, password: str, secret: str, *, tls: bool) -> Statement:
        """Copy from a server from where this one is, whatever its binary logs are called."""
        head = (
            f"{self.change} TO {self.source}_HOST='{address}', {self.source}_PORT={port}, {self.source}_USER='{user}',"
            f" {self.source}_AUTO_POSITION=1, {self.source}_CONNECT_RETRY=10, {self.source}_SSL={int(tls)},"
            f" {self.source}_PASSWORD="
        )
        return Statement(f"{head}'secret:{secret}'", f"{head}%s", (password,))


def words_for(version: str) -> ReplicationWords:
    """By the server's version, as it writes it."""
    if version_of(version) >= _NEW_WORDS:
        return ReplicationWords("REPLICA", "SOURCE", "CHANGE REPLICATION SOURCE")
    return ReplicationWords("SLAVE", "MASTER", "CHANGE MASTER")


def native_hash(password: str) -> str:
    """What ``mysql_native_password`` keeps of a password (MySQL reference manual, 6.4.1.1)."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


async def talk_to(host: Host, port: int, password: str, talk: Callable[[Any], T]) -> T:
    """What ``talk`` makes of a cursor of the server on a host; raises `MysqlTalkError`, `TransportError`."""
    import pymysql

    login = Login(ADMIN, password)
    try:
        async with (
            host.forward(LOOPBACK, port) as own_port,
            bounded_socket(Place(LOOPBACK, own_port), limit_bytes=_LIMIT_BYTES, connect_s=_CONNECT_S) as sock,
        ):

            def talking() -> T:
                with (
                    closing(log_in(sock, login, wait_s=_WAIT_S)) as link,
                    link.cursor(pymysql.cursors.DictCursor) as cursor,
                ):
                    return talk(cursor)

            return await asyncio.to_thread(talking)
    except pymysql.MySQLError as error:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        raise MysqlTalkError(str(error.args[1] if len(error.args) > 1 else error)[:300], number) from error
    except OSError as error:
        raise MysqlTalkError(str(error)) from error


async def read_server(host: Host, port: int, password: str) -> MysqlServerState:
    """Ask a server; changes nothing. Raises `MysqlTalkError`, `TransportError`."""
    return await talk_to(host, port, password, _look)


async def carry_out(host: Host, port: int, password: str, statements: Sequence[Statement]) -> None:
    """Carry statements out, one after the other; raises `MysqlTalkError`, `TransportError`."""

    def talk(cursor: Any) -> None:
        for statement in statements:
            cursor.execute(statement.text, statement.values or None)

    await talk_to(host, port, password, talk)


def _look(cursor: Any) -> MysqlServerState:
    names = ("version", "server_uuid", "gtid_mode", "super_read_only", "gtid_executed", "gtid_purged")
    row = _rows(cursor, f"SELECT {', '.join(f'@@GLOBAL.{name} AS {name}' for name in names)}")[0]
    words = words_for(str(row["version"]))
    tls = _rows(cursor, "SHOW GLOBAL VARIABLES LIKE 'have_ssl'")
    copies = "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"
    state = _rows(cursor, words.status)
    counters = _rows(cursor, COUNTERS)
    return MysqlServerState(
        version=str(row["version"])[:64],
        uuid=str(row["server_uuid"]),
        has_gtids=str(row["gtid_mode"]).upper() == "ON",
        super_read_only=str(row["super_read_only"]) in ("1", "ON"),
        executed=parse_gtids(str(row["gtid_executed"])),
        purged=parse_gtids(str(row["gtid_purged"])),
        has_tls=bool(tls) and str(tls[0]["Value"]).upper() == "YES",
        replicas=int(_rows(cursor, copies)[0]["n"]),
        replication=_replication(state[0], words) if state else None,
        databases=_databases(cursor),
        accounts={
            f"{each['user']}@{each['host']}": _text(each["kept"])
            for each in _rows(
                cursor, "SELECT user AS user, host AS host, authentication_string AS kept FROM mysql.user"
            )
        },
        rights=frozenset((str(each["who"]).replace("'", ""), str(each["place"])) for each in _rows(cursor, _RIGHTS)),
        semi_sync=read_semi_sync({_text(each["Variable_name"]): _text(each["Value"]) for each in counters}),
    )


_RIGHTS: Final = (
    "SELECT GRANTEE AS who, '*' AS place FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE <> 'USAGE'"
    " UNION SELECT GRANTEE, TABLE_SCHEMA FROM information_schema.SCHEMA_PRIVILEGES"
)


def _databases(cursor: Any) -> dict[str, tuple[str, str, int]]:
    question = (
        "SELECT SCHEMA_NAME AS name, DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation,"
        " (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = SCHEMA_NAME) AS tables_in"
        " FROM information_schema.SCHEMATA"
    )
    return {
        str(row["name"]): (str(row["charset"]), str(row["collation"]), int(row["tables_in"]))
        for row in _rows(cursor, question)
        if str(row["name"]) not in SYSTEM_SCHEMAS
    }


def _replication(row: Mapping[str, Any], words: ReplicationWords) -> Replication:
    def said(name: str) -> str:
        return _text(row.get(words.column(name)))

    lag = row.get(words.column("Seconds_Behind_{s}"))
    return Replication(
        source=f"{said('{s}_Host')}:{said('{s}_Port')}",
        receives=said("{r}_IO_Running"),
        applies=said("{r}_SQL_Running"),
        lag_s=int(lag) if lag is not None else None,
        auto_position=said("Auto_Position") == "1",
        retrieved=parse_gtids(said("Retrieved_Gtid_Set")),
        receive_error=said("Last_IO_Error")[:300],
        apply_error=said("Last_SQL_Error")[:300],
    )


def _rows(cursor: Any, statement: str) -> list[Mapping[str, Any]]:
    cursor.execute(statement)
    return list(cursor.fetchall())


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value if value is not None else "")
