"""Everything that can be done, to be found by typing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text as Line
from textual.binding import BindingType
from textual.widgets import Input
from textual.widgets.option_list import Option

from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from screens.dialogs.found_by_typing import FoundByTyping
from screens.shell.base import BaseScreen, key
from screens.shell.keys import key_actions
from screens.shell.sections import SECTION_SCREENS

WORD_CELLS = 44


@dataclass(frozen=True, slots=True)
class Command:
    """Something that can be done."""

    word: str
    sign: str
    """The key that does it; empty when none does."""
    run: Callable[[], object]


class PaletteDialog(FoundByTyping[Command]):
    """Answers what was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "choose", "do", priority=True)]
    HINT = T("palette.hint")

    def __init__(self, behind: BaseScreen[Any]) -> None:
        super().__init__()
        self._behind = behind
        self._commands = self._all()
        """Found before this stands in front, when what the screen behind can do would not count."""

    def title_text(self) -> Text:
        """That commands are found by typing."""
        return T("palette.title")

    def on_mount(self) -> None:
        """List everything."""
        self._narrow("")

    def _all(self) -> list[Command]:
        program, behind = self._behind.program, self._behind
        found: dict[str, Command] = {}
        for word, sign, action, node in key_actions(behind, ascii_only=program.settings.ascii_only):
            found[word] = Command(word, sign, partial(program.do, action, node))
        for entry in SECTION_SCREENS if program.workbench is not None else ():
            word = str(T("palette.section", section=Text(f"section.{entry.section}")))
            found[word] = Command(word, entry.key, partial(program.show_section, entry.section))
        for text, sign, run in program.further_commands():
            found.setdefault(str(text), Command(str(text), sign, run))
        return list(found.values())

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what fits."""
        event.stop()
        self._narrow(event.value)

    def _narrow(self, wanted: str) -> None:
        words = wanted.lower().split()
        options = []
        for index, command in enumerate(self._commands):
            if all(word in command.word.lower() for word in words):
                word = command.word[:1].upper() + command.word[1:]
                line = Line(set_cell_size(word, max(cell_len(word) + 2, WORD_CELLS)), no_wrap=True)
                line.append(command.sign, style=self.style("footer-key-foreground", bold=True))
                options.append(Option(line, id=str(index)))
        self.show(options, str(T("palette.nothing", wanted=clean_line(wanted))))

    def action_choose(self) -> None:
        """Dismiss with the command under the cursor; without one stay."""
        option = self.listed.highlighted_option
        if option is not None:
            self.dismiss(self._commands[int(str(option.id))])
