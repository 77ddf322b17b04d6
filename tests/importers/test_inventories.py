"""Ansible inventories in both notations, kubespray's, KubeSphere's and KubeKey 4's among them, and their variables."""

from __future__ import annotations

import pytest

from rbdtui.importers.imported import Hidden
from tests.importers.reading import logins, not_taken, read, servers

INI = """\
# the servers
[all]
node1 ansible_host=10.0.0.11 ip=10.0.0.11 ansible_user=ops ansible_ssh_pass='a b#c'
node2 ansible_host=10.0.0.12 ansible_port=2222 etcd_member_name=etcd2
node[3:4] ansible_user=root   # two more
10.0.0.15:2200

[all:vars]
ansible_user=deploy
ansible_ssh_private_key_file = "~/.ssh/site"
kube_pods_subnet=10.233.64.0/18
ntp_server=10.0.0.1

[kube_control_plane]
node1
node2
[etcd]
node1
[kube_node:children]
workers
[workers]
node[2:4]
10.0.0.15
[workers:vars]
ansible_become_password=s3cret
[bastion]
jump ansible_host=10.9.0.1 ansible_user=hop
[k8s_cluster:children]
kube_control_plane
kube_node
"""


def test_an_inventory_with_groups_of_groups_ranges_and_variables() -> None:
    imported = read(INI, "ansible")
    assert servers(imported) == [
        ("node1", "10.0.0.11", "ce"), ("node2", "10.0.0.12", "cw"), ("node3", "", "w"), ("node4", "", "w"),
        ("", "10.0.0.15", "w"),
    ]  # fmt: skip
    common = {"key": "~/.ssh/site", "bastion": ["10.9.0.1"]}
    assert logins(imported) == [
        {"user": "ops", "password": "a b#c", **common},
        {"user": "deploy", "port": 2222, "sudo": "s3cret", **common},
        {"user": "root", "sudo": "s3cret", **common},
        {"user": "root", "sudo": "s3cret", **common},
        {"user": "deploy", "port": 2200, "sudo": "s3cret", **common},
    ]  # fmt: skip
    assert imported.settings == {"kubernetes.pod_cidr": "10.233.64.0/18"}
    assert not_taken(imported) == [(5, "no_address"), (5, "no_address"), (12, "no_place")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a ansible_host=10.0.0.1 ansible_user='open", [(2, "open_quote")]),
        ("a ansible_host=10.0.0.1 what is this", [(2, "no_pair")]),
        ("a ansible_host=10.0.0.1 rack=7", [(2, "no_place")]),
        ("a ansible_host=host.example.com", [(2, "no_address")]),
        ("a ansible_host={{ lookup('env','X') }}", [(2, "no_pair")]),
        ('a ansible_host="{{ where }}"', [(2, "no_address"), (2, "template")]),
        ("a ansible_host=10.0.0.1 ansible_port=x", [(2, "no_port")]),
        ("a[1:9999] ansible_user=root", [(2, "long_range")]),
        ("localhost ansible_connection=local", [(2, "local"), (2, "no_address")]),
        ("a ansible_connection=local ip=10.0.0.1", [(2, "local")]),
        ("a ansible_host=203.0.113.1 ip=10.0.0.1", []),
        ("a ansible_host=fe80::1%eth0", [(2, "ipv6")]),
        ("a ansible_host=10.0.0.1 ansible_ssh_private_key_file=id_rsa", [(2, "no_key_path")]),
        ("[what:is]\nx", [(2, "unknown_section")]),
    ],
)
def test_lines_of_which_something_is_amiss(line: str, expected: list[tuple[int, str]]) -> None:
    imported = read(f"[all]\n{line}\n[all:vars]\nansible_user=root\n", "ansible")
    assert not_taken(imported) == expected


def test_kubespheres_hosts_and_the_order_of_its_fields() -> None:
    text = """\
[all]
master1 ansible_connection=local  ip=192.168.0.1
master2  ansible_host=192.168.0.2  ip=192.168.0.2  ansible_user=ubuntu  ansible_become_pass=Qcloud@123
node1  ansible_host=192.168.0.4  ip=192.168.0.4  ansible_become_pass=Other@1  ansible_user=ubuntu
[kube-master]
master1
master2
[kube-node]
node1
[etcd]
master1
[k8s-cluster:children]
kube-node
kube-master
"""
    imported = read(text, "ansible")
    assert servers(imported) == [
        ("master1", "192.168.0.1", "ce"), ("master2", "192.168.0.2", "c"), ("node1", "192.168.0.4", "w")
    ]  # fmt: skip
    assert logins(imported) == [{}, {"user": "ubuntu", "sudo": "Qcloud@123"}, {"user": "ubuntu", "sudo": "Other@1"}]
    assert not_taken(imported) == [(2, "local"), (4, "fifth_field")]


