"""``failover``: the replica of the MySQL pair becomes the source, after what is lost was said.

Of storage it says with which commands the copy of the NFS server becomes the server, and does nothing.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from rbdtui.cli.commands import answer_commands
from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import Exit, answer, answer_json, tell
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.session import Session
from rbdtui.words import T
from rbdtui.workbench.upkeep.failover_survey import look_at_failover
from rbdtui.workbench.upkeep.storage_failover import storage_checklist


@click.command(
    cls=Command,
    help=str(T("failover.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "failover site-a --dry-run",
        "failover site-a",
        "failover site-a --of storage",
    ),
)
@site_argument()
@click.option(
    "--of", "part", type=click.Choice(("mysql", "storage")), default="mysql", help=str(T("failover.option.of"))
)
@click.option("--dry-run", is_flag=True, help=str(T("failover.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("failover.option.yes")))
@json_option()
def failover(site: Path, part: str, dry_run: bool, yes: bool, as_json: bool, common: Common) -> int:
    """Make the replica the source, and lead Rainbond there."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    if part == "storage":
        return _tell_storage(session, as_json=as_json)
    refuse_when_busy(session)
    planned = asyncio.run(look_at_failover(session))
    if planned.warning is not None:
        tell(planned.warning)
    return carry_out(session, planned.purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)


def _tell_storage(session: Session, *, as_json: bool) -> int:
    """What is lost, and each step with its commands, as they are to be typed."""
    checklist = asyncio.run(storage_checklist(session))
    if as_json:
        steps = [{"what": step.what.to_json(), "commands": step.commands} for step in checklist.steps]
        answer_json({"loss": checklist.loss.to_json(), "steps": steps})
        return Exit.GOOD
    answer(checklist.loss)
    answer_commands(checklist.steps)
    return Exit.GOOD
