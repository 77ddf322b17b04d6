"""A pair of HAProxy servers with keepalived in front of three servers, on real hosts.

One story in the order of the file: haproxy comes from the bundle, the cluster is installed behind the pair and a second
run changes nothing; a server, HAProxy itself and the VIP's holder are lost, and what is lost is told; a reset leaves
nothing of it.
"""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.lab_site import API_PORT, LabSite, wait_for
from tests.lab import Lab
from tests.lab.packages import bundle_with

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(1800)]

SERVERS, PAIR = ("n1", "n2", "n3"), ("n4", "n5")
SPEC = """apiVersion: rbdtui/v1
name: lab-site
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker]}}
  - {{name: n2, address: {n2}, roles: [control-plane, etcd, worker]}}
  - {{name: n3, address: {n3}, roles: [control-plane, etcd, worker]}}
  - name: n4                      # logs in as a user who needs sudo with a nasty password
    address: {n4}
    roles: [balancer]
    ssh: {{user: {op}, sudo_password: secret:sudo}}
  - {{name: n5, address: {n5}, roles: [balancer]}}   # keepalived comes from the bundle
kubernetes:
  api: {{mode: vip, address: {vip}, domain: api.lab-site.lan}}
gateway: {{mode: haproxy, vip: {vip}/26, virtual_router_id: 87}}
"""


