"""``remove``: a node leaves the cluster, and at the end cluster.yaml."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import CommandError, Exit, tell
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.errors import SentenceError
from rbdtui.paths import as_typed
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.kube import etcd_seen_by
from rbdtui.plan.recipes.remove import HOST, NODE, RECIPE, refuse_needed
from rbdtui.session import Session
from rbdtui.spec.edit import RemoveNode, apply_edits, save
from rbdtui.transport.base import TransportError
from rbdtui.words import T


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
    known = [each.name for each in session.spec.managed_nodes]
    if not known:
        raise CommandError(T("remove.existing"))
    if node not in known:
        raise CommandError(T("reset.no_such_node", given=node, known=", ".join(known)))
    refuse_when_busy(session)
    if session.site.vault_file.exists():
        session.unlock()
    well, answers = asyncio.run(_look(session, node))
    refuse_needed(session.spec, node, well)
    purpose = Purpose(PurposeKind.RECIPE, recipe=RECIPE.name, arguments={NODE: node, HOST: "yes" if answers else ""})
    status = carry_out(
        session, purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common, by_name=True
    )  # fmt: skip
    if status == Exit.GOOD and not dry_run:
        _edit(session, node)
    return status


async def _look(session: Session, node: str) -> tuple[set[str], bool]:
    """The nodes whose member of etcd is well, and whether the one that leaves can be logged in to."""
    async with session.hosts() as hosts:
        members = [each.name for each in etcd_nodes(session.spec)]
        views = await asyncio.gather(*(etcd_seen_by(hosts[name]) for name in members))
        well = {name for name, view in zip(members, views, strict=True) if not view.errors and view.has_leader}
        try:
            await hosts[node].connect()
        except TransportError as error:
            tell(T("remove.silent", node=node, reason=error.text))
            return well, False
    return well, True


def _edit(session: Session, node: str) -> None:
    """Take the node out of cluster.yaml, which keeps its comments; what cannot be done is told."""
    path = session.site.spec_file
    try:
        text = apply_edits(session.loaded.text, [RemoveNode(node)])
        save(path, text, loaded=session.loaded.text)
    except (SentenceError, OSError) as error:
        tell(T("remove.not_edited", node=node, path=str(path), reason=str(error)))
        return
    place = as_typed(session.site.path)
    tell(T("remove.edited", node=node, path=str(path), backup=f"{path.name}.bak", site=place))
