"""What a move of Rainbond's own volumes would be started with: the cluster looked at, and what stands against it."""

from __future__ import annotations

from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.errors import NotNowError
from rbdtui.plan.preview import SilentReporter
from rbdtui.plan.recipes import move_storage
from rbdtui.plan.recipes.move_storage import CLASS, TELLS
from rbdtui.plan.steps.moving.finish import installed
from rbdtui.plan.steps.moving.looking import Looked, look_at
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.rainbond.provisioner import class_name
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.spec.values import is_object_name
from rbdtui.words import T, Text


async def look_at_move(session: Session, storage_class: str, *, back: bool) -> Purpose:
    """A move to a class, or to the one that cluster.yaml names where none is given.

    Raises `SiteError` where it cannot be, `NotNowError` before there is a cluster, and `StepError`.
    """
    spec = session.spec
    if not spec.installs_rainbond:
        raise SiteError(T("move.no_rainbond"))
    planned = class_name(spec)
    wanted = storage_class or planned
    if not wanted:
        raise SiteError(T("move.no_class"))
    if not is_object_name(wanted):
        raise SiteError(T("move.bad_class", given=wanted))
    async with session.hosts() as hosts:
        context = session.dry_context(hosts, {}, SilentReporter(), with_bundle=False)
        if not has_api(context):
            raise NotNowError(T("move.not_there"))
        async with open_api(context) as api:
            release = await installed(api.kube)
            looked = await look_at(api.kube, wanted)
    if release is None:
        raise NotNowError(T("move.not_there"))
    if release.is_old:
        raise SiteError(T("move.old", release=release.tag))
    if not release.honours_storage_class:
        raise SiteError(T("move.too_old", release=release.tag))
    arguments = {CLASS: wanted, **_words(looked)}
    if wanted != planned:
        arguments[TELLS] = "yes"
    recipe = move_storage.BACK if back else move_storage.RECIPE
    return Purpose(PurposeKind.RECIPE, recipe=recipe.name, arguments=arguments)


def drop_purpose() -> Purpose:
    """Old volumes thrown away."""
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