def test_a_host_that_is_described_twice_and_differently_is_told() -> None:
    """As with Ansible the later value counts; two servers of one name would be one without a word."""
    text = """\
[all]
node1 ansible_host=10.0.0.11 ansible_user=ops
node2 ansible_host=10.0.0.12
node1 ansible_host=10.0.0.13 ansible_user=ops ansible_ssh_pass=first-Secret
[kube_control_plane]
node1 ansible_ssh_pass=second-Secret
node2
[all:vars]
kube_pods_subnet=10.233.64.0/18
kube_pods_subnet=10.42.0.0/16
"""
    imported = read(text, "ansible")
    assert servers(imported) == [("node1", "10.0.0.13", "ce"), ("node2", "10.0.0.12", "ce")]
    assert imported.settings == {"kubernetes.pod_cidr": "10.42.0.0/16"}
    assert not_taken(imported) == [(4, "twice"), (6, "twice"), (10, "twice")]
    said = [f"{remark.text}: {remark.why}" for remark in imported.remarks]
    assert said[0] == "node1: ansible_host stands here a second time, first in line 2; this one counts"
    assert "ecret" not in "".join(said)


def test_servers_hold_etcd_where_no_group_says_who_does() -> None:
    text = "[masters]\na ansible_host=10.0.0.1\n[workers]\nb ansible_host=10.0.0.2\n[dbs]\nc ansible_host=10.0.0.3\n"
    imported = read(text, "ansible")
    assert servers(imported) == [("a", "10.0.0.1", "ce"), ("b", "10.0.0.2", "w"), ("c", "10.0.0.3", "w")]
    assert not_taken(imported) == [(6, "in_no_group"), (6, "unknown_group")]


def test_groups_that_hold_each_other_end() -> None:
    text = "[a:children]\nb\n[b:children]\na\n[b]\nx ansible_host=10.0.0.1\n[workers:children]\na\n"
    assert servers(read(text, "ansible")) == [("x", "10.0.0.1", "w")]


YAML = """\
all:
  vars:
    ansible_user: deploy
    ansible_become_password: "0123"
    loadbalancer_apiserver:
      address: 10.0.0.100
      port: 8443
    apiserver_loadbalancer_domain_name: lb.site.lan
  hosts:
    node1: {ansible_host: 10.0.0.11, ip: 10.0.0.11, access_ip: 10.0.0.11}
    node2:
      ansible_host: 10.0.0.12
      ansible_ssh_pass: no
      node_labels: {zone: a}
    node[3:4]:
  children:
    kube_control_plane:
      hosts:
        node1:
    kube_node:
      hosts:
        node2:
        node3: {ansible_host: 10.0.0.13}
        node4:
      vars: {ansible_port: 2222}
    etcd:
      hosts: {node1: }
    k8s_cluster:
      children: {kube_control_plane: , kube_node: }
    calico_rr:
      hosts: {}
"""


def test_an_inventory_in_yaml() -> None:
    imported = read(YAML, "ansible-yaml")
    assert servers(imported) == [
        ("node1", "10.0.0.11", "ce"), ("node2", "10.0.0.12", "w"), ("node3", "10.0.0.13", "w"), ("node4", "", "w")
    ]  # fmt: skip
    assert [login.get("password") for login in logins(imported)] == [None, "no", None, None]
    assert [login.get("port") for login in logins(imported)] == [None, 2222, 2222, 2222]
    assert {str(login["sudo"]) for login in logins(imported)} == {"0123"}
    assert imported.settings == {
        "kubernetes.api.mode": "external", "kubernetes.api.address": "10.0.0.100", "kubernetes.api.port": 8443,
        "kubernetes.api.domain": "lb.site.lan",
    }  # fmt: skip
    assert [node.labels for node in imported.nodes] == [(), (("zone", "a"),), (), ()]
    assert not_taken(imported) == [(15, "no_address")]


