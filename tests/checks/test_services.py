"""Service checks: whatever stands in the registry is asked from the hosts that will use it and judged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from rbdtui.checks import services
from rbdtui.checks.preflight import Part, preflight
from rbdtui.checks.services import FLEET_CHECKS, SERVICE_CHECKS, THIS_MACHINE, AnyServiceCheck, Asking, FleetCheck
from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.listening import listen
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import ConnectionLostError, Host, Reach
from rbdtui.workbench.sections import REVIEW, section_of_field
from tests.checks.cases import KUBERNETES
from tests.checks.scripted_host import ScriptedHost
from tests.checks.support import Packages, place, spec_of
from tests.checks.test_preflight import outputs
from tests.waiting import until


class PortOpen:
    """A trial: workers must reach a port at the address of the API."""

    name = "trial"
    field = "kubernetes.api.port"
    logs_in = False

    def __init__(self, *, error: Exception | None = None, also_here: bool = False) -> None:
        self.error, self.also_here = error, also_here
        self.asked: tuple[str, int] | None = None
        self.asked_with: dict[str, str | None] = {}

    def question(self, spec: ClusterSpec) -> tuple[str, int] | None:
        if self.asked:
            return self.asked
        return (str(spec.api_address), 5000) if spec.kubernetes.api.domain else None

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        return [*(node.name for node in spec.nodes[1:]), *([THIS_MACHINE] if self.also_here else [])]

    async def ask(self, question: tuple[str, int], asking: Asking) -> Reach:
        if self.error is not None:
            raise self.error
        self.asked_with[asking.host.name if asking.host else THIS_MACHINE] = asking.secret("trial")
        return (await asking.reach(*question)).reach

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
    assert set(check.hosts(KUBERNETES)) <= {THIS_MACHINE, *(node.name for node in KUBERNETES.nodes)}
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


async def test_this_machine_is_asked_too_and_everybody_has_the_secrets(trial: PortOpen) -> None:
    server = await listen(lambda _, writer: writer.close(), "127.0.0.1", 0)
    trial.also_here, trial.asked = True, ("127.0.0.1", server.sockets[0].getsockname()[1])
    at = hosts(Reach.OPEN)
    result = await preflight(KUBERNETES, at, None, place, secret={"trial": "s3cret"}.get)
    refused = [each.place.node for each in result.findings if each.code == "RBD-TRIAL-1"]
    assert refused == ["node2", "node3"]
    assert trial.asked_with == {"node2": "s3cret", "node3": "s3cret", THIS_MACHINE: "s3cret"}
    server.close()


class AllTogether:
    """A trial: all hosts are asked at once, with what is known of them."""

    name = "together"
    field = "kubernetes.api.port"

    def __init__(self, *, limit_s: float = 5.0, takes_s: float = 0.0, cleaning_s: float = 0.0) -> None:
        self.limit_s, self.takes_s, self.cleaning_s = limit_s, takes_s, cleaning_s
        self.asked: list[tuple[str, ...]] = []
        self.is_clean = False

    def question(self, view: ClusterView) -> tuple[str, ...] | None:
        return tuple(view.facts)

    async def ask(self, question: tuple[str, ...], hosts: Mapping[str, Host], secret: KnownSecret) -> int:
        self.asked.append(tuple(hosts))
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            await asyncio.sleep(self.cleaning_s)
            self.is_clean = True
        return len(question)

    def judge(self, question: tuple[str, ...], answer: int | None, view: ClusterView) -> Iterator[Finding]:
        yield view.finding("RBD-TRIAL-2", Severity.ERROR, field=self.field, answered=str(answer))


@pytest.mark.parametrize(
    ("part", "asked", "by_place"),
    [
        (Part.ALL, 1, True),
        (Part.HOSTS, 0, False),
        (Part.SERVICES | Part.FLEET, 1, True),
        (Part.HOSTS | Part.SERVICES, 0, True),
    ],
)
async def test_a_check_of_all_hosts_is_asked_once_and_only_where_it_is_wanted(
    trial: PortOpen, monkeypatch: pytest.MonkeyPatch, part: Part, asked: int, by_place: bool
) -> None:
    together = AllTogether()
    monkeypatch.setattr(services, "FLEET_CHECKS", (together,))
    spec = spec_of(profile=KUBERNETES.profile, api={"mode": "vip", "domain": "api.example"})
    at = hosts(Reach.REFUSED)
    result = await preflight(spec, at, Packages("debian-12-amd64"), place, parts=part)
    assert together.asked == [("node1", "node2", "node3")] * asked
    assert [each.params["answered"] for each in result.findings if each.code == "RBD-TRIAL-2"] == ["3"] * asked
    assert ("RBD-TRIAL-1" in {each.code for each in result.findings}) is by_place
    assert any(each.code == "RBD-TIME-104" for each in result.findings) is (Part.HOSTS in part)
    assert any(port == 10250 for host in at.values() for _, port in host.reached) is (Part.HOSTS in part)


async def test_a_check_of_all_hosts_that_is_too_slow_is_judged_without_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "FLEET_CHECKS", (AllTogether(limit_s=0.05, takes_s=5),))
    result = await preflight(KUBERNETES, hosts(Reach.REFUSED), None, place, parts=Part.FLEET)
    assert [each.params["answered"] for each in result.findings] == ["None"]


async def test_who_gives_a_preflight_up_goes_on_when_every_check_has_put_its_things_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checks = (AllTogether(takes_s=5), AllTogether(takes_s=5, cleaning_s=0.2))
    monkeypatch.setattr(services, "FLEET_CHECKS", checks)
    asked = asyncio.create_task(preflight(KUBERNETES, hosts(Reach.REFUSED), None, place, parts=Part.FLEET))
    await until(lambda: all(each.asked for each in checks))
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert [each.is_clean for each in checks] == [True, True]


@pytest.mark.parametrize("check", FLEET_CHECKS, ids=lambda check: check.name)
def test_every_check_of_all_hosts_has_a_name_of_its_own_and_a_section(check: FleetCheck[Any, Any]) -> None:
    names = [each.name for each in SERVICE_CHECKS] + [each.name for each in FLEET_CHECKS]
    assert names.count(check.name) == 1
    assert section_of_field(check.field) != REVIEW


async def test_a_service_whose_answer_nobody_thought_of_costs_its_own_check_alone(trial: PortOpen) -> None:
    trial.also_here, trial.asked, trial.error = True, ("127.0.0.1", 1), ValueError("odd")
    at = hosts(Reach.OPEN)
    result = await preflight(KUBERNETES, at, None, place)
    broken = [each for each in result.findings if each.code == "RBD-SERVICE-001"]
    assert sorted(each.place.node for each in broken) == [THIS_MACHINE, "node2", "node3"]
    assert {each.severity for each in broken} == {Severity.WARNING}
    assert "ValueError: odd" in str(broken[0].message)
    assert set(result.facts) == set(at)
    assert "RBD-HOST-010" not in {each.code for each in result.findings}
