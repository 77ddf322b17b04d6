"""The look-alike of RKE2 against what is known of the real one: ports, files, words and failures, seen without rbdtui.

What is expected here was read in the sources of RKE2 v1.30.4 and k3s, or seen on RKE2 itself on hosts of this lab. One
story in the order of the file, on two servers and an agent.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.lab.shell import wait_for

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(400)]

TOKEN, AGENT_TOKEN = "the-token", "agents-only"
IMAGES = "/var/lib/rancher/rke2/agent/images"
KUBECTL = "/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml"
LOOPBACK_OF_A_SERVER = {10010, 10248, 10249, 10256, 10257, 10258, 10259, 2379, 2380, 2381, 2382}
READY_S = 180


@dataclass(slots=True)
class Hosts:
    """Hosts of a lab on which RKE2 is started by hand."""

    lab: Lab

    def ship(self, host: str, *images: Path) -> None:
        """Unpack the program archive, and put image archives where RKE2 looks for them."""
        self.lab.ssh(host, f"mkdir -p {IMAGES} /etc/rancher/rke2")
        self._send(
            host, self.lab.bundle / "rke2.linux-amd64.tar.gz", "tar xzf - -C /usr/local; systemctl daemon-reload"
        )
        for file in images or (self.lab.bundle / "rke2-images.linux-amd64.tar.zst",):
            self._send(host, file, f"cat > {IMAGES}/{file.name}")

    def _send(self, host: str, file: Path, command: str) -> None:
        with file.open("rb") as data:
            subprocess.run([*self.lab.ssh_command(host), command], stdin=data, check=True, timeout=60)

    def configure(self, host: str, **settings: object) -> None:
        """Write config.yaml."""
        whole: dict[str, object] = {"node-name": host, "node-ip": self.lab.hosts[host].address, "token": TOKEN}
        whole |= {key.replace("_", "-"): value for key, value in settings.items()}
        self.lab.ssh(host, "cat > /etc/rancher/rke2/config.yaml", stdin=json.dumps(whole))

    def start(self, host: str, kind: str = "server") -> None:
        """Start the unit anew without waiting for it; its log is empty then."""
        self.lab.ssh(host, f"systemctl stop rke2-{kind}; systemctl reset-failed rke2-{kind}", check=False)
        self.lab.ssh(host, "journalctl --rotate -q; journalctl --vacuum-time=1s -q")
        self.lab.ssh(host, f"systemctl start --no-block rke2-{kind}")

    def log(self, host: str, kind: str = "server") -> str:
        """What RKE2 has said since it was started."""
        return self.lab.ssh(host, f"journalctl -q -o cat -u rke2-{kind}", check=False).stdout

    def wait_said(self, host: str, words: str, kind: str = "server", limit_s: float = 60) -> str:
        """Wait until RKE2 has said this; gives the line."""
        lines: list[str] = []

        def said() -> bool:
            lines[:] = [line for line in self.log(host, kind).splitlines() if words in line]
            return bool(lines)

        wait_for(f"{host} to say {words!r}", said, timeout_s=limit_s, pause_s=0.5)
        return lines[0]

    def state(self, host: str, kind: str = "server") -> str:
        """What systemd calls the unit's state."""
        return self.lab.ssh(host, f"systemctl is-active rke2-{kind}", check=False).stdout.strip()

    def restarts(self, host: str, kind: str = "server") -> int:
        """How often systemd has started it again."""
        return int(self.lab.ssh(host, f"systemctl show -P NRestarts rke2-{kind}").stdout)

    def wait_active(self, host: str, kind: str = "server") -> None:
        """Wait until the unit is."""
        wait_for(f"rke2-{kind} on {host}", lambda: self.state(host, kind) == "active", timeout_s=READY_S, pause_s=0.5)

    def listeners(self, host: str) -> dict[int, set[str]]:
        """Addresses that are listened on, by port."""
        found: dict[int, set[str]] = {}
        for line in self.lab.ssh(host, "ss -Hltn").stdout.splitlines():
            address, _, port = line.split()[3].rpartition(":")
            found.setdefault(int(port), set()).add(address)
        return found

    def kubectl(self, words: str) -> str:
        """kubectl on the first server."""
        return self.lab.ssh("n1", f"{KUBECTL} {words}").stdout

    def wait_ready(self, *names: str) -> None:
        """Wait until exactly these nodes are Ready."""

        def ready() -> bool:
            rows = [row.split() for row in self.kubectl("get nodes --no-headers").splitlines()]
            return {row[0] for row in rows if row[1] == "Ready"} == set(names)

        wait_for(f"{names} to be Ready", ready, timeout_s=READY_S, pause_s=1)

    def gateway(self, port: int) -> subprocess.CompletedProcess[str]:
        """etcd's members, asked as JSON on a port of the first server."""
        tls = "/var/lib/rancher/rke2/server/tls/etcd"
        command = (
            f"printf '{{}}' | KUBECONFIG=/dev/null {KUBECTL.split()[0]} --server=https://127.0.0.1:{port} "
            f"--certificate-authority={tls}/server-ca.crt --client-certificate={tls}/client.crt "
            f"--client-key={tls}/client.key create --raw /v3/cluster/member/list -f -"
        )
        return self.lab.ssh("n1", command, check=False)

    def members(self) -> dict[str, str]:
        """Suffixed name of each of etcd's voters, by node."""
        found = json.loads(self.gateway(2382).stdout)["members"]
        return {each["name"].rpartition("-")[0]: each["name"] for each in found if not each.get("isLearner")}

    def url(self, host: str) -> str:
        """Where a server is joined."""
        return f"https://{self.lab.hosts[host].address}:9345"


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with Lab("rke2", hosts=3, without_keepalived=()) as lab:
        made = Hosts(lab)
        for name in lab.hosts:
            made.ship(name)
        yield made


