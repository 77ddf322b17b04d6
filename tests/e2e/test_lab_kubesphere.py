"""KubeSphere's document on real hosts: three masters with etcd and three nodes from its own two files, balanced.

One story in the order of the file: ``hosts.ini`` and ``common.yaml`` become the plan, the balancer is proven before
anything is installed, whose servers are down until then, a second run changes nothing, a master and then the balancer
are lost. The balancer is a real haproxy on a machine of its own.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.e2e.lab_site import API_PORT, PASSPHRASE, LabSite, wait_for
from tests.lab import OP_PASSWORD, OP_USER, Lab
from tests.lab.layout import squatter_name
from tests.lab.servers.haproxy import Frontend, haproxy, why_no_haproxy

pytestmark = [
    pytest.mark.lab_long,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(why_no_haproxy()), reason=why_no_haproxy()),
]

MASTERS, NODES = ("n1", "n2", "n3"), ("n4", "n5", "n6")
ALL = (*MASTERS, *NODES)
JOIN_PORT = 9345
COMMON_YAML = """kube_version: v1.15.5
kube_pods_subnet: 10.233.64.0/18
kube_service_addresses: 10.233.0.0/18
kubelet_max_pods: 110
etcd_backup_period: 30
keep_backup_number: 5
apiserver_loadbalancer_domain_name: "lb.kubesphere.local"
loadbalancer_apiserver:
  address: {address}
  port: 6443
"""


def hosts_ini(lab: Lab) -> str:
    """As the document has it: the first master is where the installer runs, the others log in without being root."""
    password = shlex.quote(OP_PASSWORD)
    lines = ["[all]", f"n1 ansible_connection=local  ip={lab.hosts['n1'].address}"]
    lines += [
        f"{name}  ansible_host={lab.hosts[name].address}  ip={lab.hosts[name].address}  "
        f"ansible_user={OP_USER}  ansible_become_pass={password}"
        for name in ALL[1:]
    ]
    lines += ["[kube-master]", *MASTERS, "[kube-node]", *NODES, "[etcd]", *MASTERS]
    return "\n".join([*lines, "[k8s-cluster:children]", "kube-node", "kube-master", ""])


class Documented:
    """The site, and the balancer in front of its masters."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.site = LabSite(lab, directory / "site")
        self.lab, self.directory = lab, directory
        (directory / "passphrase").write_text(PASSPHRASE + "\n")
        (directory / "passphrase").chmod(0o600)

    @contextmanager
    def balancer(self, *, without: str = "") -> Iterator[None]:
        """A haproxy that forwards the API and the port that servers join by, to all masters or all but one."""
        masters = [self.lab.hosts[name].address for name in MASTERS if name != without]
        frontends = [
            Frontend(port, tuple(f"{address}:{port}" for address in masters)) for port in (API_PORT, JOIN_PORT)
        ]
        within = ("ip", "netns", "exec", squatter_name(self.lab.name, self.site.vip))
        with haproxy(self.directory, frontends, address="0.0.0.0", within=within):
            yield

    def rbdtui(self, *words: str) -> str:
        done = self.site.rbdtui(words[0], str(self.site.path), *words[1:])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documented]:
    with Lab("sphere", hosts=6) as lab, ExitStack() as stack:
        made = Documented(lab, tmp_path_factory.mktemp("sphere"))
        lab.squat(made.site.vip)
        stack.callback(lab.unsquat, made.site.vip)
        yield made


def test_two_files_become_the_plan(documented: Documented) -> None:
    site, lab = documented.site, documented.lab
    documented.rbdtui("init")
    text = site.path.joinpath("cluster.yaml").read_text()
    text = text.replace("bundle: /data/offline-packages", f"bundle: {site.bundle}")
    site.path.joinpath("cluster.yaml").write_text(text.replace("key: ~/.ssh/id_ed25519", f"key: {lab.key}"))
    files = {"hosts.ini": hosts_ini(lab), "common.yaml": COMMON_YAML.format(address=site.vip)}
    for name, content in files.items():
        documented.directory.joinpath(name).write_text(content)
        said = site.rbdtui("import", str(site.path), str(documented.directory / name), "--yes")
        assert OP_PASSWORD not in said.stdout + said.stderr
    assert OP_PASSWORD not in site.path.joinpath("cluster.yaml").read_text()
    documented.rbdtui("trust", "--yes")
    documented.rbdtui("check", "--only", "rules")


def test_the_balancer_is_proven_while_none_of_its_servers_is_up(documented: Documented) -> None:
    away = documented.site.rbdtui("check", str(documented.site.path), "--json")
    assert away.returncode == 1
    assert "RBD-LB-110" in {found["code"] for found in json.loads(away.stdout)["findings"]}, "no balancer is there"
    with documented.balancer():
        found = json.loads(documented.rbdtui("check", "--json"))["findings"]
    assert [each for each in found if each["severity"] == "error"] == []
    assert [each for each in found if each["code"].startswith("RBD-LB") and each["severity"] == "warning"] == []


