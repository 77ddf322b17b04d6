"""What comes of a text in a foreign format: servers, settings, secrets, and what was not understood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rbdtui.words import T, Text

REMARKS_KEPT: Final = 200
"""Of lines that were not taken; the others are only counted."""

MOST_SERVERS: Final = 1000
"""Of one text; a site takes fewer (`rbdtui.spec.values.MAX_NODES`)."""


class Hidden:
    """A secret that stood in the text; nothing shows it by accident."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Hidden()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


Setting = str | int | bool | Hidden | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportedBastion:
    """A host in front of the servers."""

    address: str
    user: str = ""
    port: int | None = None
    key: str = ""
    password: Hidden | None = None


@dataclass(frozen=True, slots=True)
class ImportedNode:
    """A server as it was understood."""

    name: str = ""
    """Empty: it gets a free one."""
    address: str = ""
    user: str = ""
    port: int | None = None
    roles: tuple[str, ...] = ()
    """Empty where the text says nothing of roles."""
    renamed_from: str = ""
    """What the name was before it was made to fit."""
    key: str = ""
    """Path of a private key."""
    password: Hidden | None = None
    sudo_password: Hidden | None = None
    bastions: tuple[ImportedBastion, ...] = ()
    """In the order in which they are passed."""
    internal_address: str = ""
    """In a network of the nodes' own; empty where that is ``address``."""
    external_address: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[str, ...] = ()
    """As Kubernetes writes them: ``key=value:effect``."""
    line: int = field(default=0, compare=False)
    """Where it stands, from 1."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A line that was not taken, or of which something was left out, and why."""

    line: int
    """From 1; 0 for the text as a whole."""
    text: str
    """What stood there, made harmless; without secrets."""
    why: Text


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a text."""

    format: str
    """Name of the importer."""
    nodes: tuple[ImportedNode, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Values by their paths in cluster.yaml, e.g. ``kubernetes.api.address``."""
    refusals: tuple[Remark, ...] = ()
    """Lines that were not taken, the first of them."""
    refused: int = 0
    """How many lines were not taken."""
    remarks: tuple[Remark, ...] = ()
    """Parts that were left out of lines that were taken, the first of them."""
    remarked: int = 0


class LineError(Exception):
    """A line that is not understood."""

    def __init__(self, why: Text) -> None:
        super().__init__(why.key)
        self.why = why


_SECRET_VALUE: Final = re.compile(
    r"""(?ix)((?:pass|secret|token|密码|口令)\w{0,40}["']?\s{0,4}[:=]\s{0,4})("[^"]{0,300}"?|'[^']{0,300}'?|[^\s,}]{1,300})"""
)


def without_secrets(line: str) -> str:
    """A line of a foreign file that may be shown: values whose key speaks of a secret are taken out."""
    return _SECRET_VALUE.sub(r"\1***", line)


@dataclass(slots=True)
class Notes:
    """What was not understood so far, in the order in which it was met."""

    refusals: list[Remark] = field(default_factory=list)
    refused: int = 0
    remarks: list[Remark] = field(default_factory=list)
    remarked: int = 0

    def refuse(self, line: int, text: str, why: Text, *, count: int = 1) -> None:
        """Note that a line was not taken, or several from there on."""
        self.refused += count
        if len(self.refusals) < REMARKS_KEPT:
            self.refusals.append(Remark(line, text, why))

    def remark(self, line: int, text: str, why: Text) -> None:
        """Note that a part of a line was left out."""
        self.remarked += 1
        if len(self.remarks) < REMARKS_KEPT:
            self.remarks.append(Remark(line, text, why))

    def refuse_more(self, line: int, count: int) -> None:
        """Note that further servers are not read."""
        self.refuse(line, "", T("import.many_servers", most=MOST_SERVERS), count=count)

    def imported(self, name: str, nodes: list[ImportedNode], settings: Mapping[str, Setting] | None = None) -> Imported:
        """The result of a reading, what was not understood in the order of the lines."""
        return Imported(
            name,
            tuple(nodes),
            settings or {},
            tuple(sorted(self.refusals, key=lambda note: note.line)),
            self.refused,
            tuple(sorted(self.remarks, key=lambda note: note.line)),
            self.remarked,
        )
