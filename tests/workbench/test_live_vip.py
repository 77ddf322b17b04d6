"""Whether the virtual address is free, asked of simulated servers behind real SSH while it is typed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rbdtui.checks import services
from rbdtui.engine.client import RunClient
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.workbench.live.live import DEBOUNCE_S, LiveState
from rbdtui.workbench.live.services import MOST_WITNESSES, ServiceLook
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.run.run_view import RunFollower
from rbdtui.workbench.sections import BALANCER, findings_in
from rbdtui.workbench.workbench import Workbench
from tests.checks.test_services import PortOpen
from tests.waiting import until

SQUATTED = "127.77.0.222"


@pytest.fixture
async def fleet() -> AsyncIterator[SimulatedFleet]:
    async with SimulatedFleet(4, speed=20.0) as fleet:
        yield fleet


@pytest.fixture
def workbench(fleet: SimulatedFleet, tmp_path: Path) -> Iterator[Workbench]:
    site = write_demo_site(tmp_path / "site", fleet)
    site.known_hosts_file.write_text(fleet.known_hosts)
    workbench = Workbench.open(site.path, HeldPassphrase())
    yield workbench
    workbench.close()


def put_vip(workbench: Workbench, vip: str) -> None:
    def put(data: dict[str, object]) -> None:
        data["gateway"] = {"mode": "keepalived", "vip": vip, "virtual_router_id": 87}
        data["kubernetes"] = {"distribution": "rke2", "api": {"mode": "vip"}}

    workbench.change(put)


def codes(workbench: Workbench) -> list[str]:
    return [finding.code for finding in findings_in(workbench.findings, BALANCER)]


def answered(look: ServiceLook) -> bool:
    return len(look.answers) == MOST_WITNESSES and not look.asking


async def test_a_free_address_is_said_by_the_gateways_that_tried_it(
    workbench: Workbench, fleet: SimulatedFleet
) -> None:
    workbench.start()
    await until(lambda: answered(workbench.live.vip))
    look = workbench.live.vip
    assert look.question.address == fleet.vip.ip
    assert sorted(name for name, answer in look.answers.items() if answer.is_witness) == ["node1", "node2", "node3"]
    assert codes(workbench) == []


async def test_somebody_else_with_the_address_is_named_and_forgotten_with_it(
    workbench: Workbench, fleet: SimulatedFleet
) -> None:
    fleet.squat(SQUATTED)
    free = str(fleet.vip)
    workbench.start()
    await until(lambda: answered(workbench.live.vip))
    put_vip(workbench, f"{SQUATTED}/24")
    await until(lambda: answered(workbench.live.vip) and str(workbench.live.vip.question.address) == SQUATTED)
    (finding,) = findings_in(workbench.findings, BALANCER)
    assert finding.code == "RBD-VIP-105"
    assert finding.place.field == "gateway.vip"
    assert "02:00:5e:00:53:01" in str(finding.message)
    put_vip(workbench, "127.77.0.")
    assert workbench.live.vip == ServiceLook()
    assert "RBD-VIP-105" not in codes(workbench)
    put_vip(workbench, free)
    await until(lambda: answered(workbench.live.vip))
    assert codes(workbench) == []


async def test_no_address_is_asked_about_without_keepalived(workbench: Workbench) -> None:
    workbench.start()
    await until(lambda: answered(workbench.live.vip))
    workbench.change(lambda data: data.update(gateway={"mode": "external", "address": "127.77.0.200"}))
    assert workbench.live.vip == ServiceLook()


async def test_servers_are_asked_again_when_a_run_has_ended(workbench: Workbench, fleet: SimulatedFleet) -> None:
    workbench.start()
    await until(lambda: answered(workbench.live.vip))
    (workbench.site.run_dir("7f3a")).mkdir(parents=True)
    client = RunClient(workbench.site.run_dir("7f3a"))
    workbench.run = RunFollower(client, workbench.background, workbench._tell)
    workbench.run.alive = True
    workbench._tell()
    fleet.squat(str(fleet.vip.ip))
    workbench._tell()
    assert codes(workbench) == []
    workbench.run.alive = False
    workbench._tell()
    assert {node.state for node in workbench.live.nodes.values()} == {LiveState.WAITING}
    await until(lambda: codes(workbench) == ["RBD-VIP-105"])


async def test_another_service_check_is_driven_alike_while_typing(
    fleet: SimulatedFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = PortOpen()
    monkeypatch.setattr(services, "SERVICE_CHECKS", (*services.SERVICE_CHECKS, trial))
    site = write_demo_site(tmp_path / "site", fleet)
    site.known_hosts_file.write_text(fleet.known_hosts)
    workbench = Workbench.open(site.path, HeldPassphrase())
    try:
        workbench.start()
        await until(lambda: answered(workbench.live.vip))
        assert workbench.live.service("trial") == ServiceLook()
        workbench.change(lambda data: data["kubernetes"]["api"].update(domain="api.example"))
        await until(lambda: len(workbench.live.service("trial").answers) == MOST_WITNESSES)
        said = workbench.live.service("trial")
        assert sorted(said.answers) == ["node2", "node3", "node4"]
        assert {finding.code for finding in said.findings} == {"RBD-TRIAL-1"}
        assert codes(workbench).count("RBD-TRIAL-1") == MOST_WITNESSES
        assert answered(workbench.live.vip)
        workbench.change(lambda data: data["kubernetes"]["api"].pop("domain"))
        assert workbench.live.service("trial") == ServiceLook()
    finally:
        workbench.close()


async def test_nobody_logs_in_at_half_an_address(
    fleet: SimulatedFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = PortOpen()
    trial.logs_in = True
    monkeypatch.setattr(services, "SERVICE_CHECKS", (*services.SERVICE_CHECKS, trial))
    site = write_demo_site(tmp_path / "site", fleet)
    site.known_hosts_file.write_text(fleet.known_hosts)
    workbench = Workbench.open(site.path, HeldPassphrase())
    try:
        workbench.start()
        await until(lambda: answered(workbench.live.vip))
        workbench.typing_into("kubernetes")
        workbench.change(lambda data: data["kubernetes"]["api"].update(domain="api.example"))
        await asyncio.sleep(3 * DEBOUNCE_S)
        assert workbench.live.service("trial") == ServiceLook()
        assert trial.asked_with == {}
        workbench.typing_into("")
        await until(lambda: len(workbench.live.service("trial").answers) == MOST_WITNESSES)
    finally:
        workbench.close()