def test_a_server_serves_its_supervisor_long_before_it_is_ready(hosts: Hosts) -> None:
    hosts.configure("n1", agent_token=AGENT_TOKEN, no_such_key=True)
    hosts.start("n1")
    wait_for("9345", lambda: 9345 in hosts.listeners("n1"), timeout_s=20)
    assert hosts.state("n1") == "activating"
    assert 6443 not in hosts.listeners("n1")
    assert 2379 not in hosts.listeners("n1")
    hosts.wait_active("n1")
    assert r'level=warning msg="Unknown flag --no-such-key found in config.yaml, skipping\n"' in hosts.log("n1")


def test_ports_and_nodes_of_a_first_server(hosts: Hosts) -> None:
    hosts.wait_ready("n1")
    wait_for("kube-proxy", lambda: 10256 in hosts.listeners("n1"), timeout_s=60)
    found = hosts.listeners("n1")
    own = hosts.lab.hosts["n1"].address
    assert {port for port, where in found.items() if "127.0.0.1" in where} >= LOOPBACK_OF_A_SERVER
    assert {port for port, where in found.items() if own in where} == {2379, 2380}
    assert {port for port, where in found.items() if "*" in where} == {6443, 9345, 10250, 10260}
    assert 6444 not in found
    labels = json.loads(hosts.kubectl("get node n1 -o json"))["metadata"]["labels"]
    roles = {name.partition("/")[2] for name in labels if name.startswith("node-role.kubernetes.io/")}
    assert roles == {"control-plane", "etcd", "master"}
    with socket.create_connection((own, 80), timeout=5) as ingress:
        ingress.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 404 " in ingress.recv(100)
    assert hosts.lab.ssh("n1", "cat /var/lib/rancher/rke2/agent/etc/resolv.conf").stdout == "nameserver 8.8.8.8\n"


def test_etcd_has_a_port_of_its_own_for_json(hosts: Hosts) -> None:
    assert re.fullmatch(r"n1-[0-9a-f]{8}", hosts.members()["n1"])
    refused = hosts.gateway(2379)
    assert refused.returncode != 0
    assert "UnsupportedMediaType" in refused.stderr


