"""How to log in to one server, where it differs from the site; what the server says to it stands below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from textual import work
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.spec.values import label_like
from rbdtui.words import T, Text
from rbdtui.workbench.draft import Data
from rbdtui.workbench.node_rows import USUAL_LOGIN, NodeRow, node_rows
from rbdtui.workbench.operations import (
    BastionWay,
    number_or_text,
    put,
    set_bastion_way,
    text_at,
    way_of,
)
from screens.base import Dialog, key
from screens.node_detail import login_line
from screens.widgets.field import Choice, ChoiceLine, Field, Form, TextLine
from screens.widgets.secret_field import SecretField, SecretLine, answer_wish

_SECRETS: Final[Mapping[str, str]] = {"passphrase": "key", "password": "ssh", "sudo_password": "sudo"}
_BASTION_FIELDS: Final = ("address", "port", "user", "key")
_BASTION_SECRETS: Final[Mapping[str, str]] = {"passphrase": "bastion-key", "password": "bastion"}


def _label(path: str) -> Text:
    return Text(f"site_form.ssh_{path.replace('.', '_')}")  # words: site_form.*


class LoginDialog(Dialog[None]):
    """Edits the ``ssh`` section of one node; every change holds at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("down", "app.focus_next", "move", show=False),
        key("up", "app.focus_previous", "move", show=False),
        key("g,f5", "ask_again", "again", show=False),
    ]
    AUTO_FOCUS = "TextLine"

    def __init__(self, index: int, node: str) -> None:
        super().__init__()
        self._index, self._node = index, node
        self._bastion: dict[str, object] = {}
        """A host in between that was laid aside for another way."""

    @property
    def _base(self) -> str:
        return f"nodes[{self._index}].ssh"

    def title_text(self) -> Text:
        """What it is about."""
        return T("login.title", node=self._node or str(self._index + 1))

    def body(self) -> Iterable[Widget]:
        """The form, and what the server says."""
        with Form(id="login-form"):
            for path in USUAL_LOGIN:
                yield Field(_label(path), path=f"{self._base}.{path}", line=TextLine())
            for path, name in _SECRETS.items():
                yield SecretField(_label(path), f"{self._base}.{path}", self._secret_name(name))
            yield Choice(
                T("login.way"),
                [way.value for way in BastionWay],
                lambda way: Text(f"login.way_{way}"),  # words: login.*
                id="way",
            )
            for path in _BASTION_FIELDS:
                yield Field(_label(f"bastion.{path}"), path=f"{self._base}.bastion.{path}")
            for path, name in _BASTION_SECRETS.items():
                secret = SecretField(_label(f"bastion.{path}"), f"{self._base}.bastion.{path}", self._secret_name(name))
                yield secret
        yield Static(id="login-state")

    def _secret_name(self, what: str) -> str:
        """What a secret of this node is called in the vault."""
        return f"{label_like(self._node)[:40] or 'node'}-{what}"

    def refresh_view(self) -> None:
        """Show the draft, and what the server says."""
        workbench = self.program.workbench
        if workbench is None:
            return
        data, way = workbench.draft.data, way_of(workbench.draft.data, self._index)
        self.query_one("#way", Choice).show(way.value)
        for field in self.query(Field):
            field.show(text_at(data, field.path), workbench.draft.findings_at(field.path))
            short = field.path.removeprefix(f"{self._base}.")
            if short in USUAL_LOGIN:
                usual = text_at(data, f"ssh.{short}") or USUAL_LOGIN[short]
                field.line.placeholder = str(T("login.from_site", value=usual)) if usual else ""
            field.display = not short.startswith("bastion.") or way is BastionWay.OWN
        for secret in self.query(SecretField):
            secret.show(workbench)
            secret.display = ".bastion." not in secret.path or way is BastionWay.OWN
        self._draw_state()

    def _draw_state(self) -> None:
        row = self._row
        workbench = self.program.workbench
        if row is None or workbench is None:
            return
        page = login_line(self, workbench, row)
        state = self.query_one("#login-state", Static)
        if page != state.content:
            state.update(page, layout=False)

    @property
    def _row(self) -> NodeRow | None:
        workbench = self.program.workbench
        if workbench is None:
            return None
        rows = node_rows(workbench.draft.data, workbench.live, workbench.findings)
        return next((row for row in rows if row.index == self._index), None)

    def on_field_changed(self, event: Field.Changed) -> None:
        """Take over what is typed, letter by letter."""
        path, typed, workbench = event.field.path, event.value, self.program.workbench
        value = number_or_text(typed) if path.endswith(".port") else typed.strip()
        if workbench is not None:
            workbench.change(lambda data: self._put(data, path, value), merge=path)

    def _put(self, data: Data, path: str, value: str | int) -> None:
        own = way_of(data, self._index) is BastionWay.OWN
        put(data, path, value)
        if own and way_of(data, self._index) is not BastionWay.OWN:
            set_bastion_way(data, self._index, BastionWay.OWN, {})

    def on_choice_line_changed(self, event: ChoiceLine.Changed) -> None:
        """Choose the way to the server."""
        workbench = self.program.workbench
        if workbench is not None:
            way = BastionWay(event.value)
            workbench.change(lambda data: set_bastion_way(data, self._index, way, self._bastion), merge="way")
            self.refresh_view()

    @work(group="dialog", exit_on_error=False)
    async def on_secret_line_wanted(self, event: SecretLine.Wanted) -> None:
        """Store a secret, or drop the reference."""
        field = next(field for field in self.query(SecretField) if field.path == event.path)
        await answer_wish(self, field, store=event.store)

    def on_input_submitted(self) -> None:
        """Enter goes on to the next field."""
        self.focus_next()

    def action_ask_again(self) -> None:
        """Ask the server once more."""
        workbench = self.program.workbench
        if workbench is not None:
            workbench.ask_again(self._node)
