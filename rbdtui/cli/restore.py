"""``restore``: the cluster set back to a snapshot, after what is lost was said and the site's name was typed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import CommandError, tell_progress
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.cli.snapshot import open_site
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.words import T
from rbdtui.workbench.upkeep.snapshot_survey import restore_purpose


@click.command(
    cls=Command,
    help=str(T("restore.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "restore site-a etcd-snapshot-node1-1790000000 --dry-run",
        "restore site-a etcd-snapshot-node1-1790000000",
        "restore site-a etcd-snapshot-node1-1790000000 --without node3",
    ),
)
@site_argument()
@click.argument("snapshot", metavar="SNAPSHOT")
@click.option("--without", "without", metavar="NODE", multiple=True, help=str(T("restore.option.without")))
@click.option("--dry-run", is_flag=True, help=str(T("restore.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("restore.option.yes")))
@json_option()
def restore(
    site: Path, snapshot: str, without: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool, common: Common
) -> int:
    """Restore a snapshot that lies in the site or on a server."""
    session = open_site(site, common)
    refuse_when_busy(session)
    known = [node.name for node in session.spec.nodes]
    if unknown := [each for each in without if each not in known]:
        raise CommandError(T("reset.no_such_node", given=", ".join(unknown), known=", ".join(known)))
    if session.site.vault_file.exists():  # without one there is no copy here, but servers may have snapshots
        session.unlock()
    tell_progress(T("snapshots.looking", count=len(etcd_nodes(session.spec))))
    purpose = asyncio.run(restore_purpose(session, snapshot, without))
    return carry_out(session, purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)
