"""Which servers of a text are taken beside the nodes that are there: added, or put in the place of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rbdtui.importers import recognised
from rbdtui.importers.imported import Hidden, Imported, ImportedNode, LineError, Notes, Setting
from rbdtui.importers.lists.text import MOST_CHARS
from rbdtui.importers.tables import IMPORTER as LISTS
from rbdtui.profiles import USUAL, optional_sections, profile_named
from rbdtui.roles import Role
from rbdtui.spec.values import MAX_NODES
from rbdtui.words import T, Text
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import field_of, following_name, names_in, nodes_in, room_for_nodes
from rbdtui.workbench.pasting.examples import nodes_are_an_examples
from rbdtui.workbench.pasting.taken import Pasted


def read_pasted(text: str, data: Data) -> Pasted:
    """Understand a text beside the nodes that are there; a list only adds, the file of another tool updates too.

    Passwords are left out, and that is said: a screen has no vault at hand.
    """
    text = text[:MOST_CHARS]
    importer = recognised(text) or LISTS
    imported = importer.read(text)
    pasted = take(replace(imported, settings=_without_secrets(imported.settings)), data, updating=importer is not LISTS)
    notes = Notes(list(pasted.refusals), pasted.refused, list(pasted.remarks), pasted.remarked)
    nodes = tuple(_without_passwords(node, notes) for node in pasted.nodes)
    return replace(pasted, nodes=nodes, remarks=tuple(notes.remarks), remarked=notes.remarked)


def _without_passwords(node: ImportedNode, notes: Notes) -> ImportedNode:
    if node.password is None and node.sudo_password is None:
        return node
    notes.remark(node.line, f"{node.name} {node.address}", T("paste.no_password"))
    return replace(node, password=None, sudo_password=None)


def _without_secrets(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    return {path: value for path, value in settings.items() if not isinstance(value, Hidden)}


def take(imported: Imported, data: Data, *, updating: bool) -> Pasted:
    """What of it is taken; every node gets a name.

    ``updating``: a server whose name or address is there already takes that node's place, and the untouched nodes of
    an example make room. Otherwise it is refused.
    """
    example = updating and bool(imported.nodes) and nodes_are_an_examples(data)
    taking = _Taking({**data, "nodes": []} if example else data, updating, _notes_of(imported))
    said = any(node.roles for node in imported.nodes)
    for node in imported.nodes:
        taking.take(_with_a_role(node, taking) if updating and said and not node.roles else node)
    settings = _usable_settings(imported.settings, data, taking.notes)
    notes = taking.notes.imported(imported.format, taking.nodes, settings)
    return Pasted(
        notes.nodes, notes.refusals, notes.refused, notes.remarks, notes.remarked, tuple(taking.filled),
        taking.updated, notes.settings, imported.format, updating, example,
    )  # fmt: skip


def _with_a_role(node: ImportedNode, taking: _Taking) -> ImportedNode:
    """A new server without a role among others that have some is a worker, and that is said."""
    if taking.knows(node):
        return node
    taking.notes.remark(node.line, f"{node.name} {node.address}".strip(), T("import.no_role"))
    return replace(node, roles=(Role.WORKER.value,))


def _usable_settings(settings: Mapping[str, Setting], data: Data, notes: Notes) -> dict[str, Setting]:
    """Settings of sections that the site's profile has; of the others is said that it has not."""
    profile = profile_named(data.get("profile", USUAL.name))
    absent = set(optional_sections()) - set(profile.sections if profile is not None else ())
    unused = dict.fromkeys(section for path in settings if (section := path.partition(".")[0]) in absent)
    for section in unused:
        notes.remark(0, section, T("import.not_in_profile", profile=str(profile or "-"), section=section))
    return {path: value for path, value in settings.items() if path.partition(".")[0] not in unused}


def _notes_of(imported: Imported) -> Notes:
    return Notes(list(imported.refusals), imported.refused, list(imported.remarks), imported.remarked)


@dataclass(slots=True)
class _Taking:
    """What has been taken so far, and what is taken already."""

    data: Data
    updating: bool
    notes: Notes
    nodes: list[ImportedNode] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    updated: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(init=False)
    addresses: set[str] = field(init=False)
    waiting: set[str] = field(init=False)
    """Names of nodes that lack an address."""
    there: dict[str, str] = field(init=False)
    """Names and addresses of nodes that may still be updated, with the name of the node."""
    last_name: str = field(init=False)
    room: int = field(init=False)
    _refused_lines: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        known = [node for _, node in nodes_in(self.data)]
        self.names = names_in(self.data)
        self.addresses = {address for node in known if (address := field_of(node, "address"))}
        self.waiting = {field_of(node, "name") for node in known if not field_of(node, "address")}
        self.there = {}
        if self.updating:
            named = [node for node in known if field_of(node, "name")]
            self.there = {value: field_of(node, "name") for node in named for value in _handles(node)}
        self.last_name = field_of(known[-1], "name") if known else ""
        self.room = room_for_nodes(self.data)

    def take(self, node: ImportedNode) -> None:
        """Take a node, or note why not; of several of a line the first reason is told."""
        try:
            self._take(node)
        except LineError as error:
            if node.line not in self._refused_lines:
                self.notes.refuse(node.line, f"{node.name} {node.address}".strip(), error.why)
            self._refused_lines.add(node.line)

    def _take(self, node: ImportedNode) -> None:
        """Take a node; raises `LineError` when there is one like it, or no room."""
        if (known := self._node_there(node)) and not (node.name in self.waiting and node.address):
            node = replace(node, name=node.name or known)
            self._give_name(node, known)
        elif node.address and node.address in self.addresses:
            raise LineError(T("paste.known_address", address=node.address))
        elif node.name and node.name in self.waiting and node.address:
            self.waiting.discard(node.name)
            self.filled.append(node.name)
        elif node.name and node.name in self.names:
            raise LineError(T("paste.known_name", name=node.name))
        elif not self.room:
            raise LineError(self._no_room())
        else:
            node = node if node.name else replace(node, name=following_name(self.names, self.last_name))
            self.room -= 1
            self.last_name = node.name
        self.names.add(node.name)
        self.addresses.add(node.address)
        self.nodes.append(node)

    def knows(self, node: ImportedNode) -> bool:
        """Whether it stands for a node that is there."""
        return bool(self._node_there(node))

    def _node_there(self, node: ImportedNode) -> str:
        """The name of the node that this one stands for; its name counts before its address."""
        return self.there.get(node.name, "") or self.there.get(node.address, "")

    def _give_name(self, node: ImportedNode, known: str) -> None:
        """Note an update; raises `LineError` when the new name or address is another node's."""
        if node.name != known and node.name in self.names:
            raise LineError(T("paste.known_name", name=node.name))
        if self.there.get(node.address, known) != known:
            raise LineError(T("paste.known_address", address=node.address))
        self.there = {handle: name for handle, name in self.there.items() if name != known}
        self.updated[node.name] = known

    @staticmethod
    def _no_room() -> Text:
        return T("paste.no_room", most=MAX_NODES)


def _handles(node: dict[str, object]) -> list[str]:
    return [value for name in ("address", "name") if (value := field_of(node, name))]
