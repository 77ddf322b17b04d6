"""What screens may ask of the program that shows them; the program itself stands above them, in `screens.app`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen

from rbdtui.findings import Finding
from rbdtui.words import Text
from screens.terminal.settings import Settings
from screens.terminal.theme import Glyphs

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench

Answer = TypeVar("Answer")

FurtherCommand = tuple[Text, str, Callable[[], object]]
"""Words, the key if there is one, and how it is done."""


class KeyStrokes(Protocol):
    """How keys come in."""

    @property
    def at_a_stroke(self) -> bool:
        """Whether the key in hand came together with others, as those of a text that was pasted do."""
        ...


class Program(Protocol):
    """The program as screens know it."""

    workbench: Workbench | None
    """The site that is open."""
    settings: Settings
    """What holds now."""
    glyphs: Glyphs
    """Signs for states."""

    @property
    def key_order(self) -> KeyStrokes:
        """How keys come in."""
        ...

    @property
    def reverses(self) -> bool:
        """Whether the cursor is told by reversed letters, because colours are few or none."""
        ...

    @property
    def too_small(self) -> bool:
        """Whether there is no room to work."""
        ...

    # --- what is said and asked

    def tell(self, text: Text | str, *, bad: bool = False) -> None:
        """Say a sentence above the keys of the screen that is seen, until the next key; a good one goes by itself."""
        ...

    def sentence(self, error: BaseException) -> Text:
        """An error in words."""
        ...

    async def ask(self, dialog: ModalScreen[Answer]) -> Answer | None:
        """Put a dialog up, in a worker, and wait for its answer; None also when one of its kind is up already."""
        ...

    async def ensure_unlocked(self, why: Text) -> bool:
        """Whether the vault is open, after having asked for its passphrase where needed; for workers only."""
        ...

    def offer_question(self) -> None:
        """Bring an open question of the run up, unless something is in front already or it was put off."""
        ...

    # --- where one goes

    def show_section(self, section: str, field: str = "") -> None:
        """Show a section, with the cursor on a field where one is named."""
        ...

    def show_finding(self, finding: Finding) -> None:
        """Show where what a finding blames can be put right."""
        ...

    async def open_first(self) -> None:
        """Open what the program was started for."""
        ...

    def open_site(self, path: Path) -> None:
        """Open a site and show it; raises `SiteError`."""
        ...

    def edit_file(self, file: Path) -> None:
        """Open a file in the operator's editor, in place of the screen."""
        ...

    def action_leave(self) -> object:
        """Leave."""
        ...

    # --- commands and keys

    def do(self, action: str, node: DOMNode) -> None:
        """Do what a key does."""
        ...

    def further_commands(self) -> list[FurtherCommand]:
        """What the palette offers beyond what keys do on the screen."""
        ...

    def action_preferences(self) -> None:
        """Language, signs, link, colours."""
        ...

    def key_words(self, screen: Screen[Any], *, everything: bool = False) -> tuple[tuple[str, str], ...]:
        """The keys that do something on a screen now, with their words."""
        ...

    # --- looks

    def apply(self, change: Callable[[Settings], Settings]) -> None:
        """Change settings, keep them, and show them at work."""
        ...

    def remember(self, change: Callable[[Settings], Settings]) -> None:
        """Change the settings that hold and those that are kept."""
        ...

    def colour(self, name: str) -> str:
        """A colour of the theme for rich."""
        ...

    def text_on_screen(self) -> str:
        """The screen as plain text."""
        ...

    def keep_in_memory(self) -> None:
        """What a new section has brought stays to the end."""
        ...
