"""Preflight: every host asked everything at once, judged as soon as it answers; all findings, never only the first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from rbdtui.checks import check_cluster, check_network, check_node, services
from rbdtui.checks.ask import try_ways
from rbdtui.checks.ports import Way, ways
from rbdtui.checks.services import AnyServiceCheck, judge_service
from rbdtui.checks.view import ClusterView, PackageSource, PlaceOf, node_field
from rbdtui.facts.gather import facts_script, gather
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec, Node
from rbdtui.transport.answers import not_understood
from rbdtui.transport.base import Host, ReachResult, TransportError

OnFinding = Callable[[Finding], None]
OnFacts = Callable[[NodeFacts], None]
Had = TypeVar("Had")


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """All findings, and the facts of the hosts that answered."""

    findings: list[Finding]
    facts: dict[str, NodeFacts]


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
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, NodeFacts] = field(default_factory=dict)
    ways: dict[Way, ReachResult] = field(default_factory=dict)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What hosts have said of services: by check, then by node."""

    async def run(self) -> PreflightResult:
        by_source: dict[str, list[Way]] = {}
        for way in ways(self.spec):
            by_source.setdefault(way.source, []).append(way)
        await asyncio.gather(*(self._one(node, by_source.get(node.name, [])) for node in self.spec.nodes))
        self._tell(check_cluster(self.spec, self.facts, self.place, cluster_id=self.cluster_id))
        self._tell(check_network(self.spec, self.facts, self.ways, self.place, cluster_id=self.cluster_id))
        view = ClusterView(self.spec, self.facts, self.place, self.spec.profile.limits, self.cluster_id)
        for check in services.SERVICE_CHECKS:
            self._tell(judge_service(check, self.services.get(check.name, {}), view))
        order = {node.name: index for index, node in enumerate(self.spec.nodes)}
        self.findings.sort(key=lambda finding: order.get(finding.place.node, len(order)))
        return PreflightResult(self.findings, self.facts)

    async def _one(self, node: Node, starting_here: list[Way]) -> None:
        """Ask a node, judge it, then have it try the network."""
        host = self.hosts[node.name]
        facts = await self._had_from(node, gather(host))
        if facts is None:
            return
        self.facts[node.name] = facts
        self.on_facts(facts)
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
        addresses = {each.name: str(each.address) for each in self.spec.nodes}

        async def matrix() -> None:
            self.ways |= await try_ways(host, starting_here, addresses)

        async def service(check: AnyServiceCheck) -> None:
            question = check.question(self.spec)
            if question is not None and node.name in check.hosts(self.spec):
                self.services.setdefault(check.name, {})[node.name] = await check.ask(question, host)

        tried = (matrix(), *(service(check) for check in services.SERVICE_CHECKS))
        for outcome in await asyncio.gather(*tried, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

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
) -> PreflightResult:
    """Ask and judge all hosts of a spec; both callbacks are called as things become known.

    A host that cannot be asked yields its transport error as a finding and delays nobody. ``cluster_id`` tells this
    cluster's own earlier runs from another cluster that was installed from a site of the same name.
    """
    return await _Preflight(spec, hosts, bundle, place, on_finding, on_facts, cluster_id).run()
