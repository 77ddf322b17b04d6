"""How to log in to one server or several, where it differs from the site; what they say to it stands below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import work
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.spec.values import label_like
from rbdtui.words import T, Text
from rbdtui.workbench.draft import Data
from rbdtui.workbench.node_rows import USUAL_LOGIN, node_rows
from rbdtui.workbench.operations import (
    BastionWay,
    number_or_text,
    put,
    set_bastion_way,
    text_at,
    way_of,
)
from rbdtui.workbench.row_view import RowView
from rbdtui.workbench.workbench import Workbench
from screens.base import Dialog, key
from screens.node_detail import login_line
from screens.paths import path_end
from screens.widgets.field import Choice, ChoiceLine, Field, Form, TextLine
from screens.widgets.secret_field import SecretField, SecretLine, answer_wish

USUAL_CELLS: Final = 26
"""Room for what holds for the site, behind the words that say so; longer, it would not be seen at all."""
_SECRETS: Final[Mapping[str, str]] = {"passphrase": "key", "password": "ssh", "sudo_password": "sudo"}
_BASTION_FIELDS: Final = ("address", "port", "user", "key")
_BASTION_SECRETS: Final[Mapping[str, str]] = {"passphrase": "bastion-key", "password": "bastion"}


def _label(path: str) -> Text:
    return Text(f"site_form.ssh_{path.replace('.', '_')}")  # words: site_form.*


class LoginDialog(Dialog[None]):
    """Edits the ``ssh`` section of nodes; every change holds at once, and for all of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("down", "app.focus_next", "move", show=False),
        key("up", "app.focus_previous", "move", show=False),
        key("g,f5", "ask_again", "again", show=False),
    ]
    AUTO_FOCUS = "TextLine"

    def __init__(self, data: Data, indexes: Sequence[int]) -> None:
        super().__init__()
        self._servers = RowView.marking(data, indexes)
        """Follows the servers when others come or go meanwhile."""
        self._bastion: dict[str, object] = {}
        """A bastion host that was laid aside for another way."""

    # --- which servers ---------------------------------------------------------------------------------------

    @property
    def _data(self) -> Data:
        workbench = self.program.workbench
        return workbench.draft.data if workbench is not None else {}

    @property
    def _indexes(self) -> list[int]:
        """Places of the servers in the list as it is now."""
        self._servers.follow(self._data)
        return sorted(self._servers.marked)

    @property
    def _names(self) -> list[str]:
        return [text_at(self._data, f"nodes[{index}].name") for index in self._indexes]

    def _paths(self, path: str) -> list[str]:
        """A field of every one of the servers."""
        return [f"nodes[{index}].{path}" for index in self._indexes]

    def _value(self, path: str) -> str | None:
        """What all of the servers have in a field; None when they differ."""
        values = {text_at(self._data, each) for each in self._paths(path)}
        return values.pop() if len(values) == 1 else None

    @property
    def _way(self) -> BastionWay | None:
        ways = {way_of(self._data, index) for index in self._indexes}
        return ways.pop() if len(ways) == 1 else None

    # --- what is shown ---------------------------------------------------------------------------------------

    def title_text(self) -> Text:
        """What it is about."""
        names = self._names
        if len(names) > 1:
            return T("login.title_several", count=len(names))
        index = self._indexes[0] if names else 0
        return T("login.title", node=names[0] if names and names[0] else str(index + 1))

    def body(self) -> Iterable[Widget]:
        """The form, and what the server says."""
        with Form(id="login-form"):
            for path in USUAL_LOGIN:
                yield Field(_label(path), path=f"ssh.{path}", line=TextLine())
            for path, name in _SECRETS.items():
                yield SecretField(_label(path), f"ssh.{path}", self._secret_name(name))
            yield Choice(
                T("login.way"),
                [way.value for way in BastionWay],
                lambda way: Text(f"login.way_{way}"),  # words: login.*
                id="way",
            )
            for path in _BASTION_FIELDS:
                yield Field(_label(f"bastion.{path}"), path=f"ssh.bastion.{path}")
            for path, name in _BASTION_SECRETS.items():
                secret = SecretField(_label(f"bastion.{path}"), f"ssh.bastion.{path}", self._secret_name(name))
                yield secret
        yield Static(id="login-state")

    def _secret_name(self, what: str) -> str:
        """What a secret of these nodes is called in the vault: several have another one than any of them alone."""
        names = self._names
        ends = names if len(names) < 2 else [names[0][:18], f"to-{names[-1][:18]}"]
        return f"{label_like('-'.join(ends))[:40] or 'node'}-{what}"

    def refresh_view(self) -> None:
        """Show the draft, and what the servers say; when one of them is there no more, that is over."""
        workbench, count = self.program.workbench, len(self._servers.marked)
        if workbench is None:
            return
        if len(self._indexes) < count:
            self.dismiss(None)
            return
        way = self._way
        self.query_one("#way", Choice).show(way.value if way is not None else "")
        for field in self.query(Field):
            value, paths = self._value(field.path), self._paths(field.path)
            field.show(value or "", workbench.draft.findings_at(*paths))
            field.line.placeholder = self._placeholder(field.path) if value is not None else str(T("login.differs"))
            field.display = not field.path.startswith("ssh.bastion.") or way is BastionWay.OWN
        for secret in self.query(SecretField):
            secret.show(workbench, self._paths(secret.path))
            secret.display = ".bastion." not in secret.path or way is BastionWay.OWN
        self._draw_state(workbench)

    def _placeholder(self, path: str) -> str:
        """What holds while a field is empty."""
        short = path.removeprefix("ssh.")
        usual = text_at(self._data, path) or USUAL_LOGIN[short] if short in USUAL_LOGIN else ""
        mark = "~" if self.program.settings.ascii_only else "…"
        return str(T("login.from_site", value=path_end(usual, USUAL_CELLS, mark))) if usual else ""

    def _draw_state(self, workbench: Workbench) -> None:
        indexes = self._indexes
        rows = node_rows(workbench.draft.data, workbench.live, workbench.findings)
        mine = [row for row in rows if row.index in indexes]
        if not mine:
            return
        worst = max(mine, key=lambda row: row.login.mark)
        page = login_line(self, workbench, worst)
        if len(mine) > 1 and worst.name not in page.plain:
            page = Line(f"{worst.name}: ").append_text(page)
        state = self.query_one("#login-state", Static)
        if page != state.content:
            state.update(page, layout=False)

    # --- what is done ----------------------------------------------------------------------------------------

    def on_field_changed(self, event: Field.Changed) -> None:
        """Take over what is typed, letter by letter."""
        path, typed, workbench = event.field.path, event.value, self.program.workbench
        value = number_or_text(typed) if path.endswith(".port") else typed.strip()
        if workbench is not None:
            indexes = self._indexes
            workbench.change(lambda data: _put_in_all(data, indexes, path, value), merge=f"login {path}")

    def on_choice_line_changed(self, event: ChoiceLine.Changed) -> None:
        """Choose the way to the servers."""
        workbench = self.program.workbench
        if workbench is not None:
            way, indexes = BastionWay(event.value), self._indexes

            def choose(data: Data) -> None:
                for index in indexes:
                    set_bastion_way(data, index, way, self._bastion)

            workbench.change(choose, merge="way")
            self.refresh_view()

    @work(group="dialog", exit_on_error=False)
    async def on_secret_line_wanted(self, event: SecretLine.Wanted) -> None:
        """Store a secret, or drop the reference."""
        field = next(field for field in self.query(SecretField) if field.path == event.path)
        await answer_wish(self, field, store=event.store, paths=lambda: self._paths(field.path))

    def on_input_submitted(self) -> None:
        """Enter goes on to the next field."""
        self.focus_next()

    def action_ask_again(self) -> None:
        """Ask the servers once more."""
        workbench = self.program.workbench
        if workbench is not None:
            for name in self._names:
                workbench.ask_again(name)


def _put_in_all(data: Data, indexes: Sequence[int], path: str, value: str | int) -> None:
    """Put a value into a field of several nodes; each keeps its way, also when the last of its fields is emptied."""
    for index in indexes:
        own = way_of(data, index) is BastionWay.OWN
        put(data, f"nodes[{index}].{path}", value)
        if own and way_of(data, index) is not BastionWay.OWN:
            set_bastion_way(data, index, BastionWay.OWN, {})
