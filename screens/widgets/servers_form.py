"""A form about several servers at once: what is typed goes to each, and what they do not share is not shown."""

from __future__ import annotations

from collections.abc import Sequence

from rbdtui.workbench.draft.operations import text_at
from rbdtui.workbench.row_view import RowView
from screens.widgets.declared_form import DeclaredForm
from screens.widgets.form_fields import Declared


class ServersForm(DeclaredForm):
    """Fields of nodes, in a dialog."""

    RESTING = False

    def __init__(self, fields: Sequence[Declared], servers: RowView, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(fields, id=id)
        self._servers = servers
        """Follows the servers when others come or go meanwhile."""

    @property
    def indexes(self) -> list[int]:
        """Places of the servers in the list as it is now."""
        self._servers.follow(self.data)
        return sorted(self._servers.marked)

    @property
    def names(self) -> list[str]:
        """Names of the servers."""
        return [text_at(self.data, f"nodes[{index}].name") for index in self.indexes]

    def paths(self, path: str) -> Sequence[str]:
        """A field of every one of the servers."""
        return [f"nodes[{index}].{path}" for index in self.indexes]
