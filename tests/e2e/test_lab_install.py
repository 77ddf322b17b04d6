"""The main job on real hosts: from a hand-written cluster.yaml to a highly available Kubernetes behind a VIP.

One story in the order of the file: check and plan change nothing, the run survives three kills of its runner, a second
run changes nothing, no secret is anywhere, and the cluster survives the power cut of the VIP's holder.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from rbdtui.vault import Vault
from tests.e2e.lab_site import API_PORT, PASSPHRASE, ArgvWatch, LabSite, wait_for
from tests.lab import OP_PASSWORD, Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

KILLED_IN = ("ship-bundle@n1", "rke2-first-server@n1", "rke2-server@n2")
UNTOUCHED = ("/etc", "/usr", "/opt", "/var/lib", "/root", "/home")
INSTALLED = ("/etc", "/usr/local", "/opt", "/var/lib/rbdtui", "/var/lib/rancher/rke2/agent/images")
FAILOVER_LIMIT_S = 15.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("e2e", hosts=4, bastion_for=("n4",)) as lab:
        made = LabSite(lab, tmp_path_factory.mktemp("lab") / "site")
        made.write()
        yield made


def secrets_of(site: LabSite) -> list[str]:
    vault_file = site.path / "secrets.enc"
    values = [OP_PASSWORD, PASSPHRASE]
    if vault_file.exists():
        vault = Vault.open(vault_file, PASSPHRASE)
        values += [vault.get(name) for name in vault.names()]
    return values


def hashes(site: LabSite, *places: str) -> dict[str, str]:
    return {name: site.fingerprint(name, *places) for name in site.lab.hosts}


def test_check_and_plan_change_nothing_on_the_hosts(site: LabSite) -> None:
    before = hashes(site, *UNTOUCHED)

    checked = site.rbdtui("check", str(site.path), "--json")
    planned = site.rbdtui("plan", str(site.path), "--json")

    assert checked.returncode == 0, checked.stdout
    assert json.loads(checked.stdout)["counts"]["error"] == 0
    assert planned.returncode == 0, planned.stdout + planned.stderr
    steps = json.loads(planned.stdout)["steps"]
    assert {"rke2-first-server@n1", "rke2-server@n2", "rke2-server@n3", "rke2-agent@n4"} <= {s["id"] for s in steps}
    packages = next(step for step in steps if step["id"] == "host-packages@n3")
    assert any("keepalived" in change["detail"] for change in packages["changes"])
    assert hashes(site, *UNTOUCHED) == before


def test_the_run_survives_its_runner_and_ends_with_a_cluster(site: LabSite) -> None:
    vault = {"secrets": secrets_of(site)}
    watch = ArgvWatch(lambda: vault["secrets"])
    with watch.watching():
        for step in KILLED_IN:
            started = site.rbdtui("run", str(site.path), "--yes", "--detach")
            assert started.returncode == 0, started.stdout + started.stderr
            vault["secrets"] = secrets_of(site)
            site.kill_runner_in(step)
        done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((site.path / "runs").iterdir())) == 1
    assert watch.looked > 1000
    assert watch.seen == set()
    assert repeated_steps(site) == []
    assert site.ready_nodes("n1") == ["n1", "n2", "n3", "n4"]
    assert len(site.vip_holders()) == 1
    assert [name.split("-")[0] for name in site.etcd_voters("n1")] == ["n1", "n2", "n3"]
    kubeconfig = site.path / "kubeconfig"
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    assert f"https://{site.vip}:{API_PORT}" in kubeconfig.read_text()


def repeated_steps(site: LabSite) -> list[str]:
    done: Counter[str] = Counter()
    again = []
    for event in site.events():
        step = str(event.get("step", ""))
        if event["type"] == "step-started" and done[step]:
            again.append(step)
        done[step] += event["type"] == "step-finished"
    return again


def test_a_second_run_changes_nothing_and_says_so(site: LabSite) -> None:
    before = hashes(site, *INSTALLED)

    done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing was changed" in done.stdout
    outcomes = Counter(event.get("outcome") for event in site.events() if event["type"] == "step-finished")
    assert set(outcomes) == {"unchanged"}
    assert hashes(site, *INSTALLED) == before


def test_no_secret_is_left_where_it_does_not_belong(site: LabSite) -> None:
    canaries = secrets_of(site)
    assert len(canaries) >= 5
    for file in (path for path in site.path.rglob("*") if path.is_file() and path.name != "secrets.enc"):
        content = file.read_bytes()
        assert [canary for canary in canaries if canary.encode() in content] == [], file
    for host in site.lab.hosts:
        for canary in canaries:
            found = site.lab.inside(
                host,
                'canary=$(cat); grep -rlF -e "$canary" /tmp /var/tmp /var/log /run/log /home /root /var/lib/rbdtui '
                '/etc/hosts /etc/systemd 2>/dev/null; journalctl -q --no-pager | grep -F -e "$canary"',
                stdin=canary,
                check=False,
            )
            assert found.stdout == "", (host, found.stdout.replace(canary, "***"))


def test_health_is_good_and_says_what_is_not_there_yet(site: LabSite) -> None:
    asked = site.rbdtui("health", str(site.path), "--json")
    answer = json.loads(asked.stdout)

    assert (asked.returncode, answer["state"]) == (0, "ok"), asked.stdout
    by_id = {probe["id"]: probe for probe in answer["probes"]}
    assert by_id["etcd-quorum"]["state"] == "ok"
    assert {f"gateway-{port}@VIP" for port in (80, 443, 6060, 7070, 8443)} <= by_id.keys()


def test_the_vip_moves_when_its_holder_loses_power_and_all_come_back(site: LabSite) -> None:
    (holder,) = site.vip_holders()
    survivor = next(name for name in ("n1", "n2", "n3") if name != holder)
    cut_at = time.monotonic()
    site.lab.off(holder)

    wait_for(site.api_answers, FAILOVER_LIMIT_S - (time.monotonic() - cut_at), "the API on the VIP")

    print(f"VIP holder {holder} lost power; API on the VIP after {time.monotonic() - cut_at:.1f} s")
    assert len(site.vip_holders(off=holder)) == 1
    degraded = site.rbdtui("health", str(site.path), "--json")
    assert degraded.returncode == 1
    assert json.loads(degraded.stdout)["state"] == "degraded"

    site.lab.on(holder)
    wait_for(lambda: site.ready_nodes(survivor) == ["n1", "n2", "n3", "n4"], 240, "all four nodes to be Ready")
    wait_for(lambda: len(site.vip_holders()) == 1, 60, "one VIP holder")
