"""Ansible inventories in INI, KubeSphere's hosts.ini among them: hosts, variables, groups of groups, ranges."""

from __future__ import annotations

import re
import shlex
from typing import Final

from rbdtui.importers.imported import Imported, LineError, Notes, without_secrets
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.inventory import SUDO_PASSWORD, Inventory, Value
from rbdtui.importers.lists.ranges import expanded
from rbdtui.importers.lists.text import MOST_LINES
from rbdtui.terminal_text import clean_line
from rbdtui.words import T

_HEADING: Final = re.compile(r"\[(?P<name>[^\[\]:\s]{1,80})(?::(?P<kind>[a-z]{1,20}))?\]\s*(?:[#;].*)?\Z")
_HEADINGS: Final = re.compile(
    r"^[ \t]*\[[A-Za-z_][\w.-]{0,79}(?::(?:vars|children))?\][ \t]*(?:[#;].*)?\r?$", re.MULTILINE
)
_OF_HOSTS: Final = re.compile(
    r"^[ \t]{0,20}\[[\w.-]{1,80}:(?:vars|children)\]|\bansible_\w{1,40}[ \t]{0,4}=", re.MULTILINE
)
_PAIR: Final = re.compile(r"(?P<key>[A-Za-z_][\w.-]{0,79})\s*=\s*(?P<value>.*)\Z", re.DOTALL)
_HOST: Final = re.compile(r"(?P<name>[^\s:=]{1,300})(?::(?P<port>[0-9]{1,5}))?\Z")
_RANGE: Final = re.compile(r"[\w.-]*(?:\[[0-9:,\s-]+\][\w.-]*)+(?::[0-9]{1,5})?\Z")
_ROOM_FOR_SHOWN: Final = 60
_LOOKED_AT: Final = 400
_FIFTH: Final = 5


class _AnsibleIni:
    name = "ansible"

    def matches(self, text: str) -> Match:
        """Groups in brackets; with variables of hosts nothing else has them."""
        if not _HEADINGS.search(text):
            return Match.POSSIBLE if _OF_HOSTS.search(text) else Match.NO
        return Match.CERTAIN if _OF_HOSTS.search(text) else Match.LIKELY

    def read(self, text: str) -> Imported:
        """Line by line, as Ansible reads it."""
        reader = _Reader(Notes())
        lines = text.splitlines()
        for number, line in enumerate(lines[:MOST_LINES], start=1):
            reader.take(number, line.strip())
        if rest := [line for line in lines[MOST_LINES:] if line.strip()]:
            reader.notes.refuse(MOST_LINES + 1, "", T("paste.too_many_lines", most=MOST_LINES), count=len(rest))
        reader.tell_order()
        nodes, settings = reader.inventory.read()
        return reader.notes.imported(self.name, nodes, settings)


class _Reader:
    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.inventory = Inventory(notes)
        self._group, self._kind = "ungrouped", ""
        self._elsewhere: dict[int, str] = {}
        """Lines whose password for sudo is not the fifth word, and the host of each."""

    def tell_order(self) -> None:
        """Say where KubeSphere's own installer would take another word for sudo's password."""
        if "kube-master" in self.inventory.groups:
            for number, host in self._elsewhere.items():
                self.notes.remark(number, clean_line(host, _ROOM_FOR_SHOWN), T("import.fifth_field"))

    def take(self, number: int, line: str) -> None:
        """Understand one line, or note why not."""
        if not line or line[0] in "#;":
            return
        heading = _HEADING.match(line)
        if heading is not None:
            self._group, self._kind = heading["name"], heading["kind"] or ""
            self.inventory.group(self._group)
            if self._kind not in ("", "vars", "children"):
                self._refuse(number, line, LineError(T("import.unknown_section")))
            return
        try:
            if self._kind == "vars":
                self._take_variable(number, line)
            elif self._kind == "children":
                self.inventory.group(self._group).children.setdefault(re.split(r"\s+[#;]", line)[0].strip(), number)
            elif not self._kind:
                self._take_host(number, line)
        except LineError as error:
            self._refuse(number, line, error)

    def _refuse(self, number: int, line: str, error: LineError) -> None:
        self.notes.refuse(number, clean_line(without_secrets(line[:_LOOKED_AT]), _ROOM_FOR_SHOWN), error.why)

    def _take_variable(self, number: int, line: str) -> None:
        pair = _PAIR.match(line)
        if pair is None:
            raise LineError(T("import.no_pair"))
        value = Value(_unquoted(pair["value"].strip()), number)
        self.inventory.set_of_group(self._group, {pair["key"]: value})

    def _take_host(self, number: int, line: str) -> None:
        """A host, or a range of them, with variables behind it."""
        first, *others = _words(line)
        host = _HOST.match(first)
        if host is None and not _RANGE.match(first):
            raise LineError(T("import.no_host"))
        variables: dict[str, Value] = {}
        for place, word in enumerate(others, start=2):
            pair = _PAIR.match(word)
            if pair is None:
                raise LineError(T("import.no_pair"))
            variables[pair["key"]] = Value(pair["value"], number)
            if pair["key"] in SUDO_PASSWORD and place != _FIFTH:
                self._elsewhere[number] = first
        if host is None:
            name, _, port = first.rpartition(":") if first.rpartition("]")[2].count(":") else (first, "", "")
        else:
            name, port = host["name"], host["port"] or ""
        if port:
            variables.setdefault("ansible_port", Value(port, number))
        if self.inventory.is_full and name not in self.inventory.hosts:
            self.notes.refuse_more(number, 1)
            return
        for one in expanded(name):
            self.inventory.add_host(self._group, one, number, variables)


def _words(line: str) -> list[str]:
    """The words of a line of a host: quotes keep together, and a sign for a comment counts at a word's beginning only.

    Raises `LineError`.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        words = list(lexer)
    except ValueError:
        raise LineError(T("import.open_quote")) from None
    comment = next((place for place, word in enumerate(words) if place and word.startswith("#")), len(words))
    return words[:comment]


def _unquoted(text: str) -> str:
    """A variable of a group, which is a Python literal to Ansible: quotes around it go."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


IMPORTER: Final[Importer] = _AnsibleIni()
