"""Understands one line: a row below titles, ``key=value`` pairs, or words whose order and looks tell what they are."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic_core import PydanticCustomError

from rbdtui.importers.imported import Hidden, ImportedNode, LineError
from rbdtui.importers.lists.ranges import looks_like_address, names_of, places_of, port_of
from rbdtui.importers.lists.text import SEPARATORS, plain_line
from rbdtui.importers.lists.vocabulary import (
    EXTERNAL,
    PASSWORD,
    SUDO_PASSWORD,
    USUAL_LOGINS,
    key_meaning,
    roles_named,
    title,
)
from rbdtui.spec.model import Role
from rbdtui.spec.values import is_ipv4, local_file
from rbdtui.words import T, Text

_PAIR: Final = re.compile(r"(?P<key>[\w.-]{1,40})\s*[=:]\s*(?P<value>\S.*)\Z")
_HOLDS_ADDRESS: Final = re.compile(r"[0-9]\.[0-9]+\.[0-9]", re.ASCII)
_ARROWS: Final = frozenset({"-", "=", ":", "->", "=>", "→"})
_LOGIN: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z", re.ASCII)
_ALIAS: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}\Z", re.ASCII)
_ROOM_FOR_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a pasted text that may speak of servers."""

    number: int
    """From 1."""
    text: str
    cells: Sequence[str]
    columns: Sequence[str] = ()
    """What each column holds, where titles said so."""
    logins: frozenset[str] = frozenset()
    """Words that other lines show to be logins."""
    raw: str = ""
    """As it was written: what a password is taken from."""


@dataclass(slots=True)
class Understood:
    """What one line says."""

    nodes: list[ImportedNode] = field(default_factory=list)
    left_out: list[Text] = field(default_factory=list)
    """Of what was left out, without loss of the rest: why."""
    passwords: tuple[str, ...] = ()
    """What is taken for passwords, and is to be shown nowhere."""


def title_meanings(cells: Sequence[str], *, separated: bool) -> list[str] | None:
    """The meaning of each column when this is a line of titles; None when it is not.

    Words between blanks are titles only if each is one: "no address here" is a sentence.
    """
    if any(looks_like_address(cell) for cell in cells):
        return None
    meanings = [title(cell) for cell in cells]
    if not separated and not all(meanings):
        return None
    if "address" in meanings:
        first = meanings.index("address")
        return [meaning if meaning != "address" or place == first else "" for place, meaning in enumerate(meanings)]
    return meanings if meanings == ["name"] else None


def nodes_of(line: Line) -> Understood:
    """The nodes of one line; raises `LineError`."""
    cells = [cell for cell in line.cells if cell]
    understood = Understood()
    columns = _columns_of(line)
    if len(cells) > 1 and not columns and all(looks_like_address(cell) for cell in cells):
        places = [place for cell in dict.fromkeys(cells) for place in places_of(cell)]
        understood.nodes = [replace(place, line=line.number) for place in places]
        return understood
    if columns:
        named = dict(reversed([pair for pair in zip(columns, line.cells, strict=False) if all(pair)]))
    else:
        named = _Words(cells, line.logins).meanings()
    secrets = {kind: named.pop(kind, "") for kind in (PASSWORD, SUDO_PASSWORD)}
    understood.passwords = tuple(filter(None, secrets.values()))
    hidden = {kind: _as_written(line, kind, value, understood) for kind, value in secrets.items() if value}
    key = _key(named.get("key", ""), understood)
    external = _external(named.get(EXTERNAL, ""), understood)
    places = places_of(named.get("address", ""))
    names = _names(named.get("name", ""), understood, has_address=bool(places))
    if not names and not places:
        raise LineError(T("paste.not_understood"))
    if names and places and len(names) != len(places):
        raise LineError(T("paste.counts_differ", names=len(names), addresses=len(places)))
    port = port_of(named["port"]) if named.get("port") else None
    roles = _roles(named.get("roles", ""), understood)
    for place in range(max(len(names), len(places))):
        node = places[place] if places else ImportedNode()
        name, original = names[place] if names else ("", "")
        node = replace(
            node, name=name, renamed_from=original, user=named.get("user") or node.user, port=port or node.port,
            roles=roles, key=key, external_address=external if len(places) == 1 else "", line=line.number,
            password=hidden.get(PASSWORD), sudo_password=hidden.get(SUDO_PASSWORD),
        )  # fmt: skip
        understood.nodes.append(node)
    return understood


def _as_written(line: Line, kind: str, value: str, understood: Understood) -> Hidden | None:
    """A password letter for letter: reading a line makes its signs plain, which must not happen to this one."""
    if kind in line.columns:
        cells = _raw_cells(line.raw)
        if len(cells) == len(line.columns):
            return Hidden(cells[line.columns.index(kind)].strip())
        candidates = cells[line.columns.index(kind) :][:1]
    else:
        words = line.raw.split()
        candidates = [*words, *(re.split("[=:]", word, maxsplit=1)[-1] for word in words)]
    written = [word for word in map(_unquoted, candidates) if plain_line(word, comments=False) == value]
    if written:
        return Hidden(written[0])
    understood.left_out.append(T("import.password_unclear"))
    return None


def _unquoted(word: str) -> str:
    """Without the quotes around it; nothing of a word whose quote ends somewhere else."""
    word = word.strip()
    if word[:1] not in ("'", '"'):
        return word
    return word[1:-1] if len(word) > 1 and word[-1] == word[0] else ""


