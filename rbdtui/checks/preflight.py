"""Preflight: every host asked everything at once, judged as soon as it answers; all findings, never only the first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Flag, auto
from functools import partial
from typing import Any, TypeVar

from rbdtui.checks import check_cluster, check_network, check_node, services
from rbdtui.checks.ask import try_ways
from rbdtui.checks.hosts.disk_speed import slow_disk, try_disk
from rbdtui.checks.hosts.ports import Way, ways
from rbdtui.checks.services import THIS_MACHINE, AnyServiceCheck, Asking, FleetCheck, ask_fleet, judge_service
from rbdtui.checks.services.asking import KnownSecret, no_secret
from rbdtui.checks.view import ClusterView, PackageSource, PlaceOf, is_ours, node_field
from rbdtui.facts.gather import facts_script, gather
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec, Node, Role
from rbdtui.together import together
from rbdtui.transport.answers import not_understood
from rbdtui.transport.base import Host, ReachResult, TransportError

OnFinding = Callable[[Finding], None]
OnFacts = Callable[[NodeFacts], None]
Had = TypeVar("Had")


class Part(Flag):
    """What a preflight may consist of; facts are had in any case."""

    HOSTS = auto()
    """Hosts and the network between them."""
    SERVICES = auto()
    """Services, each place on its own: as they are asked while the plan is typed."""
    FLEET = auto()
    """Services that hosts find out about together, with listeners that are open meanwhile."""
    ALL = HOSTS | SERVICES | FLEET


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """All findings, and the facts of the hosts that answered."""

    findings: list[Finding]
    facts: dict[str, NodeFacts]
    services: Mapping[str, bool] = field(default_factory=dict)
    """Services that the plan uses, by check, and whether anybody could say something of them."""


@dataclass(slots=True)
class _Preflight:
    """One preflight under way."""

    spec: ClusterSpec
    hosts: Mapping[str, Host]
    bundle: PackageSource | None
    place: PlaceOf
    on_finding: OnFinding
    on_facts: OnFacts
    cluster_id: str
    secret: KnownSecret
    from_here: bool
    parts: Part
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, NodeFacts] = field(default_factory=dict)
    ways: dict[Way, ReachResult] = field(default_factory=dict)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What hosts have said of services: by check, then by node."""

    async def run(self) -> PreflightResult:
        by_source: dict[str, list[Way]] = {}
        for way in ways(self.spec):
            by_source.setdefault(way.source, []).append(way)
        asked_nodes = (self._one(node, by_source.get(node.name, [])) for node in self.spec.managed_nodes)
        own = (self._ask_services(THIS_MACHINE, Asking(self.secret)),) if self.from_here else ()
        await together(*own, *asked_nodes)
        if Part.HOSTS in self.parts and self.spec.managed_nodes:
            self._tell(check_cluster(self.spec, self.facts, self.place, cluster_id=self.cluster_id))
            self._tell(check_network(self.spec, self.facts, self.ways, self.place, cluster_id=self.cluster_id))
        view = ClusterView(self.spec, self.facts, self.place, self.spec.profile.limits, self.cluster_id)
        for check in services.SERVICE_CHECKS:
            self._tell(judge_service(check, self.services.get(check.name, {}), view))
        if Part.FLEET in self.parts:
            for found in await together(*(self._together(check, view) for check in services.FLEET_CHECKS)):
                self._tell(found)
        order = {node.name: index for index, node in enumerate(self.spec.nodes)}
        self.findings.sort(key=lambda finding: order.get(finding.place.node, len(order)))
        return PreflightResult(self.findings, self.facts, self._services_answered())

    async def _together(self, check: FleetCheck[Any, Any], view: ClusterView) -> list[Finding]:
        """All findings of a check that needs all hosts; each tries something else than the others."""
        try:
            return await ask_fleet(check, view, self.hosts, self.secret)
        except Exception as failure:  # as of a service that is asked from one place
            return [self._broke_off(check.field, "", failure)]

    def _services_answered(self) -> dict[str, bool]:
        if Part.SERVICES not in self.parts:
            return {}
        asked = (check.name for check in services.SERVICE_CHECKS if check.question(self.spec) is not None)
        return {name: bool(self.services.get(name)) for name in asked}

    async def _one(self, node: Node, starting_here: list[Way]) -> None:
        """Ask a node, judge it, then have it try the network."""
        host = self.hosts[node.name]
        facts = await self._had_from(node, gather(host))
        if facts is None:
            return
        self.facts[node.name] = facts
        self.on_facts(facts)
        if Part.HOSTS in self.parts:
            # In a thread: the bundle may read a whole package file to answer.
            judge = partial(check_node, bundle=self.bundle, cluster_id=self.cluster_id)
            self._tell(await self._had_from(node, asyncio.to_thread(judge, self.spec, facts, self.place)) or [])
        await self._had_from(node, self._try_network(node, host, starting_here))

    async def _had_from(self, node: Node, asked: Awaitable[Had]) -> Had | None:
        """What comes of asking a node; None when the link failed or the answer upset us, a finding like any other."""
        error: TransportError
        try:
            return await asked
        except TransportError as failure:
            error = failure
        except Exception as failure:  # one server's odd answer must not take the others' findings with it
            error = not_understood(node.name, facts_script().name, failure)
        place = replace(self.place(node_field(self.spec, node)), node=node.name)
        self._tell([Finding(error.code, Severity.ERROR, place, error.params)])
        return None

    async def _try_network(self, node: Node, host: Host, starting_here: list[Way]) -> None:
        addresses = {each.name: str(each.cluster_address) for each in self.spec.nodes}

        async def matrix() -> None:
            if Part.HOSTS not in self.parts:
                return
            self.ways |= await try_ways(host, starting_here, addresses)

        tried = (matrix(), self._ask_services(node.name, Asking(self.secret, host)), self._try_disk(node, host))
        for outcome in await asyncio.gather(*tried, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _try_disk(self, node: Node, host: Host) -> None:
        """Time the disk that etcd will write to; nothing is said of one that a run of ours keeps busy already."""
        if Part.HOSTS not in self.parts or Role.ETCD not in node.roles:
            return
        if is_ours(self.spec, self.facts[node.name], self.cluster_id):
            return
        if (speed := await try_disk(host)) is not None:
            place = replace(self.place(node_field(self.spec, node)), node=node.name)
            self._tell(list(slow_disk(node.name, speed, place)))

    async def _ask_services(self, name: str, asking: Asking) -> None:
        """Ask all services that are to be asked from a place."""
        if Part.SERVICES not in self.parts:
            return

        async def service(check: AnyServiceCheck) -> None:
            question = check.question(self.spec)
            if question is None or name not in check.hosts(self.spec):
                return
            try:
                answer = await check.ask(question, asking)
            except Exception as failure:  # one service's odd answer must not take all other findings with it
                if asking.host is not None and isinstance(failure, TransportError):
                    raise
                self._tell([self._broke_off(check.field, name, failure)])
                return
            self.services.setdefault(check.name, {})[name] = answer

        asked = (service(check) for check in services.SERVICE_CHECKS)
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def _broke_off(self, field: str, node: str, failure: Exception) -> Finding:
        """That a service was not checked, because its answer led to where nobody thought of such an answer."""
        place = replace(self.place(field), node=node)
        detail = f"{type(failure).__name__}: {failure}"[:300]
        return Finding("RBD-SERVICE-001", Severity.WARNING, place, {"field": field, "detail": detail})

    def _tell(self, findings: list[Finding]) -> None:
        for finding in findings:
            self.findings.append(finding)
            self.on_finding(finding)


async def preflight(
    spec: ClusterSpec,
    hosts: Mapping[str, Host],
    bundle: PackageSource | None,
    place: PlaceOf,
    on_finding: OnFinding = lambda _: None,
    on_facts: OnFacts = lambda _: None,
    *,
    cluster_id: str = "",
    secret: KnownSecret = no_secret,
    from_here: bool = True,
    parts: Part = Part.ALL,
) -> PreflightResult:
    """Ask and judge all hosts of a spec; both callbacks are called as things become known.

    A host that cannot be asked yields its transport error as a finding and delays nobody. ``cluster_id`` tells this
    cluster's own earlier runs from another cluster that was installed from a site of the same name. ``secret`` is what
    services are logged in to with; without ``from_here`` this machine connects to none itself, as in a demo.
    """
    how = (on_finding, on_facts, cluster_id, secret, from_here, parts)
    return await _Preflight(spec, hosts, bundle, place, *how).run()
