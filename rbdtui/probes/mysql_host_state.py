"""How a host stands towards the MySQL server that is made of it: what its script says, read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rbdtui.transport.answers import parse_answer, whole_number
from rbdtui.transport.base import Host
from rbdtui.transport.scripts import PREFIX, script

LOOK_LIMIT_S: Final = 30.0
ASKED: Final = f"{PREFIX}mysql-server look"
_FIELDS: Final = {"program": 2, "unit": 3, "config": 2, "site": 2, "database": 2, "space": 5, "dump": 3}
_VERSION: Final = re.compile(r"Ver ([0-9]+(?:\.[0-9]+)+[0-9A-Za-z.+~_-]*)")


@dataclass(frozen=True, slots=True)
class MysqlHostState:
    """What a host says; sizes are 0 where it does not tell them."""

    program: str
    """The line of ``mysqld --version``; empty where there is no such program."""
    unit: str
    """With its suffix."""
    active: str
    """systemd's word; ``absent`` where there is none."""
    config: str
    """Path of the file that our settings go into."""
    site: str
    """What such a file there was written for."""
    databases: tuple[str, ...] = ()
    """But for the system's own."""
    filesystem: str = ""
    size_kib: int = 0
    free_kib: int = 0
    mount: str = ""
    newest_dump_s: int = 0
    """Since 1970; 0 where there is none."""
    dumps: int = 0

    @property
    def version(self) -> str:
        """Of the program; empty where it is not there."""
        match = _VERSION.search(self.program)
        return match[1] if match else ""

    @property
    def is_mariadb(self) -> bool:
        """Whether the program is MariaDB's."""
        return "mariadb" in self.program.lower()

    @property
    def is_good_version(self) -> bool:
        """Whether it is the MySQL that a pair is made of; nothing can be said of one that is not there."""
        return not self.program or (not self.is_mariadb and self.version.startswith("8.0."))

    def evidence(self) -> str:
        """All of it, raw."""
        space = f"{self.filesystem} {self.size_kib} KiB, {self.free_kib} KiB free, {self.mount}"
        lines = [
            self.program or "no mysqld",
            f"{self.unit}: {self.active}",
            f"{self.config}: {self.site or '-'}",
            space,
        ]
        return "\n".join([*lines, *(f"/var/lib/mysql/{name}" for name in self.databases)])


async def read_host_state(host: Host) -> MysqlHostState:
    """Ask a host; changes nothing. Raises `TransportError`."""
    result = await host.must(script("mysql-server"), "look", timeout_s=LOOK_LIMIT_S)
    return parse_answer(host.name, "mysql-server", lambda: parse_host_state(result.text))


def parse_host_state(text: str) -> MysqlHostState:
    """Read the script's output; raises `ValueError`."""
    lines = [line.split("\t") for line in text.splitlines() if line]
    if any(len(line) != _FIELDS.get(line[0], 0) for line in lines):
        raise ValueError("a line with another number of fields")
    first = {line[0]: line[1:] for line in reversed(lines)}
    if not {"unit", "config", "dump"} <= first.keys():
        raise ValueError("a line is missing")
    unit, active = first["unit"]
    filesystem, size, free, mount = first.get("space", ("", "0", "0", ""))
    newest, dumps = first["dump"]
    return MysqlHostState(
        program="".join(first.get("program", ())),
        unit=unit,
        active=active,
        config=first["config"][0],
        site="".join(first.get("site", ())),
        databases=tuple(line[1] for line in lines if line[0] == "database"),
        filesystem=filesystem,
        size_kib=whole_number(size),
        free_kib=whole_number(free),
        mount=mount,
        newest_dump_s=whole_number(newest),
        dumps=whole_number(dumps),
    )
