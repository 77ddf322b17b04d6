"""Ansible inventories in YAML, kubespray's among them: groups with hosts, children and variables."""

from __future__ import annotations

import re
from typing import Final

from rbdtui.importers.ansible_settings import flattened
from rbdtui.importers.imported import Imported, ImportedNode, LineError, Notes, Setting
from rbdtui.importers.importer import Importer, Match
from rbdtui.importers.inventory import Inventory, Value
from rbdtui.importers.lists.ranges import expanded
from rbdtui.importers.yaml_fields import Fields, documents

_ALL: Final = re.compile(r"^all:[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_BELOW: Final = re.compile(r"^[ \t]{1,8}(?:hosts|children):", re.MULTILINE)
_DEEPEST: Final = 12


class _AnsibleYaml:
    name = "ansible-yaml"

    def matches(self, text: str) -> Match:
        """Groups hold ``hosts`` or ``children``; the group of all of them is nearly always named."""
        if not _BELOW.search(text):
            return Match.NO
        return Match.CERTAIN if _ALL.search(text) else Match.POSSIBLE

    def read(self, text: str) -> Imported:
        """All groups, as deep as they lie."""
        notes, nodes, settings = Notes(), list[ImportedNode](), dict[str, Setting]()
        for document in documents(text, notes):
            inventory = Inventory(notes)
            for group in document.names():
                _take_group(inventory, group, document.below(group), 0)
            document.tell_rest()
            found, said = inventory.read()
            nodes += found
            settings.update(said)
        return notes.imported(self.name, nodes, settings)


def _take_group(inventory: Inventory, name: str, fields: Fields, depth: int) -> None:
    group = inventory.group(name)
    inventory.set_of_group(name, {key: Value(text, line) for key, text, line in flattened(fields.below("vars"))})
    hosts = fields.below("hosts")
    for host in hosts.names():
        variables = {key: Value(text, line) for key, text, line in flattened(hosts.below(host))}
        try:
            names = expanded(host)
        except LineError as error:
            inventory.notes.refuse(hosts.line_of(host), host[:60], error.why)
            continue
        for one in names:
            inventory.add_host(name, one, hosts.line_of(host), variables)
    children = fields.below("children")
    for child in children.names() if depth < _DEEPEST else ():
        group.children.setdefault(child, children.line_of(child))
        _take_group(inventory, child, children.below(child), depth + 1)


IMPORTER: Final[Importer] = _AnsibleYaml()
