"""``/etc/hosts``: an address and the names of each server; the lines of this machine itself are left out."""

from __future__ import annotations

import re
from typing import Final

from rbdtui.importers.hosts_of import node_at
from rbdtui.importers.imported import MOST_SERVERS, Imported, ImportedNode, LineError, Notes
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.lists.ranges import places_of
from rbdtui.importers.lists.text import MOST_LINES
from rbdtui.terminal_text import clean_line
from rbdtui.words import T

_THIS_MACHINE: Final = re.compile(r"^[ \t]{0,20}(?:127\.0\.0\.1|::1)[ \t]{1,40}[a-z]", re.MULTILINE)
_SERVICES: Final = re.compile(
    r"(?:[\w-]{1,63}\.)?(?:goodrain\.me|kubesphere\.local|cluster\.local|kubekey\.local|sealos\.hub)\Z"
)
"""Names that installers write for an address of the cluster: no server's."""
_ROOM_FOR_SHOWN: Final = 60


class _HostsFile:
    name = "hosts"

    def matches(self, text: str) -> Match:
        """The lines of the loopback interface stand in every such file; without them it is a list like others."""
        return Match.LIKELY if _THIS_MACHINE.search(text) else Match.NO

    def read(self, text: str) -> Imported:
        """The first name of a line is the server's, further ones are other names of it."""
        notes, nodes = Notes(), list[ImportedNode]()
        lines = text.splitlines()
        for number, raw in enumerate(lines[:MOST_LINES], start=1):
            if len(nodes) >= MOST_SERVERS:
                notes.refuse_more(number, len(lines) - number + 1)
                break
            words = raw.partition("#")[0].split()
            if words and (node := _node(number, words, notes)) is not None:
                nodes.append(node)
        if rest := [line for line in lines[MOST_LINES:] if line.strip()]:
            notes.refuse(MOST_LINES + 1, "", T("paste.too_many_lines", most=MOST_LINES), count=len(rest))
        return notes.imported(self.name, nodes)


def _node(number: int, words: list[str], notes: Notes) -> ImportedNode | None:
    address, *names = words
    shown = clean_line(" ".join(words[:2]), _ROOM_FOR_SHOWN)
    try:
        places_of(address)
        if not names:
            raise LineError(T("import.no_names"))
        if all(_SERVICES.match(name.lower()) for name in names):
            raise LineError(T("import.service_name"))
    except LineError as error:
        notes.refuse(number, shown, error.why)
        return None
    return node_at(notes, number, name=names[0], address=address)


IMPORTER: Final[Importer] = _HostsFile()
