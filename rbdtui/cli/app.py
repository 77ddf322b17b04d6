"""The command line as a whole: its verbs, and how every mistake and failure leaves it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

import click

from rbdtui import __version__
from rbdtui.cli.mistakes import usage_text
from rbdtui.cli.options import Group, named_site
from rbdtui.cli.output import CommandError, Exit, answer_json, begin_answering, evidence_lines, has_answered_json, tell
from rbdtui.cli.screen import SCREEN_COMMAND, means_screen
from rbdtui.errors import NotNowError, SentenceError, StepError
from rbdtui.transport.base import TransportError
from rbdtui.words import T, Text

VERBS: Final[Mapping[str, tuple[str, str]]] = {
    SCREEN_COMMAND: ("rbdtui.cli.screen", "open_screen"),
    "init": ("rbdtui.cli.sites", "init"),
    "import": ("rbdtui.cli.handover", "import_"),
    "export": ("rbdtui.cli.handover", "export"),
    "trust": ("rbdtui.cli.sites", "trust"),
    "secret": ("rbdtui.cli.sites", "secret_group"),
    "check": ("rbdtui.cli.check", "check"),
    "audit": ("rbdtui.cli.audit", "audit"),
    "convert": ("rbdtui.cli.convert", "convert"),
    "plan": ("rbdtui.cli.check", "plan"),
    "bundle": ("rbdtui.cli.check", "bundle_group"),
    "repair": ("rbdtui.cli.repair", "repair"),
    "run": ("rbdtui.cli.run", "run"),
    "attach": ("rbdtui.cli.run", "attach"),
    "pause": ("rbdtui.cli.run", "pause"),
    "resume": ("rbdtui.cli.run", "resume"),
    "retry": ("rbdtui.cli.run", "retry"),
    "stop": ("rbdtui.cli.run", "stop"),
    "runs": ("rbdtui.cli.past", "runs"),
    "logs": ("rbdtui.cli.past", "logs"),
    "kubeconfig": ("rbdtui.cli.past", "kubeconfig"),
    "health": ("rbdtui.cli.health", "health"),
    "report": ("rbdtui.cli.report", "report"),
    "drill": ("rbdtui.cli.drill", "drill"),
    "support-bundle": ("rbdtui.cli.support_bundle", "support_bundle"),
    "snapshot": ("rbdtui.cli.snapshot", "snapshot"),
    "snapshots": ("rbdtui.cli.snapshot", "snapshots"),
    "restore": ("rbdtui.cli.restore", "restore"),
    "remove": ("rbdtui.cli.remove", "remove"),
    "certs": ("rbdtui.cli.certs", "certs"),
    "renew": ("rbdtui.cli.certs", "renew"),
    "failover": ("rbdtui.cli.failover", "failover"),
    "move-storage": ("rbdtui.cli.move_storage", "move_storage"),
    "reboot": ("rbdtui.cli.reboot", "reboot"),
    "reset": ("rbdtui.cli.reset", "reset"),
    "demo": ("rbdtui.cli.demo", "demo"),
    "completion": ("rbdtui.cli.sites", "completion"),
    "schema": ("rbdtui.cli.schema", "schema"),
    "version": ("rbdtui.cli.schema", "version"),
}
"""Module and name of every verb, in the order of the work; a verb is imported when it is named."""


TOLD_LINES: Final = 100
"""Of what was seen of an error."""


class Program(Group):
    """The verbs; a site, options alone, or nothing at all mean the screen."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One verb; None when there is none of that name."""
        if cmd_name not in VERBS:
            return None
        module, name = VERBS[cmd_name]
        return cast(click.Command, getattr(import_module(module), name))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the screen's own verb in front where none is named."""
        to_screen = not ctx.resilient_parsing and means_screen(args, VERBS)
        return super().parse_args(ctx, [SCREEN_COMMAND, *args] if to_screen else args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say that a site alone will do."""
        from rich.cells import cell_len

        formatter.write_usage(ctx.command_path, "[SITE]")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...", " " * cell_len(f"{T('cli.help.usage')} "))


@click.group(name="rbdtui", cls=Program, help=str(T("cli.help.program")))
@click.version_option(__version__, "--version", message="%(prog)s %(version)s", help=str(T("cli.option.version")))
def program() -> None:
    """The program itself; the verbs do the work."""


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit status and never raises, whatever happens."""
    return copy_context().run(_run, arguments)


def _run(arguments: Sequence[str]) -> int:
    as_json = "--json" in arguments
    try:
        begin_answering()
        result = program.main(list(arguments), prog_name="rbdtui", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (KeyboardInterrupt, click.Abort):
        tell("")
        tell(T("cli.interrupted") if _run_under_way() else T("cli.interrupted_alone"))
        return Exit.INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as bare:
        tell(bare.ctx.get_help() if bare.ctx is not None else usage_text(bare))
        return Exit.USAGE
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.GOOD
    except Exception as error:
        return _tell_failure(_failure_of(error), error, as_json=as_json, arguments=arguments)
    return int(result) if isinstance(result, int) else Exit.GOOD


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a command could not do what it was asked for."""

    text: Text
    remedy: Text | None = None
    evidence: str = ""
    status: int = Exit.USAGE
    is_defect: bool = False

    def to_json(self) -> dict[str, object]:
        """The published form, ``error.schema.json``."""
        words = {"message": str(self.text), "evidence": self.evidence, "remedy": str(self.remedy or "")}
        return {"error": {**words, "exit_status": int(self.status)}}


def _failure_of(error: Exception) -> _Failure:
    if isinstance(error, click.ClickException):
        return _Failure(usage_text(error))
    if isinstance(error, CommandError):
        return _Failure(error.text, error.remedy, status=error.exit_status)
    if isinstance(error, StepError):
        return _Failure(error.text, error.remedy, error.evidence)
    if isinstance(error, TransportError):
        return _Failure(error.text, error.remedy)
    if isinstance(error, NotNowError):
        return _Failure(error.text, status=Exit.FINDINGS)
    if isinstance(error, SentenceError):
        return _Failure(error.text)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return _failure_of(StepError("jump_host_file", path=str(error.filename), reason=error.strerror))
    detail = T("cli.defect", kind=type(error).__name__, detail=str(error)[:300])
    return _Failure(detail, is_defect=True)


def _run_under_way() -> bool:
    """Whether the site that the command was about has a run under way; True where nobody can tell."""
    site = named_site()
    if site is None:
        return False
    from rbdtui.engine.lock import holder_of
    from rbdtui.site import Site

    try:
        return holder_of(Site(site.resolve())) is not None
    except (SentenceError, OSError):
        return True


def _tell_failure(failure: _Failure, error: Exception, *, as_json: bool, arguments: Sequence[str]) -> int:
    """What cannot be done, what was seen where that is kept apart, and what to do where there is more to say."""
    tell(failure.text)
    for line in evidence_lines(failure.evidence, most=TOLD_LINES, indent=2):
        tell(line)
    if failure.remedy is not None:
        tell(failure.remedy)
    if failure.is_defect and ("-v" in arguments or "--verbose" in arguments):
        tell("".join(traceback.format_exception(error)))
    if as_json and not has_answered_json():
        answer_json(failure.to_json(), one_line=True)
    return failure.status
