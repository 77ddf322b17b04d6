"""Questions on the terminal, in the operator's language to the last word; nobody to ask is an error with a remedy."""

from __future__ import annotations

import sys

import click

from rbdtui.cli.output import CommandError, tell
from rbdtui.words import T, Text

_YES = ("y", "yes")


def agreed(question: Text, *, instead: Text) -> bool:
    """Whether yes is the answer; ``instead`` is said when standard input has none at all."""
    try:
        letters: str = click.prompt(f"{question} [y/N]", default="", show_default=False, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        tell("")  # behind the question, which nobody has answered
        raise CommandError(instead) from None
    return letters.strip().lower() in _YES


def confirm_by_name(name: str, question: Text, *, instead: Text, refusal: Text) -> None:
    """Have a cluster's name typed; raises `CommandError` with ``instead`` without a terminal, else with ``refusal``."""
    if not sys.stdin.isatty():
        raise CommandError(instead)
    typed: str = click.prompt(str(question), err=True, default="", show_default=False)
    if typed != name:
        raise CommandError(refusal)


def hidden(prompt: Text, *, twice: bool) -> str:
    """What is typed without echo; typed ``twice``, until both are the same."""
    while True:
        value: str = click.prompt(str(prompt), hide_input=True, err=True)
        if not twice:
            return value
        again: str = click.prompt(str(T("cli.ask.again")), hide_input=True, err=True)
        if value == again:
            return value
        tell(T("cli.ask.differ"))
