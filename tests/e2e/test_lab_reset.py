"""A reset and a drill on real hosts.

A run that was cut off is taken back; a whole cluster passes a drill of its VIP's holder and is taken back, too; then it
is installed again. One story in the order of the file.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.lab_site import API_PORT, LabSite, wait_for
from tests.lab import Lab

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(1500)]

SITE = """apiVersion: rbdtui/v1
name: lab-reset
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n2, address: {n2}, roles: [control-plane, etcd, worker, gateway]}}
  - name: n3
    address: {n3}
    roles: [control-plane, etcd, worker]
    ssh: {{user: {op}, sudo_password: secret:sudo}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
"""
PLACES = "/etc /usr/local /usr/libexec /opt /var/lib"
_LISTING = (
    f"find {PLACES} -xdev \\( -path /var/lib/systemd -o -path /var/lib/private \\) -prune -o "
    "\\( -type f -o -type l \\) -printf '%p %m %U:%G %l\\n' -type f -exec sha256sum {} + 2>/dev/null | sort"
)
STAYS = re.compile(r"/etc/rc\d\.d/\w+keepalived|\.wants/keepalived\.service|/var/lib/dbus|/var/lib/chrony")
"""That a keepalived without configuration does not start at boot, and what the host's own services write."""
RUNS = "pgrep -x -l 'rke2|kubelet|keepalived|containerd|containerd-shim|etcd'; ip -o link; cat /proc/self/mounts"
_LEFT = re.compile(r"rke2|kubelet|keepalived|containerd|etcd|cni0|flannel|cali|/run/k3s|/run/netns/cni")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("reset", hosts=3, without_keepalived=()) as lab:
        made = LabSite(lab, tmp_path_factory.mktemp("lab") / "site", SITE)
        made.write()
        yield made


@pytest.fixture(scope="module")
def before(site: LabSite) -> dict[str, set[str]]:
    site.lab.inside("n1", "printf '# mine\\nvrrp_instance old {\\n}\\n' > /etc/keepalived/keepalived.conf")
    site.lab.inside("n2", f"printf '{site.vip} goodrain.me\\n' >> /etc/hosts")
    return listing(site)


def listing(site: LabSite) -> dict[str, set[str]]:
    """Every file with content, mode and owner, by host."""
    return {name: set(site.lab.inside(name, _LISTING).stdout.splitlines()) for name in site.lab.hosts}


def is_as_before(site: LabSite, before: dict[str, set[str]]) -> None:
    after = listing(site)
    for name, lines in before.items():
        changed = sorted(line for line in lines ^ after[name] if not STAYS.search(line))
        assert changed == [], name
        runs = site.lab.inside(name, RUNS, check=False).stdout.splitlines()
        assert [line for line in runs if _LEFT.search(line)] == [], name
        rules = site.lab.inside(name, "iptables-save | grep -E 'KUBE-|CNI-|cali|flannel'", check=False).stdout
        assert rules == "", name
    assert site.vip_holders() == []


def test_a_run_that_was_killed_in_the_middle_is_taken_back(site: LabSite, before: dict[str, set[str]]) -> None:
    clean = site.rbdtui("reset", str(site.path), "--yes")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    started = site.rbdtui("run", str(site.path), "--yes", "--detach")
    assert started.returncode == 0, started.stdout + started.stderr
    site.kill_runner_in("rke2-first-server@n1")
    site.lab.inside("n2", "pkill -KILL -x keepalived", check=False)  # leaves its address, if it had it

    done = site.rbdtui("reset", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    is_as_before(site, before)


def test_the_gap_of_a_stopped_holder_is_measured_and_all_is_put_back(site: LabSite) -> None:
    done = site.rbdtui("run", str(site.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.ready_nodes("n1") == ["n1", "n2", "n3"]
    (holder,) = site.vip_holders()

    said = site.rbdtui("drill", str(site.path), "--yes", "--json")

    assert said.returncode == 0, said.stdout + said.stderr
    (part,) = json.loads(said.stdout)["parts"]
    assert (part["node"], part["holder_before"], part["outcome"]) == (holder, holder, "passed")
    assert [part["took_over"]] == site.vip_holders() != [holder]
    (gap,) = part["gaps"]
    assert gap["port"] == API_PORT
    assert 0 < gap["gap_s"] < 5
    assert gap["probes"] > 30
    assert site.lab.inside(holder, "systemctl is-active keepalived").stdout.strip() == "active"
    timers = site.lab.inside(holder, "systemctl list-units --all --plain --no-legend 'rbdtui-*'").stdout
    assert timers == ""


def test_a_drill_that_is_killed_is_put_back_by_the_next_one(site: LabSite) -> None:
    (holder,) = site.vip_holders()
    words = site.command("drill", str(site.path), "--yes")
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        stopped = "systemctl is-active keepalived"
        wait_for(lambda: "inactive" in site.lab.inside(holder, stopped, check=False).stdout, 200, "keepalived to stop")
        process.kill()
    timer = site.lab.inside(holder, "systemctl show -p ActiveState --value rbdtui-drill-keepalived.timer").stdout
    assert timer.strip() == "active", "the host would start it again by itself"

    said = site.rbdtui("drill", str(site.path), "--restore")

    assert said.returncode == 0, said.stdout + said.stderr
    assert "has been started again" in said.stderr
    assert site.lab.inside(holder, stopped).stdout.strip() == "active"


def test_a_whole_cluster_is_taken_back_and_installed_again(site: LabSite, before: dict[str, set[str]]) -> None:
    site.lab.inside("n3", "mkdir -p /opt/rainbond/cache && echo x > /opt/rainbond/cache/layer")
    site.lab.inside("n1", f"echo '{site.vip} goodrain.me' >> /etc/hosts")

    shown = site.rbdtui("reset", str(site.path), "--dry-run")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for words in ("Delete /opt/rainbond with all of Rainbond's data", "processes of RKE2", "packet filter rules"):
        assert words in shown.stdout
    assert site.ready_nodes("n1") == ["n1", "n2", "n3"], "nothing was touched"
    done = site.rbdtui("reset", str(site.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (site.path / "kubeconfig").exists()
    is_as_before(site, before)

    again = site.rbdtui("run", str(site.path), "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    assert site.ready_nodes("n1") == ["n1", "n2", "n3"]
