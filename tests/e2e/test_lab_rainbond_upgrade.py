"""Rainbond 6.2.1 on real hosts becomes 6.9.3 by a newer bundle: shown before, killed on the way, finished, proven.

The lab's Rainbond is a stand-in that refuses and waits as the real one does; Kubernetes, its API server, helm and
containerd are real: the ConfigMap that helm does not take over, the claims that cannot grow, and the definitions that
helm never renews.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.lab_site import LabSite, wait_for
from tests.lab import Lab
from tests.lab.bundle import SPEED_VARIABLE

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(2400)]

OLD, NEW, SPEED = "6.2.1", "6.9.3", "5"
THREE_HOSTS = """# Three servers that are all there is.
apiVersion: rbdtui/v1
name: lab-upgrade
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
rainbond: {{version: v6.2.1-release, domain_suffix: apps.lab.lan}}
"""
SYSTEM = ("-n", "rbd-system")
CLAIMS = {"minio": "minio-data-minio-0", "rbd-monitor": "data-rbd-monitor-0"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv(SPEED_VARIABLE, SPEED)
        with Lab("upgrade", hosts=3) as lab:
            made = LabSite(lab, tmp_path_factory.mktemp("lab") / "site", THREE_HOSTS)
            made.write()
            done = made.rbdtui("run", str(made.path), "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            yield made


def planned(site: LabSite, release: str) -> None:
    """What the operator does for another release: a bundle, and its version."""
    file = site.path / "cluster.yaml"
    text, other = file.read_text(), NEW if release == OLD else OLD
    text = text.replace(str(site.lab.rainbond_bundle(other)), str(site.lab.rainbond_bundle(release)))
    file.write_text(text.replace(f"v{other}-release", f"v{release}-release"))


def listed(site: LabSite, what: str) -> dict[str, Any]:
    items = json.loads(site.kubectl("n1", *SYSTEM, "get", what, "-o", "json"))["items"]
    return {item["metadata"]["name"]: item for item in items}


def tags(site: LabSite) -> set[str]:
    """Of all images that come with a release, as workloads have them."""
    pods = [item["spec"]["template"]["spec"] for item in listed(site, "deploy,sts,ds").values()]
    found = {each["image"].rpartition(":")[2] for pod in pods for each in pod["containers"]}
    return {tag for tag in found if tag.endswith("-release")}


def claimed(site: LabSite, name: str) -> str:
    (template,) = listed(site, "sts")[name]["spec"]["volumeClaimTemplates"]
    return str(template["spec"]["resources"]["requests"]["storage"])


def volumes(site: LabSite) -> dict[str, str]:
    """The volume of each claim."""
    return {name: item["spec"]["volumeName"] for name, item in listed(site, "pvc").items()}


def test_the_plan_shows_what_an_upgrade_needs_before_anything_is_done(site: LabSite) -> None:
    assert tags(site) == {f"v{OLD}-release"}
    planned(site, NEW)

    said = " ".join(site.rbdtui("plan", "--diff", str(site.path)).stdout.split())

    assert f"Upgrade Rainbond from v{OLD}-release to v{NEW}-release" in said
    assert "Renew the resource definition rbdcomponents.rainbond.io" in said
    assert "hand the ConfigMap apisix-gw-config.yaml over to helm" in said
    assert all(f"Delete the StatefulSet {name} without its pod" in said for name in CLAIMS)
    assert tags(site) == {f"v{OLD}-release"}


def test_a_run_that_is_killed_within_helm_is_finished_by_a_second_one(site: LabSite) -> None:
    before = volumes(site)
    started = site.rbdtui("run", str(site.path), "--yes", "--detach")
    assert started.returncode == 0, started.stdout + started.stderr
    site.kill_runner_in("rainbond-release", limit_s=240)

    done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    assert tags(site) == {f"v{NEW}-release"}
    assert {name: claimed(site, name) for name in CLAIMS} == dict.fromkeys(CLAIMS, "100Gi")
    stateful, after = listed(site, "sts"), volumes(site)
    for name, claim in CLAIMS.items():
        assert stateful[name]["status"]["readyReplicas"] == stateful[name]["spec"]["replicas"] == 1
        assert after[claim] == before[claim], "its pod came back to its own data"
        conditions = listed(site, "rbdcomponents")[name]["status"]["conditions"]
        assert {each["type"]: each["status"] for each in conditions}["Ready"] == "True"
    crd = json.loads(site.kubectl("n1", "get", "crd", "rbdcomponents.rainbond.io", "-o", "json"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "affinity" in schema["properties"]["spec"]["properties"]
    marks = listed(site, "cm")["apisix-gw-config.yaml"]["metadata"]
    assert marks["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert listed(site, "deploy")["rainbond-operator"]["status"]["readyReplicas"] == 1


def test_the_site_is_well_and_its_report_names_the_new_version(site: LabSite) -> None:
    def states() -> dict[str, str]:
        said = json.loads(site.rbdtui("health", str(site.path), "--json").stdout)
        return {probe["id"]: probe["state"] for probe in said["probes"]}

    wait_for(lambda: set(states().values()) == {"ok"}, 120, "a healthy site", every_s=1)
    report = site.path.parent / "report.md"
    done = site.rbdtui("report", str(site.path), "--output", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"v{NEW}-release" in report.read_text()
    assert f"v{OLD}-release" not in report.read_text()


def test_the_same_version_again_changes_nothing(site: LabSite) -> None:
    done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    finished = [event for event in site.events() if event["type"] == "step-finished"]
    assert [event for event in finished if event["outcome"] != "unchanged"] == []


def test_a_step_back_is_refused_and_nothing_of_rainbond_is_changed(site: LabSite) -> None:
    planned(site, OLD)
    before = json.dumps({name: item["spec"] for name, item in listed(site, "deploy,sts,ds,rbdcomponents").items()})

    done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode != 0
    assert "a step back is not possible" in done.stdout + done.stderr
    assert json.dumps({name: i["spec"] for name, i in listed(site, "deploy,sts,ds,rbdcomponents").items()}) == before
    planned(site, NEW)
    again = site.rbdtui("run", "--new", str(site.path), "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
