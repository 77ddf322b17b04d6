"""The address that moves between machines, what keepalived judges, and who else may have the address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.simulator.units import Active
from rbdtui.transport.base import Reach
from rbdtui.transport.scripts import script
from tests.simulator.conftest import SPEED, Login, eventually


def keepalived_conf(fleet: SimulatedFleet, name: str, priority: int, *, extra: str = "", check: str = "") -> str:
    own = fleet.machines[name]
    peers = "\n".join(str(machine.ip) for machine in fleet.machines.values() if machine is not own)
    return f"""{check}
vrrp_instance RBDTUI {{
    state BACKUP
    {extra}
    interface eth0
    virtual_router_id 87
    priority {priority}
    advert_int 1
    unicast_src_ip {own.ip}
    unicast_peer {{
        {peers}
    }}
    authentication {{
        auth_type PASS
        auth_pass 12345678
    }}
    virtual_ipaddress {{
        {fleet.vip} dev eth0
    }}
}}
"""


def start_keepalived(fleet: SimulatedFleet, *, extra: str = "nopreempt") -> None:
    for number, (name, machine) in enumerate(fleet.machines.items()):
        text = keepalived_conf(fleet, name, 100 - 10 * number, extra=extra)
        machine.files.put("/etc/keepalived/keepalived.conf", text)
        machine.enable("keepalived")
        machine.start_unit("keepalived")


def holders(fleet: SimulatedFleet) -> list[str]:
    return [machine.name for machine in fleet.network.holders(fleet.vip.ip)]


async def test_the_address_moves_when_its_holder_dies_and_stays_when_it_returns() -> None:
    async with SimulatedFleet(3, speed=SPEED / 5) as fleet:
        start_keepalived(fleet)
        await eventually(lambda: holders(fleet) == ["node1"])
        await fleet.power_off("node1")
        # Priorities are hundredths of a second apart, which a busy machine may not tell; who was first keeps it.
        await eventually(lambda: holders(fleet) in (["node2"], ["node3"]))
        taken_over = holders(fleet)
        await fleet.power_on("node1")
        await eventually(lambda: len(fleet.network.speakers) == 3)
        await fleet.pace.sleep(10)
        assert holders(fleet) == taken_over


async def test_without_nopreempt_the_highest_priority_takes_the_address_back() -> None:
    async with SimulatedFleet(3, speed=SPEED) as fleet:
        start_keepalived(fleet, extra="")
        await eventually(lambda: holders(fleet) == ["node1"])
        await fleet.power_off("node1")
        await eventually(lambda: holders(fleet) == ["node2"])
        await fleet.power_on("node1")
        await eventually(lambda: holders(fleet) == ["node1"])


async def test_a_cut_link_gives_two_holders_and_mending_it_gives_one() -> None:
    async with SimulatedFleet(2, speed=SPEED) as fleet:
        start_keepalived(fleet)
        await eventually(lambda: holders(fleet) == ["node1"])
        fleet.cut("node1")
        await eventually(lambda: holders(fleet) == ["node1", "node2"])
        fleet.mend("node1")
        await eventually(lambda: holders(fleet) == ["node1"])


async def test_a_stopped_keepalived_releases_the_address_and_a_killed_one_leaves_it() -> None:
    async with SimulatedFleet(2, speed=SPEED) as fleet:
        start_keepalived(fleet)
        await eventually(lambda: holders(fleet) == ["node1"])
        await fleet.machines["node1"].systemd.stop("keepalived")
        await eventually(lambda: holders(fleet) == ["node2"])
        await fleet.kill("node2", "keepalived")
        assert holders(fleet) == ["node2"]
        assert fleet.machines["node2"].systemd.unit("keepalived").active is Active.FAILED


async def test_a_failing_check_takes_the_address_away(log_in: Login) -> None:
    check = """vrrp_script check_node {
    script "/etc/keepalived/check.sh"
    interval 2
    fall 2
    rise 1
    weight 0
}"""
    async with SimulatedFleet(2, speed=SPEED) as fleet, log_in(fleet) as hosts:
        start_keepalived(fleet)
        await eventually(lambda: holders(fleet) == ["node1"])
        text = keepalived_conf(fleet, "node1", 100, extra="nopreempt", check=check)
        text = text.rstrip().removesuffix("}") + "    track_script {\n        check_node\n    }\n}\n"
        fleet.machines["node1"].files.put("/etc/keepalived/keepalived.conf", text)
        fleet.machines["node1"].files.put("/etc/keepalived/check.sh", "exec kubectl get --raw /readyz\n", mode=0o755)
        await hosts["node1"].must(script("unit-action"), "keepalived.service", "reload-or-restart")
        assert holders(fleet) == ["node1"], "a reload keeps the address"
        await eventually(lambda: holders(fleet) == ["node2"])


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (("priority", "priority"), 0, ""),
        (("priority", "piority"), 3, "Unknown keyword 'piority'"),
        (("advert_int 1", "advert_int 1 }"), 3, "Unexpected '}'"),
        (("auth_pass 12345678\n    }", "auth_pass 12345678\n"), 3, "Missing '}'"),
    ],
)
async def test_keepalived_judges_a_configuration(
    log_in: Login, change: tuple[str, str], status: int, words: str
) -> None:
    async with SimulatedFleet(1) as fleet, log_in(fleet) as hosts:
        text = keepalived_conf(fleet, "node1", 100).replace(*change)
        result = await hosts["node1"].run(script("keepalived-test"), payload=text.encode())
        assert result.exit_status == status
        assert words in result.error_text


async def test_a_foreign_device_that_has_the_address_is_seen(log_in: Login) -> None:
    async with SimulatedFleet(2, speed=SPEED) as fleet, log_in(fleet) as hosts:
        address = str(fleet.vip.ip)
        assert (await hosts["node1"].must(script("neighbour"), address)).text == ""
        fleet.squat(address)
        assert re.fullmatch(r"neighbour \S+ eth0\n", (await hosts["node1"].must(script("neighbour"), address)).text)
        assert (await hosts["node1"].reach(address, 6443)).reach is Reach.REFUSED
        fleet.unsquat(address)
        fleet.machines["node2"].addresses.append(fleet.vip)
        told = (await hosts["node1"].must(script("neighbour"), address)).text
        assert told == f"neighbour {fleet.machines['node2'].mac} eth0\n"
        assert (await hosts["node2"].must(script("neighbour"), address)).text == "own\n"


async def test_packages_come_from_files(log_in: Login, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", images_bytes=1000)
    (package,) = (bundle / "packages" / "debian-12-amd64").glob("keepalived*.deb")
    async with SimulatedFleet(1, speed=SPEED, builds=[Build(keepalived=False)]) as fleet, log_in(fleet) as hosts:
        host, machine = hosts["node1"], fleet.machines["node1"]
        assert (await host.must(script("packages-state"), "keepalived")).text == "keepalived\n"
        machine.files.put(f"/var/lib/rbdtui/p/{package.name}", package.read_bytes())
        await host.must(script("packages-install"), "/var/lib/rbdtui/p", "keepalived.service")
        assert (await host.must(script("packages-state"), "keepalived")).text.startswith("keepalived 1:2.2")
        assert "LoadState=loaded" in (await host.must(script("unit-state"), "keepalived.service")).text
