"""``~/.ssh/config``: hosts with address, user, port, key and the hosts in between, as ssh itself resolves them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from rbdtui.importers.hosts_of import bastion_at, node_at
from rbdtui.importers.imported import MOST_SERVERS, Imported, ImportedBastion, ImportedNode, LineError, Notes
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.lists.ranges import port_of
from rbdtui.importers.lists.text import MOST_LINES
from rbdtui.spec.values import is_ipv4
from rbdtui.terminal_text import clean_line
from rbdtui.words import T

_HOST_LINE: Final = re.compile(r"^[ \t]{0,20}Host[ \t=]{1,20}\S", re.MULTILINE | re.IGNORECASE)
_OPTION_LINE: Final = re.compile(
    r"^[ \t]{0,20}(?:HostName|IdentityFile|ProxyJump|User|Port)[ \t=]{1,20}\S", re.MULTILINE | re.IGNORECASE
)
_LINE: Final = re.compile(r"(?P<key>[A-Za-z]{2,40})(?:\s*=\s*|\s+)(?P<value>\S.*)\Z")
_TAKEN: Final = frozenset({"hostname", "user", "port", "identityfile", "proxyjump"})
_OF_THE_WAY: Final = frozenset({"proxycommand", "certificatefile", "include", "localcommand", "remotecommand"})
"""Options that change how a host is reached, of which a site knows nothing; the many others only tune ssh."""
_JUMP: Final = re.compile(r"(?:(?P<user>[^@\s]{1,64})@)?(?P<host>[^\s:,@]{1,253})(?::(?P<port>[0-9]{1,5}))?\Z")
_MOST_PATTERNS: Final = 100
_MOST_JUMPS: Final = 8
_ROOM_FOR_SHOWN: Final = 60


@dataclass(slots=True)
class _Block:
    patterns: list[str]
    line: int
    options: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Of an option that stands twice the first counts, as for ssh."""

    def matches(self, alias: str) -> bool:
        """Whether it holds for a host; a pattern with ``!`` takes out what others let in."""
        if any(fnmatchcase(alias, pattern[1:]) for pattern in self.patterns if pattern.startswith("!")):
            return False
        return any(fnmatchcase(alias, pattern) for pattern in self.patterns if not pattern.startswith("!"))

    @property
    def has_wildcard(self) -> bool:
        """Whether hosts may match that it does not name."""
        return any(sign in pattern for pattern in self.patterns for sign in "*?!")


class _SshConfig:
    name = "ssh-config"

    def matches(self, text: str) -> Match:
        """Blocks of ``Host`` with options of ssh."""
        return Match.CERTAIN if _HOST_LINE.search(text) and _OPTION_LINE.search(text) else Match.NO

    def read(self, text: str) -> Imported:
        """The hosts that are named; patterns only lend them their options."""
        notes = Notes()
        return notes.imported(self.name, _Reader(notes, list(_blocks(text, notes))).nodes())


