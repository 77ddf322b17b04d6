"""Rows C40 to C43: ports, packet filters, resolvers and the age of the systems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.audit.row import ByHand, Group, Part, RowSpec, RowState, each, listening, value
from rbdtui.audit.seen import SeenHost, SeenSite
from rbdtui.audit.target import HUB_PORT, LB_API_PORT, REPO_PORT, Target
from rbdtui.words import T

_OF_COMPUTE: Final = (80, 443, LB_API_PORT)
_OF_MANAGE: Final = (2379, HUB_PORT, REPO_PORT)
_ENOUGH_RESOLVERS: Final = 2


def _ports(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        wanted = _OF_MANAGE if host is site.manage else _OF_COMPUTE
        for port in wanted:
            yield listening(host, port)

    return each(site.all, look, "sockets")


def _filters(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        state = host.units.get("firewalld")
        active = state is not None and state.active == "active"
        yield value(host, "firewalld", state.active if state is not None else "-", good=True, weak=active)

    return each(site.all, look, "audit_units")


def _resolvers(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        seen = ", ".join(host.nameservers)
        few = len(host.nameservers) < _ENOUGH_RESOLVERS
        yield value(host, "/etc/resolv.conf nameserver", seen, good=bool(host.nameservers), weak=few)

    return each(site.all, look, "nameservers")


def _second_resolver(target: Target) -> Iterator[ByHand]:
    for server in target.servers:
        yield ByHand(server.name, "echo 'nameserver RESOLVER2' >>/etc/resolv.conf")


def _age(site: SeenSite) -> Iterator[Part]:
    def look(host: SeenHost) -> Iterator[Part]:
        yield Part(host.name, RowState.NOTE, T("audit.seen.value", what="os", value=host.os.pretty_name or "-"))

    return each(site.all, look, "os_release")


ROWS: Final = (
    RowSpec("C40", Group.HOSTS, _ports),
    RowSpec("C41", Group.HOSTS, _filters),
    RowSpec("C42", Group.HOSTS, _resolvers, _second_resolver),
    RowSpec("C43", Group.HOSTS, _age),
)
