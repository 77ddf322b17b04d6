"""The vault's passphrase: from a file, or from a prompt on the terminal; never from an argument."""

from __future__ import annotations

import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rbdtui.cli.asking import hidden
from rbdtui.cli.output import tell
from rbdtui.paths import as_typed
from rbdtui.site import SiteError
from rbdtui.vault import LEAST_PASSPHRASE_CHARS
from rbdtui.words import T, Text


@dataclass(frozen=True, slots=True)
class PromptOrFile:
    """Asks the file that ``--passphrase-file`` names, else whoever sits at the terminal.

    When it is made it says if others may read or change the file.
    """

    file: Path | None

    def __post_init__(self) -> None:
        if self.file is not None:
            _warn_of_readers(self.file)

    def existing(self) -> str:
        """The passphrase of a vault that is there."""
        return self._from_file() or self._ask(confirm=False)

    def new(self) -> str:
        """A passphrase for a new vault, asked twice and until it is long enough; raises `SiteError` on a file's."""
        passphrase = self._from_file()
        if passphrase is not None and len(passphrase) < LEAST_PASSPHRASE_CHARS:
            raise SiteError(T("cli.passphrase.short_file", path=str(self.file), least=LEAST_PASSPHRASE_CHARS))
        if passphrase is None and sys.stdin.isatty():
            tell(T("passphrase.why"))
            tell(T("passphrase.new_hint", least=LEAST_PASSPHRASE_CHARS))
        while passphrase is None:
            typed = self._ask(confirm=True)
            if len(typed) >= LEAST_PASSPHRASE_CHARS:
                return typed
            tell(T("passphrase.short", least=LEAST_PASSPHRASE_CHARS))
        return passphrase

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


def _warn_of_readers(file: Path) -> None:
    """Say when others may read or change a file with a passphrase, as ssh does of keys; a pipe belongs to nobody."""
    with suppress(OSError):
        status = file.stat()
        if stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) & 0o077:
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            command = f"chmod 600 {as_typed(file)}"
            tell(T("cli.passphrase.open_file", path=str(file), mode=mode, command=command))


def read_secret_value(prompt: Text) -> str:
    """A secret from the terminal without echo, or all of standard input when that is a pipe."""
    if sys.stdin.isatty():
        return hidden(prompt, twice=True)
    return sys.stdin.read().rstrip("\r\n")
