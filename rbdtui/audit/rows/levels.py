"""Rows C1 to C6: what the page promises, and the three servers that it starts from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rbdtui.audit.facts import PILLAR
from rbdtui.audit.row import ByHand, Group, Part, RowSpec, RowState, each, there, value
from rbdtui.audit.seen import SeenHost, SeenSite
from rbdtui.audit.target import Target
from rbdtui.words import T

_VIP_LINE: Final = re.compile(r"^vip:[ \t]*([^\s#]*)", re.MULTILINE)


def _single(site: SeenSite) -> Iterator[Part]:
    """What runs on the managing server only."""

    def look(host: SeenHost) -> Iterator[Part]:
        if host.containers is None:
            yield there(host, "docker", good=False)
            return
        names = sorted(container.name for container in host.containers)
        yield Part(host.name, RowState.NOTE, T("audit.seen.containers", names=", ".join(names) or "-"))

    return each((site.manage,), look, "containers")


def _nothing(_: SeenSite) -> Iterable[Part]:
    return ()


def _layout(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        yield value(host, "hostname", host.hostname, good=host.hostname.partition(".")[0] == host.name)

    return each(site.all, look, "hostname")


def _base(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        wanted = ("docker",) if host is site.manage else ("docker", "kubelet")
        for unit in wanted:
            state = host.units.get(unit)
            seen = f"{state.active}, {state.enabled}" if state is not None else ""
            yield value(host, unit, seen, good=state is not None and state.active == "active")

    return each(site.all, look, "audit_units")


def _install(target: Target) -> Iterator[ByHand]:
    for server in target.computes:
        yield ByHand(
            target.manage.name,
            f"./scripts/compute.sh init single {server.name} {server.address} PASSWORD\n"
            f"./scripts/compute.sh install {server.name}",
        )


def _pillar(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        found = _VIP_LINE.search(host.pillar.text or "")
        if found is None:
            yield Part(host.name, RowState.OK, T("audit.seen.nothing", what=f"{PILLAR} vip"))
        else:
            yield value(host, f"{PILLAR} vip", found[1] or "-", good=True, weak=True)

    return each((site.manage,), look, "pillar")


ROWS: Final = (
    RowSpec("C1", Group.LEVELS, _nothing),
    RowSpec("C2", Group.LEVELS, _single),
    RowSpec("C3", Group.LEVELS, _nothing),
    RowSpec("C4", Group.LEVELS, _layout),
    RowSpec("C5", Group.LEVELS, _base, _install),
    RowSpec("C6", Group.LEVELS, _pillar),
)
