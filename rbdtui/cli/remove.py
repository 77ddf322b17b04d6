"""``remove``: a node leaves the cluster, and at the end cluster.yaml."""

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
from rbdtui.workbench.upkeep.leaving import known_node, look_at_leaving


@click.command(
    cls=Command,
    help=str(T("remove.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "remove site-a node3 --dry-run",
        "remove site-a node3",
    ),
)
@site_argument()
@click.argument("node", metavar="NODE")
@click.option("--dry-run", is_flag=True, help=str(T("remove.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("remove.option.yes")))
@json_option()
def remove(site: Path, node: str, dry_run: bool, yes: bool, as_json: bool, common: Common) -> int:
    """Take a node out of the cluster, dead or alive."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    known_node(session, node)
    refuse_when_busy(session)
    if session.site.vault_file.exists():
        session.unlock()
    leaving = asyncio.run(look_at_leaving(session, node))
    if leaving.silent is not None:
        tell(T("remove.silent", node=node, reason=leaving.silent))
    return carry_out(session, leaving.purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)