def test_tokens_carry_the_hash_of_the_ca(hosts: Hosts) -> None:
    place = "/var/lib/rancher/rke2/server"
    ca = hosts.lab.ssh("n1", f"cat {place}/tls/server-ca.crt").stdout
    prefix = "K10" + hashlib.sha256(ca.encode()).hexdigest()
    assert hosts.lab.ssh("n1", f"cat {place}/token").stdout == f"{prefix}::server:{TOKEN}\n"
    assert hosts.lab.ssh("n1", f"readlink {place}/node-token").stdout == f"{place}/token\n"
    assert hosts.lab.ssh("n1", f"cat {place}/agent-token").stdout == f"{prefix}::node:{AGENT_TOKEN}\n"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"token": "wrong"}, "preparing server: failed to validate server configuration: not authorized"),
        ({"token": AGENT_TOKEN}, "preparing server: failed to validate server configuration: not authorized"),
        (
            {"token": f"K10{'0' * 64}::server:{TOKEN}"},
            "token CA hash does not match the Cluster CA certificate hash: 0",
        ),
        ({"server": "https://127.0.0.1:1"}, "preparing server: failed to get CA certs: Get"),
        ({"cluster_cidr": "10.99.0.0/16"}, "critical configuration value mismatch between servers"),
        ({"datastore_endpoint": "mysql://"}, "the lab's look-alike cannot"),
    ],
)
def test_a_server_that_cannot_join_ends_and_is_started_again(
    hosts: Hosts, settings: dict[str, object], words: str
) -> None:
    hosts.configure("n2", **{"server": hosts.url("n1"), **settings})
    hosts.start("n2")
    assert "level=fatal" in hosts.wait_said("n2", words, limit_s=20)
    wait_for("a restart", lambda: hosts.restarts("n2") > 0, timeout_s=20, pause_s=0.5)
    assert hosts.state("n2") == "activating"


def test_an_agent_with_a_wrong_token_asks_on_within_the_process(hosts: Hosts) -> None:
    hosts.configure("n3", server=hosts.url("n1"), token="wrong")
    hosts.start("n3", "agent")
    said = hosts.wait_said(
        "n3", "server is not ready: failed to retrieve configuration from server: not authorized", "agent"
    )
    assert "level=info" in said
    hosts.lab.ssh("n3", "echo LAB_RKE2_TOKEN_WORDS=401 > /etc/default/rke2-agent")
    hosts.start("n3", "agent")
    hosts.wait_said("n3", "/v1-rke2/serving-kubelet.crt: 401 Unauthorized", "agent")
    hosts.lab.ssh("n3", "rm /etc/default/rke2-agent")
    hosts.configure("n3", server=hosts.url("n1"), token=f"K10{'0' * 64}::node:{AGENT_TOKEN}")
    hosts.start("n3", "agent")
    assert "level=error" in hosts.wait_said("n3", "token CA hash does not match", "agent")
    assert (hosts.state("n3", "agent"), hosts.restarts("n3", "agent")) == ("activating", 0)


def test_a_server_under_the_name_of_a_member_is_refused(hosts: Hosts) -> None:
    hosts.configure("n2", node_name="n1", server=hosts.url("n1"))
    hosts.start("n2")
    words = "etcd cluster join failed: duplicate node name found, please use a unique name for this node"
    assert "level=fatal" in hosts.wait_said("n2", words)


def test_a_server_and_an_agent_join(hosts: Hosts) -> None:
    agent_token = hosts.lab.ssh("n1", "cat /var/lib/rancher/rke2/server/agent-token").stdout.strip()
    hosts.configure("n2", server=hosts.url("n1"), agent_token=AGENT_TOKEN)
    hosts.configure("n3", server=hosts.url("n1"), token=agent_token, tls_san=["not-for-agents"])
    hosts.start("n2")
    hosts.start("n3", "agent")
    hosts.wait_active("n2")
    hosts.wait_active("n3", "agent")
    hosts.wait_ready("n1", "n2", "n3")
    assert hosts.members().keys() == {"n1", "n2"}
    assert "Unknown flag --tls-san found in config.yaml, skipping" in hosts.log("n3", "agent")
    on_agent = hosts.listeners("n3")
    assert (on_agent[6443], on_agent[6444]) == ({"127.0.0.1"}, {"127.0.0.1"})
    assert not {2379, 9345, 10258} & on_agent.keys()


