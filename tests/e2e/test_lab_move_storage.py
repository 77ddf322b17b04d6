"""Rainbond's own volumes moved to another class on real hosts: shown, killed on the way, finished, old ones dropped.

Kubernetes, its volumes, claims and StatefulSets and the shell that copies are real; Rainbond and the provisioner are
the lab's stand-ins. Both classes are directories of a node, as this kernel has no storage that several nodes reach.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.lab_site import LabSite, wait_for
from tests.lab import Lab
from tests.lab.bundle import SPEED_VARIABLE

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(2400)]

THREE_HOSTS = """# Three servers that are all there is.
apiVersion: rbdtui/v1
name: lab-move
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
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 88}}
rainbond: {{version: v6.9.3-release, domain_suffix: apps.lab.lan}}
storage: {{mode: builtin}}   # on the disk of one node, for now
"""
SYSTEM = ("-n", "rbd-system")
CLAIMS = {"minio-data-minio-0", "rbd-app-ui-data", "rbd-db-rbd-db-0", "rbd-hub", "data-rbd-monitor-0"}
CLASS = "better"
MADE = f"""apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {{name: {CLASS}}}
provisioner: rancher.io/local-path
reclaimPolicy: Delete
volumeBindingMode: WaitForFirstConsumer
"""
FILLED = """cd {path} && mkdir -p 'deep/with  blanks' && echo one >deep/1 && ln -f deep/1 deep/hard &&
ln -sfn ../nowhere deep/sym && echo é >'deep/with  blanks/é' && head -c 3000000 /dev/urandom >deep/large &&
chown -R 999:998 deep && chmod 2750 deep && chmod 4711 deep/1"""
SUMMED = """cd {path} && find deep -printf '%P %y %m %U %G %n %l\\n' | grep -v ' d ' | sort &&
find deep -type f -exec sha256sum {{}} + | sort"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv(SPEED_VARIABLE, "5")
        with Lab("move", hosts=3) as lab:
            made = LabSite(lab, tmp_path_factory.mktemp("lab") / "site", THREE_HOSTS)
            made.bundle = lab.rainbond_bundle("6.9.3")
            made.write()
            done = made.rbdtui("run", str(made.path), "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            lab.inside("n1", "cat >/root/class.yaml", stdin=MADE)
            made.kubectl("n1", "apply", "-f", "/root/class.yaml")
            yield made


def listed(site: LabSite, what: str) -> dict[str, Any]:
    items = json.loads(site.kubectl("n1", *SYSTEM, "get", what, "-o", "json"))["items"]
    return {item["metadata"]["name"]: item for item in items}


def places(site: LabSite) -> dict[str, tuple[str, str, str]]:
    """Of each claim: its class, and the node and directory of its volume."""
    volumes, found = listed(site, "pv"), {}
    for name, claim in listed(site, "pvc").items():
        spec = volumes[claim["spec"]["volumeName"]]["spec"]
        (term,) = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
        node = term["matchExpressions"][0]["values"][0]
        found[name] = (claim["spec"]["storageClassName"], node, spec["hostPath"]["path"])
    return found


def summed(site: LabSite, node: str, path: str) -> str:
    return site.lab.inside(node, SUMMED.format(path=path)).stdout


def hold(site: LabSite, finalizers: str) -> None:
    patch = f"""'{{"metadata":{{"finalizers":{finalizers}}}}}'"""
    site.kubectl("n1", *SYSTEM, "patch", "pod/minio-0", "--type=merge", "-p", patch)


def move(site: LabSite, *words: str) -> Any:
    return site.rbdtui("move-storage", str(site.path), *words)


def test_what_would_be_moved_is_shown_and_nothing_is_done(site: LabSite) -> None:
    before = places(site)
    assert set(before) == CLAIMS
    said = move(site, "--to", CLASS, "--dry-run")
    assert said.returncode == 0, said.stdout + said.stderr
    text = " ".join(said.stdout.split())
    for claim in CLAIMS:
        assert f"{claim}: local-path" in text
    assert "rainbond-operator: 0 pods" in text
    assert places(site) == before
    assert not site.path.joinpath("cluster.yaml.bak").exists()


def test_a_user_that_does_not_end_lets_all_run_on(site: LabSite) -> None:
    """Its pod is held by a finalizer, which Kubernetes waits for as it waits for a dead node."""
    before = places(site)
    hold(site, '["lab.example/held"]')
    done = move(site, "--to", CLASS, "--yes")
    assert done.returncode != 0
    assert "minio-0" in done.stdout + done.stderr
    hold(site, "null")
    wait_for(lambda: all_ready(site), 240, "all to run again", every_s=2)
    assert {name: places(site)[name] for name in CLAIMS} == before
    refused = site.rbdtui("run", str(site.path), "--yes")
    assert refused.returncode != 0, "nothing else is begun on a half"
    assert "--back" in refused.stderr
    done = move(site, "--to", CLASS, "--back", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: set(listed(site, "pvc")) == CLAIMS, 60, "the second claims to go", every_s=1)


def all_ready(site: LabSite) -> bool:
    found = listed(site, "deploy,sts").values()
    return all(each["spec"]["replicas"] == each["status"].get("readyReplicas", 0) > 0 for each in found)


def test_killed_while_claims_are_exchanged_it_is_finished_and_all_files_are_there(site: LabSite) -> None:
    before = places(site)
    for _, node, path in before.values():
        site.lab.inside(node, FILLED.format(path=path))
    sums = {name: summed(site, node, path) for name, (_, node, path) in before.items()}
    begun = threading.Thread(target=move, args=(site, "--to", CLASS, "--yes"))
    newest = site.run_dir()
    begun.start()
    wait_for(lambda: site.run_dir() != newest, 60, "the move to begin")
    site.kill_runner_in("move-exchange", limit_s=600)
    begun.join(60)

    done = move(site, "--to", CLASS, "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    after = places(site)
    assert {name: each[0] for name, each in after.items()} == dict.fromkeys(CLAIMS, CLASS)
    for name, (_, node, path) in after.items():
        assert path != before[name][2]
        assert summed(site, node, path) == sums[name], name
        assert summed(site, *before[name][1:]) == sums[name], "the old one is as it was"
    assert all_ready(site)
    templates = [each["spec"]["volumeClaimTemplates"][0] for each in listed(site, "sts").values()]
    assert {each["spec"]["storageClassName"] for each in templates} == {CLASS}
    text = site.path.joinpath("cluster.yaml").read_text()
    assert f"storage: {{mode: storage-class, storage_class: {CLASS}}}   # on the disk of one node, for now" in text


def test_a_run_of_the_plan_changes_no_volume_and_old_ones_go_when_told(site: LabSite) -> None:
    before = places(site)
    done = site.rbdtui("run", str(site.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert places(site) == before
    old = [name for name, volume in listed(site, "pv").items() if volume["status"]["phase"] == "Released"]
    assert len(old) == len(CLAIMS)
    done = move(site, "--drop-old", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not set(old) & set(listed(site, "pv"))
    assert places(site) == before
    again = move(site, "--to", CLASS, "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