def test_variables_in_a_file_of_their_own() -> None:
    text = """\
kube_version: v1.15.5
kube_pods_subnet: 10.233.64.0/18
kube_service_addresses: 10.233.0.0/18
apiserver_loadbalancer_domain_name: "lb.kubesphere.local"
loadbalancer_apiserver:
  address: 192.168.0.10
  port: 6443
ansible_become_pass: "p{1"
etcd_backup_period: 30
keep_backup_number: 5
kubelet_max_pods: 110
kube_network_plugin: calico
kube_proxy_mode: ipvs
"""
    imported = read(text, "ansible-vars")
    assert imported.settings == {
        "kubernetes.pod_cidr": "10.233.64.0/18", "kubernetes.service_cidr": "10.233.0.0/18",
        "kubernetes.api.domain": "lb.kubesphere.local", "kubernetes.api.mode": "external",
        "kubernetes.api.address": "192.168.0.10", "kubernetes.api.port": 6443, "ssh.sudo_password": Hidden("p{1"),
        "kubernetes.settings.etcd-snapshot-schedule-cron": "*/30 * * * *",
        "kubernetes.settings.etcd-snapshot-retention": 5, "kubernetes.settings.kubelet-arg": ("max-pods=110",),
    }  # fmt: skip
    assert not_taken(imported) == [(1, "kube_version"), (12, "network_plugin"), (13, "no_place")]


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [
        ("1", "*/1 * * * *"),
        ("20", "*/20 * * * *"),
        ("60", "0 * * * *"),
        ("120", "0 */2 * * *"),
        ("1440", "0 0 * * *"),
        *((text, None) for text in ("45", "90", "300", "0", "1441", "-5", "1e2", "", "９", "99999999")),
    ],
)
def test_minutes_between_backups_become_a_time_of_cron_where_there_is_one(minutes: str, cron: str | None) -> None:
    imported = read(f"kube_version: v1.15.5\netcd_backup_period: {minutes}\n", "ansible-vars")
    assert imported.settings.get("kubernetes.settings.etcd-snapshot-schedule-cron") == cron


def test_a_balancer_that_is_not_indented_is_named() -> None:
    text = "apiserver_loadbalancer_domain_name: lb.a\nloadbalancer_apiserver:\naddress: 192.168.0.10\nport: 6443\n"
    imported = read(text, "ansible-vars")
    assert imported.settings == {"kubernetes.api.domain": "lb.a"}
    assert not_taken(imported) == [(3, "outdented"), (4, "outdented")]


KUBEKEY = """\
apiVersion: kubekey.kubesphere.io/v1
kind: Inventory
metadata: {name: default}
spec:
  hosts:
    master1:
      connector: {type: local}
      internal_ipv4: 10.0.0.11
    node1:
      connector: {type: ssh, host: 10.0.0.12, port: 2222, user: ops, private_key: /root/.ssh/id_rsa}
      internal_ipv4: 172.16.0.12
      rack: 7
  groups:
    k8s_cluster: {groups: [kube_control_plane, kube_worker]}
    kube_control_plane: {hosts: [master1]}
    kube_worker: {hosts: [node1, node9]}
    etcd: {hosts: [master1]}
    image_registry: {hosts: [node1]}
---
apiVersion: kubekey.kubesphere.io/v1
kind: Config
spec:
  kubernetes:
    kube_version: v1.34.0
    control_plane_endpoint:
      host: lb.kubesphere.local
      port: 6443
      type: kube_vip
      kube_vip: {address: 10.0.0.100}
  cni: {type: calico, pod_cidr: "10.233.64.0/18,fc00::/64"}
"""


def test_inventory_and_config_of_kubekey_4() -> None:
    imported = read(KUBEKEY, "kubekey-inventory")
    assert servers(imported) == [("master1", "10.0.0.11", "ce"), ("node1", "10.0.0.12", "w")]
    assert logins(imported) == [{}, {"user": "ops", "port": 2222, "key": "/root/.ssh/id_rsa"}]
    assert imported.settings == {
        "kubernetes.api.mode": "vip", "kubernetes.api.address": "10.0.0.100", "kubernetes.api.port": 6443,
        "kubernetes.api.domain": "lb.kubesphere.local", "kubernetes.pod_cidr": "10.233.64.0/18",
    }  # fmt: skip
    assert not_taken(imported) == [
        (6, "local"), (12, "no_place"), (16, "no_such_host"), (18, "no_registry_host"),
        (24, "no_place"),
    ]  # fmt: skip
