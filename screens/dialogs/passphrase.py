"""Asks for the vault's passphrase, or for one for a vault that is about to be made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual import work
from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.vault import LEAST_PASSPHRASE_CHARS
from rbdtui.words import T, Text
from screens.shell.base import Dialog, Words, key
from screens.widgets.field import Field


class PassphraseDialog(Dialog[bool]):
    """Answers True when the vault is open."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "unlock", "unlock")]

    def __init__(self, why: Text) -> None:
        super().__init__()
        self._why = why
        self._opening = False

    @property
    def _new(self) -> bool:
        workbench = self.program.workbench
        return workbench is None or not workbench.has_vault

    def title_text(self) -> Text:
        """Whether a vault is made or opened."""
        return T("passphrase.new_title") if self._new else T("passphrase.title")

    def body(self) -> Iterable[Widget]:
        """Why it is asked for, and one field or two."""
        yield Words(self._why, classes="paragraph")
        hint = T("passphrase.new_hint", least=LEAST_PASSPHRASE_CHARS) if self._new else T("passphrase.hint")
        yield Field(T("passphrase.label"), password=True, id="first", hint=hint)
        if self._new:
            yield Field(T("passphrase.again"), password=True, id="second")

    def on_input_submitted(self) -> None:
        """Enter in a field."""
        self.action_unlock()

    def action_unlock(self) -> None:
        """Try it."""
        typed = self.query_one("#first", Field).value
        problem = self._problem(typed)
        if problem is not None:
            self.tell(problem, bad=True)
        elif not self._opening:
            self._opening = True
            self.tell(T("passphrase.opening"))
            self._unlock(typed)

    def _problem(self, typed: str) -> Text | None:
        if not self._new:
            return None if typed else T("passphrase.empty")
        if len(typed) < LEAST_PASSPHRASE_CHARS:
            return T("passphrase.short", least=LEAST_PASSPHRASE_CHARS)
        return None if self.query_one("#second", Field).value == typed else T("passphrase.differ")

    @work(group="brief", exit_on_error=False)
    async def _unlock(self, typed: str) -> None:
        workbench = self.program.workbench
        if workbench is None:
            return
        try:
            await asyncio.wrap_future(workbench.unlock(typed))
        except Exception as error:  # a damaged vault, a wrong passphrase, a full disk: all have their sentence
            self._opening = False
            self.query_one("#first", Field).line.clear()
            self.query_one("#first", Field).line.focus()
            self.tell(self.program.sentence(error), bad=True)
        else:
            self.dismiss(True)
