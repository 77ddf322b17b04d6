"""The stand-in of Rainbond against what is known of the real one, row by row: seen on three servers, without rbdtui.

What is expected here was read in the sources of the operator and the components, or seen in runs of the real operator.
One story in the order of the file: an install with everything built in, changes, an upgrade, an uninstall, a new
install over what was left.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab
from tests.lab.bundle import KUBE_SOURCES, SPEED_VARIABLE
from tests.lab.shell import LabError, run, wait_for

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(900)]

KUBECTL = "/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml -n rbd-system"
SPEED = "5"
CLAIMS = {"minio-data-minio-0", "data-rbd-monitor-0", "rbd-db-rbd-db-0", "rbd-hub", "rbd-app-ui-data"}
KEPT_CLAIMS = {"minio-data-minio-0", "data-rbd-monitor-0", "rbd-db-rbd-db-0"}
DEAD_DATABASE = {"enable": True, "host": "198.51.100.1", "port": 1, "name": "region", "username": "u", "password": "p"}
"""The lab's own address refuses at once on a port that nothing listens on."""


@dataclass(slots=True)
class Cluster:
    """Three servers of a lab with Rainbond on them, which helm changes from here."""

    lab: Lab
    kubeconfig: Path

    def kubectl(self, words: str) -> str:
        return self.lab.ssh("n1", f"{KUBECTL} {words}").stdout

    def get(self, what: str) -> dict[str, Any]:
        return dict(json.loads(self.kubectl(f"get {what} -o json")))

    def names(self, kind: str) -> set[str]:
        return {each["metadata"]["name"] for each in self.get(kind)["items"]}

    def helm(
        self, verb: str, *words: str, chart: Path | None = None, values: Mapping[str, object] | None = None
    ) -> str:
        argv: list[str | Path] = [self.lab.bundle / "helm-amd64", "--kubeconfig", self.kubeconfig, "-n", "rbd-system"]
        argv += [verb, "rainbond", *([chart] if chart else []), *words]
        return run(argv, stdin=json.dumps(values) if values else None, timeout_s=120).stdout

    def upgrade(self, release: str = "6.2.1", /, **cluster: object) -> None:
        (chart,) = self.lab.rainbond_bundle(release).glob("rainbond-*.tgz")
        self.helm("upgrade", "--reuse-values", "-f", "-", chart=chart, values={"Cluster": cluster})

    def ship(self, release: str) -> None:
        archive = self.lab.rainbond_bundle(release) / "rainbond-images-amd64.tar.gz"
        ctr = "/var/lib/rancher/rke2/bin/ctr -a /run/k3s/containerd/containerd.sock -n k8s.io"
        for host in self.lab.hosts:
            command = [*self.lab.ssh_command(host), f"gunzip -c | {ctr} images import - >/dev/null"]
            with archive.open("rb") as data:
                subprocess.run(command, stdin=data, check=True, timeout=120)

    def nodes(self) -> dict[str, object]:
        hosts = self.lab.hosts.items()
        gateways = [{"name": name, "internalIP": host.address, "externalIP": host.address} for name, host in hosts]
        return {"nodesForGateway": gateways, "nodesForChaos": [{"name": name} for name, _ in hosts]}

    def restart_operator(self) -> None:
        self.kubectl("rollout restart deploy/rainbond-operator")
        self.kubectl("rollout status deploy/rainbond-operator --timeout=120s")

    def component(self, name: str) -> dict[str, Any]:
        return dict(self.get(f"rbdcomponent {name}").get("status", {}))

    def ready(self, name: str) -> dict[str, str]:
        (found,) = [each for each in self.component(name)["conditions"] if each["type"] == "Ready"]
        return dict(found)

    def conditions(self) -> dict[str, dict[str, str]]:
        return {each["type"]: each for each in self.get("rainbondcluster rainbondcluster")["status"]["conditions"]}

    def wait_all_ready(self, limit_s: float = 400) -> None:
        """Wait for the workloads themselves, as everybody should."""

        def whole() -> bool:
            sets = self.get("deploy,sts,ds")["items"]
            return len(sets) >= 12 and all(_available(each) for each in sets)

        wait_for("all of Rainbond", whole, timeout_s=limit_s, pause_s=2)

    def wait_counted(self, name: str) -> None:
        """Wait until the operator has counted a ready pod of a component."""

        def counted() -> bool:
            return bool(self.component(name).get("readyReplicas", 0) > 0)

        wait_for(name, counted, timeout_s=200, pause_s=2)

    def logs(self, target: str) -> str:
        return self.lab.ssh("n1", f"{KUBECTL} logs {target} --tail=200", check=False).stdout


