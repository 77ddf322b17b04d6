"""``move-storage``: Rainbond's own volumes go to another StorageClass, or its NFS server to another node.

Nothing of the old is deleted.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import CommandError, tell
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.session import Session
from rbdtui.words import T
from rbdtui.workbench.upkeep.storage_move import drop_purpose, left_alone, look_at_move


@click.command(
    "move-storage",
    cls=Command,
    help=str(T("move.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "move-storage site-a --to ceph-block --dry-run",
        "move-storage site-a --to ceph-block",
        "move-storage site-a --drop-old",
        "move-storage site-a --to-node node2",
    ),
)
@site_argument()
@click.option("--to", "storage_class", default="", metavar="CLASS", help=str(T("move.option.to")))
@click.option("--to-node", default="", metavar="NODE", help=str(T("move.option.to_node")))
@click.option("--back", is_flag=True, help=str(T("move.option.back")))
@click.option("--drop-old", is_flag=True, help=str(T("move.option.drop_old")))
@click.option("--dry-run", is_flag=True, help=str(T("move.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("move.option.yes")))
@json_option()
def move_storage(
    site: Path,
    storage_class: str,
    to_node: str,
    back: bool,
    drop_old: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    common: Common,
) -> int:
    """Move them, go back from a half of it, or throw old volumes away."""
    if (drop_old and (back or storage_class or to_node)) or (to_node and storage_class):
        raise CommandError(T("move.drop_alone"))
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    refuse_when_busy(session)
    purpose = drop_purpose() if drop_old else asyncio.run(look_at_move(session, storage_class, node=to_node, back=back))
    if (text := left_alone(purpose)) is not None:
        tell(text)
    return carry_out(session, purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)
