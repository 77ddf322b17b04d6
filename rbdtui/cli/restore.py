"""``restore``: the cluster set back to a snapshot, after what is lost was said and the site's name was typed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import click

from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import CommandError, Exit, tell_progress
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.cli.snapshot import find_snapshots, open_site
from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.recipes.restore import DIGEST, NAME, RECIPE, SOURCE, TAKEN, WITHOUT, first_restored
from rbdtui.plan.snapshots import Snapshot, SnapshotState
from rbdtui.session import Session
from rbdtui.transport.base import Host, TransportError
from rbdtui.words import T


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
    first = first_restored(session.spec, frozenset(without)).name
    if session.site.vault_file.exists():  # without one there is no copy here, but servers may have snapshots
        session.unlock()
    tell_progress(T("snapshots.looking", count=len(etcd_nodes(session.spec))))
    chosen, source = _chosen(session, snapshot, first, without)
    _refuse_silent(session, [each for each in known if each not in without])
    arguments = {
        NAME: chosen.name,
        DIGEST: chosen.digest,
        SOURCE: source,
        WITHOUT: " ".join(without),
        TAKEN: time.strftime("%Y-%m-%d %H:%M", time.localtime(chosen.taken_at)),
    }
    purpose = Purpose(PurposeKind.RECIPE, recipe=RECIPE.name, arguments=arguments)
    return carry_out(
        session, purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common, by_name=True
    )  # fmt: skip


def _chosen(session: Session, name: str, first: str, without: Sequence[str]) -> tuple[Snapshot, str]:
    """The snapshot of that name and where it is taken from; raises `CommandError`.

    From the server that is restored, if it is there; else from the site, else from another server.
    """
    found = asyncio.run(find_snapshots(session, without=without))
    places: dict[str, Sequence[Snapshot]] = {
        node: on_server for node, on_server in found.servers.items() if not isinstance(on_server, TransportError)
    }
    order = [(first, places.get(first, ())), ("", found.here), *places.items()]
    for source, there in order:
        for each in there:
            if each.name == name and each.state is SnapshotState.WHOLE:
                return each, source
    known = dict.fromkeys(each.name for each in found.all if each.state is SnapshotState.WHOLE)
    raise CommandError(T("restore.not_known", given=name, known=", ".join(known) or "-"), Exit.FINDINGS)


def _refuse_silent(session: Session, names: Sequence[str]) -> None:
    """Raise `CommandError` for nodes that do not answer: one that goes on with old data would be a second cluster."""

    async def is_there(host: Host) -> bool:
        try:
            await host.connect()
        except TransportError:
            return False
        return True

    async def look() -> list[bool]:
        async with session.hosts() as hosts:
            return await asyncio.gather(*(is_there(hosts[name]) for name in names))

    silent = [name for name, there in zip(names, asyncio.run(look()), strict=True) if not there]
    if silent:
        raise CommandError(T("restore.silent", nodes=", ".join(silent)), Exit.FINDINGS)
