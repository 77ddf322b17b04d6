"""One installation that meets what goes wrong on sites, on real hosts; the images come as core and canal.

One story in the order of the file: an agent's wrong token, the VIP away while a server joins, a server's wrong token, a
misspelt setting, a stop while the last gate waits, and a server that is set up anew under its old name. After each the
operator does what the error says, and the same run goes on.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e.lab_site import LabSite, wait_for
from tests.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

SERVERS, AGENT = ("n1", "n2", "n3"), "n4"
ALL = (*SERVERS, AGENT)
MORE_SETTINGS = "/etc/rancher/rke2/config.yaml.d/50-by-hand.yaml"
HOLD = "/run/hold-rke2"
HELD_BACK = f"[Service]\nExecStartPre=/bin/sh -c 'while [ -e {HOLD} ]; do sleep 0.2; done'\n"
AWAY_S = 60.0
LETS_GO_S = 15.0
SPEC = """apiVersion: rbdtui/v1
name: lab-trouble
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n2, address: {n2}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n3, address: {n3}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n4, address: {n4}, roles: [worker]}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}, domain: api.lab-trouble.lan}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("trouble", hosts=4) as lab:
        made = LabSite(lab, tmp_path_factory.mktemp("trouble") / "site", SPEC)
        made.bundle = lab.split_bundle
        made.write()
        yield made


def run(site: LabSite, *more: str) -> subprocess.CompletedProcess[str]:
    return site.rbdtui("run", str(site.path), "--yes", *more, limit_s=600)


def add_settings(site: LabSite, host: str, line: str) -> None:
    """By hand, on the host, in a file that RKE2 reads after rbdtui's own."""
    site.lab.ssh(host, f"mkdir -p $(dirname {MORE_SETTINGS}); cat > {MORE_SETTINGS}", stdin=line + "\n")


def drop_settings(site: LabSite, host: str) -> None:
    site.lab.ssh(host, f"rm {MORE_SETTINGS}")


def hold_back(site: LabSite, host: str) -> None:
    """Let RKE2 begin on the host only when it is let go, however early it is started."""
    place = "/etc/systemd/system/rke2-server.service.d"
    site.lab.ssh(host, f"touch {HOLD}; mkdir -p {place}; cat > {place}/hold.conf", stdin=HELD_BACK)


def failed_with(site: LabSite, step: str) -> str:
    """The newest error of a step, as the journal has it."""
    return json.dumps(site.seen("step-failed", step)[-1])


def test_an_agents_wrong_token_is_told(site: LabSite) -> None:
    started = run(site, "--detach")
    assert started.returncode == 0, started.stdout + started.stderr
    site.wait_event("step-started", "rke2-first-server@n1")
    hold_back(site, "n2")
    add_settings(site, AGENT, "token: wrong")

    attached = site.rbdtui("attach", str(site.path), limit_s=600)

    assert attached.returncode != 0
    assert "rke2_token" in failed_with(site, f"rke2-agent@{AGENT}")
    drop_settings(site, AGENT)


def test_a_join_outlasts_a_minute_without_the_vip_and_a_servers_wrong_token_is_told(site: LabSite) -> None:
    add_settings(site, "n3", "token: wrong")
    begun = len(site.seen("step-started", "rke2-server@n2"))
    started = run(site, "--detach")
    assert started.returncode == 0, started.stdout + started.stderr
    wait_for(lambda: len(site.seen("step-started", "rke2-server@n2")) > begun, 120, "n2 to be joined")

    for name in SERVERS:
        site.lab.ssh(name, "systemctl stop keepalived")
    site.lab.ssh("n2", f"rm {HOLD}")
    journal = "journalctl -q -o cat -u rke2-server | grep -c 'failed to get CA certs'"
    begin = time.monotonic()
    wait_for(
        lambda: int(site.lab.ssh("n2", journal, check=False).stdout) >= 3, AWAY_S, "three starts in vain", every_s=1
    )
    time.sleep(max(0.0, AWAY_S - (time.monotonic() - begin)))
    for name in SERVERS:
        site.lab.ssh(name, "systemctl start keepalived")

    attached = site.rbdtui("attach", str(site.path), limit_s=600)
    assert attached.returncode != 0
    assert [len(site.seen("step-finished", step)) for step in ("rke2-server@n2", f"rke2-agent@{AGENT}")] == [1, 1]
    assert site.seen("step-failed", "rke2-server@n2") == []
    assert "rke2_token" in failed_with(site, "rke2-server@n3")
    drop_settings(site, "n3")


def test_a_misspelt_setting_is_told_although_rke2_goes_on_without_it(site: LabSite) -> None:
    add_settings(site, "n3", "disabel: rke2-ingress-nginx")
    done = run(site)
    drop_settings(site, "n3")
    assert done.returncode != 0
    assert "rke2_unknown_setting" in failed_with(site, "rke2-server@n3")
    assert "--disabel" in done.stdout + done.stderr


def test_a_run_that_waits_for_its_proof_lets_go_when_it_is_to_stop(site: LabSite) -> None:
    started = run(site, "--detach")
    assert started.returncode == 0, started.stdout + started.stderr
    site.wait_event("step-finished", f"rke2-agent@{AGENT}")
    # Kubernetes takes a node for ready for a while longer; until then the proof would hold.
    assert site.rbdtui("pause", str(site.path)).returncode == 0
    site.lab.ssh(AGENT, "systemctl stop rke2-agent")
    wait_for(lambda: AGENT not in site.ready_nodes("n1"), 180, "the agent to be missed")
    assert site.rbdtui("resume", str(site.path)).returncode == 0
    proof = next(str(event["step"]) for event in wait_for_proof(site) if event["type"] == "step-started")
    time.sleep(5)
    assert site.seen("step-finished", proof) == []

    assert site.rbdtui("stop", str(site.path)).returncode == 0
    wait_for(lambda: any(event["type"] == "run-finished" for event in site.events()[-3:]), LETS_GO_S, "the run to end")

    site.lab.ssh(AGENT, "systemctl start --no-block rke2-agent")
    done = run(site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((site.path / "runs").iterdir())) == 1
    assert site.ready_nodes("n1") == list(ALL)
    assert [name.rpartition("-")[0] for name in site.etcd_voters("n1")] == list(SERVERS)


def wait_for_proof(site: LabSite) -> list[dict[str, object]]:
    """What is told of the last gate, once it waits."""

    def told() -> list[dict[str, object]]:
        return [event for event in site.events() if str(event.get("step", "")).startswith("cluster-proof")]

    wait_for(lambda: bool(told()), 300, "the last gate")
    return told()


def test_a_server_that_was_set_up_anew_comes_back_under_its_name_once_its_node_is_deleted(site: LabSite) -> None:
    before = site.etcd_voters("n1")
    site.lab.ssh("n3", "/usr/local/bin/rke2-uninstall.sh", timeout_s=120)

    told = run(site)
    assert told.returncode != 0
    assert "rke2_name_taken" in failed_with(site, "rke2-server@n3")
    assert "kubectl delete node n3" in told.stdout + told.stderr

    site.kubectl("n1", "delete", "node", "n3")
    done = run(site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.ready_nodes("n1") == list(ALL)
    after = site.etcd_voters("n1")
    assert [name.rpartition("-")[0] for name in after] == list(SERVERS)
    assert after != before