def _available(workload: Mapping[str, Any]) -> bool:
    status, spec = workload["status"], workload["spec"]
    if workload["kind"] == "DaemonSet":
        return bool(status.get("numberReady") == status.get("desiredNumberScheduled") == 3)
    return bool(
        status.get("readyReplicas", 0) == spec["replicas"] and status.get("updatedReplicas") == spec["replicas"]
    )


@pytest.fixture(scope="module")
def rainbond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    os.environ[SPEED_VARIABLE] = SPEED
    with contextlib.ExitStack() as stack:
        stack.callback(os.environ.pop, SPEED_VARIABLE)
        lab = stack.enter_context(Lab("rbd", hosts=3, without_keepalived=()))
        script = Path(__file__).parent / "by_hand.sh"
        done = subprocess.run([script, "rbd", "rainbond"], check=False, timeout=800)
        if done.returncode:
            raise LabError("by_hand.sh failed")
        made = Cluster(lab, tmp_path_factory.mktemp("kube") / "config")
        config = lab.ssh("n1", "cat /etc/rancher/rke2/rke2.yaml").stdout
        made.kubeconfig.write_text(config.replace("127.0.0.1", lab.vips[0]))
        made.kubeconfig.chmod(0o600)
        yield made


def test_the_parts_that_need_no_cluster() -> None:
    go = shutil.which("go") or "/usr/local/go/bin/go"
    run([go, "test", "./rainbond"], cwd=KUBE_SOURCES, timeout_s=800)


def test_row_8_the_operator_fills_what_the_chart_left_out(rainbond: Cluster) -> None:
    rainbond.wait_all_ready()
    found = rainbond.get("rainbondcluster rainbondcluster")
    assert found["spec"]["imageHub"] == {"domain": "goodrain.me", "username": "admin", "password": "admin1234"}
    assert found["spec"]["suffixHTTPHost"] == f"{rainbond.lab.vips[0]}.nip.io"
    assert "enterprise_id" in found["metadata"]["annotations"]


def test_row_3_the_gateway_counts_the_charts_replicas_not_its_nodes(rainbond: Cluster) -> None:
    wait_for("a settled gateway", lambda: rainbond.ready("rbd-gateway")["status"] == "True", timeout_s=60)
    assert rainbond.component("rbd-gateway")["replicas"] == 2
    assert rainbond.get("deploy rbd-gateway")["spec"]["replicas"] == 3


def test_row_5_five_claims_each_tied_to_a_node(rainbond: Cluster) -> None:
    claims = rainbond.get("pvc")["items"]
    assert {each["metadata"]["name"] for each in claims} == CLAIMS
    assert {(each["status"]["phase"], each["spec"]["storageClassName"]) for each in claims} == {("Bound", "local-path")}
    assert {each["spec"]["resources"]["requests"]["storage"] for each in claims} == {"1Gi"}
    volume = rainbond.get(f"pv {claims[0]['spec']['volumeName']}")
    assert volume["spec"]["nodeAffinity"]["required"]


def test_row_6_openssl_refuses_the_chain_of_the_api(rainbond: Cluster, tmp_path: Path) -> None:
    data = rainbond.get("cm region-config")["binaryData"]
    assert data.keys() == {"ca.pem", "client.pem", "client.key.pem"}
    for name in ("ca.pem", "client.pem"):
        run(["base64", "-d"], stdin=data[name])
        (tmp_path / name).write_text(run(["base64", "-d"], stdin=data[name]).stdout)
    answer = run(["openssl", "verify", "-CAfile", tmp_path / "ca.pem", tmp_path / "client.pem"], check=False)
    assert answer.returncode != 0
    assert "self-signed certificate" in answer.stdout + answer.stderr


