"""The NFS server of a simulated host: which directories it gives to whom, by its tables of exports.

Source: nfs-utils 2.6.2, exports(5) (tables, ``/etc/exports.d``), exportfs(8) (``-ra``, ``-s``).
"""

from __future__ import annotations

import asyncio
import re
from ipaddress import IPv4Address, IPv4Network

from rbdtui.simulator.machine import Machine
from rbdtui.simulator.units import Unit

UNIT = "nfs-server"
TABLE = "/etc/exports"
TABLES = "/etc/exports.d"
_CLIENT = re.compile(r"(?P<who>[^\s()]+)\((?P<options>[^\s()]*)\)")


class ExportError(Exception):
    """A table that exportfs does not take; the words are its own."""


def tables(machine: Machine) -> list[tuple[str, str]]:
    """Lines of all tables, each with its file."""
    files = machine.files
    names = [f"{TABLES}/{name}" for name in files.listdir(TABLES)] if files.is_dir(TABLES) else []
    texts = [(name, files.text(name)) for name in (TABLE, *names) if files.exists(name)]
    return [
        (name, bare)
        for name, text in texts
        if name == TABLE or name.endswith(".exports")
        for line in text.splitlines()
        if (bare := line.partition("#")[0].strip())
    ]


def read(machine: Machine) -> dict[str, list[str]]:
    """Clients with their options, by directory; raises `ExportError`."""
    found: dict[str, list[str]] = {}
    for name, line in tables(machine):
        path, _, clients = line.partition(" ")
        if not machine.files.is_dir(path):
            raise ExportError(f"exportfs: Failed to stat {path}: No such file or directory")
        given = clients.split()
        if not given or any(_CLIENT.fullmatch(client) is None for client in given):
            raise ExportError(f"exportfs: {name}: syntax error: bad option list")
        found.setdefault(path, []).extend(given)
    return found


def serves(machine: Machine, path: str, client: IPv4Address) -> bool:
    """Whether the server of a machine gives a directory, or one above it, to an address."""
    clients = [each for given, own in machine.exported.items() if f"{path}/".startswith(f"{given}/") for each in own]
    return any(
        match["who"] == "*" or client in IPv4Network(match["who"])
        for each in clients
        if (match := _CLIENT.fullmatch(each)) is not None
    )


class NfsServer:
    """One start of the NFS server on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def __call__(self, unit: Unit) -> None:
        """Serve until stopped; a table that cannot be read is no reason not to start."""
        machine = self._machine
        try:
            self._reread(unit)
            machine.listen(2049, "nfsd")
            unit.reload = lambda: self._reread(unit)
            unit.ready()
            await asyncio.Event().wait()
        finally:
            machine.exported = {}
            machine.listening.pop(("0.0.0.0", 2049), None)  # noqa: S104 - of the simulated machine

    def _reread(self, unit: Unit) -> None:
        try:
            self._machine.exported = read(self._machine)
        except ExportError as error:
            unit.log(str(error))
