"""What a MySQL server looks like from one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.checks.services.ways import Obstacle

_VERSION: Final = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})")

_DELICATE: Final = frozenset("@/:()?$%#& ")


class Stop(StrEnum):
    """Where the talk with the server ended before everything was seen."""

    SILENT = "silent"
    """It took the connection and said nothing."""
    OTHER = "other"
    """What answers is no MySQL."""
    TURNED_AWAY = "turned-away"
    """It refused before any login."""
    NOT_LOGGED_IN = "not-logged-in"
    """Nobody has the password: the vault is closed, or lacks it."""
    TLS_DEMANDED = "tls-demanded"
    METHOD = "method"
    """The account logs in by a method that Rainbond's drivers do not have."""
    LOGIN = "login"
    BROKEN = "broken"
    """The talk broke off, or made no sense."""


class PasswordTrouble(StrEnum):
    """How a password fares between here and the server."""

    CHANGED = "changed"
    """Kubernetes makes another one of it."""
    DELICATE = "delicate"
    """It has characters that separate things in a connection string."""


class SchemaState(StrEnum):
    """What there is of a database."""

    USABLE = "usable"
    MISSING = "missing"
    DENIED = "denied"
    """It is not there, or the account may not use it: the server tells no more."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first packet, which comes before any login."""

    version: str
    plugin: str = ""
    offers_tls: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """One of the two databases."""

    name: str
    state: SchemaState
    charset: str = ""
    tables: tuple[str, ...] = ()
    """Some of their names, sorted."""
    lacking: tuple[str, ...] = ()
    """Privileges that a try showed to be missing."""
    failed: str = ""
    """What else went wrong with the try, in the server's words."""
    left: str = ""
    """A table of ours that could not be removed."""
    may_create: bool = False
    """Whether the account may make the database, as far as its grants tell."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the server and of the account."""

    version: str
    comment: str
    charset: str
    connection_charset: str
    lower_case_table_names: int
    sql_mode: frozenset[str]
    max_connections: int
    read_only: bool
    replica_of: str
    """The source that it copies from; empty when it is none, or when the account may not know."""
    plugin: str
    """How the account logs in; empty when the server did not tell."""


@dataclass(frozen=True, slots=True)
class MysqlAnswer:
    """What was seen, as far as the talk came."""

    obstacle: Obstacle | None = None
    stop: Stop | None = None
    error: int = 0
    """The server's number of the error that ended it."""
    detail: str = ""
    """Its words, or what came instead, raw."""
    greeting: Greeting | None = None
    settings: Settings | None = None
    clock_off_s: float | None = None
    """By how much its clock is ahead of ours."""
    round_trip_ms: float | None = None
    """From the place to the server and back."""
    schemas: tuple[Schema, ...] = ()
    password: PasswordTrouble | None = None
    """What is wrong with the password itself, known without asking anybody."""

    @property
    def version(self) -> str:
        """As the server writes it; empty when it was not heard."""
        return self.settings.version if self.settings else self.greeting.version if self.greeting else ""


def series_of(version: str) -> tuple[int, int] | None:
    """The first two numbers of a version."""
    match = _VERSION.match(version)
    return (int(match[1]), int(match[2])) if match else None


def password_trouble(password: str) -> PasswordTrouble | None:
    """What happens to a password that is put into arguments and variables of containers, and into a DSN."""
    if "$$" in password:
        return PasswordTrouble.CHANGED
    return PasswordTrouble.DELICATE if _DELICATE & set(password) else None
