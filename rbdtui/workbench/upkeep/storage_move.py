"""What a move of Rainbond's own volumes would be started with: the cluster looked at, and what stands against it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.errors import NotNowError, SentenceError
from rbdtui.kube.session import KubeSession
from rbdtui.plan.preview import SilentReporter
from rbdtui.plan.recipes import move_nfs, move_storage
from rbdtui.plan.recipes.move_storage import CLASS, TELLS
from rbdtui.plan.steps.moving.copy import CLASSES
from rbdtui.plan.steps.moving.finish import installed
from rbdtui.plan.steps.moving.looking import Looked, look_at
from rbdtui.plan.steps.moving.server_looking import look_at_server
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.rainbond.nfs_server import TO, takes_pods
from rbdtui.rainbond.provisioner import class_name
from rbdtui.rainbond.releases import Release
from rbdtui.rainbond.workloads import LISTS, entries, name_of
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.spec.values import is_object_name
from rbdtui.together import together
from rbdtui.words import T, Text


async def look_at_move(session: Session, storage_class: str = "", *, node: str = "", back: bool = False) -> Purpose:
    """A move to a class, or to the one that cluster.yaml names where none is given; of 5.17's NFS server to a node.

    Without a node a move of that server which was cut off is gone on with. Raises `SiteError` where it cannot be,
    `NotNowError` before there is a cluster, and `StepError`.
    """
    spec = session.spec
    if not spec.installs_rainbond:
        raise SiteError(T("move.no_rainbond"))
    known = [each.name for each in spec.cluster_nodes]
    if node and node not in known:
        raise SiteError(T("reset.no_such_node", given=node, known=", ".join(known)))
    if storage_class and not is_object_name(storage_class):
        raise SiteError(T("move.bad_class", given=storage_class))
    somewhere = storage_class or class_name(spec) or node
    absent = NotNowError(T("move.not_there")) if somewhere else SiteError(T("move.no_class"))
    async with _rainbond(session, absent) as (kube, release):
        if release.is_old:
            return await server_purpose(kube, release, node, storage_class, back=back)
        if node:
            raise SiteError(T("nfs_move.no_server"))
        return await _class_purpose(kube, session, release, storage_class, back=back)


@asynccontextmanager
async def _rainbond(session: Session, absent: SentenceError) -> AsyncIterator[tuple[KubeSession, Release]]:
    """The Rainbond that there is; raises ``absent`` before there is a cluster, `NotNowError` before Rainbond."""
    async with session.hosts() as hosts:
        context = session.dry_context(hosts, {}, SilentReporter(), with_bundle=False)
        if not has_api(context):
            raise absent
        async with open_api(context) as api:
            release = await installed(api.kube)
            if release is None:
                raise NotNowError(T("move.not_there"))
            yield api.kube, release


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a move can go to."""

    name: str
    is_node: bool
    """A node, for 5.17's NFS server; else a StorageClass."""
    note: str = ""
    """Who makes volumes of the class, raw."""
    is_here: bool = False
    """All of Rainbond's own volumes are of the class already."""


async def places(session: Session) -> tuple[Destination, ...]:
    """All that there are in the cluster; raises as `look_at_move`."""
    if not session.spec.installs_rainbond:
        raise SiteError(T("move.no_rainbond"))
    async with _rainbond(session, NotNowError(T("move.not_there"))) as (kube, release):
        if not release.is_old:
            listed, claims = await together(kube.get(CLASSES), kube.get(LISTS["PersistentVolumeClaim"]))
            now = {str((claim.get("spec") or {}).get("storageClassName")) for claim in entries(claims.get("items"))}
            return tuple(
                Destination(name_of(each), False, str(each.get("provisioner", "")), is_here=now == {name_of(each)})
                for each in entries(listed.get("items"))
            )
        looked = await look_at_server(kube)
        begun = looked.notes.get(TO)
        known = [begun] if begun else [each.name for each in session.spec.cluster_nodes]
        able = [node for node in known if node == begun or (takes_pods(looked.nodes, node) and not looked.is_on(node))]
        return tuple(Destination(node, True) for node in able)


async def purpose_for(session: Session, place: Destination) -> Purpose:
    """The move to one of them; raises as `look_at_move`."""
    return await look_at_move(session, "" if place.is_node else place.name, node=place.name if place.is_node else "")


async def _class_purpose(
    kube: KubeSession, session: Session, release: Release, storage_class: str, *, back: bool
) -> Purpose:
    planned = class_name(session.spec)
    wanted = storage_class or planned
    if not wanted:
        raise SiteError(T("move.no_class"))
    if not release.honours_storage_class:
        raise SiteError(T("move.too_old", release=release.tag))
    arguments = {CLASS: wanted, **_words(await look_at(kube, wanted))}
    if wanted != planned:
        arguments[TELLS] = "yes"
    recipe = move_storage.BACK if back else move_storage.RECIPE
    return Purpose(PurposeKind.RECIPE, recipe=recipe.name, arguments=arguments)


async def server_purpose(kube: KubeSession, release: Release, to: str, storage_class: str, *, back: bool) -> Purpose:
    """The move of 5.17's NFS server, which has volumes of applications too: all are named."""
    if storage_class:
        raise SiteError(T("move.old", release=release.tag))
    looked = await look_at_server(kube)
    to = to or looked.notes.get(TO, "")
    if not to and not back:
        raise SiteError(T("move.old", release=release.tag))
    shown = [each.shown for each in looked.users if not each.is_operator and (each.replicas or each.kept)]
    arguments = {
        move_nfs.NODE: to or looked.source,
        "source": looked.source,
        "path": looked.path,
        "users": ", ".join(shown) or "-",
    }
    recipe = move_nfs.BACK if back else move_nfs.RECIPE
    return Purpose(PurposeKind.RECIPE, recipe=recipe.name, arguments=arguments)


def drop_purpose() -> Purpose:
    """Old volumes, and the old directory of the NFS server, thrown away."""
    return Purpose(PurposeKind.RECIPE, recipe=move_storage.DROP.name, arguments={})


def _words(looked: Looked) -> dict[str, str]:
    """For the sentences: what is moved, who stands still, and what is left alone."""
    users = [user.name for user in looked.found.users] or [each.name for each in looked.held]
    others: list[str] = [f"{namespace} ({count})" for namespace, count in looked.found.others.items()]
    others += [f"rbd-system/{name}" for name in looked.found.unused]
    return {
        "claims": ", ".join(each.name for each in looked.found.moving) or "-",
        "users": ", ".join(users) or "-",
        "others": ", ".join(others) or "-",
    }


def left_alone(purpose: Purpose) -> Text | None:
    """Whose volumes stay in the old class; None when there are none."""
    others = purpose.arguments.get("others", "-")
    is_move = purpose.recipe == move_storage.RECIPE.name
    return T("move.left_alone", others=others) if is_move and others != "-" else None
