"""``failover``: the replica of the MySQL pair becomes the source, after what is lost was said."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import tell
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.session import Session
from rbdtui.words import T
from rbdtui.workbench.upkeep.failover_survey import look_at_failover


@click.command(
    cls=Command,
    help=str(T("failover.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "failover site-a --dry-run",
        "failover site-a",
    ),
)
@site_argument()
@click.option("--dry-run", is_flag=True, help=str(T("failover.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("failover.option.yes")))
@json_option()
def failover(site: Path, dry_run: bool, yes: bool, as_json: bool, common: Common) -> int:
    """Make the replica the source, and lead Rainbond there."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    refuse_when_busy(session)
    planned = asyncio.run(look_at_failover(session))
    if planned.silent is not None:
        source = planned.purpose.arguments["source"]
        tell(T("failover.silent", node=source, reason=planned.silent))
    return carry_out(session, planned.purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)
