"""The command line as a whole: its verbs, and how every mistake and failure leaves it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import click

from rbdtui import __version__
from rbdtui.cli.check import bundle_group, check, plan
from rbdtui.cli.demo import demo
from rbdtui.cli.health import health
from rbdtui.cli.output import CommandError, Exit, tell
from rbdtui.cli.run import attach, pause, resume, retry, run, stop
from rbdtui.cli.schema import schema
from rbdtui.cli.screen import ProgramGroup, open_screen
from rbdtui.cli.sites import completion, init, secret_group, trust
from rbdtui.site import SiteError
from rbdtui.transport.base import TransportError
from rbdtui.words import T, Text


@click.group(name="rbdtui", cls=ProgramGroup, help=str(T("cli.help.program")))
@click.version_option(__version__, "--version", message="%(prog)s %(version)s", help=str(T("cli.option.version")))
def program() -> None:
    """The program itself; the verbs below do the work."""


for command in (
    open_screen, init, trust, secret_group, check, plan, bundle_group, run, attach, pause, resume, retry, stop, health,
    demo, completion, schema,
):  # fmt: skip
    program.add_command(command)


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit status and never raises, whatever happens."""
    try:
        result = program.main(list(arguments), prog_name="rbdtui", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (KeyboardInterrupt, click.Abort):
        tell("")
        tell(T("cli.interrupted"))
        return Exit.INTERRUPTED
    except click.ClickException as mistake:
        tell(usage_text(mistake))
        return Exit.USAGE
    except (CommandError, SiteError, TransportError) as error:
        tell(error.text)
        remedy = getattr(error, "remedy", None)
        if remedy is not None:
            tell(remedy)
        return getattr(error, "exit_status", Exit.USAGE)
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.GOOD
    except Exception as error:
        return _report_defect(error, verbose="-v" in arguments or "--verbose" in arguments)
    return int(result) if isinstance(result, int) else Exit.GOOD


def _report_defect(error: Exception, *, verbose: bool) -> int:
    tell(T("cli.defect", kind=type(error).__name__, detail=str(error)[:300]))
    if verbose:
        tell("".join(traceback.format_exception(error)))
    return Exit.USAGE


def usage_text(mistake: click.ClickException) -> Text:
    """A mistake on the command line as a sentence of ours."""
    if isinstance(mistake, click.NoSuchOption):
        guesses = ", ".join(mistake.possibilities or ()) or "--help"
        return T("cli.usage.no_such_option", option=mistake.option_name, guesses=guesses)
    if isinstance(mistake, click.exceptions.NoSuchCommand):
        return T("cli.usage.no_such_command", command=mistake.command_name, known=", ".join(program.commands))
    if isinstance(mistake, click.MissingParameter):
        name = mistake.param.human_readable_name if mistake.param is not None else ""
        return T("cli.usage.missing", name=name)
    if isinstance(mistake, click.BadParameter):
        return _bad_value_text(mistake)
    return T("cli.usage.other", detail=mistake.format_message())


def _bad_value_text(mistake: click.BadParameter) -> Text:
    hint = mistake.param_hint or (mistake.param.human_readable_name if mistake.param is not None else "")
    kind = mistake.param.type if mistake.param is not None else None
    if isinstance(kind, click.Choice):
        return T("cli.usage.choice", name=str(hint), allowed=", ".join(kind.choices))
    if isinstance(kind, click.IntRange):
        return T("cli.usage.range", name=str(hint), least=kind.min or 0, most=kind.max or 0)
    return T("cli.usage.bad_value", name=str(hint), detail=mistake.message)
