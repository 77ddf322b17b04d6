"""Servers whose roles stand in groups beside them, as KubeKey and ROI have them: ``master: [node1, node[2:3]]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rbdtui.importers.imported import ImportedNode, LineError, Notes
from rbdtui.importers.lists.ranges import expanded
from rbdtui.importers.yaml_fields import Fields
from rbdtui.roles import Role
from rbdtui.words import T


def members(fields: Fields, group: str) -> list[tuple[str, int]]:
    """The names of a group's servers, ranges written out, each with its line."""
    found: list[tuple[str, int]] = []
    for text, line in fields.texts(group):
        try:
            found += [(name, line) for name in expanded(text)]
        except LineError as error:
            fields.notes.refuse(line, f"{fields.path}.{group}", error.why)
    return found


def with_roles(
    nodes: Sequence[ImportedNode], roles: Mapping[Role, Sequence[tuple[str, int]]], notes: Notes
) -> list[ImportedNode]:
    """The nodes with the roles of the groups that name them; whoever is in no group is a worker, and that is said."""
    known = {name for node in nodes for name in (node.name, node.renamed_from) if name}
    for role, listed in roles.items():
        for name, line in listed:
            if name not in known:
                notes.refuse(line, name[:60], T("import.no_such_host", role=role.value))
    named = {role: {name for name, _ in listed} for role, listed in roles.items()}
    return [_with_roles(node, named, notes) for node in nodes]


def _with_roles(node: ImportedNode, named: Mapping[Role, set[str]], notes: Notes) -> ImportedNode:
    own = tuple(role.value for role in Role if {node.name, node.renamed_from} & named.get(role, set()) - {""})
    if not own and any(named.values()):
        notes.remark(node.line, node.renamed_from or node.name, T("import.in_no_group"))
        own = (Role.WORKER.value,)
    return replace(node, roles=own)
