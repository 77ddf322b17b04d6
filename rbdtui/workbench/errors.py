"""Any error as a sentence."""

from __future__ import annotations

from rbdtui.transport.base import unexpected
from rbdtui.words import Text


def sentence_of(error: BaseException, node: str = "") -> Text:
    """What an error says for itself, else a sentence with its kind and detail."""
    said = getattr(error, "text", None)
    return said if isinstance(said, Text) else unexpected(node, error)
