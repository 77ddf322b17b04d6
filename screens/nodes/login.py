"""How to log in to one server or several, where it differs from the site; what they say to it stands below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from rich.text import Text as Line
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.spec.values import label_like
from rbdtui.words import T, Text
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import BastionMode, Value, put, set_bastion_way, text_at, way_of
from rbdtui.workbench.live.node_rows import USUAL_LOGIN, node_rows
from rbdtui.workbench.row_view import RowView
from rbdtui.workbench.workbench import Workbench
from screens.nodes.node_detail import login_line
from screens.shell.base import Dialog, key
from screens.terminal.paths import path_end
from screens.widgets.form_fields import Choice, FormField, Number, Secret
from screens.widgets.form_fields import Line as TextField
from screens.widgets.servers_form import ServersForm

USUAL_CELLS: Final = 26
"""Room for what holds for the site, behind the words that say so; longer, it would not be seen at all."""
_WAY: Final = "ssh.bastion"
_FIELDS: Final = (
    TextField("ssh.user"),
    Number("ssh.port"),
    TextField("ssh.key"),
    Secret("ssh.passphrase", "key"),
    Secret("ssh.password", "ssh"),
    Secret("ssh.sudo_password", "sudo"),
    Choice(_WAY, tuple(way.value for way in BastionMode)),
    TextField("ssh.bastion.address"),
    Number("ssh.bastion.port"),
    TextField("ssh.bastion.user"),
    TextField("ssh.bastion.key"),
    Secret("ssh.bastion.passphrase", "bastion-key"),
    Secret("ssh.bastion.password", "bastion"),
)


class LoginForm(ServersForm):
    """The ``ssh`` section of several nodes at once."""

    def __init__(self, servers: RowView) -> None:
        super().__init__(_FIELDS, servers, id="login-form")
        self._bastion: dict[str, object] = {}
        """A bastion host that was laid aside for another way."""

    @property
    def _way(self) -> BastionMode | None:
        ways = {way_of(self.data, index) for index in self.indexes}
        return ways.pop() if len(ways) == 1 else None

    def value(self, path: str) -> str | None:
        """What all of the servers have in a field; None when they differ."""
        if path != _WAY:
            return super().value(path)
        return self._way.value if self._way is not None else None

    def put(self, data: Data, path: str, value: Value | list[str]) -> None:
        """Put a value into a field of all; each keeps its way, also when the last of its fields is emptied."""
        for index in self.indexes:
            own = way_of(data, index) is BastionMode.OWN
            put(data, f"nodes[{index}].{path}", value)
            if own and way_of(data, index) is not BastionMode.OWN:
                set_bastion_way(data, index, BastionMode.OWN, {})

    def choose(self, data: Data, declared: Choice, value: str) -> None:
        """Choose the way to the servers."""
        for index in self.indexes:
            set_bastion_way(data, index, BastionMode(value), self._bastion)

    def is_shown(self, declared: FormField) -> bool:
        """A bastion of its own has fields."""
        return not declared.path.startswith(f"{_WAY}.") or self._way is BastionMode.OWN

    def usual_value(self, path: str) -> str:
        """What holds for the site."""
        short = path.removeprefix("ssh.")
        usual = text_at(self.data, path) or USUAL_LOGIN[short] if short in USUAL_LOGIN else ""
        mark = "~" if self.program.settings.ascii_only else "…"
        return str(T("login.from_site", value=path_end(usual, USUAL_CELLS, mark))) if usual else ""

    def secret_name(self, declared: Secret) -> str:
        """What a secret of these nodes is called in the vault: several have another one than any of them alone."""
        names = self.names
        ends = names if len(names) < 2 else [names[0][:18], f"to-{names[-1][:18]}"]
        return f"{label_like('-'.join(ends))[:40] or 'node'}-{declared.name}"


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
        self._form = LoginForm(self._servers)

    def title_text(self) -> Text:
        """Whose login: a server by its name, or the count of several."""
        names = self._form.names
        if len(names) > 1:
            return T("login.title_several", count=len(names))
        index = self._form.indexes[0] if names else 0
        return T("login.title", node=names[0] if names and names[0] else str(index + 1))

    def body(self) -> Iterable[Widget]:
        """The form, and what the server says."""
        yield self._form
        yield Static(id="login-state")

    def refresh_view(self) -> None:
        """Show the draft, and what the servers say; when one of them is there no more, that is over."""
        workbench, count = self.program.workbench, len(self._servers.marked)
        if workbench is None:
            return
        if len(self._form.indexes) < count:
            self.dismiss(None)
            return
        self._form.draw()
        self._draw_state(workbench)

    def _draw_state(self, workbench: Workbench) -> None:
        indexes = self._form.indexes
        rows = node_rows(workbench.draft.data, workbench.live, workbench.findings)
        mine = [row for row in rows if row.index in indexes]
        if not mine:
            return
        worst = max(mine, key=lambda row: row.login.mark)
        page = login_line(self, workbench, worst)
        as_bad = sum(row.login.mark == worst.login.mark for row in mine)
        if as_bad > 1:
            page = Line(f"{worst.name} +{as_bad - 1}: ").append_text(page)
        elif len(mine) > 1 and worst.name not in page.plain:
            page = Line(f"{worst.name}: ").append_text(page)
        state = self.query_one("#login-state", Static)
        if page != state.content:
            state.update(page, layout=False)

    # --- what is done ----------------------------------------------------------------------------------------

    def on_input_submitted(self) -> None:
        """Enter goes on to the next field."""
        self.focus_next()

    def action_ask_again(self) -> None:
        """Ask the servers once more."""
        workbench = self.program.workbench
        if workbench is not None:
            for name in self._form.names:
                workbench.ask_again(name)
