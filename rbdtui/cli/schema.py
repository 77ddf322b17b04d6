"""The published shapes of every ``--json`` answer."""

from __future__ import annotations

import json

import click

from rbdtui import __version__
from rbdtui.cli.options import Command, Common, Word
from rbdtui.cli.output import answer
from rbdtui.engine.schema import event_schema
from rbdtui.paths import asset
from rbdtui.words import T

SCHEMAS = (
    "check",
    "audit",
    "plan",
    "run",
    "runs",
    "health",
    "history",
    "import",
    "drill",
    "repair",
    "snapshots",
    "certs",
    "error",
)


@click.command(
    cls=Command,
    help=f"{T('cli.help.schema')}\n\n{T('cli.help.schema_names', names=', '.join(SCHEMAS))}",
    short_help=str(T("cli.help.schema")),
    examples=("schema check",),
)
@click.argument("name", type=Word(SCHEMAS), metavar="NAME")
def schema(name: str, common: Common) -> None:
    """Print the JSON schema of an answer."""
    if name == "run":
        answer(json.dumps(event_schema(), indent=2))
    else:
        answer(asset("schemas", f"{name}.schema.json").read_text(encoding="utf-8").rstrip())


@click.command(
    cls=Command,
    help=str(T("cli.help.version")),
    examples=("version",),
)
def version(common: Common) -> None:
    """Print the version, as ``--version`` does."""
    answer(f"rbdtui {__version__}")
