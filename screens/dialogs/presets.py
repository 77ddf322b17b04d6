"""Ready-made divisions of work: what each would make of every node, before it is taken over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text as Line
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.words import T, Text
from rbdtui.workbench.draft import Data
from rbdtui.workbench.operations import nodes_in
from rbdtui.workbench.roles import LEAST_NODES, Preset, preset_changes, preset_leaves_vip
from screens.base import Dialog, Words, key
from screens.widgets.choices import Choices


class PresetsDialog(Dialog[Preset]):
    """Answers which division is to be taken over."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "take", "take_over")]
    AUTO_FOCUS = "#presets"

    def __init__(self, data: Data) -> None:
        super().__init__()
        self._data = data
        self._count = len(nodes_in(data))

    def title_text(self) -> Text:
        """What it is about."""
        return T("roles.presets.title")

    def body(self) -> Iterable[Widget]:
        """The divisions, and what the one under the cursor would change."""
        yield Choices(*(self._option(preset) for preset in Preset), id="presets", compact=True)
        with VerticalScroll(id="page", can_focus=False):
            yield Words(self._page, id="changes")

    def _option(self, preset: Preset) -> Option:
        line = Line(str(T(f"roles.preset.{preset.value}")))  # words: roles.preset.*
        missing = LEAST_NODES[preset] > self._count
        if missing:
            line.append(f"  {T('roles.presets.needs', count=LEAST_NODES[preset])}", style="dim")
        return Option(line, id=preset.value, disabled=missing)

    @property
    def _preset(self) -> Preset | None:
        option = self.query_one("#presets", OptionList).highlighted_option
        return Preset(option.id) if option is not None and option.id else None

    def _page(self) -> Line:
        preset = self._preset if self.is_mounted else None
        page = Line()
        if preset is None:
            page.append(str(T("roles.presets.none")), style="dim")
            return page
        changes = preset_changes(self._data, preset)
        names = max((cell_len(change.node) for change in changes), default=0)
        for change in changes:
            style = "" if change.changes else "dim"
            page.append(
                f"{change.node}{' ' * (names - cell_len(change.node))}  ", style="bold" if style == "" else style
            )
            page.append(", ".join(change.after), style=style)
            page.append(f"  {T('roles.presets.as_it_is')}\n" if not change.changes else "\n", style="dim")
        if preset_leaves_vip(self._data, preset):
            page.append(f"\n{T('roles.presets.leaves_vip')}", style=self.style("warning"))
        page.rstrip()
        return page

    def on_option_list_option_highlighted(self) -> None:
        """Say what it would change."""
        self.query_one("#changes", Words).refresh(layout=True)

    def on_option_list_option_selected(self) -> None:
        """Enter on a division."""
        self.action_take()

    def action_take(self) -> None:
        """Answer."""
        if self._preset is not None:
            self.dismiss(self._preset)
