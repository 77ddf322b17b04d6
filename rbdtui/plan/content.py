"""Contents of files to be written: with secrets for the host, with ``secret:name`` in their place for everybody else.

A content knows both forms, so that what a dry run shows and what a run writes come from one place.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rbdtui.paths import asset

SECRET_LINE: Final = re.compile(r"(?i)^(\s*[\w.-]*(?:token|pass|password|secret|auth_pass)[\w.-]*\s*[:= ]\s*)(\S.*)$")
"""A line whose value is a secret in the files that we write and in those that we may find in their place."""


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


def fill(template: str, values: Mapping[str, str | SecretRef], secret: Callable[[str], str]) -> Content:
    """Fill the ``$places`` of a template, once for the host and once to be shown; a missing one is a `KeyError`."""
    form = string.Template(template)
    shown = form.substitute({name: str(value) for name, value in values.items()})
    refs = [value for value in values.values() if isinstance(value, SecretRef)]
    if not refs:
        return plain(shown)
    real = {name: secret(value.name) if isinstance(value, SecretRef) else value for name, value in values.items()}
    return Content(shown, form.substitute(real).encode(), has_secret=True)


def fill_asset(name: str, values: Mapping[str, str | SecretRef], secret: Callable[[str], str]) -> Content:
    """Fill a shipped template, ``assets/templates/NAME``."""
    return fill(asset("templates", name).read_text(encoding="utf-8"), values, secret)


def masked(text: str) -> str:
    """A text found on a host with the values of its secret-looking lines hidden."""
    return "\n".join(SECRET_LINE.sub(r"\1(hidden)", line) for line in text.split("\n"))


def diff(path: str, before: bytes | None, after: Content) -> str:
    """A unified diff from what a host has to what it shall have; secrets of either side are hidden."""
    if before is not None and before == after.actual:
        return ""
    old = "" if before is None else _shown_before(before, after)
    lines = difflib.unified_diff(
        old.splitlines(), after.shown.splitlines(), "/dev/null" if before is None else path, path, n=2, lineterm=""
    )
    return "\n".join(lines)


def _shown_before(before: bytes, after: Content) -> str:
    text = before.decode("utf-8", "replace")
    if not after.has_secret:
        return text
    # A line that is already as it shall be must not look changed only because its secret is hidden differently.
    shown_of = dict(zip(after.actual.decode().splitlines(), after.shown.splitlines(), strict=False))
    return "\n".join(shown_of[line] if line in shown_of else masked(line) for line in text.splitlines())
