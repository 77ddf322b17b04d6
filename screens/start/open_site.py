"""Asks for the directory of a site; Tab completes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.words import T, Text
from screens.shell.base import Dialog, key
from screens.widgets.field import Field, TextLine


class PathLine(TextLine):
    """A path, completed by Tab as a shell does."""

    BINDINGS: ClassVar[list[BindingType]] = [key("tab", "complete", "complete")]

    def action_complete(self) -> None:
        """Add what all directories have in common that begin like this; with nothing to add go to the next field."""
        completed = complete_directory(self.value)
        if completed == self.value:
            self.screen.focus_next()
        else:
            self.value = completed
            self.cursor_position = len(completed)


class OpenSiteDialog(Dialog[Path]):
    """Answers the directory."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "open", "open")]

    def title_text(self) -> Text:
        """That a site is opened by its directory."""
        return T("start.open.title")

    def body(self) -> Iterable[Widget]:
        """One field."""
        yield Field(T("start.open.path"), hint=T("start.open.hint"), line=PathLine(str(Path.cwd())))

    def on_input_submitted(self) -> None:
        """Enter in the field."""
        self.action_open()

    def action_open(self) -> None:
        """Dismiss with the directory, written out; say so where none was typed."""
        text = self.query_one(Field).value.strip()
        if text:
            self.dismiss(expanded(text))
        else:
            self.tell(T("start.open.empty"), bad=True)


def expanded(text: str) -> Path:
    """A typed path, absolute."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:  # no such user
        return Path(text).absolute()


def complete_directory(text: str) -> str:
    """The text with what can follow without doubt; a slash behind a directory that is the only one."""
    head, slash, tail = text.rpartition("/")
    try:
        parent = expanded(head + slash) if slash else Path.cwd()
        names = sorted(entry.name for entry in parent.iterdir() if entry.name.startswith(tail) and entry.is_dir())
    except OSError:
        return text
    names = [name for name in names if tail.startswith(".") or not name.startswith(".")]
    if not names:
        return text
    common = names[0]
    for name in names[1:]:
        while not name.startswith(common):
            common = common[:-1]
    return f"{head}{slash}{common}{'/' if len(names) == 1 else ''}"
