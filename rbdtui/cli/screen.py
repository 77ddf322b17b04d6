"""The way to the terminal UI: ``rbdtui [SITE]`` and the demo open it; nothing else imports it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, mouse_option
from rbdtui.cli.output import CommandError, tell
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.words import T, Text, current_language

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench

SCREEN_COMMAND = "open"
"""The command that stands for no command."""
_WITH_VALUE = ("--lang", "--passphrase-file")


def means_screen(arguments: Sequence[str], commands: Collection[str]) -> bool:
    """Whether arguments name no verb: none, options only, or a path where a verb would be."""
    first = first_word(arguments)
    if first is None:
        return not {"-h", "--help", "--version"} & set(arguments)
    return first not in commands and ("/" in first or first.startswith((".", "~")) or Path(first).exists())


def first_word(arguments: Sequence[str]) -> str | None:
    """The first argument that is neither an option nor the value of one; None when there is none."""
    values_expected = False
    for argument in arguments:
        if not values_expected and not argument.startswith("-"):
            return argument
        values_expected = argument in _WITH_VALUE
    return None


@click.command(
    name=SCREEN_COMMAND,
    cls=Command,
    help=str(T("cli.help.open")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=("open site-a",),
)
@click.argument("site", type=click.Path(path_type=Path), required=False, metavar="[SITE]")
@mouse_option()
def open_screen(site: Path | None, mouse: bool, common: Common) -> int:
    """Open the terminal UI."""
    refuse_without_terminal(common)
    if site is None and Path("cluster.yaml").is_file():
        site = Path()
    return show_screen(site, mouse=mouse, common=common)


def refuse_without_terminal(common: Common) -> None:
    """Raise `CommandError` where there can be no screen, saying what works instead."""
    from screens.launch import refusal

    if (reason := refusal()) is not None:
        raise CommandError(reason, remedy=T("launch.instead"))


def show_screen(
    site: Path | None,
    *,
    mouse: bool,
    common: Common,
    opener: Callable[[], Workbench] | None = None,
    opening: Text | None = None,
) -> int:
    """Show the screen until the operator leaves; its exit status."""
    from screens.launch import LaunchOptions, launch

    language = current_language() if common.language_given else None
    wish = LaunchOptions(common.ascii_only, common.slow_link, common.color, mouse, language)
    source = PromptOrFile(common.passphrase_file) if common.passphrase_file is not None else None
    status, farewell = launch(wish, site=site, opener=opener, opening=opening, passphrase_source=source)
    for text in farewell:
        tell(text)
    return status