def test_row_9_probes_of_the_release(rainbond: Cluster) -> None:
    (worker,) = rainbond.get("deploy rbd-worker")["spec"]["template"]["spec"]["containers"]
    assert worker["livenessProbe"]["periodSeconds"] == 60
    assert worker["readinessProbe"]["periodSeconds"] == 60 // int(SPEED)
    (hub,) = rainbond.get("deploy rbd-hub")["spec"]["template"]["spec"]["containers"]
    assert "readinessProbe" not in hub


def test_row_10_the_gateway_is_recreated_and_tells_the_scheduler_no_port(rainbond: Cluster) -> None:
    spec = rainbond.get("deploy rbd-gateway")["spec"]
    assert spec["strategy"] == {"type": "Recreate"}
    assert not any("ports" in each for each in spec["template"]["spec"]["containers"])
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 0


def test_row_11_the_job_writes_the_first_gateways_address_and_wears_the_hubs_labels(rainbond: Cluster) -> None:
    line = f"{rainbond.lab.hosts['n1'].address} goodrain.me"
    found = [rainbond.lab.ssh(host, "cat /etc/hosts").stdout.splitlines().count(line) for host in rainbond.lab.hosts]
    assert max(found) == 1
    pods = rainbond.get("pods -l name=rbd-hub,creator=Rainbond,belongTo=rainbond-operator")["items"]
    assert len(pods) >= 2


def test_row_13_what_had_to_wait_said_so(rainbond: Cluster) -> None:
    said = {each["message"] for each in rainbond.get("events")["items"] if each["reason"] == "PrerequisitesFailed"}
    assert any("no ready replicas for rbdcomponent rbd-db" in each for each in said)


def test_row_15_conditions_of_the_cluster(rainbond: Cluster) -> None:
    wait_for("Running", lambda: rainbond.conditions()["Running"]["status"] == "True", timeout_s=60)
    found = rainbond.conditions()
    assert (found["Storage"]["status"], found["Storage"]["reason"]) == ("False", "InProgress")
    assert (found["DNS"]["status"], found["DNS"]["reason"]) == ("False", "DNSFailed")
    assert found["Memory"]["status"] == found["ImageRepository"]["status"] == "True"


def test_row_17_a_port_of_the_gateway_leads_nowhere_without_its_route(rainbond: Cluster) -> None:
    vip = rainbond.lab.vips[0]

    def answers(port: int, path: str) -> bool:
        words = ["curl", "-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}", f"http://{vip}:{port}{path}"]
        return run(words, check=False).stdout == "200"

    assert answers(8889, "/healthz")
    assert answers(7070, "/console/config/info")
    rainbond.kubectl("delete apisixroute rbd-api-healthz")
    wait_for("the route to go", lambda: not answers(8889, "/healthz"), timeout_s=20)
    with contextlib.closing(socket.create_connection((vip, 8889), timeout=5)) as link:
        assert link.recv(1) == b""  # taken, and closed without a word


def test_row_18_only_the_console_is_pulled_with_credentials(rainbond: Cluster) -> None:
    with_secrets = {
        each["metadata"]["name"]
        for each in rainbond.get("deploy,sts,ds")["items"]
        if each["spec"]["template"]["spec"].get("imagePullSecrets")
    }
    assert with_secrets <= {"rbd-app-ui"}


def test_row_12_without_the_clusters_names_nobody_finds_the_database(rainbond: Cluster) -> None:
    scale = "-n kube-system scale deploy rke2-coredns-rke2-coredns --replicas"
    rainbond.kubectl(f"{scale}=0")
    rainbond.kubectl("delete pod -l name=rbd-worker --wait=false")
    wait_for("words", lambda: "lookup rbd-db-rw" in rainbond.logs("-l name=rbd-worker"), timeout_s=90, pause_s=2)
    rainbond.kubectl(f"{scale}=1")
    rainbond.wait_all_ready()


