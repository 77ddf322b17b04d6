"""What comes of a pasted text."""

from __future__ import annotations

from dataclasses import dataclass

from rbdtui.words import Text


@dataclass(frozen=True, slots=True)
class PastedNode:
    """A server as it was understood."""

    name: str = ""
    """Empty: it gets a free one."""
    address: str = ""
    user: str = ""
    port: int | None = None
    roles: tuple[str, ...] = ()
    renamed_from: str = ""
    """What the name was before it was made to fit."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A line that was not taken, or of which something was left out, and why."""

    line: int
    """From 1."""
    text: str
    """What stood there, made harmless."""
    why: Text


@dataclass(frozen=True, slots=True)
class Pasted:
    """What came of a text."""

    nodes: tuple[PastedNode, ...] = ()
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

    @property
    def renamed(self) -> list[PastedNode]:
        """Nodes whose names had to be made to fit."""
        return [node for node in self.nodes if node.renamed_from]


class LineError(Exception):
    """A line that is not understood."""

    def __init__(self, why: Text) -> None:
        super().__init__(why.key)
        self.why = why
