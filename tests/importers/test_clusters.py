"""Descriptions of clusters by other installers, hosts files and the configuration of ssh."""

from __future__ import annotations

import pytest

from tests.importers.reading import logins, not_taken, read, servers

KUBEKEY = """\
apiVersion: kubekey.kubesphere.io/v1alpha2
kind: Cluster
metadata:
  name: sample
spec:
  hosts:
  - {name: node1, address: 172.16.0.2, internalAddress: "172.16.0.2,fd0::2", port: 8022, user: ubuntu, password: "Qc@1"}
  - {name: node2, address: 172.16.0.3, internalAddress: 10.0.0.3, privateKeyPath: "~/.ssh/id_rsa", arch: arm64}
  - {name: node3, address: 172.16.0.4, privateKey: "-----BEGIN"}
  roleGroups:
    etcd: [node1]
    control-plane:
    - node1
    worker:
    - node[2:3]
    registry: [node3]
  controlPlaneEndpoint:
    internalLoadbalancer: kube-vip
    domain: lb.kubesphere.local
    address: "172.16.0.100"
    port: 6443
  kubernetes:
    version: v1.30.4
    clusterName: cluster.local
  etcd:
    type: kubekey
  network:
    plugin: calico
    kubePodsCIDR: 10.233.64.0/18
    kubeServiceCIDR: 10.233.0.0/18
    multusCNI:
      enabled: false
  registry:
    privateRegistry: ""
    registryMirrors: []
  addons: []
"""


def test_kubekeys_cluster() -> None:
    imported = read(KUBEKEY, "kubekey")
    assert servers(imported) == [
        ("node1", "172.16.0.2", "ce"),
        ("node2", "172.16.0.3", "w"),
        ("node3", "172.16.0.4", "w"),
    ]
    assert logins(imported) == [{"user": "ubuntu", "port": 8022, "password": "Qc@1"}, {"key": "~/.ssh/id_rsa"}, {}]
    assert imported.settings == {
        "kubernetes.api.mode": "vip", "kubernetes.api.address": "172.16.0.100", "kubernetes.api.port": 6443,
        "kubernetes.api.domain": "lb.kubesphere.local", "kubernetes.pod_cidr": "10.233.64.0/18",
        "kubernetes.service_cidr": "10.233.0.0/18",
    }  # fmt: skip
    assert not_taken(imported) == [
        (9, "key_in_file"), (16, "no_registry_host"), (23, "no_place"), (28, "no_place"),
        (31, "no_place"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "settings", "expected"),
    [
        ("{address: 10.0.0.100, port: '6443'}",
         {"kubernetes.api.mode": "external", "kubernetes.api.address": "10.0.0.100", "kubernetes.api.port": 6443}, []),
        ("{address: 10.0.0.1, port: 6443}", {"kubernetes.api.mode": "first-server", "kubernetes.api.port": 6443}, []),
        ("{internalLoadbalancer: haproxy, address: ''}", {}, [(7, "internal_balancer")]),
        ("{address: lb.site.lan}", {}, [(7, "no_address")]),
        ("{domain: a.b, address: '', port: 70000}", {"kubernetes.api.domain": "a.b"}, [(7, "no_number")]),
    ],
)  # fmt: skip
def test_where_kubekey_reaches_the_api(
    endpoint: str, settings: dict[str, object], expected: list[tuple[int, str]]
) -> None:
    text = (
        "apiVersion: kubekey.kubesphere.io/v1alpha1\nkind: Cluster\nspec:\n  hosts:\n"
        f"  - {{name: a, address: 10.0.0.1}}\n  roleGroups: {{etcd: [a], master: [a], worker: [a]}}\n"
        f"  controlPlaneEndpoint: {endpoint}\n"
    )
    imported = read(text, "kubekey")
    assert servers(imported) == [("a", "10.0.0.1", "cew")]
    assert imported.settings == settings
    assert not_taken(imported) == expected


def test_k0sctl() -> None:
    text = """\
apiVersion: k0sctl.k0sproject.io/v1beta1
kind: Cluster
metadata: {name: k0s-cluster, user: admin}
spec:
  hosts:
  - role: controller
    hostname: cp1
    ssh: {address: 10.0.0.1, user: root, port: 22, keyPath: ~/.ssh/id_rsa, bastion: {address: 10.9.0.1, user: hop,
          bastion: {address: outer.lan}}}
  - role: controller+worker
    openSSH: {address: 10.0.0.2}
    installFlags: [--debug]
  - role: worker
    privateAddress: 172.16.0.3
    ssh: {address: 10.0.0.3, keyPath: null}
  - role: magic
    localhost: {enabled: true}
  k0s:
    version: 1.30.4+k0s.0
    config:
      spec:
        api: {externalAddress: 10.0.0.100, port: 6443, sans: [10.0.0.100]}
        network: {provider: calico, podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/12}
"""
    imported = read(text, "k0sctl")
    assert servers(imported) == [("cp1", "10.0.0.1", "ce"), ("", "10.0.0.2", "cew"), ("", "10.0.0.3", "w")]
    bastions = ["outer.lan", "10.9.0.1"]
    assert logins(imported) == [{"user": "root", "port": 22, "key": "~/.ssh/id_rsa", "bastion": bastions}, {}, {}]
    assert imported.settings == {
        "kubernetes.api.mode": "external", "kubernetes.api.address": "10.0.0.100", "kubernetes.api.port": 6443,
        "kubernetes.pod_cidr": "10.244.0.0/16", "kubernetes.service_cidr": "10.96.0.0/12",
    }  # fmt: skip
    assert not_taken(imported) == [
        (12, "only_k0s"), (16, "no_address"), (16, "no_role"), (17, "local"), (19, "no_place"),
        (22, "no_place"),
    ]  # fmt: skip


