"""Disk, clock, keepalived and the holder of the address, from output of the ``health`` script."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import pytest

from rbdtui.paths import asset
from rbdtui.probes.clocks import judge_clocks
from rbdtui.probes.host_sample import HostSample, parse_sample, take_sample
from rbdtui.probes.hosts import judge_disks, judge_names, judge_rke2
from rbdtui.probes.model import ClockReading, ProbeState
from rbdtui.probes.settings import Thresholds
from rbdtui.probes.vip import judge_holder, judge_keepalived
from rbdtui.transport.base import CommandResult
from tests.probes.standin import StandIn, health_output

VIP = "198.51.100.50"
OK, EXPECTED, DEGRADED = ProbeState.OK, ProbeState.EXPECTED, ProbeState.DEGRADED
DOWN, UNKNOWN = ProbeState.DOWN, ProbeState.UNKNOWN


def sample(text: str, status: int = 0) -> HostSample:
    return parse_sample(CommandResult(status, text.encode(), b"", 0.01), 100.0, 100.0)


def test_the_script_itself_on_this_machine() -> None:
    before = time.time()
    script = asset("scripts", "health.sh")
    asked = ["/", "/no such path", "localhost", "nowhere.invalid"]
    run = subprocess.run(["sh", str(script), *asked], capture_output=True, check=True, timeout=30)
    seen = parse_sample(CommandResult(0, run.stdout, run.stderr, 0.0), before, time.time())
    assert run.stderr == b""
    assert seen.clock is not None
    assert abs(seen.clock.offset_s) <= seen.clock.uncertainty_s + 0.001
    assert [disk.path for disk in seen.disks] == ["/"]
    assert 0 <= seen.disks[0].used_percent <= 100
    assert "127.0.0.1" in seen.addresses
    assert seen.names == {"localhost": ("127.0.0.1",), "nowhere.invalid": ()}
    assert seen.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


async def test_the_time_counts_from_when_its_line_came() -> None:
    host = StandIn("node1", scripts={"health": lambda: health_output(skew_s=7.0)})
    seen = await take_sample(host, "/", timeout_s=5.0)
    assert seen.clock is not None
    assert seen.clock.offset_s == pytest.approx(7.0, abs=0.5)
    assert seen.clock.uncertainty_s < 0.5


def test_lines_that_are_not_understood_are_left_out() -> None:
    seen = sample("motd noise\ntime soon\ndisk full\ndisk 1 2\nunit\nunit keepalived nonsense\naddress 1.2.3.4\n\n")
    assert (seen.clock, seen.disks) == (None, ())
    assert seen.addresses == {"1.2.3.4"}


@pytest.mark.parametrize(
    ("disks", "state", "words"),
    [
        ({"/": 10}, OK, "/ is 10 % full, 50.0 GiB free"),
        ({"/": 84}, OK, "84 %"),
        ({"/": 85}, DEGRADED, "85 %"),
        ({"/": 94}, DEGRADED, "94 %"),
        ({"/": 95}, DOWN, "95 %"),
        ({"/": 20, "/var/lib/rancher": 96}, DOWN, "/var/lib/rancher is 96 %"),
        ({"/": 20, "/mnt/with space": 88}, DEGRADED, "/mnt/with space is 88 %"),
    ],
)
def test_disks(disks: dict[str, int], state: ProbeState, words: str) -> None:
    answer = judge_disks("node1", "health", sample(health_output(disks=disks)), Thresholds())
    assert answer.state is state
    assert words in str(answer.detail)


@pytest.mark.parametrize(("percent", "state"), [(84, OK), (86, DEGRADED), (99, DOWN)])
def test_a_disk_is_full_without_inodes_too(percent: int, state: ProbeState) -> None:
    output = health_output(disks={"/": 40, "/var/lib/rancher": 50}, inodes={"/": 3, "/var/lib/rancher": percent})
    answer = judge_disks("node1", "health", sample(output), Thresholds())
    assert answer.state is state
    assert ("inodes" in str(answer.detail)) is (state is not OK)


@pytest.mark.parametrize(
    ("names", "needed", "state", "words"),
    [
        ({"goodrain.me": [VIP]}, True, OK, f"goodrain.me lead to {VIP}"),
        ({"goodrain.me": [VIP, "198.51.100.11"]}, True, OK, "lead to"),
        ({"goodrain.me": ["198.51.100.11", VIP]}, True, OK, "lead to"),
        ({"goodrain.me": ["198.51.100.99", VIP]}, True, DOWN, "leads to 198.51.100.99"),
        ({"goodrain.me": ["198.51.100.11"]}, False, DEGRADED, "leads to 198.51.100.11"),
        ({"goodrain.me": [VIP], "region.goodrain.me": []}, True, DOWN, "region.goodrain.me lead nowhere"),
        ({}, True, UNKNOWN, "no getent"),
    ],
)
def test_names(names: dict[str, list[str]], needed: bool, state: ProbeState, words: str) -> None:
    answer = judge_names("node1", "health", sample(health_output(names=names)), VIP, {"198.51.100.11"}, needed=needed)
    assert answer.state is state
    assert words in str(answer.detail)


def test_no_disk_line_is_unknown() -> None:
    answer = judge_disks("node1", "health", sample("time 1\n", status=1), Thresholds())
    assert answer.state is UNKNOWN
    assert "exit 1" in answer.evidence


@pytest.mark.parametrize(
    ("keepalived", "state"),
    [
        ("loaded active running", OK),
        ("loaded activating auto-restart", DEGRADED),
        ("loaded inactive dead", DOWN),
        ("loaded failed failed", DOWN),
        ("not-found inactive dead", DOWN),
    ],
)
def test_keepalived(keepalived: str, state: ProbeState) -> None:
    assert judge_keepalived("node1", "health", sample(health_output(keepalived=keepalived))).state is state


def test_keepalived_without_systemd_is_unknown() -> None:
    assert judge_keepalived("node1", "health", sample("time 1\n")).state is UNKNOWN


@pytest.mark.parametrize(
    ("unit", "listens", "server", "agent", "words"),
    [
        pytest.param("loaded active running", True, OK, OK, "Running.", id="up"),
        pytest.param("loaded active running", False, DEGRADED, OK, "nothing listens on 9345", id="no port"),
        pytest.param("loaded activating start", True, DEGRADED, DEGRADED, "still starting", id="9345 comes before"),
        pytest.param("loaded activating start-pre", False, DEGRADED, DEGRADED, "still starting", id="just begun"),
        pytest.param("loaded activating auto-restart", False, DOWN, DOWN, "fails repeatedly", id="fails"),
        pytest.param("loaded inactive dead", False, DOWN, DOWN, "is not running (inactive)", id="stopped"),
        pytest.param("loaded failed failed", False, DOWN, DOWN, "is not running (failed)", id="failed"),
        pytest.param("not-found inactive dead", False, DOWN, DOWN, "Not installed", id="absent"),
    ],
)
def test_rke2(unit: str, listens: bool, server: ProbeState, agent: ProbeState, words: str) -> None:
    seen = sample(health_output(rke2=unit, listens=listens))
    of_server = judge_rke2("node1", "health", seen, is_server=True)
    of_agent = judge_rke2("node1", "health", seen, is_server=False)
    assert (of_server.state, of_agent.state) == (server, agent)
    assert words in str(of_server.detail)


def test_rke2_without_systemd_is_unknown() -> None:
    assert judge_rke2("node1", "health", sample("time 1\n"), is_server=True).state is UNKNOWN


async def test_the_script_sees_whether_9345_listens() -> None:
    def listens() -> bool:
        script = asset("scripts", "health.sh")
        run = subprocess.run(["sh", str(script)], capture_output=True, check=True, timeout=30)
        return "listens 9345" in run.stdout.decode().splitlines()

    if listens():
        pytest.skip("an RKE2 server runs on this machine")
    with socket.create_server(("127.0.0.1", 9345)):
        assert listens()
    assert not listens()


HOLDS, FREE, DEAD = "holds", "free", "dead"


@pytest.mark.parametrize(
    ("gateways", "keepalived", "installing", "state", "words"),
    [
        ((HOLDS, FREE), "active", False, OK, "is on gw0"),
        ((FREE, HOLDS), "active", False, OK, "is on gw1"),
        ((HOLDS, HOLDS), "active", False, DOWN, "several servers at once: gw0, gw1"),
        ((HOLDS, HOLDS), "inactive", False, DOWN, "left it behind"),
        ((FREE, FREE), "active", False, DOWN, "No server holds"),
        ((FREE, FREE), "inactive", False, DOWN, "No server holds"),
        ((FREE, FREE), "inactive", True, EXPECTED, "keepalived is not running yet"),
        ((FREE, FREE), "active", True, DOWN, "No server holds"),
        ((FREE, DEAD), "active", False, UNKNOWN, "not checked: gw1"),
        ((HOLDS, DEAD), "active", False, OK, "is on gw0"),
        ((DEAD, DEAD), "active", False, UNKNOWN, "not checked: gw0, gw1"),
    ],
)
def test_holder(gateways: tuple[str, ...], keepalived: str, installing: bool, state: ProbeState, words: str) -> None:
    unit = f"loaded {keepalived} x"
    outputs = {HOLDS: health_output(VIP, keepalived=unit), FREE: health_output("10.0.0.1", keepalived=unit)}
    samples = {f"gw{n}": None if how == DEAD else sample(outputs[how]) for n, how in enumerate(gateways)}
    answer = judge_holder(VIP, samples, "health", installing=installing)
    assert answer.state is state
    assert words in str(answer.detail)


@pytest.mark.parametrize(
    ("offsets", "states"),
    [
        ([0.0, 0.1, -0.1], [OK, OK, OK]),
        ([0.0, 0.0, 0.8], [OK, OK, DEGRADED]),
        ([0.0, 0.0, 30.0], [OK, OK, DOWN]),
        ([0.0, -2.0, 0.0], [OK, DOWN, OK]),
        ([60.0, 60.1, 60.0], [OK, OK, OK]),
        ([60.0], [DOWN]),
        ([0.0, 60.0], [OK, DOWN]),
        ([0.0, None, 0.0], [OK, UNKNOWN, OK]),
        ([None], [UNKNOWN]),
    ],
)
def test_clocks(offsets: list[float | None], states: list[ProbeState]) -> None:
    readings = {f"n{n}": None if o is None else ClockReading(o, 0.01) for n, o in enumerate(offsets)}
    assert [answer.state for answer in judge_clocks(readings, Thresholds(), "time")] == states


def test_a_skew_within_the_uncertainty_of_a_slow_link_is_no_alarm() -> None:
    readings = {"a": ClockReading(0.0, 0.01), "b": ClockReading(0.0, 0.01), "c": ClockReading(2.0, 1.9)}
    assert [answer.state for answer in judge_clocks(readings, Thresholds(), "time")] == [OK, OK, OK]
