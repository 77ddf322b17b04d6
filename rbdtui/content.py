"""A text with secrets in it: as it is written for a host, and with ``secret:name`` in their place for all others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret that belongs into a content, by its name in the vault."""

    name: str

    def __str__(self) -> str:
        return f"secret:{self.name}"


@dataclass(frozen=True, slots=True)
class Content:
    """The text of a file."""

    shown: str
    """As anybody may see it."""
    actual: bytes = field(repr=False)
    """As it is written."""
    has_secret: bool = False

    @property
    def sha256(self) -> str:
        """Hex digest of what is written."""
        return hashlib.sha256(self.actual).hexdigest()


def plain(text: str) -> Content:
    """A content without secrets."""
    return Content(text, text.encode())
