"""KubeKey's ``Cluster`` of v1alpha2."""

from __future__ import annotations

from typing import Final

from rbdtui.exporters.exporter import Exporter, login_of
from rbdtui.exporters.yaml_text import to_yaml
from rbdtui.roles import Role
from rbdtui.spec.model import ApiMode, ClusterSpec, Node

_GROUPS: Final = {Role.ETCD: "etcd", Role.CONTROL_PLANE: "control-plane", Role.WORKER: "worker"}


class _KubeKey:
    name = "kubekey"
    holds = (
        "name", "nodes[].name", "nodes[].address", "nodes[].internal_address", "nodes[].roles", "nodes[].ssh.user",
        "nodes[].ssh.port",
        "nodes[].ssh.key", "ssh.user", "ssh.port", "ssh.key", "kubernetes.pod_cidr", "kubernetes.service_cidr",
        "kubernetes.api", "nodes[].labels",
    )  # fmt: skip
    roles = frozenset(_GROUPS)

    def write(self, spec: ClusterSpec) -> str:
        """Which version of Kubernetes and which network plug-in is KubeKey's to say."""
        groups = {group: [node.name for node in spec.nodes_with(role)] for role, group in _GROUPS.items()}
        body = {
            "hosts": [_host(spec, node) for node in spec.nodes],
            "roleGroups": groups,
            "controlPlaneEndpoint": _endpoint(spec),
            "network": {
                "kubePodsCIDR": str(spec.kubernetes.pod_cidr),
                "kubeServiceCIDR": str(spec.kubernetes.service_cidr),
            },
        }
        head = {"apiVersion": "kubekey.kubesphere.io/v1alpha2", "kind": "Cluster", "metadata": {"name": spec.name}}
        return to_yaml({**head, "spec": body})


def _host(spec: ClusterSpec, node: Node) -> dict[str, object]:
    login, address = login_of(spec, node), str(node.address)
    host: dict[str, object] = {
        "name": node.name,
        "address": address,
        "internalAddress": str(node.cluster_address),
        "user": login.user,
    }
    if login.port is not None:
        host["port"] = login.port
    if node.labels:
        host["labels"] = dict(node.labels)
    if login.key:
        host["privateKeyPath"] = login.key
    return host


def _endpoint(spec: ClusterSpec) -> dict[str, object]:
    api = spec.kubernetes.api
    endpoint: dict[str, object] = {"address": str(spec.api_address), "port": api.port}
    if api.mode is ApiMode.VIP:
        endpoint["internalLoadbalancer"] = "kube-vip"
    if api.domain is not None:
        endpoint["domain"] = api.domain
    return endpoint


EXPORTER: Final[Exporter] = _KubeKey()
