"""The database of the console and of the region: both in one server, in a pair that is made, or both built in."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final

from rbdtui.spec.types import FilledText, HostAddress, ModalSection, ModeKeys, Name, Port, SecretName

DATABASES: Final = ("console", "region")
"""Their names; other names were ignored by some versions (goodrain/rainbond#1208)."""


class MysqlMode(StrEnum):
    """Whose server it is."""

    BUILTIN = "builtin"
    """Rainbond's own, one pod with its data on one node."""
    EXTERNAL = "external"
    PAIR = "pair"
    """A source and a replica that the plan makes on two servers; nobody changes over between them by itself."""


class Mysql(ModalSection):
    """The section ``mysql``."""

    MODES: ClassVar[Mapping[str, ModeKeys]] = {
        MysqlMode.BUILTIN: ModeKeys(),
        MysqlMode.EXTERNAL: ModeKeys(needed=("host", "username", "password"), optional=("port",)),
        MysqlMode.PAIR: ModeKeys(needed=("source", "replica", "username", "password"), optional=("port",)),
    }
    ALIKE: ClassVar[frozenset[str]] = frozenset({"port", "username", "password"})
    MADE_ON: ClassVar[Mapping[str, tuple[str, ...]]] = {MysqlMode.PAIR: ("source", "replica")}

    mode: MysqlMode = MysqlMode.BUILTIN
    host: HostAddress | None = None
    source: Name | None = None
    """The node that Rainbond writes to."""
    replica: Name | None = None
    """The node that copies all of it."""
    port: Port = 3306
    username: FilledText | None = None
    password: SecretName | None = None

    @property
    def is_outside(self) -> bool:
        """Whether both databases are outside of the cluster, whoever makes the server."""
        return self.mode is not MysqlMode.BUILTIN
