"""Reports as files, for the command line and for the screens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rbdtui.atomic import write_atomic
from rbdtui.redact import Redactor
from rbdtui.report.build import Asked, build_report
from rbdtui.report.html import html_report
from rbdtui.report.markdown import markdown_report
from rbdtui.report.model import Report
from rbdtui.session import Session

WRITERS: Final[Mapping[str, Callable[[Report], str]]] = {
    ".html": html_report,
    ".htm": html_report,
    ".md": markdown_report,
    ".markdown": markdown_report,
}
"""By the ending of the file."""
NAMES: Final = ("report.html", "report.md")
"""What is written into the site when no file is named."""


def known_secrets(session: Session) -> Redactor:
    """What takes the secrets of the vault out of a text, as far as it is open."""
    if not session.unlocked:
        return Redactor()
    vault = session.unlock()
    return Redactor(vault.get(name) for name in vault.names())


def write_report(session: Session, asked: Asked, output: Path | None = None) -> list[Path]:
    """Write the report in the current language, by default in both forms into the site; raises `OSError`.

    A file with a name of the operator's choice is as readable as their other files, those in the site are not.
    """
    written = build_report(session, asked, now=time.time(), redactor=known_secrets(session))
    files = [output] if output is not None else [session.site.path / name for name in NAMES]
    mask = os.umask(0)
    os.umask(mask)
    for file in files:
        text = WRITERS[file.suffix.lower()](written)
        write_atomic(file, text.encode("utf-8", "replace"), 0o600 if output is None else 0o666 & ~mask)
    return files
