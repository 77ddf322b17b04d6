"""Rainbond's databases on a MySQL server outside: which of them are there, and the statements that make them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from rbdtui.checks.services.asking import Asking
from rbdtui.checks.services.mysql import MysqlQuestion
from rbdtui.probes.bounded import bounded_socket
from rbdtui.probes.mysql_login import Login, log_in
from rbdtui.spec.sections.mysql import DATABASES

CHARSET: Final = "utf8mb4"
_FORM: Final = f"CHARACTER SET {CHARSET} COLLATE utf8mb4_unicode_ci"
_CONNECT_S: Final = 5.0
_WAIT_S: Final = 20
_LIMIT_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Database:
    """One of the two."""

    name: str
    charset: str = ""
    """Empty when it is not there."""
    tables: int = 0

    @property
    def statement(self) -> str:
        """What makes it as Rainbond needs it; empty when nothing is to be done, or it is not ours to do."""
        if not self.charset:
            return f"CREATE DATABASE `{self.name}` {_FORM}"
        return f"ALTER DATABASE `{self.name}` {_FORM}" if self.charset != CHARSET and not self.tables else ""


async def look_at(question: MysqlQuestion, asking: Asking) -> tuple[Database, ...]:
    """Both; what the account may not see counts as not there. Raises `OSError`, `WireError`, pymysql's errors."""
    rows = await _ask(question, asking, [(_SEEN, DATABASES)])
    found = {str(name): Database(str(name), str(charset), int(tables)) for name, charset, tables in rows}
    return tuple(found.get(name, Database(name)) for name in DATABASES)


async def put_right(question: MysqlQuestion, asking: Asking, statements: Sequence[str]) -> None:
    """Carry statements out, one after the other; raises as `look_at`."""
    await _ask(question, asking, [(statement, ()) for statement in statements])


_SEEN: Final = (
    "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME,"
    " (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = SCHEMA_NAME)"
    " FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN (%s, %s)"
)


async def _ask(
    question: MysqlQuestion, asking: Asking, statements: Sequence[tuple[str, Sequence[str]]]
) -> list[tuple[Any, ...]]:
    """The rows of the last statement."""
    login = Login(question.username, asking.secret(question.secret) or "")
    async with (
        asking.towards(question.host, question.port) as place,
        bounded_socket(place, limit_bytes=_LIMIT_BYTES, connect_s=_CONNECT_S) as sock,
    ):

        def talk() -> list[tuple[Any, ...]]:
            rows: list[tuple[Any, ...]] = []
            with closing(log_in(sock, login, wait_s=_WAIT_S)) as link, link.cursor() as cursor:
                for statement, values in statements:
                    cursor.execute(statement, tuple(values) or None)
                    rows = list(cursor.fetchall())
            return rows

        return await asyncio.to_thread(talk)
