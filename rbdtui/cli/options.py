"""What every command takes, and how a command is made: options in common, help in the operator's language."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from rbdtui.cli.help_pages import OurFormatter
from rbdtui.cli.output import answer, plain_signs_needed, say_simulated
from rbdtui.paths import as_typed
from rbdtui.site import Site
from rbdtui.words import LANGUAGES, T, use_site


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every command takes."""

    ascii_only: bool
    slow_link: bool
    color: bool
    passphrase_file: Path | None
    verbose: bool
    language_given: bool = False
    """Whether ``--lang`` was there; the language itself holds already."""


click.Context.formatter_class = OurFormatter

ASCII, SLOW_LINK, NO_COLOR = "--ascii", "--slow-link", "--no-color"
PASSPHRASE, VERBOSE = "--passphrase-file", "--verbose"
DRAWS = (ASCII, NO_COLOR)
FINDINGS = (*DRAWS, VERBOSE)
"""What a command shows of the options that every command takes; the others are taken and do nothing."""


def _show_help(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        answer(context.get_help())
        context.exit()


def _common_options(shown: Collection[str]) -> list[click.Option]:
    options = [
        click.Option(["--lang"], type=Word(LANGUAGES), expose_value=False, help=str(T("cli.option.lang"))),
        click.Option(["--ascii", "ascii_only"], is_flag=True, help=str(T("cli.option.ascii"))),
        click.Option(["--slow-link"], is_flag=True, help=str(T("cli.option.slow_link"))),
        click.Option(["--no-color"], is_flag=True, help=str(T("cli.option.no_color"))),
        click.Option(
            ["--passphrase-file"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            envvar="RBDTUI_PASSPHRASE_FILE",
            help=str(T("cli.option.passphrase_file")),
        ),
        click.Option(["-v", "--verbose"], is_flag=True, help=str(T("cli.option.verbose"))),
        click.Option(
            ["-h", "--help"], is_flag=True, is_eager=True, expose_value=False, callback=_show_help,
            help=str(T("cli.option.help")),
        ),
    ]  # fmt: skip
    for option in options:
        option.hidden = option.opts[-1] not in {*shown, "--lang", "--help"}
    return options


_BEFORE_THE_COMMAND = {"--ascii": 0, "--slow-link": 0, "--no-color": 0, "-v": 0, "--verbose": 0, "--passphrase-file": 1}
"""Options that may stand in front of a command's name too, and how many values each takes."""


def behind_the_command(args: Sequence[str]) -> list[str]:
    """The arguments of a group with the options that every command takes moved behind the command's name."""
    moved: list[str] = []
    kept: list[str] = []
    rest = list(args)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        name, equals, _ = rest[0].partition("=")
        values = 0 if equals else _BEFORE_THE_COMMAND.get(name, 1 if name == "--lang" else 0)
        (moved if name in _BEFORE_THE_COMMAND else kept).extend(rest[: 1 + values])
        del rest[: 1 + values]
    return [*kept, rest[0], *moved, *rest[1:]] if rest else list(args)


def typed_name(param: click.Parameter | None) -> str:
    """An option or argument as it is typed, or as the help names it."""
    if param is None:
        return ""
    return param.opts[0] if isinstance(param, click.Option) else param.human_readable_name


class WrongWord(click.BadParameter):
    """A word that is none of the allowed ones."""

    def __init__(self, name: str, given: str, allowed: Sequence[str]) -> None:
        super().__init__(given, param_hint=name)
        self.name, self.given, self.allowed = name, given, tuple(allowed)


class Word(click.Choice[str]):
    """One of some words; another one is told with what was typed."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word itself; raises `WrongWord`."""
        if value not in self.choices:
            raise WrongWord(typed_name(param), str(value), self.choices)
        return str(value)


class Command(click.Command):
    """A command with the options in common, which it receives as one `Common`."""

    def __init__(self, *args: Any, shows: Collection[str] = (), examples: Sequence[str] = (), **kwargs: Any) -> None:
        kwargs["params"] = [*kwargs.get("params", []), *_common_options(shows)]
        kwargs["add_help_option"] = False
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        """Command lines without the program's name."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """How the command is typed."""
        if self.examples:
            formatter.write_paragraph()
            formatter.write(f"{T('cli.help.examples')}\n")
            for example in self.examples:
                formatter.write(f"  rbdtui {example}\n")

    def invoke(self, ctx: click.Context) -> Any:
        """Gather the options in common, then run the command."""
        no_color = ctx.params.pop("no_color") or bool(os.environ.get("NO_COLOR"))
        ctx.color = False if no_color else None
        ctx.params["common"] = Common(
            ascii_only=ctx.params.pop("ascii_only") or plain_signs_needed(),
            slow_link=ctx.params.pop("slow_link"),
            color=not no_color,
            passphrase_file=ctx.params.pop("passphrase_file"),
            verbose=ctx.params.pop("verbose"),
            language_given=ctx.get_parameter_source("lang") is ParameterSource.COMMANDLINE,
        )
        return super().invoke(ctx)


class Group(click.Group):
    """Verbs that belong together."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["add_help_option"] = False
        super().__init__(*args, **kwargs)
        options = _common_options(())
        self.params += [options[0], options[-1]]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every verb with the whole of what it does."""
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help or "") for name, verb in verbs if verb is not None])

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which they are written."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Hand the options that stand in front of the verb on to it."""
        return super().parse_args(ctx, behind_the_command(args))


def site_argument(*, required: bool = False) -> Callable[[Any], Any]:
    """The site directory, by default the current one; from here on it stands in what is said to be typed."""
    if required:
        return click.argument("site", type=click.Path(path_type=Path), callback=_speak_of_site)
    return click.argument(
        "site",
        type=click.Path(path_type=Path),
        default=Path(),
        required=False,
        metavar="[SITE]",
        callback=_speak_of_site,
    )


def _speak_of_site(context: click.Context, _: click.Parameter, site: Path) -> Path:
    _named_site.set(site)
    use_site(as_typed(site))
    if not context.resilient_parsing and os.path.lexists(Site(site).simulation_file):
        say_simulated()
    return site


_named_site: ContextVar[Path | None] = ContextVar("named_site", default=None)


def named_site() -> Path | None:
    """The site that the command line names; None before it was read, and where a command has none."""
    return _named_site.get()


def mouse_option() -> Callable[[Any], Any]:
    """``--mouse``: off by default, because it takes the terminal's own select-and-copy away."""
    return click.option("--mouse", is_flag=True, help=str(T("cli.option.mouse")))


def json_option() -> Callable[[Any], Any]:
    """``--json``: the answer in its published machine-readable form."""
    return click.option("--json", "as_json", is_flag=True, help=str(T("cli.option.json")))


def choice_list(value: str | None, allowed: Sequence[str], option: str) -> tuple[str, ...]:
    """A comma-separated list of allowed words; raises `click.BadParameter` naming what is allowed."""
    if value is None:
        return tuple(allowed)
    words = tuple(word.strip() for word in value.split(",") if word.strip())
    wrong = [word for word in words if word not in allowed]
    if wrong or not words:
        raise WrongWord(option, ", ".join(wrong), allowed)
    return words
