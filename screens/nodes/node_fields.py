"""What Kubernetes is told of one server or several: addresses of further networks, labels and taints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import Value, is_existing, put, text_at, value_at
from rbdtui.workbench.live.service_words import Advice
from rbdtui.workbench.row_view import RowView
from screens.shell.base import Dialog, key
from screens.widgets.form_fields import Entries, FormField, Line
from screens.widgets.servers_form import ServersForm

INTERNAL: Final = "internal_address"
EXTERNAL: Final = "external_address"
LABELS: Final = "labels"
NODE_FIELDS: Final = (Line(INTERNAL), Line(EXTERNAL), Entries(LABELS), Entries("taints"))


class NodeForm(ServersForm):
    """Addresses are each server's own; labels and taints may be given to several at once."""

    def __init__(self, servers: RowView) -> None:
        super().__init__(NODE_FIELDS, servers, id="node-form")

    def is_shown(self, declared: FormField) -> bool:
        """Addresses are of one server; to nodes of a cluster that is there already nothing is given."""
        if any(value_at(self.data, path) is not None for path in self.paths(declared.path)):
            return True
        if declared.path in (INTERNAL, EXTERNAL):
            return len(self.indexes) == 1
        return not is_existing(self.data)

    def is_locked(self, declared: FormField) -> bool:
        """Addresses of several servers are not made the same."""
        return declared.path in (INTERNAL, EXTERNAL) and len(self.indexes) != 1

    def value(self, path: str) -> str | None:
        """Labels as they are typed: ``key=value``, of one without a value the key."""
        if path != LABELS:
            return super().value(path)
        values = {_label_text(value_at(self.data, each)) for each in self.paths(path)}
        return values.pop() if len(values) == 1 else None

    def put(self, data: Data, path: str, value: Value | list[str]) -> None:
        """Labels are a mapping in cluster.yaml."""
        labels = _labels(value) if path == LABELS and isinstance(value, list) else None
        for each in self.paths(path):
            put(data, each, dict(labels) if labels is not None else value)

    def usual_value(self, path: str) -> str:
        """Without one of its own it is the address of the login."""
        first = self.indexes[0] if len(self.indexes) == 1 else -1
        if path not in (INTERNAL, EXTERNAL) or first < 0:
            return ""
        inside = text_at(self.data, f"nodes[{first}].{INTERNAL}") if path == EXTERNAL else ""
        return inside or text_at(self.data, f"nodes[{first}].address")

    def advice(self, declared: FormField) -> Advice | None:
        """The addresses that the server has, as far as it has answered."""
        facts = self.workbench.live.facts.get(self.names[0]) if len(self.indexes) == 1 else None
        if declared.path == INTERNAL and facts is not None:
            held = [
                f"{interface.name} {address}"
                for interface in facts.interfaces if interface.name != "lo" for address in interface.addresses
            ]  # fmt: skip
            if held:
                return Advice(T("node_fields.held", addresses=clean_line(", ".join(held[:6]))))
        return super().advice(declared)

    def _as_typed(self, path: str, value: str) -> str:
        """A label that was just begun stays as it was typed."""
        typed = self._typed.get(path)
        if path == LABELS and typed is not None:
            return typed if _label_text(_labels(typed.replace(",", " ").split())) == value else value
        return super()._as_typed(path, value)


class NodeFieldsDialog(Dialog[None]):
    """Edits these fields; every change holds at once, and for all of the servers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("down", "app.focus_next", "move", show=False),
        key("up", "app.focus_previous", "move", show=False),
    ]
    AUTO_FOCUS = "TextLine"

    def __init__(self, data: Data, indexes: Sequence[int]) -> None:
        super().__init__()
        self._servers = RowView.marking(data, indexes)
        self._form = NodeForm(self._servers)

    def title_text(self) -> Text:
        """Whose fields: a server by its name, or the count of several."""
        names = self._form.names
        if len(names) > 1:
            return T("node_fields.title_several", count=len(names))
        return T("node_fields.title", node=names[0] if names and names[0] else "1")

    def body(self) -> Iterable[Widget]:
        """The form."""
        yield self._form

    def refresh_view(self) -> None:
        """Show the draft; when one of the servers is there no more, that is over."""
        if self.program.workbench is None:
            return
        if len(self._form.indexes) < len(self._servers.marked):
            self.dismiss(None)
            return
        self._form.draw()

    def on_input_submitted(self) -> None:
        """Enter goes on to the next field."""
        self.focus_next()


def _labels(entries: Iterable[str]) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in entries)
    return {name: value for name, _, value in pairs}


def _label_text(value: object) -> str:
    labels = value if isinstance(value, Mapping) else {}
    return ", ".join(f"{name}={text}" if text not in ("", None) else str(name) for name, text in labels.items())
