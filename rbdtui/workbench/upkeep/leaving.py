"""A node that is to leave: what keeps it from leaving, and what the run that removes it is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.errors import StepError
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.kube import EtcdView, etcd_seen_by
from rbdtui.plan.recipes.remove import HOST, NODE, RECIPE, refuse_needed
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.together import together
from rbdtui.transport.base import Host, TransportError
from rbdtui.words import T, Text


@dataclass(frozen=True, slots=True)
class Leaving:
    """What removing a node would be."""

    purpose: Purpose
    silent: Text | None
    """Why its server cannot be logged in to; None when it is there, and is to be as it was before."""


def known_node(session: Session, name: str) -> str:
    """The name, of a node that rbdtui has installed; raises `SiteError`."""
    known = [each.name for each in session.spec.managed_nodes]
    if not known:
        raise SiteError(T("remove.existing"))
    if name not in known:
        raise SiteError(T("reset.no_such_node", given=name, known=", ".join(known)))
    return name


async def look_at_leaving(session: Session, name: str) -> Leaving:
    """Ask whether the cluster can do without a node; raises `SiteError`, and `StepError` when it cannot."""
    node = known_node(session, name)
    async with session.hosts() as hosts:
        views, silent = await together(etcd_views(session, hosts), _why_silent(hosts[node]))
    refuse_needed(session.spec, node, well_members(views))
    arguments = {NODE: node, HOST: "" if silent is not None else "yes"}
    return Leaving(Purpose(PurposeKind.RECIPE, recipe=RECIPE.name, arguments=arguments), silent)


async def etcd_views(session: Session, hosts: Mapping[str, Host]) -> dict[str, EtcdView]:
    """What each member of etcd says, by node."""
    names = [each.name for each in etcd_nodes(session.spec)]
    return dict(zip(names, await together(*(etcd_seen_by(hosts[name]) for name in names)), strict=True))


def well_members(views: Mapping[str, EtcdView]) -> set[str]:
    """The nodes whose member of etcd is well."""
    return {name for name, view in views.items() if not view.errors and view.has_leader}


def why_needed(session: Session, name: str, views: Mapping[str, EtcdView]) -> StepError | None:
    """What keeps a node from leaving, by what the members said."""
    try:
        refuse_needed(session.spec, name, well_members(views))
    except StepError as error:
        return error
    return None


async def _why_silent(host: Host) -> Text | None:
    try:
        await host.connect()
    except TransportError as error:
        return error.text
    return None
