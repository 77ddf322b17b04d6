"""One installed Rainbond on three real servers: how soon health tells of each fault, its peace without, and drills.

One story in the order of the file. Health is `health --watch` as its operator starts it; each fault is one that a
server can have, and is put right again before the next. Seconds are from the moment in which the fault was there.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

import pytest

from tests.e2e.lab_site import API_PORT, LabSite, wait_for
from tests.lab import Lab
from tests.lab.bundle import SPEED_VARIABLE

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(2400)]

RELEASE, SPEED = "6.9.3", "5"
SPEC = """apiVersion: rbdtui/v1
name: lab-survives
profile: rainbond-6
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway, build]}}
  - {{name: n2, address: {n2}, roles: [control-plane, etcd, worker, gateway, build]}}
  - {{name: n3, address: {n3}, roles: [control-plane, etcd, worker, gateway, build]}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
rainbond: {{version: v6.9.3-release, domain_suffix: apps.lab.lan}}
"""
SYSTEM = ("-n", "rbd-system")
LIMIT_S = 10.0
QUIET_S = 600.0
METRICS = (
    "exec 3<>/dev/tcp/127.0.0.1/2381; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; "
    "timeout 2 grep -a ^etcd_server_has <&3"
)
"""What etcd says of itself; the hosts have no curl."""
IMPOSTOR_PORT, TLS_PORT = 17070, 20250
ANSWERS_404 = """use IO::Socket::INET;
$SIG{CHLD} = "IGNORE";
my $socket = IO::Socket::INET->new(LocalPort => PORT, Listen => 50, ReuseAddr => 1) or die;
while (my $client = $socket->accept) {
  next if fork;
  sysread $client, my $asked, 4096;
  print $client "HTTP/1.1 404 Not Found\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n";
  close $client;
  exit;
}
""".replace("PORT", str(IMPOSTOR_PORT))


@dataclass(slots=True)
class Change:
    """Another state of a probe, as it was told."""

    at: float
    probe: str
    state: str
    detail: str


@dataclass(slots=True)
class Watch:
    """What `health --watch` tells, with the time of each word."""

    changes: list[Change] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    verdict: str = ""

    def read(self, lines: IO[str]) -> None:
        """Every picture that it draws, until it ends."""
        for line in lines:
            picture = json.loads(line)
            at, first = time.time(), not self.states
            self.verdict = picture["state"]
            for probe in picture["probes"]:
                if not first and self.states.get(probe["id"]) != probe["state"]:
                    self.changes.append(Change(at, probe["id"], probe["state"], probe["detail"]))
                self.states[probe["id"]] = probe["state"]

    def first(self, probe: str, since: float) -> Change | None:
        """The first time since then that a probe was told not to be well."""
        told = (each for each in list(self.changes) if each.probe == probe and each.at >= since)
        return next((each for each in told if each.state in ("down", "degraded")), None)


@dataclass(slots=True)
class Survivor:
    """The site, its watch, and what was measured."""

    site: LabSite
    watch: Watch
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def lab(self) -> Lab:
        return self.site.lab

    @contextmanager
    def fault(
        self, name: str, probe: str, put_right: Callable[[], object], *, limit_s: float = LIMIT_S
    ) -> Iterator[Since]:
        """Within the block a fault is made; afterwards it has been told in time, and is put right again."""
        begun = time.time()
        since = Since(begun)
        try:
            yield since
            wait_for(lambda: self.watch.first(probe, begun) is not None, limit_s + 60, f"{probe} to be told")
        finally:
            put_right()
        told = self.watch.first(probe, begun)
        assert told is not None
        self.seconds[name] = round(told.at - since.at, 1)
        print(f"\n{name}: {self.seconds[name]} s: {told.probe} {told.state}: {told.detail}")
        self.is_well()
        assert self.seconds[name] <= limit_s

    def is_well(self, limit_s: float = 300.0) -> None:
        """Wait until every probe of the watch is."""
        wait_for(lambda: set(self.watch.states.values()) == {"ok"}, limit_s, f"{self.watch.states}", every_s=0.5)


@dataclass(slots=True)
class Since:
    """From when on a fault is there; what takes its time to come about says so itself."""

    at: float


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv(SPEED_VARIABLE, SPEED)
        with Lab("survives", hosts=3, bundle=False) as lab:
            site = LabSite(lab, tmp_path_factory.mktemp("lab") / "site", SPEC)
            site.bundle = lab.rainbond_bundle(RELEASE)
            site.write()
            done = site.rbdtui("run", str(site.path), "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            yield site


@pytest.fixture(scope="module")
def survivor(installed: LabSite) -> Iterator[Survivor]:
    words = installed.command("health", str(installed.path), "--watch", "--json")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    watch = Watch()
    assert process.stdout is not None
    reading = threading.Thread(target=watch.read, args=(process.stdout,), daemon=True)
    reading.start()
    try:
        found = Survivor(installed, watch)
        found.is_well()
        yield found
        print(f"\nseconds until it was told: {json.dumps(found.seconds)}")
    finally:
        process.terminate()
        process.wait(30)
        reading.join(10)
        process.stdout.close()


def holder_and_others(site: LabSite) -> tuple[str, list[str]]:
    (holder,) = site.vip_holders()
    return holder, [name for name in site.lab.hosts if name != holder]


def inside(survivor: Survivor, command: str, *hosts: str) -> None:
    for host in hosts or survivor.lab.hosts:
        survivor.lab.inside(host, command)


def test_a_healthy_site_is_left_in_peace(survivor: Survivor) -> None:
    before = len(survivor.watch.changes)
    time.sleep(QUIET_S)
    assert survivor.watch.changes[before:] == []


def test_a_port_that_is_closed(survivor: Survivor) -> None:
    _, (other, _) = holder_and_others(survivor.site)
    rule = "INPUT -p tcp --dport 6060 -j REJECT --reject-with tcp-reset"
    with survivor.fault("port closed", f"gateway-6060@{other}", lambda: inside(survivor, f"iptables -D {rule}", other)):
        inside(survivor, f"iptables -I {rule}", other)


def test_a_port_that_is_open_and_answers_wrongly(survivor: Survivor) -> None:
    _, (other, _) = holder_and_others(survivor.site)
    rule = f"PREROUTING -p tcp --dport 7070 -j REDIRECT --to-ports {IMPOSTOR_PORT}"
    survivor.lab.inside(
        other, "cat > /run/impostor.pl && systemd-run -q --unit=impostor perl /run/impostor.pl", stdin=ANSWERS_404
    )

    def put_right() -> None:
        inside(survivor, f"iptables -t nat -D {rule}; systemctl stop impostor", other)

    with survivor.fault("wrong answer", f"gateway-7070@{other}", put_right):
        inside(survivor, f"iptables -t nat -I {rule}", other)


def test_the_vip_on_two_servers(survivor: Survivor) -> None:
    holder, (other, _) = holder_and_others(survivor.site)
    vip = survivor.site.vip
    device = survivor.lab.inside(holder, f"ip -o -4 addr show | awk '/ {vip}\\//{{print $2}}'").stdout.strip()
    with survivor.fault(
        "VIP on two", "vip-holder", lambda: inside(survivor, f"ip addr del {vip}/32 dev {device}", other)
    ):
        inside(survivor, f"ip addr add {vip}/32 dev {device}", other)


def test_the_vip_on_none(survivor: Survivor) -> None:
    with survivor.fault("VIP on none", "vip-holder", lambda: inside(survivor, "systemctl start keepalived")) as since:
        inside(survivor, "systemctl stop keepalived")
        since.at = time.time()
        assert survivor.site.vip_holders() == []


def test_a_disk_that_fills(survivor: Survivor) -> None:
    _, (other, _) = holder_and_others(survivor.site)
    free_mib = int(survivor.lab.inside(other, "df --output=size -m / | tail -1").stdout) * 13 // 100
    with survivor.fault("disk", f"disk@{other}", lambda: survivor.lab.drain(other)) as since:
        survivor.lab.fill(other, leave_mib=free_mib)
        since.at = time.time()


def test_a_component_that_is_not_ready(survivor: Survivor) -> None:
    site = survivor.site

    def put_right() -> None:
        site.kubectl("n1", *SYSTEM, "scale", "deploy/rbd-worker", "--replicas=2")

    with survivor.fault("component", "component-rbd-worker", put_right) as since:
        site.kubectl("n1", *SYSTEM, "scale", "deploy/rbd-worker", "--replicas=0")
        since.at = time.time()


def test_a_certificate_that_ends_soon(survivor: Survivor) -> None:
    _, (other, _) = holder_and_others(survivor.site)
    rule = f"OUTPUT -p tcp -d 127.0.0.1 --dport 10250 -j REDIRECT --to-ports {TLS_PORT}"
    make = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 20 -subj /CN=soon -keyout /run/soon.key -out /run/soon.crt "
        "2>/dev/null && systemd-run -q --unit=soon openssl s_server -quiet "
        f"-accept {TLS_PORT} -key /run/soon.key -cert /run/soon.crt"
    )
    inside(survivor, make, other)

    def put_right() -> None:
        inside(survivor, f"iptables -t nat -D {rule}; systemctl stop soon", other)

    with survivor.fault("certificate", f"certificate@{other}", put_right):
        inside(survivor, f"iptables -t nat -I {rule}", other)
        begun = time.time()
        said = survivor.site.rbdtui("health", str(survivor.site.path), "--json")
        survivor.seconds["certificate, asked anew"] = round(time.time() - begun, 1)
        found = {probe["id"]: probe for probe in json.loads(said.stdout)["probes"]}
        assert found[f"certificate@{other}"]["state"] == "degraded", found


def test_a_node_that_is_not_ready(survivor: Survivor) -> None:
    """From the moment in which Kubernetes itself gives it up, which takes it most of a minute."""
    site, (_, (_, other)) = survivor.site, holder_and_others(survivor.site)

    def given_up() -> float | None:
        node = json.loads(site.kubectl("n1" if other != "n1" else "n2", "get", "node", other, "-o", "json"))
        ready = next(each for each in node["status"]["conditions"] if each["type"] == "Ready")
        return datetime.fromisoformat(ready["lastTransitionTime"]).timestamp() if ready["status"] != "True" else None

    with survivor.fault(
        "node NotReady", f"node@{other}", lambda: inside(survivor, "systemctl start rke2-server", other)
    ) as since:
        inside(survivor, "systemctl stop rke2-server", other)
        wait_for(lambda: given_up() is not None, 120, f"{other} to be given up")
        since.at = given_up() or 0.0


def test_an_etcd_without_a_leader(survivor: Survivor) -> None:
    """The members no longer hear each other; from the moment in which one of them says so itself."""
    rule = "INPUT -p tcp --dport 2380 ! -i lo -j DROP"

    def is_without() -> bool:
        return "etcd_server_has_leader 0" in survivor.lab.inside("n1", METRICS, check=False).stdout

    with survivor.fault("etcd without leader", "etcd-quorum", lambda: inside(survivor, f"iptables -D {rule}")) as since:
        inside(survivor, f"iptables -I {rule}")
        wait_for(is_without, 60, "etcd to lose its leader", every_s=0.1)
        since.at = time.time()
    survivor.is_well(600)


def wait_healthy(site: LabSite, limit_s: float = 600.0) -> None:
    """Wait until health says so: the drill before is over for its ports long before everything is ready again."""
    wait_for(
        lambda: site.rbdtui("health", str(site.path), "--json").returncode == 0, limit_s, "a healthy site", every_s=2
    )


def drilled(site: LabSite, *words: str) -> dict[str, Any]:
    wait_healthy(site)
    said = site.rbdtui("drill", str(site.path), "--yes", "--json", *words)
    assert said.returncode == 0, said.stdout + said.stderr
    (part,) = json.loads(said.stdout)["parts"]
    assert part["outcome"] == "passed", part
    assert part["normal_after_s"] is not None
    print(f"\n{part['part']} on {part['node']}: {json.dumps(part)}")
    return dict(part)


def longest(part: dict[str, Any]) -> float:
    assert {gap["port"] for gap in part["gaps"]} == {80, 443, 6060, 7070, 8443, API_PORT}
    return max(float(gap["gap_s"]) for gap in part["gaps"])


def test_the_holders_keepalived_is_stopped(installed: LabSite) -> None:
    part = drilled(installed)
    assert part["node"] == part["holder_before"] != part["took_over"]
    assert [part["took_over"]] == installed.vip_holders()
    assert longest(part) < 5, "0 when the next one took over between two connections"


def test_the_holders_gateway_is_stopped(installed: LabSite) -> None:
    part = drilled(installed, "--part", "gateway")
    assert part["node"] == part["holder_before"]
    assert part["took_over"] in installed.lab.hosts
    assert longest(part) < 60


def test_one_etcd_member_is_stopped_with_its_server(installed: LabSite) -> None:
    _, (other, _) = holder_and_others(installed)
    part = drilled(installed, "--part", "server", "--node", other)
    assert part["node"] == other
    assert longest(part) < 60
    installed.wait_ready("n1", "n1", "n2", "n3")
    assert len(installed.etcd_voters("n1")) == 3


def test_the_holder_loses_its_power(installed: LabSite) -> None:
    """By the operator's hand: the drill asks at a terminal, and waits for the switch."""
    wait_healthy(installed)
    holder, others = holder_and_others(installed)
    ours, theirs = pty.openpty()
    words = installed.command("drill", str(installed.path), "--part", "power", "--yes", "--json")
    with subprocess.Popen(words, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as drill:
        os.close(theirs)
        try:
            assert drill.stderr is not None
            heard = until(drill.stderr, "cut the power")
            installed.lab.off(holder)
            heard += until(drill.stderr, "on again now")
            assert holder in heard
            installed.lab.on(holder)
            out, err = drill.communicate(timeout=1500)
        finally:
            drill.kill()
            with suppress(OSError):
                os.close(ours)
    assert drill.returncode == 0, out + err
    (part,) = json.loads(out)["parts"]
    print(f"\npower of {holder}: {json.dumps(part)}")
    assert part["outcome"] == "passed"
    assert part["took_over"] in others
    assert longest(part) < 60


def until(lines: IO[str], words: str) -> str:
    heard = ""
    for line in lines:
        heard += line
        if words in line.lower():
            return heard
    raise AssertionError(f"it ended without {words!r}: {heard}")


def test_a_drill_is_refused_while_a_member_is_missing(installed: LabSite) -> None:
    _, (other, another) = holder_and_others(installed)
    installed.lab.inside(other, "systemctl stop rke2-server && rke2-killall.sh", timeout_s=180)
    try:
        said = installed.rbdtui("drill", str(installed.path), "--part", "server", "--node", another, "--yes")
        assert said.returncode != 0
        assert "nothing is stopped" in (said.stdout + said.stderr).lower(), said.stdout + said.stderr
        assert installed.lab.inside(another, "systemctl is-active rke2-server").stdout.strip() == "active"
    finally:
        installed.lab.inside(other, "systemctl start rke2-server", timeout_s=600)


def test_an_interrupted_drill_puts_the_server_back(installed: LabSite) -> None:
    _, (other, _) = holder_and_others(installed)
    wait_for(lambda: healthy(installed), 300, "a healthy site", every_s=1)
    words = installed.command("drill", str(installed.path), "--part", "server", "--node", other, "--yes")
    active = "systemctl is-active rke2-server"
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as drill:
        wait_for(lambda: "inactive" in installed.lab.inside(other, active, check=False).stdout, 200, "it to stop")
        drill.terminate()
        said, _ = drill.communicate(timeout=300)
    assert drill.returncode not in (0, None), said
    wait_for(lambda: installed.lab.inside(other, active, check=False).stdout.strip() == "active", 300, "it to be back")
    timers = installed.lab.inside(other, "systemctl list-units --all --plain --no-legend 'rbdtui-*'").stdout
    assert timers == ""
    wait_for(lambda: healthy(installed), 300, "a healthy site", every_s=1)


def healthy(site: LabSite) -> bool:
    return bool(json.loads(site.rbdtui("health", str(site.path), "--json").stdout)["state"] == "ok")