def test_the_hub_takes_an_image_and_gives_it_back(rainbond: Cluster) -> None:
    host = rainbond.lab.hosts["n1"].address
    ctr = "/var/lib/rancher/rke2/bin/ctr -a /run/k3s/containerd/containerd.sock -n k8s.io images"
    source, target = "registry.cn-hangzhou.aliyuncs.com/goodrain/alpine:latest", "goodrain.me/lab/alpine:1"
    rainbond.lab.ssh(
        "n1", f"grep -q goodrain.me /etc/hosts || echo {host} goodrain.me >> /etc/hosts; {ctr} tag {source} {target}"
    )
    rainbond.lab.ssh(
        "n1",
        f"{ctr} push -k -u admin:admin1234 {target} && {ctr} rm {target} && {ctr} pull -k -u admin:admin1234 {target}",
    )
    refused = rainbond.lab.ssh("n1", f"{ctr} pull -k -u admin:wrong {target}", check=False)
    assert refused.returncode != 0


def test_row_1_and_2_a_settled_component_is_never_looked_at_again(rainbond: Cluster) -> None:
    wait_for("a settled rbd-mq", lambda: rainbond.ready("rbd-mq")["status"] == "True", timeout_s=60)
    rainbond.kubectl("delete deploy rbd-mq")
    wait_for("its pods to go", lambda: not rainbond.get("pods -l name=rbd-mq")["items"], timeout_s=60)
    rainbond.lab.ssh("n1", "sleep 10")
    assert "rbd-mq" not in rainbond.names("deploy")
    status = rainbond.component("rbd-mq")
    assert (status["replicas"], status["readyReplicas"]) == (1, 1)
    assert rainbond.ready("rbd-mq")["status"] == "True"
    rainbond.restart_operator()
    wait_for("rbd-mq", lambda: "rbd-mq" in rainbond.names("deploy"), timeout_s=60)
    rainbond.wait_all_ready()


def test_row_4_and_14_a_dead_database_is_waited_for_after_the_operators_restart(rainbond: Cluster) -> None:
    before = rainbond.get("deploy rbd-api")["spec"]["template"]
    rainbond.upgrade(regionDatabase=DEAD_DATABASE, uiDatabase={**DEAD_DATABASE, "name": "console"})
    wait_for("the condition", lambda: "DatabaseRegion" in rainbond.conditions(), timeout_s=60)
    condition = rainbond.conditions()["DatabaseRegion"]
    assert (condition["status"], condition["reason"]) == ("False", "DatabaseFailed")
    assert condition["message"] == "dial tcp 198.51.100.1:1: connect: connection refused"
    assert rainbond.get("deploy rbd-api")["spec"]["template"] == before
    rainbond.restart_operator()
    wait_for("new arguments", lambda: "198.51.100.1:1" in str(rainbond.get("deploy rbd-api")["spec"]), timeout_s=60)
    words = "get db manager failed, try time is 10,dial tcp 198.51.100.1:1: connect: connection refused"
    wait_for("the words", lambda: words in rainbond.logs("-l name=rbd-api"), timeout_s=60, pause_s=2)
    pods = rainbond.get("pods -l name=rbd-api")["items"]
    waiting = [each for each in pods if "198.51.100.1:1" in str(each["spec"])]
    assert {each["status"]["phase"] for each in waiting} <= {"Running", "Pending"}


def test_row_7_an_uninstall_leaves_some_claims_and_a_new_install_does_not_fit_them(rainbond: Cluster) -> None:
    rainbond.helm("uninstall")
    wait_for("the components to go", lambda: not rainbond.get("rbdcomponents")["items"], timeout_s=60)
    wait_for("owned claims to go", lambda: rainbond.names("pvc") == KEPT_CLAIMS, timeout_s=90, pause_s=2)
    assert not rainbond.names("secrets") & {"rbd-db", "rbd-api-server-cert", "hub-password"}
    assert "local-path" in rainbond.kubectl("get sc -o name")
    (chart,) = rainbond.lab.bundle.glob("rainbond-*.tgz")
    own = {"gatewayIngressIPs": rainbond.lab.vips[1], "containerdRuntimePath": "/var/run/k3s/containerd"}
    values = {"Cluster": {**own, **rainbond.nodes()}}
    rainbond.helm("install", "-f", "-", chart=chart, values=values)
    words = "no ready replicas for rbdcomponent rbd-db"
    wait_for("rbd-app-ui to wait", lambda: words in str(rainbond.component("rbd-app-ui")), timeout_s=120, pause_s=2)
    wait_for("rbd-db", lambda: "Access denied" in rainbond.kubectl("get events"), timeout_s=120, pause_s=2)
    assert "rbd-app-ui" not in rainbond.names("deploy")
    assert rainbond.get("pods -l name=rbd-db")["items"][0]["status"]["phase"] == "Running"


