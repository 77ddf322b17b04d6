"""Service checks: whatever stands in the registry is asked from the hosts that will use it and judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from rbdtui.checks import services
from rbdtui.checks.preflight import preflight
from rbdtui.checks.services import SERVICE_CHECKS, AnyServiceCheck
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import ConnectionLostError, Host, Reach
from rbdtui.workbench.sections import REVIEW, section_of_field
from tests.checks.cases import KUBERNETES
from tests.checks.scripted_host import ScriptedHost
from tests.checks.support import Packages, place, spec_of
from tests.checks.test_preflight import outputs


class PortOpen:
    """A trial: workers must reach a port at the address of the API."""

    name = "trial"
    field = "kubernetes.api.port"

    def __init__(self, *, error: Exception | None = None) -> None:
        self.error = error

    def question(self, spec: ClusterSpec) -> tuple[str, int] | None:
        return (str(spec.api_address), 5000) if spec.kubernetes.api.domain else None

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        return [node.name for node in spec.nodes][1:]

    async def ask(self, question: tuple[str, int], host: Host) -> Reach:
        if self.error is not None:
            raise self.error
        return (await host.reach(*question)).reach

    def judge(self, question: tuple[str, int], answers: Mapping[str, Reach], view: ClusterView) -> Iterator[Finding]:
        for name, reach in answers.items():
            if reach is not Reach.OPEN:
                yield view.finding("RBD-TRIAL-1", Severity.ERROR, node=name, field=self.field, port=question[1])


def hosts(reach: Reach) -> dict[str, ScriptedHost]:
    def reaches(address: str, port: int) -> Reach:
        return reach if port == 5000 else Reach.UNREACHABLE if address == "10.0.0.100" else Reach.REFUSED

    return {f"node{i}": ScriptedHost(f"node{i}", outputs(i), reaches=reaches) for i in (1, 2, 3)}


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> PortOpen:
    """One more check, by its object and its line in the registry."""
    check = PortOpen()
    monkeypatch.setattr(services, "SERVICE_CHECKS", (*SERVICE_CHECKS, check))
    return check


async def found(spec: ClusterSpec, at: Mapping[str, ScriptedHost]) -> list[tuple[str, str]]:
    result = await preflight(spec, at, Packages("debian-12-amd64"), place)
    return [(each.code, each.place.node) for each in result.findings if each.severity is Severity.ERROR]


@pytest.mark.parametrize("check", SERVICE_CHECKS, ids=lambda check: check.name)
def test_every_check_has_a_name_of_its_own_and_a_section(check: AnyServiceCheck) -> None:
    assert [each.name for each in SERVICE_CHECKS].count(check.name) == 1
    assert section_of_field(check.field) != REVIEW
    assert set(check.hosts(KUBERNETES)) <= {node.name for node in KUBERNETES.nodes}
    question = check.question(KUBERNETES)
    assert question == check.question(spec_of(profile=KUBERNETES.profile))
    assert hash(question) == hash(check.question(spec_of(profile=KUBERNETES.profile)))


async def test_one_more_check_is_asked_from_its_hosts_and_judged(trial: PortOpen) -> None:
    spec = spec_of(profile=KUBERNETES.profile, api={"mode": "vip", "domain": "api.example"})
    at = hosts(Reach.REFUSED)
    assert await found(spec, at) == [("RBD-TRIAL-1", "node2"), ("RBD-TRIAL-1", "node3")]
    assert {name for name, host in at.items() if any(port == 5000 for _, port in host.reached)} == {"node2", "node3"}
    assert await found(spec, hosts(Reach.OPEN)) == []


async def test_a_check_without_a_question_asks_nobody(trial: PortOpen) -> None:
    at = hosts(Reach.REFUSED)
    assert await found(KUBERNETES, at) == []
    assert not any(port == 5000 for host in at.values() for _, port in host.reached)


async def test_a_host_that_cannot_be_asked_is_a_finding_of_its_own(trial: PortOpen) -> None:
    trial.error = ConnectionLostError("node2")
    spec = spec_of(profile=KUBERNETES.profile, api={"mode": "vip", "domain": "api.example"})
    assert {code for code, _ in await found(spec, hosts(Reach.OPEN))} == {"RBD-SSH-007"}