def _blocks(text: str, notes: Notes) -> Iterator[_Block]:
    block: _Block | None = _Block(["*"], 0)
    lines = text.splitlines()
    for number, raw in enumerate(lines[:MOST_LINES], start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found = _LINE.match(line)
        key = found["key"].lower() if found is not None else ""
        shown = clean_line(line, _ROOM_FOR_SHOWN)
        if found is None:
            notes.refuse(number, shown, T("import.no_pair"))
        elif key in ("host", "match"):
            if block is not None:
                yield block
            block = _Block(found["value"].replace('"', "").split(), number) if key == "host" else None
            if block is None:
                notes.refuse(number, shown, T("import.ssh_match"))
        elif block is not None and key in _TAKEN:
            block.options.setdefault(key, (found["value"].strip().strip('"'), number))
        elif key in _OF_THE_WAY:
            notes.refuse(number, shown, T("import.no_place"))
    if block is not None:
        yield block
    if rest := [line for line in lines[MOST_LINES:] if line.strip()]:
        notes.refuse(MOST_LINES + 1, "", T("paste.too_many_lines", most=MOST_LINES), count=len(rest))


class _Reader:
    def __init__(self, notes: Notes, blocks: list[_Block]) -> None:
        self.notes = notes
        self.lines: dict[str, int] = {}
        self._named: dict[str, list[tuple[int, _Block]]] = {}
        self._open: list[tuple[int, _Block]] = []
        for place, block in enumerate(blocks):
            if block.has_wildcard and len(self._open) < _MOST_PATTERNS:
                self._open.append((place, block))
            elif block.has_wildcard:
                notes.refuse(block.line, "", T("import.many_patterns", most=_MOST_PATTERNS))
            for alias in block.patterns:
                if alias not in self.lines and len(self.lines) >= MOST_SERVERS:
                    notes.refuse_more(block.line, 1)
                elif not any(sign in alias for sign in "*?!"):
                    self.lines.setdefault(alias, block.line)
                    if not block.has_wildcard:
                        self._named.setdefault(alias, []).append((place, block))

    def nodes(self) -> list[ImportedNode]:
        """The servers; hosts that others are reached through are none."""
        options = {alias: self._options(alias) for alias in self.lines}
        jumps = {
            match["host"]
            for own in options.values()
            for hop in own.get("proxyjump", ("", 0))[0].split(",")
            if (match := _JUMP.match(hop.strip())) is not None
        }
        return [
            node
            for alias, own in options.items()
            if alias not in jumps and (node := self._node(alias, own)) is not None
        ]

    def _options(self, alias: str) -> dict[str, tuple[str, int]]:
        """What holds for a host: of each option the first that stands in the file."""
        wild = [(place, block) for place, block in self._open if block.matches(alias)]
        found: dict[str, tuple[str, int]] = {}
        for _, block in sorted([*self._named.get(alias, []), *wild], key=lambda entry: entry[0]):
            for key, value in block.options.items():
                found.setdefault(key, value)
        return found

    def _node(self, alias: str, own: dict[str, tuple[str, int]]) -> ImportedNode | None:
        line, shown = self.lines[alias], clean_line(alias, _ROOM_FOR_SHOWN)
        address = _address(alias, own)
        if not is_ipv4(address):
            self.notes.refuse(line, shown, T("paste.no_address", text=clean_line(address, 40)))
            return None
        return node_at(
            self.notes, line, name="" if alias == address else alias, address=address,
            user=own.get("user", ("", 0))[0], port=self._port(own), key=own.get("identityfile", ("", 0))[0],
            bastions=self._bastions(own),
        )  # fmt: skip

    def _port(self, own: dict[str, tuple[str, int]]) -> int | None:
        text, line = own.get("port", ("", 0))
        try:
            return port_of(text) if text else None
        except LineError as error:
            self.notes.remark(line, "", error.why)
            return None

    def _bastions(self, own: dict[str, tuple[str, int]]) -> tuple[ImportedBastion, ...]:
        text, line = own.get("proxyjump", ("", 0))
        if not text or text.lower() == "none":
            return ()
        found: tuple[ImportedBastion, ...] = ()
        for hop in text.split(",")[:_MOST_JUMPS]:
            match = _JUMP.match(hop.strip())
            if match is None:
                self.notes.remark(line, clean_line(hop, _ROOM_FOR_SHOWN), T("import.no_bastion"))
                return ()
            options = self._options(match["host"])
            port = int(match["port"]) if match["port"] else self._port(options)
            found += bastion_at(
                self.notes, line, address=_address(match["host"], options),
                user=match["user"] or options.get("user", ("", 0))[0], port=port,
                key=options.get("identityfile", ("", 0))[0],
            )  # fmt: skip
        return found


def _address(alias: str, options: dict[str, tuple[str, int]]) -> str:
    return options.get("hostname", (alias, 0))[0].replace("%h", alias)


IMPORTER: Final[Importer] = _SshConfig()
