"""A cell of the table of servers while it is being typed, of one server or of several at once."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rbdtui.workbench.draft import operations
from rbdtui.workbench.draft.draft import Data

FIELDS: Final = {"name": "name", "address": "address", "port": "ssh.port", "user": "ssh.user"}
"""Field of a node by column."""
SHARED: Final = ("port", "user")
"""Columns that several servers may have the same value in."""


@dataclass(slots=True)
class CellEdit:
    """What is being typed, and for which servers."""

    indexes: list[int]
    """Their places in the list; one, unless it is for all that are marked."""
    column: str
    text: str
    added: bool
    """Whether the server was added for this, and goes again when it is given up."""
    number: int
    """Which editing this is, counted from the first."""
    _before: dict[int, operations.NodeData] = field(default_factory=dict)

    @classmethod
    def begin(cls, data: Data, indexes: Sequence[int], column: str, text: str, *, added: bool, number: int) -> CellEdit:
        """Begin with what is in the cell."""
        nodes = dict(operations.nodes_in(data))
        before = {index: copy.deepcopy(nodes[index]) for index in indexes if index in nodes}
        return cls(list(indexes), column, text, added, number, before)

    @property
    def index(self) -> int:
        """The first of the servers."""
        return self.indexes[0]

    @property
    def mark(self) -> str:
        """What makes all changes of this editing one step of undo."""
        return f"cell {self.number}"

    @property
    def several(self) -> bool:
        """Whether it is for more than one server."""
        return len(self.indexes) > 1

    def moved(self, places: Mapping[int, int]) -> bool:
        """Servers have moved, as of a file that was changed elsewhere; False when one of these has gone."""
        if any(index not in places for index in self.indexes):
            return False
        self.indexes = [places[index] for index in self.indexes]
        self._before = {places[index]: node for index, node in self._before.items()}
        return True

    def is_address(self, text: str) -> bool:
        """Whether an address is typed where a new server's name stands, which is made up already."""
        return self.added and self.column == "name" and operations.is_address_begun(text)

    def name_back(self, data: Data) -> None:
        """What was typed for a name is the address: the name is as it was, and the address is being edited."""
        operations.put_in_node(data, self.index, "name", operations.field_of(self._before[self.index], "name"))
        self.column = "address"

    def put(self, data: Data, text: str) -> None:
        """Put what is being typed into the draft as it stands, right or wrong."""
        value = text.strip()
        if self.added and self.column == "name":
            is_address, made_up = self.is_address(text), operations.field_of(self._before[self.index], "name")
            operations.put_in_node(data, self.index, "name", made_up if is_address else value)
            operations.put_in_node(data, self.index, "address", value if is_address else "")
            return
        for index in self.indexes:
            if self.column in SHARED:
                kept = operations.number_or_text(text) if self.column == "port" else value
                operations.put(data, f"nodes[{index}].{FIELDS[self.column]}", kept)
            else:
                operations.put_in_node(data, index, self.column, value)

    def put_finally(self, data: Data, text: str) -> None:
        """Put what was typed into the draft; an address may bring user and port."""
        if self.column == "address":
            operations.put_where(data, self.index, text)
        else:
            self.put(data, text)

    def give_up(self, data: Data) -> None:
        """Have the servers as they were."""
        nodes = dict(operations.nodes_in(data))
        for index, before in self._before.items():
            if index in nodes:
                nodes[index].clear()
                nodes[index].update(copy.deepcopy(before))
