"""The vault's passphrase: from a file, or from a prompt on the terminal; never from an argument."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rbdtui.cli.asking import hidden
from rbdtui.site import SiteError
from rbdtui.words import T, Text


@dataclass(frozen=True, slots=True)
class PromptOrFile:
    """Asks the file that ``--passphrase-file`` names, else whoever sits at the terminal."""

    file: Path | None

    def existing(self) -> str:
        """The passphrase of a vault that is there."""
        return self._from_file() or self._ask(confirm=False)

    def new(self) -> str:
        """A passphrase for a new vault, asked twice."""
        return self._from_file() or self._ask(confirm=True)

    def _from_file(self) -> str | None:
        if self.file is None:
            return None
        try:
            text = self.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "UTF-8"
            raise SiteError(T("cli.passphrase.unreadable", path=str(self.file), reason=reason)) from error
        passphrase = text.rstrip("\r\n")
        if not passphrase:
            raise SiteError(T("cli.passphrase.empty", path=str(self.file)))
        return passphrase

    @staticmethod
    def _ask(*, confirm: bool) -> str:
        if not sys.stdin.isatty():
            raise SiteError(T("cli.passphrase.nobody_to_ask"))
        return hidden(T("cli.passphrase.new") if confirm else T("cli.passphrase.prompt"), twice=confirm)


def read_secret_value(prompt: Text) -> str:
    """A secret from the terminal without echo, or all of standard input when that is a pipe."""
    if sys.stdin.isatty():
        return hidden(prompt, twice=True)
    return sys.stdin.read().rstrip("\r\n")
