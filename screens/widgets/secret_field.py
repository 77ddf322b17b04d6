"""A field that refers to a secret in the vault: what it is called there, never what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from rich.text import Text as Line
from textual.app import RenderResult
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from rbdtui.findings import Finding
from rbdtui.spec.values import SECRET_PREFIX
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.draft import operations
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.workbench import Workbench
from screens.shell.base import BaseScreen, R, key
from screens.terminal.theme import rich_colour
from screens.widgets.field import Label, Verdict


class SecretLine(Widget, can_focus=True):
    """A secret by its name in the vault: Enter stores another value, Delete refers to none any more."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "store", "store_secret"),
        key("delete,backspace", "forget", "no_secret"),
    ]
    name_in_vault: reactive[str] = reactive("")
    differs: reactive[bool] = reactive(False)
    """Whether the servers that it is for refer to different ones."""
    held: reactive[bool | None] = reactive(None)
    """Whether the vault has it; None while that cannot be known."""

    class Wanted(Message):
        """The operator wishes to store a secret, or that none is referred to."""

        def __init__(self, path: str, *, store: bool) -> None:
            super().__init__()
            self.path, self.store = path, store

    def __init__(self, path: str) -> None:
        super().__init__(classes="field-line")
        self.path = path

    def render(self) -> RenderResult:
        """Where it is, never what it is."""
        if self.differs:
            return Line(str(T("login.differs")), style="dim")
        if not self.name_in_vault:
            return Line(str(T("form.secret.none")), style="dim")
        shown = clean_line(self.name_in_vault)
        if self.held is False:
            return Line(str(T("form.secret.absent", name=shown)), style=rich_colour(self.app, "warning"))
        said = T("form.secret.there", name=shown) if self.held else T("form.secret.unknown", name=shown)
        return Line(str(said), style=rich_colour(self.app, "foreground"))

    def action_store(self) -> None:
        """Ask for a value."""
        self.post_message(self.Wanted(self.path, store=True))

    def action_forget(self) -> None:
        """Refer to nothing."""
        self.post_message(self.Wanted(self.path, store=False))


class SecretField(Widget):
    """A labelled `SecretLine` with its verdict."""

    def __init__(self, label: Text, path: str, name: str) -> None:
        super().__init__()
        self.path = path
        """The field of cluster.yaml."""
        self.label = label
        self.usual_name = name
        """What a secret is called in the vault unless the field names it already."""

    def compose(self) -> Iterable[Widget]:
        """Label, name and verdict."""
        yield Label(self.label)
        yield SecretLine(self.path)
        yield Verdict()

    def show(self, workbench: Workbench, paths: Sequence[str], findings: Sequence[Finding]) -> None:
        """Show what the draft refers to in each of these fields, and what is wrong with it."""
        references = {operations.text_at(workbench.draft.data, path) for path in paths}
        line, name = self.query_one(SecretLine), references.pop().removeprefix(SECRET_PREFIX)
        line.differs = bool(references)
        line.name_in_vault, line.held = name, workbench.has_secret(name) if name else None
        self.query_one(Verdict).findings = tuple(findings)

    def advise(self, hint: Text | None, *, good: bool = False) -> None:
        """Say something beneath it, as long as nothing is wrong."""
        verdict = self.query_one(Verdict)
        verdict.hint, verdict.good = hint, good


async def answer_wish(
    screen: BaseScreen[R], field: SecretField, *, store: bool, paths: Callable[[], Sequence[str]]
) -> None:
    """Store a secret and have the fields at ``paths`` refer to it, or refer to none any more.

    In a worker, for it may ask for the passphrase.
    """
    from screens.dialogs.secret import SecretDialog

    workbench = screen.program.workbench
    assert workbench is not None, "there are no secrets without a site"
    if not store:
        _refer(workbench, paths(), "")
        return
    if not await screen.program.ensure_unlocked(T("passphrase.why_store")):
        return
    references = {operations.text_at(workbench.draft.data, path) for path in paths()}
    common = references.pop() if len(references) == 1 else ""
    name = common.removeprefix(SECRET_PREFIX) or field.usual_name
    value = await screen.program.ask(SecretDialog(name, field.label))
    if value is not None and await screen.done(workbench.set_secret(name, value)):
        _refer(workbench, paths(), f"{SECRET_PREFIX}{name}")
        screen.tell(T("secret.stored", name=name))


def _refer(workbench: Workbench, paths: Sequence[str], reference: str) -> None:
    def put_all(data: Data) -> None:
        for path in paths:
            operations.put(data, path, reference)

    workbench.change(put_all)
