"""Plans of Rainbond that the tests of this room change."""

from __future__ import annotations

from rbdtui.rainbond.releases import Release, release_of
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec

NODES = """\
  - {name: n1, address: 10.0.0.11, roles: [control-plane, etcd, worker, gateway]}
  - {name: n2, address: 10.0.0.12, roles: [control-plane, etcd, worker, gateway, build], external_address: 203.0.113.2}
  - {name: n3, address: 10.0.0.13, roles: [control-plane, etcd, worker, gateway, build]}
"""
ONE_GATEWAY = NODES.replace(", gateway, build", ", build")
VIP = "gateway: {mode: keepalived, vip: 10.0.0.100/24, virtual_router_id: 87}\n"
MYSQL = "mysql: {mode: external, host: db.lan, port: 3307, username: rbd, password: secret:mysql}\n"
REGISTRY = "registry: {mode: external, domain: 'hub.lan:5000', namespace: rbd, username: u, password: secret:hub}\n"
NFS = "storage: {mode: nfs, server: nas.lan, path: /data, mount_options: [nfsvers=4.1]}\n"
CLASS = "storage: {mode: storage-class, storage_class: fast}\n"


def plan(profile: str = "rainbond-6", more: str = "", *, nodes: str = NODES, gateway: str = VIP) -> ClusterSpec:
    text = f"apiVersion: rbdtui/v1\nname: a\nprofile: {profile}\nbundle: /b\nnodes:\n{nodes}{gateway}{more}"
    loaded = parse_spec(text)
    assert loaded.spec is not None, loaded.findings
    return loaded.spec


def release(tag: str) -> Release:
    found = release_of(tag)
    assert found is not None
    return found


def values(text: str) -> str:
    """Further values of the chart, as a section of cluster.yaml."""
    return f"rainbond: {{values: {text}}}\n"
