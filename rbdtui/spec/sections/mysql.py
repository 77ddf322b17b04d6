"""The database of the console and of the region: both in one server, or both built in."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final

from rbdtui.spec.types import FilledText, HostAddress, ModalSection, ModeKeys, Port, SecretName

DATABASES: Final = ("console", "region")
"""Their names; other names were ignored by some versions (goodrain/rainbond#1208)."""


class MysqlMode(StrEnum):
    """Whose server it is."""

    BUILTIN = "builtin"
    """Rainbond's own, one pod with its data on one node."""
    EXTERNAL = "external"


class Mysql(ModalSection):
    """The section ``mysql``."""

    MODES: ClassVar[Mapping[str, ModeKeys]] = {
        MysqlMode.BUILTIN: ModeKeys(),
        MysqlMode.EXTERNAL: ModeKeys(needed=("host", "username", "password"), optional=("port",)),
    }

    mode: MysqlMode = MysqlMode.BUILTIN
    host: HostAddress | None = None
    port: Port = 3306
    username: FilledText | None = None
    password: SecretName | None = None
