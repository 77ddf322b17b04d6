"""Ready-made divisions of work: what each would make of every node, before it is taken over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.text import Text as Line
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import nodes_in
from rbdtui.workbench.roles import LEAST_NODES, Preset, RoleChange, preset_changes, preset_leaves_vip
from screens.shell.base import Dialog, Words, key
from screens.widgets.choices import Choices

MOST_OTHERS: Final = 6
"""So many nodes that nothing changes for are named."""


class PresetsDialog(Dialog[Preset]):
    """Answers which division is to be taken over."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "take", "take_over"),
        key("pagedown", "page(1)", "further", priority=True),
        key("pageup", "page(-1)", "further", show=False, priority=True),
    ]
    AUTO_FOCUS = "#presets"

    def __init__(self, data: Data) -> None:
        super().__init__()
        self._data = data
        self._count = len(nodes_in(data))

    def title_text(self) -> Text:
        """That these are presets of roles."""
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
        if preset_leaves_vip(self._data, preset):
            page.append(f"{T('roles.presets.leaves_vip')}\n\n", style=self.style("warning"))
        changes = [replace(change, node=clean_line(change.node)) for change in preset_changes(self._data, preset)]
        names = max((cell_len(change.node) for change in changes if change.changes), default=0)
        for change in changes:
            if change.changes:
                page.append(f"{change.node}{' ' * (names - cell_len(change.node))} ", style="bold")
                self._append_roles(page, change)
        if others := [change.node for change in changes if not change.changes]:
            page.append(f"{_others(others)}\n", style="dim")
        page.rstrip()
        return page

    def _append_roles(self, page: Line, change: RoleChange) -> None:
        """What stays, what comes (+) and what goes (-)."""
        for role in [*change.after, *(role for role in change.before if role not in change.after)]:
            if role in change.before and role in change.after:
                page.append(f" {role}", style="dim")
            elif role in change.after:
                page.append(f" +{role}", style=self.style("success", bold=True))
            else:
                page.append(f" -{role}", style=self.style("error"))
        page.append("\n")

    @property
    def _pane(self) -> VerticalScroll:
        return self.query_one("#page", VerticalScroll)

    def on_mount(self) -> None:
        """Whether there is something further down decides about a key."""
        self.watch(self._pane, "show_vertical_scrollbar", self.refresh_bindings, init=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something further only where not all is in sight."""
        return action != "page" or (self.is_mounted and self._pane.show_vertical_scrollbar)

    def action_page(self, by: int) -> None:
        """See the nodes further down, or up again."""
        page = self._pane
        page.scroll_relative(y=by * max(1, page.size.height - 1), animate=False)

    def on_option_list_option_highlighted(self) -> None:
        """Say what it would change."""
        self.query_one("#changes", Words).refresh(layout=True)

    def on_option_list_option_selected(self) -> None:
        """Enter on a division."""
        self.action_take()

    def action_take(self) -> None:
        """Dismiss with the preset under the cursor; while there is none stay."""
        if self._preset is not None:
            self.dismiss(self._preset)


def _others(nodes: Sequence[str]) -> Text:
    named, more = ", ".join(nodes[:MOST_OTHERS]), len(nodes) - MOST_OTHERS
    if more > 0:
        return T("roles.presets.others_many", nodes=named, more=more)
    return T("roles.presets.others", nodes=named)
