"""ROI's cluster.yaml: hosts, groups of roles, and what has no place in a site."""

from __future__ import annotations

import pytest

from rbdtui.importers.imported import Hidden
from tests.importers.reading import logins, not_taken, read, servers

THREE = """\
hosts:
  - name: node-1
    address: 192.168.1.10
    internalAddress: 192.168.1.10
    user: root
    password: "Pa#ss: 1"
    bootstrap: true
  - {name: node-2, address: 192.168.1.11, user: root, password: 'it''s', port: 2222}
  - {name: node-3, internalAddress: 192.168.1.12}
roleGroups:
  etcd: [node-1]
  master: [node-1]
  worker:
    - node-[1:3]
  rbd-gateway: [node-1, node-2]
  rbd-chaos:
    - node-3
"""


def test_hosts_and_roles() -> None:
    imported = read(THREE, "roi")
    assert servers(imported) == [
        ("node-1", "192.168.1.10", "cewg"), ("node-2", "192.168.1.11", "wg"), ("node-3", "192.168.1.12", "wb")
    ]  # fmt: skip
    assert logins(imported) == [
        {"user": "root", "password": "Pa#ss: 1"}, {"user": "root", "password": "it's", "port": 2222}, {}
    ]  # fmt: skip
    assert not_taken(imported) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  nfs-server: [node-1]", [(18, "no_nfs_server")]),
        ("  nfs-server: [node-1]\nstorage: {nfs: {enabled: true, sharePath: /data}}", []),
        (
            "  nfs-server: [node-1, node-2]\nstorage: {nfs: {enabled: true, sharePath: /data}}",
            [(19, "no_nfs_server")],
        ),
        ("  worker: [node-1, node-2, node-3, node-9]", [(18, "no_such_host"), (18, "twice")]),
        ("storage: {nfs: {enabled: true}, ceph: {a: 1}}", [(18, "no_nfs_server"), (18, "no_place")]),
        ("database: {mysql: {enabled: true, masterPassword: Secret1}}", [(18, "no_mysql_pair")]),
        ("rainbond: &anchor {version: v6.3.0-release}", [(18, "message")]),
        ("rainbond: {values: {Cluster: {replicas: 3}}}", [(18, "no_chart_values")]),
        ("registry: {local: {a: b}}", [(18, "no_place")]),
        ("storage: {nfs: {server: null}, lvm: {}}", []),
    ],
)
def test_what_has_no_place_is_said_with_its_line(line: str, expected: list[tuple[int, str]]) -> None:
    imported = read(f"{THREE}{line}\n", "roi")
    assert not_taken(imported) == expected
    assert len(imported.nodes) == 3


@pytest.mark.parametrize(
    ("host", "node", "expected"),
    [
        ("{name: Node_A, address: 10.0.0.1}", [("node-a", "10.0.0.1", "w")], [(2, "in_no_group")]),
        ("{name: a, address: 10.0.0.1, internalAddress: 172.16.0.1}", [("a", "10.0.0.1", "w")],
         [(2, "in_no_group")]),
        ("{name: a, address: host.example.com}", [("a", "", "w")], [(2, "in_no_group"), (2, "no_address")]),
        ("{name: a}", [("a", "", "w")], [(2, "in_no_group"), (2, "no_address")]),
        ("{address: 10.0.0.1, port: 99999}", [("", "10.0.0.1", "w")], [(2, "in_no_group"), (2, "no_number")]),
        ("{name: a, address: 127.0.0.1}", [], [(2, "loopback")]),
        ("{user: root}", [], [(2, "no_address")]),
        ("just text", [], [(2, "no_address")]),
    ],
)  # fmt: skip
def test_a_host_of_which_something_is_amiss(
    host: str, node: list[tuple[str, str, str]], expected: list[tuple[int, str]]
) -> None:
    text = f"hosts:\n  - {host}\n  - {{name: b, address: 10.0.0.2}}\nroleGroups:\n  worker: [b]\n"
    imported = read(text, "roi")
    assert servers(imported) == [*node, ("b", "10.0.0.2", "w")]
    assert not_taken(imported) == expected


def test_the_outside_services() -> None:
    text = f"""{THREE}\
storage:
  nfs: {{enabled: true, server: 10.0.0.30, sharePath: /export, storageClass: {{enabled: true}}}}
registry:
  external: {{enabled: true, domain: "hub.corp:5000", namespace: rainbond, username: u, password: "p#1", scheme: http,
             insecureSkipVerify: true}}
database:
  mysql: {{enabled: false, masterPassword: unused}}
  custom:
    enabled: true
    console: {{host: 10.0.0.20, port: 3306, database: console, username: rbd, password: one}}
    region: {{host: 10.0.0.21, port: 3306, database: rbd, username: rbd, password: two}}
rainbond: {{version: v6.3.0-release}}
"""
    imported = read(text, "roi")
    assert imported.settings == {
        "storage.mode": "nfs", "storage.server": "10.0.0.30", "storage.path": "/export",
        "registry.mode": "external", "registry.domain": "hub.corp:5000", "registry.namespace": "rainbond",
        "registry.username": "u", "registry.scheme": "http", "registry.password": Hidden("p#1"),
        "registry.insecure_skip_verify": True,
        "mysql.mode": "external", "mysql.host": "10.0.0.20", "mysql.port": 3306, "mysql.username": "rbd",
        "mysql.password": Hidden("one"), "rainbond.version": "v6.3.0-release",
    }  # fmt: skip
    assert not_taken(imported) == [(27, "database_names"), (28, "two_databases")]
    assert "p#1" not in repr(imported)