class Pair(LabSite):
    """The site, and how long its API is missed."""

    def said(self, *words: str, status: int = 0) -> str:
        done = self.rbdtui(words[0], str(self.path), *words[1:])
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def probes(self, *, status: int) -> dict[str, str]:
        told = json.loads(self.said("health", "--json", status=status))
        return {probe["id"]: probe["state"] for probe in told["probes"]}

    def is_well(self) -> bool:
        return self.rbdtui("health", str(self.path)).returncode == 0

    def detail(self, probe: str) -> str:
        told = json.loads(self.rbdtui("health", str(self.path), "--json").stdout)
        return next(str(each["detail"]) for each in told["probes"] if each["id"] == probe)

    def holder(self, *, off: str = "") -> str:
        found = self.vip_holders(off=off)
        return found[0] if len(found) == 1 else ""

    def shakes_hands(self) -> bool:
        """Whether a server behind the VIP answers in TLS; in half a second, so that a gap is measured closely."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connect = socket.create_connection
        with suppress(OSError), connect((self.vip, API_PORT), 0.5) as plain, context.wrap_socket(plain):
            return True
        return False

    @contextmanager
    def gap(self, what: str, most_s: float) -> Iterator[None]:
        """Measures for how long the API is missed at most while something is done, until it has answered for 5 s."""
        answered, ended = [time.monotonic()], threading.Event()

        def watch() -> None:
            while not ended.wait(0.1):
                if self.shakes_hands():
                    answered.append(time.monotonic())

        assert self.shakes_hands()
        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
            begin = time.monotonic()
            wait_for(lambda: time.monotonic() - begin > 12 and self._steady(answered), 90, f"the API after {what}")
        finally:
            ended.set()
            thread.join(5)
        longest_s = max(after - before for before, after in itertools.pairwise(answered))
        print(f"the API was missed for {longest_s:.1f} s: {what}")
        assert longest_s < most_s

    @staticmethod
    def _steady(answered: list[float]) -> bool:
        """Whether nothing was missed for 5 s; a busy machine asks less often than it wants to."""
        now = time.monotonic()
        recent = [now - 5, *(at for at in answered if at > now - 5), now]
        return max(after - before for before, after in itertools.pairwise(recent)) < 2


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Lab("pair", hosts=5, without_keepalived=("n5",)) as lab:
        directory = tmp_path_factory.mktemp("pair", numbered=True)
        made = Pair(lab, directory / "site", SPEC)
        # Beside the lab's own: links do not reach into another file system.
        made.bundle = bundle_with(lab.bundle, Path(lab.directory) / "bundle", ["haproxy"])
        made.write()
        yield made


def test_the_pair_is_checked_and_what_it_lacks_comes_from_the_bundle(pair: Pair) -> None:
    found = json.loads(pair.said("check", "--json"))["findings"]
    assert [each for each in found if each["severity"] == "error"] == []
    from_bundle = {each["place"]["node"] for each in found if each["code"] == "RBD-LB-105"}
    assert from_bundle == set(PAIR)
    assert not any(each["place"].get("node") in PAIR and each["code"].startswith("RBD-DISK") for each in found)


def test_a_cluster_is_installed_behind_the_pair_and_a_second_run_changes_nothing(pair: Pair) -> None:
    pair.said("run", "--yes")
    assert pair.holder() in PAIR
    assert pair.ready_nodes("n1") == list(SERVERS), "asked through the balancers, which are no nodes"
    for name in PAIR:
        there = pair.lab.inside(name, "ls /var/lib/rancher /usr/local/bin/rke2; true").stdout
        assert "rke2" not in there
        assert pair.lab.inside(name, "systemctl is-enabled haproxy keepalived").stdout.split() == ["enabled"] * 2
        for port in (API_PORT, 9345):
            assert pair.lab.inside("n1", f"timeout 3 bash -c '</dev/tcp/{pair.lab.hosts[name].address}/{port}'")
    before = {name: pair.fingerprint(name, "etc", "var/lib/rbdtui") for name in PAIR}
    again = pair.said("run", "--yes")
    assert pair.events()[-1]["changed"] == 0, again
    assert {name: pair.fingerprint(name, "etc", "var/lib/rbdtui") for name in PAIR} == before


def test_health_has_a_row_for_each_and_is_well(pair: Pair) -> None:
    wait_for(pair.is_well, 120, "all to be well", every_s=2)
    probes = pair.probes(status=0)
    for name in PAIR:
        assert (probes[f"haproxy@{name}"], probes[f"keepalived@{name}"], probes[f"ssh@{name}"]) == ("ok",) * 3
        assert not {f"rke2@{name}", f"node@{name}", f"certificate@{name}"} & set(probes)
    assert (probes["vip-holder"], probes["api@VIP"]) == ("ok", "ok")
    assert "all 3 servers" in pair.detail("haproxy@n4")


def test_a_server_that_is_gone_is_not_led_to(pair: Pair) -> None:
    with pair.gap("a server without power", 12):
        pair.lab.off("n2")
    probes = pair.probes(status=1)
    assert {probes[f"haproxy@{name}"] for name in PAIR} == {"degraded"}
    assert "n2" in pair.detail("haproxy@n5")
    pair.lab.on("n2")
    pair.wait_ready("n1", *SERVERS)
    wait_for(pair.is_well, 400, "all to be well, n2 with its images read again", every_s=3)


def test_a_haproxy_that_dies_is_started_again_and_one_that_stays_away_gives_the_vip_up(pair: Pair) -> None:
    first = pair.holder()
    with pair.gap("HAProxy killed on the holder", 8):
        pair.lab.kill(first, "haproxy")
    assert pair.holder() == first, "systemd was quicker than the check"
    with pair.gap("HAProxy stopped on the holder", 25):
        pair.lab.inside(first, "systemctl stop haproxy")
    second = pair.holder()
    assert second not in ("", first)
    assert pair.probes(status=1)[f"haproxy@{first}"] == "down"
    pair.lab.inside(first, "systemctl start haproxy")
    wait_for(pair.is_well, 120, "all to be well", every_s=2)
    assert pair.holder() == second, "the VIP stays where it is"


def test_the_holders_power_cut_is_bridged_and_told(pair: Pair) -> None:
    first = pair.holder()
    other = next(name for name in PAIR if name != first)
    with pair.gap("the holder's power cut", 10):
        pair.lab.off(first)
    assert pair.holder(off=first) == other
    probes = pair.probes(status=1)
    assert (probes[f"ssh@{first}"], probes["vip-holder"], probes["api@VIP"]) == ("down", "ok", "ok")
    assert probes[f"haproxy@{first}"] == "unknown"
    pair.lab.on(first)
    wait_for(pair.is_well, 180, "all to be well", every_s=3)
    assert pair.holder() == other


def test_both_lost_are_told(pair: Pair) -> None:
    for name in PAIR:
        pair.lab.inside(name, "systemctl stop haproxy")
    wait_for(lambda: pair.vip_holders() == [], 60, "nobody to hold the VIP")
    probes = pair.probes(status=1)
    assert {probes[f"haproxy@{name}"] for name in PAIR} == {"down"}
    assert (probes["vip-holder"], probes["api@VIP"]) == ("down", "down")
    for name in PAIR:
        pair.lab.inside(name, "systemctl start haproxy")
    wait_for(pair.is_well, 120, "all to be well", every_s=2)


def test_a_reset_takes_it_away(pair: Pair) -> None:
    pair.said("reset", "--yes")
    assert pair.vip_holders() == []
    for name in PAIR:
        units = pair.lab.inside(
            name, "systemctl is-active haproxy keepalived; systemctl is-enabled haproxy keepalived; true"
        )
        assert units.stdout.split() == ["inactive", "inactive", "disabled", "disabled"]
        assert "rbdtui" not in pair.lab.inside(name, "cat /etc/haproxy/haproxy.cfg").stdout
        left = pair.lab.inside(name, "ls -d /var/lib/rbdtui /etc/systemd/system/haproxy.service.d/* 2>/dev/null; true")
        assert left.stdout == ""
        sockets = [
            line.split() for line in pair.lab.inside(name, "cat /proc/net/tcp /proc/net/tcp6").stdout.splitlines()
        ]
        listening = [words[1] for words in sockets if words[3] == "0A"]
        assert not any(place.endswith((":192B", ":2481")) for place in listening), "6443 and 9345 are closed"