def _raw_cells(raw: str) -> list[str]:
    separator = next((sign for sign in SEPARATORS if sign in raw), ",")
    try:
        return next(csv.reader([raw.strip("\r\n")], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return []


def _external(text: str, understood: Understood) -> str:
    """The address for users."""
    if text and not is_ipv4(text):
        understood.left_out.append(T("paste.no_address", text=text[:_ROOM_FOR_SHOWN]))
    return text if is_ipv4(text) else ""


def _key(text: str, understood: Understood) -> str:
    """The path of a key, where cluster.yaml takes it."""
    try:
        return local_file(text) if text else ""
    except PydanticCustomError:
        understood.left_out.append(T("import.no_key_path"))
        return ""


def _columns_of(line: Line) -> Sequence[str]:
    """What each column holds; nothing where the line does not look like a row of that table."""
    looks = [looks_like_address(cell) for cell in line.cells]
    where = line.columns.index("address") if "address" in line.columns else -1
    if where < 0 or not any(looks) or (where < len(looks) and looks[where]):
        return line.columns if any(line.columns) else ()
    return ()


def _names(text: str, understood: Understood, *, has_address: bool) -> list[tuple[str, str]]:
    """The names of a line; one that will not do costs its server the name only, where there is an address."""
    try:
        return names_of(text)
    except LineError as error:
        if not has_address or _HOLDS_ADDRESS.search(text):
            raise
        understood.left_out.append(error.why)
        return []


def _roles(text: str, understood: Understood) -> tuple[str, ...]:
    roles, unknown = roles_named(text)
    if unknown:
        understood.left_out.append(
            T("paste.no_role", role=unknown[:_ROOM_FOR_SHOWN], known=", ".join(role.value for role in Role))
        )
    return roles


@dataclass(slots=True)
class _Words:
    """The words of a line without titles, taken one after the other."""

    cells: Sequence[str]
    logins: frozenset[str]
    found: dict[str, str] = field(default_factory=dict)
    aliases: bool = False
    """Whether more names may follow, as in a hosts file."""

    def meanings(self) -> dict[str, str]:
        """What each word is; raises `LineError` where that cannot be told."""
        plain = self._without_pairs([cell for cell in self.cells if cell not in _ARROWS])
        if plain and plain[0] == "ssh":
            plain = self._ssh_command(plain[1:])
        places = [place for place, cell in enumerate(plain) if looks_like_address(cell)]
        if "address" in self.found:
            self._behind(plain if "name" in self.found else self._name(plain))
        elif not places:
            self._without_address(plain)
        elif len({plain[place] for place in places}) > 1:
            raise LineError(T("paste.two_addresses"))
        else:
            self.found["address"] = plain[places[0]]
            before, after = plain[: places[0]], [cell for cell in plain[places[0] + 1 :] if cell != plain[places[0]]]
            before = before[1:] if len(before) > 1 and before[0].isdigit() else before
            if len(before) > 1:
                if before[0] in USUAL_LOGINS:
                    raise LineError(T("paste.not_understood"))
                raise LineError(T("paste.two_names", first=before[0][:20], second=before[1][:20]))
            if before and not before[0].isdigit():
                self.found["name"] = before[0].rstrip(":=")
            self._behind(after if "name" in self.found else self._name(after))
        return self.found

    def _without_pairs(self, cells: Sequence[str]) -> list[str]:
        """Take ``key=value`` and ``name: address``; gives the other words."""
        rest = []
        for cell in cells:
            pair = None if looks_like_address(cell) else _PAIR.match(cell)
            if pair is None:
                rest.append(cell)
            elif meaning := key_meaning(pair["key"]):
                self.found.setdefault(meaning, pair["value"].strip("\"' "))
            elif looks_like_address(pair["value"]):
                rest += [pair["key"], pair["value"]]
            elif "=" not in cell and ": " not in cell:
                rest.append(cell)
        return rest

    def _ssh_command(self, words: Sequence[str]) -> list[str]:
        """Take the options of an ssh command; gives where it leads."""
        where, options = [], iter(words)
        for word in options:
            if word.startswith("-"):
                value = word[2:] or next(options, "")
                meaning = {"-p": "port", "-l": "user"}.get(word[:2])
                if meaning:
                    self.found[meaning] = value
            else:
                where.append(word)
        return where

    def _without_address(self, cells: Sequence[str]) -> None:
        if len(cells) != 1:
            raise LineError(T("paste.not_understood"))
        if re.fullmatch(r"[0-9./:]+", cells[0], re.ASCII):
            raise LineError(T("paste.no_address", text=cells[0][:_ROOM_FOR_SHOWN]))
        self.found["name"] = cells[0]

    def _name(self, cells: Sequence[str]) -> list[str]:
        """Take the name that follows an address, unless the word there is something else; gives the other words."""
        if not cells or cells[0].isdigit() or self._is_login(cells[0]) or not roles_named(cells[0])[1]:
            return list(cells)
        self.found["name"] = cells[0]
        self.aliases = True
        return list(cells[1:])

    def _is_login(self, word: str) -> bool:
        return word in USUAL_LOGINS or word in self.logins

    def _behind(self, cells: Sequence[str]) -> None:
        """Take what follows address and name: port, login, password, roles, or the aliases of a hosts file."""
        words = list(cells)
        if words and words[0].isdigit():
            self.found.setdefault("port", words.pop(0))
        if words and self._is_login(words[0]) and _LOGIN.match(words[0]):
            self.found.setdefault("user", words.pop(0))
            if words and words[0].isdigit() and len(words) > 1:
                self.found.setdefault("port", words.pop(0))
            if words and roles_named(words[0])[1]:
                self.found[PASSWORD] = words.pop(0)
        if words and all(not roles_named(word)[1] for word in words):
            self.found.setdefault("roles", " ".join(words))
        elif not all(_ALIAS.match(word) for word in words) or (words and not self.aliases):
            raise LineError(T("paste.not_understood"))
