"""Findings to be gone through: grouped by place, the worst first; Enter leads to where they can be put right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text as Line
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.findings import Finding, Severity
from rbdtui.words import Text
from rbdtui.workbench.clean import clean_lines
from rbdtui.workbench.sections import section_of
from screens.theme import rich_colour
from screens.widgets.field import severity_look

EVIDENCE_LINES = 4
SIGN_CELLS = 3


class FindingList(OptionList):
    """A list of findings; posts `Chosen` with the one that Enter was pressed on."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "key.open", id="open")]

    class Chosen(Message):
        """A finding was chosen."""

        def __init__(self, finding: Finding) -> None:
            super().__init__()
            self.finding = finding

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes, compact=True, markup=False)
        self._shown: tuple[Finding, ...] = ()
        self._language = ""

    @property
    def chosen(self) -> Finding | None:
        """The finding under the cursor."""
        option = self.highlighted_option
        return self._by_id().get(option.id or "") if option is not None else None

    def show(self, findings: Iterable[Finding], *, redraw: bool = False) -> None:
        """Show these; the cursor stays on the finding that it was on."""
        ordered = tuple(in_order(findings))
        if ordered == self._shown and not redraw:
            return
        before = self.highlighted_option.id if self.highlighted_option is not None else None
        self._shown = ordered
        self.clear_options()
        self.add_options(self._list())
        index = next((i for i, option in enumerate(self.options) if option.id == before), None)
        if index is None:
            index = next((i for i, option in enumerate(self.options) if not option.disabled), None)
        self.highlighted = index

    def _by_id(self) -> dict[str, Finding]:
        return {_id(index, finding): finding for index, finding in enumerate(self._shown)}

    def _list(self) -> list[Option]:
        options: list[Option] = []
        heading = None
        for index, finding in enumerate(self._shown):
            place = place_words(finding)
            if place != heading:
                heading = place
                options.append(Option(Line(place, style=f"bold {rich_colour(self.app, 'accent')}"), disabled=True))
            options.append(Option(self._line(finding), id=_id(index, finding)))
        return options

    def _line(self, finding: Finding) -> Table:
        """The sentence behind its sign; what does not fit goes on below itself."""
        colour, sign = severity_look(self, finding.severity)
        text = Line(str(finding.message), style="default")
        text.append(f"  {finding.code}", style="dim")
        if finding.severity is not Severity.INFO:
            for evidence in clean_lines(finding.evidence, EVIDENCE_LINES) if finding.evidence else ():
                text.append(f"\n{evidence}", style="dim")
            text.append(f"\n{finding.remedy}", style="dim")
        grid = Table.grid()
        grid.add_column(width=SIGN_CELLS)
        grid.add_column(ratio=1)
        grid.add_row(Line(f" {sign}", style=f"bold {colour}"), text)
        return grid

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Tell which finding was chosen."""
        event.stop()
        finding = self._by_id().get(event.option_id or "")
        if finding is not None:
            self.post_message(self.Chosen(finding))


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Places in the order in which they first occur with the worst first, and the worst first within each."""
    order = list(Severity)
    listed = sorted(findings, key=lambda finding: order.index(finding.severity))
    places = list(dict.fromkeys(place_words(finding) for finding in listed))
    return sorted(listed, key=lambda finding: places.index(place_words(finding)))


def place_words(finding: Finding) -> str:
    """Where a finding belongs, for a heading: the node, else the section."""
    place = finding.place
    return place.node or str(Text(f"section.{section_of(finding)}"))  # words: section.*


def _id(index: int, finding: Finding) -> str:
    return f"{finding.code}/{finding.place.node}/{finding.place.field}/{index}"


__all__: Sequence[str] = ("FindingList", "in_order", "place_words")