def test_rke1() -> None:
    text = """\
nodes:
  - address: 10.0.0.1
    port: "2222"
    internal_address: 172.16.0.1
    role: [controlplane, etcd]
    hostname_override: node1
    user: docker
    ssh_key: "----BEGIN"
    labels: {zone: a, "bad key": x}
    taints: [{key: dedicated, value: db, effect: NoSchedule}]
  - {address: 10.0.0.2, role: worker, user: docker, ssh_key_path: ~/.ssh/other}
ssh_key_path: ~/.ssh/id_rsa
bastion_host: {address: jump.lan, user: hop, port: 22}
kubernetes_version: v1.23.10-rancher1-1
services:
  etcd: {snapshot: true}
  kube-api: {service_cluster_ip_range: 10.43.0.0/16, pod_security_policy: false, pod_security_policy: false}
  kube-controller: {cluster_cidr: 10.42.0.0/16}
private_registries: [{url: hub.corp, user: u, password: Secret1}]
"""
    imported = read(text, "rke1")
    assert servers(imported) == [("node1", "10.0.0.1", "ce"), ("", "10.0.0.2", "w")]
    assert logins(imported) == [
        {"user": "docker", "port": 2222, "key": "~/.ssh/id_rsa", "bastion": ["jump.lan"]},
        {"user": "docker", "key": "~/.ssh/other", "bastion": ["jump.lan"]},
    ]
    assert imported.settings == {"kubernetes.pod_cidr": "10.42.0.0/16", "kubernetes.service_cidr": "10.43.0.0/16"}
    assert not_taken(imported) == [
        (2, "no_label"), (8, "key_in_file"), (14, "no_place"), (16, "no_place"), (17, "no_place"),
        (17, "twice"), (19, "no_place"),
    ]  # fmt: skip
    assert (imported.nodes[0].labels, imported.nodes[0].taints) == ((("zone", "a"),), ("dedicated=db:NoSchedule",))
    assert "Secret1" not in repr(imported)


def test_a_tab_of_rke1s_own_sample_is_named_with_its_line() -> None:
    text = "nodes:\n- address: 10.0.0.1\n  role: [controlplane]\nservices:\n\tetcd: {}\n"
    imported = read(text, "rke1")
    assert servers(imported) == []
    assert not_taken(imported) == [(5, "message")]


def test_a_hosts_file() -> None:
    text = """\
127.0.0.1 localhost localhost.localdomain
127.0.1.1 jump
::1     ip6-localhost ip6-loopback
# servers
10.0.0.11\tnode1.site.lan node1   # rack 1
10.0.0.12 Node_2
fd00::13 node3
10.0.0.100 goodrain.me
10.0.0.14
nonsense
"""
    imported = read(text, "hosts")
    assert servers(imported) == [("node1", "10.0.0.11", ""), ("node-2", "10.0.0.12", "")]
    assert [node.renamed_from for node in imported.nodes] == ["node1.site.lan", "Node_2"]
    assert not_taken(imported) == [
        (1, "loopback"), (2, "loopback"), (3, "loopback"), (7, "ipv6"), (8, "service_name"), (9, "no_names"),
        (10, "no_address"),
    ]  # fmt: skip


def test_the_configuration_of_ssh() -> None:
    text = """\
User everybody
Host node1 node2-alias
  HostName 10.0.0.11
  User=first
  Port 2222
Host node*
  User second
  IdentityFile "~/.ssh/nodes"
  ProxyJump hop@jump:2200,10.9.0.2
Host node3 !node4
    HostName 10.0.0.13
    ServerAliveInterval 30
Host jump
  HostName 10.9.0.1
  IdentityFile ~/.ssh/jump
Host github.com
  User git
Host node4
  HostName 10.0.0.14
  ProxyJump none
  ProxyCommand nc %h %p
Match host node1 exec "true"
  Port 99
Include conf.d/*
"""
    imported = read(text, "ssh-config")
    assert servers(imported) == [
        ("node1", "10.0.0.11", ""), ("node2-alias", "10.0.0.11", ""), ("node3", "10.0.0.13", ""),
        ("node4", "10.0.0.14", ""),
    ]  # fmt: skip
    jumps = ["10.9.0.1", "10.9.0.2"]
    everybody = {"user": "everybody", "key": "~/.ssh/nodes", "bastion": jumps}
    assert logins(imported) == [{**everybody, "port": 2222}, {**everybody, "port": 2222}, everybody, everybody]
    bastion = imported.nodes[0].bastions[0]
    assert (bastion.user, bastion.port, bastion.key) == ("hop", 2200, "~/.ssh/jump")
    assert not_taken(imported) == [(16, "no_address"), (21, "no_place"), (22, "ssh_match"), (24, "no_place")]
