"""``snapshot`` and ``snapshots``: one taken now and copied here, and a list of all that there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import CommandError, Exit, answer, answer_json, styled, tell, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.kube import etcd_seen_by
from rbdtui.plan.recipes.snapshot import NODE, RECIPE
from rbdtui.plan.snapshot_schedule import longest_gap_s
from rbdtui.plan.snapshots import KEY_SECRET, Snapshot, SnapshotState, copies_in, snapshot_directory, snapshots_on
from rbdtui.session import Session
from rbdtui.sizes import size_of
from rbdtui.transport.base import Host, TransportError
from rbdtui.vault import generate_token
from rbdtui.words import T, Text

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_LATE_S: Final = 3600
"""Saving takes a while, and clocks differ."""


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
    node = _checked(session, named) if named is not None else asyncio.run(_first_that_answers(session))
    vault = session.unlock()
    if KEY_SECRET not in vault and not dry_run:
        vault.set(KEY_SECRET, generate_token())
    purpose = Purpose(PurposeKind.RECIPE, recipe=RECIPE.name, arguments={NODE: node})
    return carry_out(session, purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)


def open_site(site: Path, common: Common) -> Session:
    """The site's session; raises `CommandError` where etcd is not ours."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    if not etcd_nodes(session.spec):
        raise CommandError(T("snapshot.not_ours"))
    return session


def _checked(session: Session, named: str) -> str:
    known = [node.name for node in etcd_nodes(session.spec)]
    if named not in known:
        raise CommandError(T("reset.no_such_node", given=named, known=", ".join(known)))
    return named


async def _first_that_answers(session: Session) -> str:
    """The first node whose member of etcd is well; raises `CommandError` when there is none."""
    said = []
    async with session.hosts() as hosts:
        for node in etcd_nodes(session.spec):
            view = await etcd_seen_by(hosts[node.name])
            if not view.errors and view.has_leader:
                return node.name
            said.append(f"{node.name}: {'; '.join(view.errors) or 'no leader'}")
    raise CommandError(T("snapshot.no_member", said="\n".join(said)), Exit.FINDINGS)


@dataclass(frozen=True, slots=True)
class Found:
    """All snapshots that there are, or why a server's are not known."""

    here: Sequence[Snapshot]
    servers: Mapping[str, Sequence[Snapshot] | TransportError]

    @property
    def all(self) -> Iterator[Snapshot]:
        """Wherever they lie."""
        yield from self.here
        for found in self.servers.values():
            yield from () if isinstance(found, TransportError) else found

    @property
    def is_well(self) -> bool:
        """Whether every server answered, each file is whole, and one could be restored now."""
        answered = not any(isinstance(found, TransportError) for found in self.servers.values())
        return answered and all(each.is_good for each in self.all) and any(True for _ in self.all)


@click.command(
    cls=Command,
    help=str(T("snapshots.help")),
    shows=(*DRAWS, PASSPHRASE),
    examples=(
        "snapshots site-a",
        "snapshots site-a --json",
    ),
)
@site_argument()
@json_option()
def snapshots(site: Path, as_json: bool, common: Common) -> int:
    """The copies in the site and what lies on the servers, each proven by its own sum."""
    session = open_site(site, common)
    if session.site.vault_file.exists():
        session.unlock()
    tell_progress(T("snapshots.looking", count=len(etcd_nodes(session.spec))))
    found = asyncio.run(find_snapshots(session))
    late = _late(session, found)
    if as_json:
        answer_json(_as_json(found, late))
    else:
        for line in _lines(found):
            answer(line)
        for node, error in found.servers.items():
            if isinstance(error, TransportError):
                tell(T("snapshots.silent", node=node, reason=error.text))
        if not any(each.is_good for each in found.all):
            tell(T("snapshots.none", site=str(site)))
    for words in late.values() if not as_json else ():
        tell(words)
    return Exit.GOOD if found.is_well and not late else Exit.FINDINGS


def _late(session: Session, found: Found) -> dict[str, Text]:
    """The servers on which RKE2 should have saved one by itself since the newest that is there, and how late it is."""
    gap_s = longest_gap_s(session.spec)
    if gap_s is None:
        return {}
    late = {}
    for node, on_server in found.servers.items():
        own = [] if isinstance(on_server, TransportError) else [each for each in on_server if each.is_good]
        if own and time.time() - own[0].taken_at > gap_s + _LATE_S:
            age = age_of(time.time() - own[0].taken_at)
            late[node] = T("snapshots.late", node=node, age=age, every=age_of(gap_s))
    return late


async def find_snapshots(session: Session, *, without: Sequence[str] = ()) -> Found:
    """Ask the servers with etcd, and look into the site; raises `OSError` for a site that cannot be read."""
    directory = snapshot_directory(session.spec)

    async def ask(host: Host) -> Sequence[Snapshot] | TransportError:
        try:
            return (await snapshots_on(host, directory)).found
        except TransportError as error:
            return error

    names = [node.name for node in etcd_nodes(session.spec) if node.name not in without]
    async with session.hosts() as hosts:
        answers = await asyncio.gather(*(ask(hosts[name]) for name in names))
    return Found(copies_in(session.site.path), dict(zip(names, answers, strict=True)))


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


def age_of(seconds: float) -> Text:
    """How old something is, in the unit that fits."""
    if seconds < 2 * _HOUR_S:
        return T("snapshots.age.minutes", count=max(0, int(seconds // _MINUTE_S)))
    if seconds < 2 * _DAY_S:
        return T("snapshots.age.hours", count=int(seconds // _HOUR_S))
    return T("snapshots.age.days", count=int(seconds // _DAY_S))


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