def test_row_16_another_size_of_claims_is_an_error_of_the_stateful_set(rainbond: Cluster) -> None:
    with pytest.raises(LabError, match=r'ConfigMap "apisix-gw-config\.yaml" in namespace "rbd-system" exists'):
        rainbond.upgrade("6.9.3")
    # An unsettled gateway has its operator write the ConfigMap anew every few seconds, without Helm's marks.
    rainbond.kubectl("scale deploy rainbond-operator --replicas=0")
    wait_for("the operator to go", lambda: not rainbond.get("pods -l name=rainbond-operator")["items"], timeout_s=60)
    marks = "meta.helm.sh/release-name=rainbond meta.helm.sh/release-namespace=rbd-system"
    rainbond.kubectl("label cm apisix-gw-config.yaml app.kubernetes.io/managed-by=Helm")
    rainbond.kubectl(f"annotate cm apisix-gw-config.yaml {marks}")
    rainbond.ship("6.9.3")
    rainbond.upgrade("6.9.3", installVersion="v6.9.3-release")
    words = re.compile(r'StatefulSet\.apps "minio" is invalid: spec: Forbidden: updates to statefulset spec')
    wait_for("the error", lambda: bool(words.search(str(rainbond.component("minio")))), timeout_s=180, pause_s=2)
    assert rainbond.ready("minio")["reason"] == "ErrCreateResources"
    wait_for("the gate", lambda: rainbond.conditions()["Running"].get("reason") == "PrecheckNotReady", timeout_s=60)
    rainbond.kubectl("delete sts minio --cascade=orphan")
    wait_for("minio again", lambda: "minio" in rainbond.names("sts"), timeout_s=60)


def test_row_28_parts_of_5_17_wait_in_their_order(rainbond: Cluster) -> None:
    rainbond.helm("uninstall")
    wait_for("the components to go", lambda: not rainbond.get("rbdcomponents")["items"], timeout_s=60)
    wait_for("the pods to go", lambda: not rainbond.get("pods")["items"], timeout_s=120, pause_s=2)
    rainbond.kubectl("delete pvc --all")
    rainbond.ship("5.17.3")
    (chart,) = rainbond.lab.rainbond_bundle("5.17.3").glob("rainbond-cluster-*.tgz")
    cluster = {"gatewayIngressIPs": rainbond.lab.vips[0], "enableEnvCheck": False, **rainbond.nodes()}
    rainbond.helm("install", "-f", "-", chart=chart, values={"useK3sContainerd": True, "Cluster": cluster})
    for name in ("nfs-provisioner", "rbd-etcd", "rbd-gateway", "rbd-api"):
        rainbond.wait_counted(name)
    said = [each for each in rainbond.get("events")["items"] if each["reason"] == "PrerequisitesFailed"]
    words = {each["involvedObject"]["name"]: each["message"] for each in said}
    assert words["rbd-gateway"] == "etcd not available: no ready replicas for rbdcomponent rbd-etcd"
    assert {"storage class not ready", "failed to check prerequisites"} <= {each["message"] for each in said}
    stages = rainbond.get("rainbondpackage rainbondpackage")["status"]["conditions"]
    assert [(each["type"], each["status"]) for each in stages] == [
        (stage, "Completed") for stage in ("Init", "DownloadPackage", "UnpackPackage", "PushImage", "Ready")
    ]
