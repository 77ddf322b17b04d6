"""``snapshot`` and ``snapshots``: one taken now and copied here, and a list of all that there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import Exit, answer, answer_json, styled, tell, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.paths import as_typed
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.snapshots import Snapshot, SnapshotState
from rbdtui.session import Session
from rbdtui.sizes import size_of
from rbdtui.transport.base import TransportError
from rbdtui.words import T, Text
from rbdtui.workbench.upkeep.snapshot_survey import (
    Found,
    age_of,
    find_snapshots,
    have_snapshot_key,
    late_servers,
    prove_copies,
    refuse_foreign,
    snapshot_purpose,
)


@click.command(
    cls=Command,
    help=str(T("snapshot.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "snapshot site-a",
        "snapshot site-a --node node2 --yes",
    ),
)
@site_argument()
@click.option("--node", "named", metavar="NODE", help=str(T("snapshot.option.node")))
@click.option("--dry-run", is_flag=True, help=str(T("snapshot.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("snapshot.option.yes")))
@json_option()
def snapshot(site: Path, named: str | None, dry_run: bool, yes: bool, as_json: bool, common: Common) -> int:
    """Have RKE2 save a snapshot of etcd, prove it, and copy it into the site."""
    session = open_site(site, common)
    refuse_when_busy(session)
    purpose = asyncio.run(snapshot_purpose(session, named or ""))
    session.unlock()
    if not dry_run:
        have_snapshot_key(session)
    return carry_out(session, purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)


def open_site(site: Path, common: Common) -> Session:
    """The site's session; raises `SiteError` where etcd is not ours."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    refuse_foreign(session.spec)
    return session


@click.command(
    cls=Command,
    help=str(T("snapshots.help")),
    shows=(*DRAWS, PASSPHRASE),
    examples=(
        "snapshots site-a",
        "snapshots site-a --prove",
        "snapshots site-a --json",
    ),
)
@site_argument()
@click.option("--prove", is_flag=True, help=str(T("snapshots.option.prove")))
@json_option()
def snapshots(site: Path, prove: bool, as_json: bool, common: Common) -> int:
    """The copies in the site and what lies on the servers, each proven by its own sum."""
    session = open_site(site, common)
    if session.site.vault_file.exists():
        session.unlock()
    tell_progress(T("snapshots.looking", count=len(etcd_nodes(session.spec))))
    found = asyncio.run(find_snapshots(session))
    if prove:
        tell_progress(T("snapshots.proving", count=len(found.here)))
        found = prove_copies(session, found)
    late = late_servers(session.spec, found, time.time())
    if as_json:
        answer_json(_as_json(found, late))
    else:
        for line in _lines(found):
            answer(line)
        for node, error in found.servers.items():
            if isinstance(error, TransportError):
                tell(T("snapshots.silent", node=node, reason=error.text))
        if not any(each.is_good for each in found.all):
            tell(T("snapshots.none", site=as_typed(site)))
    for words in late.values() if not as_json else ():
        tell(words)
    return Exit.GOOD if found.is_well and not late else Exit.FINDINGS


def _lines(found: Found) -> Iterator[str]:
    yield styled(T("snapshots.here"), bold=True)
    yield from _table(found.here)
    for node, on_server in found.servers.items():
        if not isinstance(on_server, TransportError):
            yield styled(T("snapshots.on", node=node), bold=True)
            yield from _table(on_server)


def _table(some: Sequence[Snapshot]) -> Iterator[str]:
    """One line each: when, how old, how large, and what is wrong with it."""
    if not some:
        yield "  -"
    for each in some:
        taken = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.taken_at))
        line = f"  {taken}  {age_of(time.time() - each.taken_at)!s:>8}  {size_of(each.size_bytes):>8}  {each.name}"
        if each.state is not SnapshotState.WHOLE:
            line += f"  {T(f'snapshots.state.{each.state.value}')}"  # words: snapshots.state.*
        yield line


def _as_json(found: Found, late: Mapping[str, Text]) -> dict[str, object]:
    """In the shape of snapshots.schema.json."""
    listed = [_one(each, None) for each in found.here]
    for node, on_server in found.servers.items():
        listed += [] if isinstance(on_server, TransportError) else [_one(each, node) for each in on_server]
    silent = {node: str(error.text) for node, error in found.servers.items() if isinstance(error, TransportError)}
    return {"snapshots": listed, "silent": silent, "late": sorted(late)}


def _one(each: Snapshot, server: str | None) -> dict[str, object]:
    """One snapshot; ``server`` is where it lies, none for a copy in the site."""
    return {
        "name": each.name,
        "server": server,
        "state": each.state.value,
        "size_bytes": each.size_bytes,
        "taken_at": each.taken_at,
        "digest": each.digest or None,
    }
