"""Files of one entry a line: fstab, the hosts file, environment files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from rbdtui.audit.files.problem import Problem
from rbdtui.words import T

_OCTAL: Final = re.compile(r"\\([0-7]{3})", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FSTAB_FIELDS: Final = 4
"""Device, place, type, options; fstab(5) lets the last two of six be left out."""


@dataclass(frozen=True, slots=True)
class FstabLine:
    """One file system that is mounted at boot."""

    line: int
    device: str
    place: str
    kind: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fstab:
    """What /etc/fstab mounts, in its order, and the lines that say nothing."""

    lines: tuple[FstabLine, ...] = ()
    problems: tuple[Problem, ...] = ()

    def at(self, place: str) -> list[FstabLine]:
        """All lines for a mount point, in their order."""
        return [line for line in self.lines if line.place.rstrip("/") == place.rstrip("/")]


@dataclass(frozen=True, slots=True)
class HostsLine:
    """One address with its names."""

    line: int
    address: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostsFile:
    """The addresses of /etc/hosts, in its order, and the lines that say nothing."""

    lines: tuple[HostsLine, ...] = ()
    problems: tuple[Problem, ...] = ()

    def first(self, name: str) -> HostsLine | None:
        """The line that counts for a name: the first one."""
        return next((line for line in self.lines if name in line.names), None)


@dataclass(frozen=True, slots=True)
class Variable:
    """One assignment."""

    line: int
    value: str


@dataclass(frozen=True, slots=True)
class EnvironmentFile:
    """The file; of several assignments of one name the last one counts."""

    variables: Mapping[str, Variable] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def _entries(text: str, comments: str = "#") -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and stripped[0] not in comments:
            yield number, stripped


def read_fstab(text: str) -> Fstab:
    """Read ``/etc/fstab``."""
    lines, problems = [], []
    for number, entry in _entries(text):
        fields = [_OCTAL.sub(lambda found: chr(int(found[1], 8)), word) for word in entry.split()]
        if len(fields) < FSTAB_FIELDS:
            problems.append(Problem(number, T("audit.problem.fields", count=len(fields), needed=FSTAB_FIELDS)))
            continue
        device, place, kind, options = fields[:FSTAB_FIELDS]
        lines.append(FstabLine(number, device, place, kind, tuple(options.split(","))))
    return Fstab(tuple(lines), tuple(problems))


def read_hosts(text: str) -> HostsFile:
    """Read ``/etc/hosts``."""
    lines, problems = [], []
    for number, entry in _entries(text):
        address, *names = entry.partition("#")[0].split()
        try:
            ip_address(address.partition("%")[0])
        except ValueError:
            problems.append(Problem(number, T("audit.problem.address", address=address[:60])))
            continue
        lines.append(HostsLine(number, address, tuple(names)))
    return HostsFile(tuple(lines), tuple(problems))


def read_environment(text: str) -> EnvironmentFile:
    """Read what systemd takes as ``EnvironmentFile=``."""
    variables: dict[str, Variable] = {}
    problems = []
    for number, entry in _entries(text, comments="#;"):
        name, equals, value = entry.partition("=")
        if not equals or _VARIABLE.fullmatch(name.strip()) is None:
            problems.append(Problem(number, T("audit.problem.assignment")))
            continue
        variables[name.strip()] = Variable(number, _unquoted(value.strip()))
    return EnvironmentFile(variables, tuple(problems))


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
