"""Which snapshots of etcd there are, whether one is missed, and what a snapshot and a restore would be started with.

Both the verbs and the screen ask here, so that they refuse the same and say the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.errors import NotNowError
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.kube import etcd_seen_by
from rbdtui.plan.recipes import restore, snapshot
from rbdtui.plan.snapshots import KEY_SECRET, Snapshot, SnapshotState, copies_in, proven, snapshots_on
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.snapshot_schedule import LATE_S, longest_gap_s, snapshot_directory
from rbdtui.together import together
from rbdtui.transport.base import Host, TransportError
from rbdtui.vault import generate_token
from rbdtui.words import T, Text

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400


@dataclass(frozen=True, slots=True)
class Found:
    """All snapshots that there are, or why a server's are not known."""

    here: Sequence[Snapshot] = ()
    servers: Mapping[str, Sequence[Snapshot] | TransportError] = field(default_factory=dict)

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


def refuse_foreign(spec: ClusterSpec) -> None:
    """Raise `SiteError` where etcd is not ours."""
    if not etcd_nodes(spec):
        raise SiteError(T("snapshot.not_ours"))


async def find_snapshots(session: Session, *, without: Sequence[str] = ()) -> Found:
    """Ask the servers with etcd, and look into the site; raises `OSError` for a site that cannot be read."""
    async with session.hosts() as hosts:
        return await found_on(session, hosts, without=without)


async def found_on(session: Session, hosts: Mapping[str, Host], *, without: Sequence[str] = ()) -> Found:
    """The same, of hosts that are at hand."""
    directory = snapshot_directory(session.spec)

    async def ask(host: Host) -> Sequence[Snapshot] | TransportError:
        try:
            return (await snapshots_on(host, directory)).found
        except TransportError as error:
            return error

    names = [node.name for node in etcd_nodes(session.spec) if node.name not in without]
    answers = await together(*(ask(hosts[name]) for name in names))
    here = await asyncio.to_thread(copies_in, session.site.path)
    return Found(here, dict(zip(names, answers, strict=True)))


def prove_copies(session: Session, found: Found) -> Found:
    """The same, with each copy in the site read back to its end; raises `SiteError`, `VaultError`, `OSError`."""
    whole = [each for each in found.here if each.state is SnapshotState.WHOLE]
    if not whole:
        return found
    vault = session.unlock()
    if KEY_SECRET not in vault:
        raise SiteError(T("snapshots.no_key"))
    key = bytes.fromhex(vault.get(KEY_SECRET))
    return replace(found, here=[proven(each, session.site.path, key) if each in whole else each for each in found.here])


def late_servers(spec: ClusterSpec, found: Found, at: float) -> dict[str, Text]:
    """The servers on which RKE2 should have saved one by itself since the newest that is there, and how late it is."""
    gap_s = longest_gap_s(spec)
    if gap_s is None:
        return {}
    late = {}
    for node, on_server in found.servers.items():
        own = [] if isinstance(on_server, TransportError) else [each for each in on_server if each.is_good]
        if own and at - own[0].taken_at > gap_s + LATE_S:
            late[node] = T("snapshots.late", node=node, age=age_of(at - own[0].taken_at), every=age_of(gap_s))
    return late


def age_of(seconds: float) -> Text:
    """How old something is, in the unit that fits."""
    if seconds < 2 * _HOUR_S:
        return T("snapshots.age.minutes", count=max(0, int(seconds // _MINUTE_S)))
    if seconds < 2 * _DAY_S:
        return T("snapshots.age.hours", count=int(seconds // _HOUR_S))
    return T("snapshots.age.days", count=int(seconds // _DAY_S))


async def snapshot_purpose(session: Session, named: str = "") -> Purpose:
    """What a run is for that takes one now, on the named node or the first whose member is well.

    Raises `SiteError` for a node without etcd, `NotNowError` when no member is well.
    """
    known = [node.name for node in etcd_nodes(session.spec)]
    if named and named not in known:
        raise SiteError(T("reset.no_such_node", given=named, known=", ".join(known)))
    node = named or await _first_that_answers(session)
    return Purpose(PurposeKind.RECIPE, recipe=snapshot.RECIPE.name, arguments={snapshot.NODE: node})


def have_snapshot_key(session: Session) -> None:
    """Make the key that copies are encrypted with, unless the vault has it; raises `SiteError`, `VaultError`."""
    vault = session.unlock()
    if KEY_SECRET not in vault:
        vault.set(KEY_SECRET, generate_token())


async def _first_that_answers(session: Session) -> str:
    """The first node whose member of etcd is well; raises `NotNowError` when there is none."""
    said = []
    async with session.hosts() as hosts:
        for node in etcd_nodes(session.spec):
            view = await etcd_seen_by(hosts[node.name])
            if not view.errors and view.has_leader:
                return node.name
            said.append(f"{node.name}: {'; '.join(view.errors) or 'no leader'}")
    raise NotNowError(T("snapshot.no_member", said="\n".join(said)))


async def restore_purpose(session: Session, name: str, without: Sequence[str] = ()) -> Purpose:
    """What a run is for that restores the snapshot of that name, leaving out nodes that are gone.

    Raises `StepError` when nobody is left to restore on, `NotNowError` when it is nowhere, or a node is silent.
    """
    first = restore.first_restored(session.spec, frozenset(without)).name
    found = await find_snapshots(session, without=without)
    chosen, source = _chosen(found, name, first)
    silent = await silent_nodes(session, without=without)
    if silent:
        raise NotNowError(T("restore.silent", nodes=", ".join(silent)))
    arguments = {
        restore.NAME: chosen.name,
        restore.DIGEST: chosen.digest,
        restore.SOURCE: source,
        restore.WITHOUT: " ".join(without),
        restore.TAKEN: time.strftime("%Y-%m-%d %H:%M", time.localtime(chosen.taken_at)),
    }
    return Purpose(PurposeKind.RECIPE, recipe=restore.RECIPE.name, arguments=arguments)


def _chosen(found: Found, name: str, first: str) -> tuple[Snapshot, str]:
    """The snapshot of that name and where it is taken from; raises `NotNowError`.

    From the server that is restored, if it is there; else from the site, else from another server.
    """
    places: dict[str, Sequence[Snapshot]] = {
        node: on_server for node, on_server in found.servers.items() if not isinstance(on_server, TransportError)
    }
    order = [(first, places.get(first, ())), ("", found.here), *places.items()]
    for source, there in order:
        for each in there:
            if each.name == name and each.state is SnapshotState.WHOLE:
                return each, source
    known = dict.fromkeys(each.name for each in found.all if each.state is SnapshotState.WHOLE)
    kept = T("restore.known", names=", ".join(known)) if known else T("restore.none")
    silent = [node for node, on_server in found.servers.items() if isinstance(on_server, TransportError)]
    if silent:
        kept = T("restore.unasked", kept=kept, nodes=", ".join(silent))
    raise NotNowError(T("restore.not_known", given=name, kept=kept))


async def silent_nodes(session: Session, *, without: Sequence[str] = ()) -> list[str]:
    """Nodes that cannot be logged in to: one that goes on with old data would be a second cluster."""

    async def is_there(host: Host) -> bool:
        try:
            await host.connect()
        except TransportError:
            return False
        return True

    names = [node.name for node in session.spec.nodes if node.name not in without]
    async with session.hosts() as hosts:
        there = await together(*(is_there(hosts[name]) for name in names))
    return [name for name, answers in zip(names, there, strict=True) if not answers]
