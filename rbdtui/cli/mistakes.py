"""Mistakes on the command line as sentences of ours, with the word that was meant where one comes near."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

import click

from rbdtui.cli.options import WrongWord, typed_name
from rbdtui.words import T, Text


def usage_text(mistake: click.ClickException) -> Text:
    """A mistake on the command line as a sentence of ours."""
    context = mistake.ctx if isinstance(mistake, click.UsageError) else None
    if isinstance(mistake, click.NoSuchOption):
        return _no_such_option(mistake.option_name, context)
    if isinstance(mistake, click.exceptions.NoSuchCommand):
        return _no_such_command(mistake.command_name, context)
    if isinstance(mistake, click.MissingParameter):
        name = mistake.param.human_readable_name if mistake.param is not None else ""
        return T("cli.usage.missing", name=name)
    if isinstance(mistake, WrongWord):
        return wrong_word_text(mistake.name, mistake.given, mistake.allowed)
    if isinstance(mistake, click.BadParameter):
        return _bad_value_text(mistake)
    return T("cli.usage.other", detail=mistake.format_message())


def meant_by(given: str, known: Iterable[str]) -> str | None:
    """The known word that comes nearest to a misspelt one; None when none comes near, or several as near."""
    typed, bare = given.lstrip("-").lower(), {word.lstrip("-"): word for word in known}
    near = get_close_matches(typed, bare, 2)
    if len({SequenceMatcher(None, word, typed).ratio() for word in near}) < len(near):
        return None
    return bare[near[0]] if near else None


def wrong_word_text(name: str, given: str, allowed: Iterable[str]) -> Text:
    """A word that is not allowed, with the one that was meant, else with all that are."""
    words = list(allowed)
    if (meant := meant_by(given, words)) is not None:
        return T("cli.usage.word_meant", name=name, given=given, meant=meant, allowed=", ".join(words))
    return T("cli.usage.word", name=name, given=given, allowed=", ".join(words))


def _no_such_option(given: str, context: click.Context | None) -> Text:
    params = context.command.params if context is not None else []
    known = [name for param in params if isinstance(param, click.Option) for name in param.opts]
    if (meant := meant_by(given, known)) is not None:
        return T("cli.usage.option_meant", option=given, meant=meant)
    return T(
        "cli.usage.no_such_option", option=given, command=context.command_path if context is not None else "rbdtui"
    )


def _no_such_command(given: str, context: click.Context | None) -> Text:
    group = context.command if context is not None else None
    known = group.list_commands(context) if context is not None and isinstance(group, click.Group) else []
    if (meant := meant_by(given, known)) is not None:
        return T("cli.usage.command_meant", command=given, meant=meant)
    if context is None or context.parent is None:
        return T("cli.usage.no_such_command", command=given)
    return T("cli.usage.no_such_subcommand", command=given, of=context.command_path, known=", ".join(known))


def _bad_value_text(mistake: click.BadParameter) -> Text:
    hint = mistake.param_hint or typed_name(mistake.param)
    kind = mistake.param.type if mistake.param is not None else None
    if isinstance(kind, click.IntRange):
        return T("cli.usage.range", name=str(hint), least=kind.min or 0, most=kind.max or 0)
    return T("cli.usage.bad_value", name=str(hint), detail=mistake.message)
