"""The shape of a case: what is done to a good host, and what must be found; with the usual ways to spoil one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from rbdtui.checks.view import PackageSource
from rbdtui.facts.model import HostsEntry, Interface, Listener, Mount, NodeFacts, Route
from rbdtui.facts.table import FACTS
from rbdtui.findings import Severity
from rbdtui.profiles import KUBERNETES_ONLY
from rbdtui.spec.model import ClusterSpec
from tests.checks.support import GIB, VIP, on_mount, spec_of

Spoil = Callable[[NodeFacts], NodeFacts]

RAINBOND = spec_of()
KUBERNETES = spec_of(profile=KUBERNETES_ONLY)
ALL_FACTS = tuple(fact.name for fact in FACTS)
E, W, I = Severity.ERROR, Severity.WARNING, Severity.INFO  # noqa: E741


@dataclass(frozen=True)
class Case:
    """What is done to a good host, and what must be found."""

    name: str
    spoil: Spoil
    expected: dict[str, Severity]
    spec: ClusterSpec = RAINBOND
    bundle: PackageSource | None = None
    cluster_id: str = ""
    says: tuple[str, ...] = ()
    """Parts of the message or evidence of the findings."""


def change(**changes: object) -> Spoil:
    return lambda facts: replace(facts, **changes)  # type: ignore[arg-type]


def mount_with(mount: Mount, *paths: str) -> Spoil:
    return lambda facts: on_mount(facts, mount, *paths)


def root_disk(size_gib: float, free_gib: float) -> Spoil:
    return change(mounts=(Mount("/", "/dev/sda1", "ext4", int(size_gib * GIB), int(free_gib * GIB)),))


def listening(*listeners: Listener) -> Spoil:
    return change(listeners=listeners)


def with_interface(interface: Interface) -> Spoil:
    return lambda facts: replace(facts, interfaces=(*facts.interfaces, interface))


def route(destination: str, interface: str, gateway: str | None = None) -> Spoil:
    added = Route(IPv4Network(destination), IPv4Address(gateway) if gateway else None, interface)
    return lambda facts: replace(facts, routes=(*facts.routes, added))


def unwritable(*paths: str) -> Spoil:
    def spoil(facts: NodeFacts) -> NodeFacts:
        states = {path: replace(state, writable=path not in paths) for path, state in facts.paths.items()}
        return replace(facts, paths=states)

    return spoil


def both(*spoilers: Spoil) -> Spoil:
    def spoil(facts: NodeFacts) -> NodeFacts:
        for each in spoilers:
            facts = each(facts)
        return facts

    return spoil


def without(*tools: str) -> Spoil:
    return lambda facts: replace(facts, tools=facts.tools - set(tools))


def holding_vip(facts: NodeFacts) -> NodeFacts:
    first, second = facts.interfaces
    return replace(
        facts, interfaces=(first, replace(second, addresses=(*second.addresses, IPv4Interface(f"{VIP}/16"))))
    )


def running(*units: str) -> Spoil:
    return change(active_units=frozenset({"chrony", *units}))


def hosts_line(address: str, *names: str) -> Spoil:
    return change(hosts_file=(HostsEntry(address, names),))


def same(facts: NodeFacts) -> NodeFacts:
    return facts
