"""The way to the terminal UI: ``rbdtui [SITE]`` and the demo open it; nothing else imports it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rbdtui.cli.options import Command, Common, Group, mouse_option
from rbdtui.cli.output import CommandError, tell
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.words import T, current_language

if TYPE_CHECKING:
    from rbdtui.workbench.passphrase import HeldPassphrase
    from rbdtui.workbench.workbench import Workbench

SCREEN_COMMAND = "open"
"""The command that stands for no command."""
_WITH_VALUE = ("--lang", "--passphrase-file")


class ProgramGroup(Group):
    """The verbs; a site, options alone, or nothing at all mean the screen."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the screen's own command in front where no verb is named."""
        if means_screen(args, self.commands):
            args = [SCREEN_COMMAND, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say that a site alone will do."""
        formatter.write_usage(ctx.command_path, "[SITE]")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...", " " * 7)


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


@click.command(name=SCREEN_COMMAND, cls=Command, help=str(T("cli.help.open")))
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
    workbench: Workbench | None = None,
    passphrases: HeldPassphrase | None = None,
) -> int:
    """Show the screen until the operator leaves; its exit status."""
    from rbdtui.workbench.passphrase import HeldPassphrase
    from screens.launch import Wish, launch

    wish = Wish(
        common.ascii_only, common.slow_link, common.color, mouse, current_language() if common.language_given else None
    )
    source = PromptOrFile(common.passphrase_file) if common.passphrase_file is not None else None
    status, farewell = launch(wish, passphrases or HeldPassphrase(source), site=site, workbench=workbench)
    for text in farewell:
        tell(text)
    return status
