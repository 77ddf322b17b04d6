"""The lab's own promises: hosts that are real, faults that befall one host only, and nothing left over afterwards."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import BASTION_USER, OP_PASSWORD, OP_USER, Lab, LabError
from tests.lab.base import base_image, keepalived_image
from tests.lab.cache import Cache, cache_root, mounts_below
from tests.lab.cgroup import groups, members
from tests.lab.claims import find_claim
from tests.lab.layout import group_prefix
from tests.lab.shell import to_stderr, wait_for
from tests.lab.teardown import clear_abandoned, lab_directory

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def _machine() -> None:
    why_not = Lab.supported()
    if why_not:
        pytest.skip(f"no lab on this machine: {why_not}")


@pytest.fixture(scope="module")
def lab(_machine: None) -> Iterator[Lab]:
    with Lab("selftest", hosts=2, without_keepalived=["n2"], bastion_for=["n2"], bundle=False) as running:
        yield running


def ssh_greets(address: str, port: int = 22) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2) as link:
            link.settimeout(5)
            return link.recv(4) == b"SSH-"
    except OSError:
        return False


def wait_answer(lab: Lab, host: str) -> None:
    wait_for(f"ssh to {host}", lambda: lab.ssh(host, "true", check=False).returncode == 0, timeout_s=20)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def left_over(name: str) -> list[str]:
    links = [link.name for link in Path("/sys/class/net").iterdir() if name in link.name]
    detours = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True, timeout=10).stdout
    rules = [line for line in detours.splitlines() if f"rbdlab-{name}" in line]
    mounts = [str(mount) for mount in mounts_below(lab_directory(name))]
    disks = [str(lab_directory(name))] if lab_directory(name).exists() else []
    return [*groups(group_prefix(name)), *links, *rules, *mounts, *disks]


def test_hosts_are_debian_with_systemd_and_nothing_extra(lab: Lab) -> None:
    wait_for(
        "end of start-up", lambda: lab.ssh("n1", "systemctl is-system-running").stdout == "running\n", timeout_s=30
    )
    assert lab.ssh("n1", "cat /proc/1/comm; hostname").stdout.split() == ["systemd", "n1"]
    assert lab.ssh("n1", "command -v python3 curl wget", check=False).stdout == ""
    assert lab.ssh("n1", ". /etc/os-release && echo $ID $VERSION_ID").stdout == "debian 12\n"


def test_hosts_have_no_way_out(lab: Lab) -> None:
    assert lab.ssh("n1", "cat /etc/resolv.conf").stdout == ""
    assert Path(f"/proc/sys/net/ipv4/conf/{lab.bridge}/forwarding").read_text() == "0\n"


def test_hosts_reach_each_other(lab: Lab) -> None:
    lab.ssh("n1", f"ping -c 1 -W 2 {lab.hosts['n2'].address}")


def test_op_becomes_root_with_the_nasty_password_only(lab: Lab) -> None:
    become = "sudo -S -p '' -k id -u"
    assert lab.ssh("n1", become, user=OP_USER, stdin=f"{OP_PASSWORD}\n").stdout == "0\n"
    assert lab.ssh("n1", become, user=OP_USER, stdin="wrong\n", check=False).returncode == 1


def test_op_logs_in_with_the_password_too(lab: Lab, tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    answer.write_text(f"#!/bin/sh\necho {shlex.quote(OP_PASSWORD)}\n")
    answer.chmod(0o700)
    words = ["ssh", "-F", "none", "-o", "PubkeyAuthentication=no", "-o", "StrictHostKeyChecking=no"]
    words += ["-o", "UserKnownHostsFile=/dev/null", f"{OP_USER}@{lab.hosts['n1'].address}", "id", "-un"]
    environment = os.environ | {"SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == f"{OP_USER}\n", done.stderr


def test_host_keys_are_those_that_sshd_shows(lab: Lab, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("\n".join(lab.host_keys("n1")) + "\n")
    words = ["ssh", "-F", "none", "-i", str(lab.key), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    words += ["-o", f"UserKnownHostsFile={known}", f"root@{lab.hosts['n1'].address}", "true"]
    assert subprocess.run(words, capture_output=True, timeout=30, check=False).returncode == 0
    lab.rekey("n1")
    assert subprocess.run(words, capture_output=True, timeout=30, check=False).returncode == 255
    lab.ssh("n1", "true")


def test_a_host_without_keepalived_gets_it_from_the_packages(lab: Lab) -> None:
    assert lab.ssh("n1", "command -v keepalived").stdout == "/usr/sbin/keepalived\n"
    assert not lab.hosts["n2"].keepalived
    assert lab.ssh("n2", "command -v keepalived", check=False).returncode != 0
    cache = Cache(cache_root(), to_stderr)
    packages = keepalived_image(cache, base_image(cache, to_stderr), to_stderr) / "debs"
    archive = subprocess.run(["tar", "c", "-C", packages, "."], capture_output=True, check=True, timeout=30).stdout
    install = [
        *lab.ssh_command("n2"),
        "mkdir -p /var/tmp/debs && tar x -C /var/tmp/debs && dpkg -i /var/tmp/debs/*.deb",
    ]
    subprocess.run(install, input=archive, capture_output=True, check=True, timeout=120)
    assert "Keepalived" in lab.ssh("n2", "keepalived --version 2>&1").stdout


def test_a_host_behind_the_bastion_takes_ssh_from_there_only(lab: Lab) -> None:
    assert lab.bastion is not None
    assert not ssh_greets(lab.hosts["n2"].address)
    assert lab.ssh("n2", "echo $SSH_CONNECTION").stdout.split()[0] == lab.bastion.address
    assert lab.ssh("bastion", "id -un").stdout == f"{BASTION_USER}\n"
    assert lab.ssh("n1", f"timeout 2 bash -c '</dev/tcp/{lab.hosts['n2'].address}/22'", check=False).returncode != 0


def test_a_power_cut_ends_everything_but_the_disk(lab: Lab) -> None:
    lab.ssh("n1", "echo kept > /root/kept; echo lost > /run/lost; setsid sleep 1000 > /dev/null 2>&1 < /dev/null &")
    keys = lab.host_keys("n1")
    lab.off("n1")
    assert not ssh_greets(lab.hosts["n1"].address)
    assert lab.inside("n2", "hostname").stdout == "n2\n"
    with pytest.raises(LabError, match="n1 is off"):
        lab.inside("n1", "true")
    lab.on("n1")
    assert lab.ssh("n1", "cat /root/kept").stdout == "kept\n"
    assert lab.ssh("n1", "cat /run/lost; pgrep sleep", check=False).stdout == ""
    assert lab.host_keys("n1") == keys


def test_a_filter_outlives_a_power_cut(lab: Lab) -> None:
    lab.off("n2")
    lab.on("n2")
    assert not ssh_greets(lab.hosts["n2"].address)
    lab.ssh("n2", "true")


def test_a_cut_link_leaves_the_host_running(lab: Lab) -> None:
    lab.cut("n1")
    assert not ssh_greets(lab.hosts["n1"].address)
    assert lab.inside("n1", "hostname").stdout == "n1\n"
    lab.mend("n1")
    wait_answer(lab, "n1")


@pytest.mark.parametrize("path", ["/var/lib", "/tmp"])
def test_a_full_disk_takes_nothing_until_it_is_drained(lab: Lab, path: str) -> None:
    lab.fill("n1", path)
    try:
        refused = lab.ssh("n1", f"head -c 100000 /dev/zero > {path}/more", check=False)
        assert "No space left on device" in refused.stderr
    finally:
        lab.drain("n1")
    lab.ssh("n1", f"head -c 100000 /dev/zero > {path}/more && rm {path}/more")


def test_a_disk_can_be_nearly_full(lab: Lab) -> None:
    lab.fill("n1", "/", leave_mib=100)
    try:
        free_kib = int(lab.ssh("n1", "df --output=avail -k / | tail -1").stdout)
    finally:
        lab.drain("n1")
    assert 90 * 1024 <= free_kib <= 100 * 1024


def test_a_killed_service_is_gone_at_once(lab: Lab) -> None:
    lab.ssh("n1", "systemd-run --quiet --unit=victim --property=Restart=no sleep 1000")
    lab.kill("n1", "victim")
    state = "systemctl show --property=ActiveState,Result --value victim"
    wait_for("end of the service", lambda: lab.ssh("n1", state).stdout == "signal\nfailed\n", timeout_s=10)
    with pytest.raises(LabError, match="does not run"):
        lab.kill("n1", "victim")
    lab.ssh("n1", "systemctl reset-failed victim")


@pytest.mark.parametrize("seconds", [3600, -90.5])
def test_a_skewed_clock_is_off_on_that_host_only(lab: Lab, seconds: float) -> None:
    lab.skew("n1", seconds)
    try:
        shown = float(lab.ssh("n1", "date +%s.%N").stdout)
        assert shown - time.time() == pytest.approx(seconds, abs=5)
        assert float(lab.ssh("n2", "date +%s.%N").stdout) == pytest.approx(time.time(), abs=5)
    finally:
        lab.skew("n1", 0)
    assert float(lab.ssh("n1", "date +%s.%N").stdout) == pytest.approx(time.time(), abs=5)


def test_a_skewed_clock_can_be_set_right_and_this_machine_is_safe(lab: Lab) -> None:
    lab.skew("n1", 7200)
    before = time.time()
    lab.ssh("n1", f"date --set=@{int(before)}")
    assert float(lab.ssh("n1", "date +%s.%N").stdout) == pytest.approx(time.time(), abs=5)
    assert lab.ssh("n2", "date --set=@1000000000", check=False).returncode != 0
    assert time.time() - before < 60
    lab.skew("n1", 0)


def test_a_squatter_answers_for_an_address(lab: Lab) -> None:
    vip = lab.vips[0]
    ask = f"ip neigh flush to {vip}; ping -c 1 -W 1 {vip}"
    assert lab.ssh("n1", ask, check=False).returncode != 0
    lab.squat(vip)
    assert lab.ssh("n1", ask).returncode == 0
    lab.unsquat(vip)
    assert lab.ssh("n1", ask, check=False).returncode != 0


def spent_s(lab: Lab, command: str, data: str | None = None) -> float:
    begin = time.monotonic()
    lab.ssh("n1", command, stdin=data)
    return time.monotonic() - begin


def test_a_narrow_link_is_slow_both_ways(lab: Lab) -> None:
    data = "x" * 2_000_000
    lab.narrow("n1", "8mbit")
    try:
        slow_s = [spent_s(lab, f"head -c {len(data)} /dev/zero"), spent_s(lab, "cat > /dev/null", data)]
    finally:
        lab.widen("n1")
    assert min(slow_s) > 1.5  # 2 MB at 1 MB/s, less what the bucket lets through at once
    assert spent_s(lab, "cat > /dev/null", data) < min(slow_s) - 0.5


def test_a_delay_lengthens_ssh_and_goes_away(lab: Lab) -> None:
    port = lab.delay("n1", 300)
    try:
        assert ssh_greets("127.0.0.1", port)
        delayed_s = spent_s(lab, "true")
    finally:
        lab.undelay("n1")
    assert delayed_s > 1.5  # an SSH login is at least five round trips
    assert spent_s(lab, "true") < delayed_s - 0.5
    assert not ssh_greets("127.0.0.1", port)


def test_two_labs_side_by_side_do_not_touch_each_other(lab: Lab) -> None:
    with Lab("other", hosts=1, bundle=False) as other:
        assert not lab.network.overlaps(other.network)
        assert other.ssh("n1", "hostname -I").stdout.split() == [other.hosts["n1"].address]
        reach = f"ping -c 1 -W 1 {other.hosts['n1'].address}"
        assert lab.ssh("n1", reach, check=False).returncode != 0
        with pytest.raises(LabError, match="belongs to lab 'other'"):
            Lab("third", hosts=1, quarter=other.quarter, bundle=False).up()
        with pytest.raises(LabError, match="is up already"):
            Lab("other", hosts=1, bundle=False).up()
        other.off("n1")
        lab.ssh("n1", "true")
    assert left_over("other") == []
    lab.ssh("n1", "true")


def test_another_process_finds_the_lab(lab: Lab) -> None:
    words = [sys.executable, "-m", "tests.lab", "--lab", "selftest", "status"]
    shown = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=30).stdout
    assert json.loads(shown) == lab.status()
    assert Lab.attach("selftest").hosts == lab.hosts


def test_a_lab_of_a_process_that_crashed_is_cleared_away() -> None:
    crash = """
        import os, signal
        from tests.lab import Lab
        with Lab("crashed", hosts=1, bundle=False) as lab:
            lab.squat(lab.vips[0])
            lab.delay("n1", 10)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    words = [sys.executable, "-c", textwrap.dedent(crash)]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -9, done.stderr
    assert left_over("crashed") != []
    clear_abandoned(to_stderr)
    assert left_over("crashed") == []
    assert find_claim("crashed") is None


def test_a_lab_that_fails_on_the_way_up_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LabError("no bridge today")

    monkeypatch.setattr("tests.lab.wire.make_bridge", fail)
    with pytest.raises(LabError, match="no bridge today"):
        Lab("halfway", hosts=1, bundle=False).up()
    assert left_over("halfway") == []
    assert find_claim("halfway") is None


def test_down_is_harmless_twice_and_ends_every_process() -> None:
    lab = Lab("brief", hosts=1, bundle=False).up()
    pids = [pid for group in groups(group_prefix("brief")) for pid in members(group)]
    assert pids
    lab.down()
    assert not any(runs(pid) for pid in pids)
    lab.down()
    assert left_over("brief") == []


def test_why_no_lab_can_be_here_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.lab.machine.CGROUP_ROOT", tmp_path)
    assert "no cgroup v1 controllers" in str(Lab.supported())
    (tmp_path / "cgroup.controllers").touch()
    assert "cgroup v2 only" in str(Lab.supported())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Lab.supported() == "the lab needs root"
