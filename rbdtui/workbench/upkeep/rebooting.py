"""What a planned reboot is started with: which start of each server it is now, and which take no pods anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.errors import NotNowError
from rbdtui.plan.cluster import api_servers
from rbdtui.plan.recipes.reboot import BOOTS, CLOSED, RECIPE
from rbdtui.plan.steps.reboot import boot_of
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.this_machine import own_boot
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.scripts import script
from rbdtui.words import T


async def reboot_purpose(session: Session, nodes: Sequence[str] = ()) -> Purpose:
    """What a run is for that starts the named servers anew, or all.

    Raises `SiteError` for a cluster that is not ours and for unknown names, `NotNowError` before anything
    was installed, for servers that are silent and for this very machine.
    """
    known = [node.name for node in session.spec.managed_nodes]
    if not session.spec.managed_cluster_nodes:
        raise SiteError(T("certs.not_ours"))
    if unknown := [name for name in nodes if name not in known]:
        raise SiteError(T("reset.no_such_node", given=", ".join(unknown), known=", ".join(known)))
    if not session.site.kubeconfig_file.exists():
        raise NotNowError(T("reboot.nothing"))
    chosen = [name for name in known if not nodes or name in nodes]
    async with session.hosts() as hosts:
        boots = await asyncio.gather(*(boot_of(hosts[name]) for name in chosen), return_exceptions=True)
        closed = await _closed(session, hosts, chosen)
    silent = {name: boot for name, boot in zip(chosen, boots, strict=True) if isinstance(boot, TransportError)}
    if silent:
        reasons = "\n".join(str(error) for error in silent.values())
        raise NotNowError(T("reboot.silent", nodes=", ".join(silent), reasons=reasons))
    own = own_boot()
    found: dict[str, str] = {}
    for name, boot in zip(chosen, boots, strict=True):
        if isinstance(boot, BaseException):
            raise boot
        if boot == own:
            raise NotNowError(T("reboot.own", node=name))
        found[name] = boot
    arguments = {BOOTS: " ".join(f"{name}={boot}" for name, boot in found.items()), CLOSED: " ".join(closed)}
    return Purpose(PurposeKind.RECIPE, recipe=RECIPE.name, arguments=arguments)


async def _closed(session: Session, hosts: Mapping[str, Host], chosen: Sequence[str]) -> list[str]:
    """Nodes that take no new pods now, as the first server says that answers."""
    nodes = [name for name in chosen if not session.spec.node(name).is_outside]
    for server in api_servers(session.spec):
        try:
            said = [await hosts[server.name].must(script("kube-uncordon"), "look", name) for name in nodes]
        except TransportError:
            continue
        return [name for name, answer in zip(nodes, said, strict=True) if answer.text.strip() == "yes"]
    return []