def test_what_runs_outlives_the_unit(hosts: Hosts) -> None:
    hosts.lab.ssh("n2", "systemctl stop rke2-server")
    left = hosts.listeners("n2").keys()
    assert {2379, 6443} <= left
    assert not {9345, 10250} & left
    hosts.lab.ssh("n2", "systemctl start rke2-server", timeout_s=90)
    assert "Imported images from" in hosts.log("n2")


def test_an_archive_that_is_damaged_is_said_and_passed_over(hosts: Hosts) -> None:
    hosts.lab.ssh("n3", f"head -c 1000000 {IMAGES}/rke2-images.linux-amd64.tar.zst > {IMAGES}/more.tar.zst")
    hosts.start("n3", "agent")
    hosts.wait_active("n3", "agent")
    assert "level=error" in hosts.wait_said("n3", f"Error encountered while importing {IMAGES}/more.tar.zst", "agent")


def test_the_name_of_an_agent_is_guarded_by_its_password(hosts: Hosts) -> None:
    hosts.lab.ssh("n3", "rm /etc/rancher/node/password")
    hosts.start("n3", "agent")
    hosts.wait_said("n3", "Node password rejected, duplicate hostname or contents of", "agent")
    assert hosts.restarts("n3", "agent") == 0
    hosts.kubectl("delete node n3")
    hosts.wait_active("n3", "agent")
    hosts.wait_ready("n1", "n2", "n3")


def test_a_server_goes_with_its_node_and_can_come_again(hosts: Hosts) -> None:
    before = hosts.members()["n2"]
    hosts.kubectl("delete node n2")
    assert hosts.members().keys() == {"n1"}
    hosts.lab.ssh("n2", "/usr/local/bin/rke2-uninstall.sh")
    left = hosts.lab.ssh(
        "n2", "ls -d /var/lib/rancher /etc/rancher /usr/local/bin/rke2* /opt/cni /run/k3s", check=False
    )
    assert left.stdout.split() == ["/opt/cni", "/run/k3s"]
    assert hosts.listeners("n2").keys() == {22}
    hosts.ship("n2")
    hosts.configure("n2", server=hosts.url("n1"), agent_token=AGENT_TOKEN)
    hosts.start("n2")
    hosts.wait_active("n2")
    assert hosts.members().keys() == {"n1", "n2"}
    assert hosts.members()["n2"] != before


def test_without_images_it_fails_and_leaves_lists_that_are_tried_from_then_on(hosts: Hosts) -> None:
    hosts.lab.ssh("n3", "/usr/local/bin/rke2-uninstall.sh")
    hosts.ship("n3")
    archive = f"{IMAGES}/rke2-images.linux-amd64.tar.zst"
    hosts.lab.ssh("n3", f"mv {archive} /var/tmp")
    hosts.configure("n3", server=hosts.url("n1"), token=AGENT_TOKEN)
    hosts.kubectl("delete node n3")
    hosts.start("n3", "agent")
    assert "level=fatal" in hosts.wait_said("n3", "failed to get runtime image", "agent")
    hosts.lab.ssh("n3", f"mv /var/tmp/{Path(archive).name} {IMAGES}")
    hosts.wait_active("n3", "agent")
    hosts.wait_said("n3", f"Error encountered while importing {IMAGES}/runtime-image.txt", "agent")


def test_uninstalling_ends_at_the_first_failure_and_takes_itself_away(hosts: Hosts) -> None:
    """On the RHEL family packages go too; where that fails, the data stay and the script is gone."""
    hosts.lab.ssh(
        "n3",
        "touch /etc/redhat-release; printf '#!/bin/sh\\nexit 1\\n' > /usr/local/bin/yum; chmod +x /usr/local/bin/yum",
    )
    assert hosts.lab.ssh("n3", "/usr/local/bin/rke2-uninstall.sh", check=False).returncode == 1
    left = hosts.lab.ssh("n3", "ls -d /var/lib/rancher/rke2 /usr/local/bin/rke2*", check=False).stdout.split()
    assert left == ["/usr/local/bin/rke2", "/usr/local/bin/rke2-killall.sh", "/var/lib/rancher/rke2"]