def test_the_documents_cluster_stands_and_survives(documented: Documented) -> None:
    site, lab = documented.site, documented.lab
    with documented.balancer():
        documented.rbdtui("run", "--yes")
        assert site.ready_nodes("n2") == list(ALL), "asked through the balancer"
        assert [name.rpartition("-")[0] for name in site.etcd_voters("n1")] == list(MASTERS)
        for name in ALL:
            found = lab.ssh(name, "getent hosts lb.kubesphere.local").stdout.split()
            assert found[:1] == [site.vip], "the domain leads to the balancer on every node"
        pods = json.loads(site.kubectl("n1", "get", "node", "n1", "-o", "json"))["status"]["capacity"]["pods"]
        assert pods == "110"

        before = len(list((site.path / "runs").iterdir()))
        again = documented.rbdtui("run", "--yes")
        assert len(list((site.path / "runs").iterdir())) == before + 1
        assert site.events()[-1]["changed"] == 0, again

        lab.off("n1")
        gap_s = wait_for(site.api_answers, 60, "the API to answer without its first master")
        others = [name for name in ALL if name != "n1"]
        wait_for(lambda: site.ready_nodes("n2") == others, 180, "n1 to be missed", every_s=1)
        print(f"the API was missed for {gap_s:.1f} s after the first master had lost its power")
        lab.on("n1")
        site.wait_ready("n2", *ALL)


def test_kubesphere_is_brought_to_it_and_a_second_run_changes_nothing(documented: Documented) -> None:
    """Its chart and images are the lab's own, with the vendor's keys; helm, Kubernetes and its NodePorts are real."""
    site, lab = documented.site, documented.lab
    with documented.balancer():
        plan = site.path / "cluster.yaml"
        text = plan.read_text().replace(str(site.bundle), str(lab.kubesphere_bundle))
        plan.write_text(f"{text}\nkubesphere: {{install: true}}\n")
        began_s = time.monotonic()
        documented.rbdtui("run", "--yes")
        print(f"KubeSphere was brought and proven within {time.monotonic() - began_s:.0f} s")
        listed = json.loads(
            site.kubectl("n2", "-n", "kubesphere-system", "get", "deployments,statefulsets", "-o", "json")
        )
        ready = {item["metadata"]["name"]: item["status"].get("readyReplicas") for item in listed["items"]}
        assert ready == {
            **dict.fromkeys(("ks-apiserver", "ks-console", "ks-controller-manager"), 3),
            **dict.fromkeys(("ks-core-redisha-server", "ks-core-redisha-haproxy"), 3),
            "extensions-museum": 1,
        }
        for name in ALL:
            assert "issuer" in console(lab, name), f"the console answers at {name}"
        assert "kubesphere-controls-system" in site.kubectl("n2", "get", "namespaces", "-o", "name")

        documented.rbdtui("run", "--yes")
        assert site.events()[-1]["changed"] == 0

        lab.off("n1")
        others = [name for name in ALL if name != "n1"]
        gap_s = wait_for(
            lambda: all("issuer" in console(lab, name) for name in others), 300, "the consoles of the others"
        )
        print(f"all other consoles answered {gap_s:.1f} s after the first master had lost its power")
        lab.on("n1")
        site.wait_ready("n2", *ALL)
        wait_for(lambda: "issuer" in console(lab, "n1"), 180, "n1 to open its NodePorts again")


def test_health_tells_of_kubesphere_and_a_reset_of_it_leaves_the_cluster(documented: Documented) -> None:
    site = documented.site
    with documented.balancer():
        said = site.rbdtui("health", str(site.path), "--json")
        probes = {probe["id"]: probe["state"] for probe in json.loads(said.stdout)["probes"]}
        told = {name: state for name, state in probes.items() if name.startswith("kubesphere")}
        assert set(told.values()) == {"ok"}, told
        assert {f"kubesphere-console@{name}" for name in ALL} < told.keys()

        site.kubectl("n2", "create", "namespace", "team")
        site.kubectl("n2", "label", "namespace", "team", "kubesphere.io/workspace=one")
        documented.rbdtui("reset", "--only", "kubesphere", "--yes")
        left = site.kubectl(
            "n2", "get", "namespaces,crd,clusterrolebindings,validatingwebhookconfigurations", "-o", "name"
        )
        assert "kubesphere" not in left
        assert "namespace/team" in left.split()
        assert "kubesphere.io" not in site.kubectl("n2", "get", "namespaces", "-o", "json")
        assert "Nothing of KubeSphere is left" in documented.rbdtui("reset", "--only", "kubesphere", "--yes")
        assert site.ready_nodes("n2") == list(ALL)


def console(lab: Lab, host: str) -> str:
    """What the console says at a host's NodePort with the help of its API server; empty when it says nothing."""
    url = f"http://{lab.hosts[host].address}:30880/.well-known/openid-configuration"
    with suppress(OSError), urlopen(url, timeout=3) as answer:
        return str(answer.read().decode())
    return ""


@pytest.mark.parametrize(("without", "state"), [("", "ok"), ("n2", "degraded")])
def test_a_balancer_that_forgets_a_master_is_told(documented: Documented, without: str, state: str) -> None:
    site = documented.site
    with documented.balancer(without=without):
        said = site.rbdtui("health", str(site.path), "--json")
        found = json.loads(site.rbdtui("check", str(site.path), "--json").stdout)["findings"]
    probes = {probe["id"]: probe["state"] for probe in json.loads(said.stdout)["probes"]}
    assert probes["api@LB"] == "ok", "what is left answers"
    assert {name: probes[f"balanced@{name}"] for name in MASTERS} == dict.fromkeys(MASTERS, "ok") | {"n2": state}
    told = [each["message"] for each in found if each["code"] == "RBD-LB-125"]
    assert [f"does not lead to the API of {without}," in message for message in told] == ([True] if without else [])


def test_a_lost_balancer_is_told(documented: Documented) -> None:
    said = documented.site.rbdtui("health", str(documented.site.path), "--json")
    assert said.returncode == 1
    probes = {probe["id"]: probe["state"] for probe in json.loads(said.stdout)["probes"]}
    assert probes["api@LB"] == "down", probes
    assert [state for name, state in probes.items() if name.startswith("api@n")] == ["ok"] * 3
