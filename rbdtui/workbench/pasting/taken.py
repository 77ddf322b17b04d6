"""What comes of a pasted or imported text beside the nodes that are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rbdtui.importers.imported import ImportedNode, Remark, Setting


@dataclass(frozen=True, slots=True)
class Pasted:
    """What is to be added and changed, and what was not taken."""

    nodes: tuple[ImportedNode, ...] = ()
    """All that are taken, each with a name."""
    refusals: tuple[Remark, ...] = ()
    """Lines that were not taken, the first of them."""
    refused: int = 0
    """How many lines were not taken."""
    remarks: tuple[Remark, ...] = ()
    """Lines that were taken but for a word, the first of them."""
    remarked: int = 0
    """How many words were left out of lines that were taken."""
    filled: tuple[str, ...] = ()
    """Names among the nodes that were there already and get the address that they lack."""
    updated: Mapping[str, str] = field(default_factory=dict)
    """Names among the nodes that stand for one that is there, and the name that it has there."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Values by their paths in cluster.yaml."""
    format: str = ""
    """Name of the importer; empty where nobody knows the text."""
    updating: bool = False
    """Whether it is the file of another tool, which may change nodes and the site, not a list that only adds."""
    replaces_example: bool = False
    """Whether the nodes that are there are those of a commented example, which go."""

    @property
    def renamed(self) -> list[ImportedNode]:
        """Nodes whose names had to be made to fit."""
        return [node for node in self.nodes if node.renamed_from]
