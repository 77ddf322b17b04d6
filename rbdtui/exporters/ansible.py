"""An Ansible inventory in INI with kubespray's groups; those of Rainbond stand beside them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.exporters.exporter import Exporter, login_of
from rbdtui.roles import Role
from rbdtui.spec.model import ClusterSpec, Node

GROUPS: Final[Mapping[Role, str]] = {
    Role.CONTROL_PLANE: "kube_control_plane",
    Role.ETCD: "etcd",
    Role.WORKER: "kube_node",
    Role.GATEWAY: "rbd_gateway",
    Role.BUILD: "rbd_chaos",
    Role.BALANCER: "rbd_balancer",
    Role.SERVICE: "rbd_service",
}


class _Ansible:
    name = "ansible"
    holds = (
        "nodes[].name", "nodes[].address", "nodes[].roles", "nodes[].ssh.user", "nodes[].ssh.port", "nodes[].ssh.key",
        "ssh.user", "ssh.port", "ssh.key", "ssh.bastion.address", "ssh.bastion.user", "ssh.bastion.port",
        "ssh.bastion.key", "kubernetes.pod_cidr", "kubernetes.service_cidr", "kubernetes.api.domain",
    )  # fmt: skip
    roles = frozenset(Role)

    def write(self, spec: ClusterSpec) -> str:
        """Hosts with their variables, then a group for each role."""
        return "".join(f"{line}\n" for line in _lines(spec))


def _lines(spec: ClusterSpec) -> Iterator[str]:
    yield "[all]"
    yield from (_host(spec, node) for node in spec.nodes)
    yield from ("", "[all:vars]")
    yield f"kube_pods_subnet={spec.kubernetes.pod_cidr}"
    yield f"kube_service_addresses={spec.kubernetes.service_cidr}"
    if spec.kubernetes.api.domain is not None:
        yield f"apiserver_loadbalancer_domain_name={spec.kubernetes.api.domain}"
    for role, group in GROUPS.items():
        yield from ("", f"[{group}]", *(node.name for node in spec.nodes_with(role)))
    yield from ("", "[k8s_cluster:children]", GROUPS[Role.CONTROL_PLANE], GROUPS[Role.WORKER])
    if spec.ssh.bastions is not None and len(spec.ssh.bastions) == 1:
        bastion = spec.ssh.bastions[0]
        variables = {"ansible_host": bastion.address, "ansible_user": bastion.user, "ansible_port": str(bastion.port)}
        variables |= {"ansible_ssh_private_key_file": bastion.key} if bastion.key else {}
        yield from ("", "[bastion]", f"bastion {_variables(variables)}")


def _host(spec: ClusterSpec, node: Node) -> str:
    login = login_of(spec, node)
    variables = {"ansible_host": str(node.address), "ip": str(node.cluster_address), "ansible_user": login.user}
    variables |= {"ansible_port": str(login.port)} if login.port is not None else {}
    variables |= {"ansible_ssh_private_key_file": login.key} if login.key else {}
    variables |= {"ansible_become": "true"} if login.user != "root" else {}
    return f"{node.name} {_variables(variables)}"


def _variables(variables: Mapping[str, str]) -> str:
    return " ".join(f"{key}={shlex.quote(value)}" for key, value in variables.items())


EXPORTER: Final[Exporter] = _Ansible()
