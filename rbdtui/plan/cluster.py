"""What follows from a spec for the cluster: addresses, priorities, and the settings that RKE2 gets. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.step import StepError
from rbdtui.spec.balanced import API_PORT as API_PORT
from rbdtui.spec.balanced import SUPERVISOR_PORT as SUPERVISOR_PORT
from rbdtui.spec.model import ApiMode, ClusterSpec, Node, Role
from rbdtui.yaml_form import yaml_key
from rbdtui.yaml_form import yaml_scalar as yaml_scalar

CONFIG_FILE: Final = "/etc/rancher/rke2/config.yaml"
REGISTRIES_FILE: Final = "/etc/rancher/rke2/registries.yaml"
TOKEN_SECRET: Final = "rke2-token"  # noqa: S105 - the name of a secret
AGENT_TOKEN_SECRET: Final = "rke2-agent-token"  # noqa: S105 - the name of a secret
VRRP_SECRET: Final = "vrrp-password"  # noqa: S105 - the name of a secret

JOIN_NAME: Final = "join.rbdtui.internal"
"""Stands for all nodes with etcd in every node's hosts file; who connects to it tries them one after the other."""

Setting = str | int | bool | list[str]


def first_server(spec: ClusterSpec) -> Node:
    """The server that the cluster starts with."""
    return spec.servers[0]


def api_servers(spec: ClusterSpec) -> list[Node]:
    """Nodes with an API server, in the order of installation."""
    return [node for node in spec.servers if Role.CONTROL_PLANE in node.roles]


def etcd_nodes(spec: ClusterSpec) -> list[Node]:
    """Nodes with a member of etcd."""
    return spec.nodes_with(Role.ETCD)


def precedes_the_api(spec: ClusterSpec, node: Node) -> bool:
    """Whether a server comes before the first one with an API, so that nobody can know its node when it has started."""
    return node.is_server and not any(
        Role.CONTROL_PLANE in other.roles for other in spec.servers[: spec.servers.index(node) + 1]
    )


def api_is_on_vip(spec: ClusterSpec) -> bool:
    """Whether the API is reached through the address that keepalived carries."""
    return spec.has_vip and spec.kubernetes.api.mode is ApiMode.VIP


def join_address(spec: ClusterSpec, node: Node) -> str:
    """Where a node registers, now and whenever it starts again; an address or `JOIN_NAME`.

    The API's fixed address (the VIP or the balancer) rather than the first server's: what stands in ``server:`` is
    asked again by an agent that restarts, and that must work while the first server is dead. The price is that the
    holder of a VIP must be a ready server while nodes join; the step ``vip-to-server`` sees to that, and the gate
    ``api-reached`` proves it from each node right before it joins.

    Three kinds of nodes turn to the nodes with etcd instead. A control plane without etcd asks ``server:`` at every
    start and ends when nobody answers; its own kind, which the fixed address leads to, could not answer either after a
    power cut of all. Where the first server has no API, nothing answers on the fixed address until the last servers are
    there. A first server that was set up anew must not find itself.
    """
    first = first_server(spec)
    if node is first or Role.CONTROL_PLANE not in first.roles or (node.is_server and Role.ETCD not in node.roles):
        return JOIN_NAME
    return str(first.cluster_address if spec.kubernetes.api.mode is ApiMode.FIRST_SERVER else spec.api_address)


def join_places(spec: ClusterSpec, node: Node) -> list[str]:
    """The addresses behind `join_address` that are not the node's own; one that answers is enough."""
    address = join_address(spec, node)
    if address != JOIN_NAME:
        return [address]
    return [str(member.cluster_address) for member in etcd_nodes(spec) if member is not node]


def api_url(spec: ClusterSpec) -> str:
    """The API as the operator and the final proof reach it."""
    return f"https://{spec.api_address}:{spec.kubernetes.api.port}"


def certificate_names(spec: ClusterSpec) -> list[str]:
    """All names and addresses under which the API may be called, for ``tls-san``; without doubles, in a fixed order."""
    names = [str(spec.api_address)]
    if spec.kubernetes.api.domain:
        names.append(spec.kubernetes.api.domain)
    if spec.has_vip and spec.gateway.vip is not None:
        names.append(str(spec.gateway.vip.ip))
    for node in spec.servers:
        names += [node.name, str(node.address), str(node.cluster_address)]
    names.append(JOIN_NAME)
    return list(dict.fromkeys(names))


def vip_priority(spec: ClusterSpec, node: Node) -> int:
    """VRRP priority: 100 for the first server if it carries the VIP, then 90, 80, … in the order of the file."""
    first = first_server(spec)
    ordered = sorted(spec.vip_nodes, key=lambda gateway: gateway.name != first.name)
    return max(10, 100 - 10 * ordered.index(node))


def vip_interface(spec: ClusterSpec, node: Node, facts: Mapping[str, NodeFacts]) -> str:
    """The interface that carries the VIP on a gateway; raises `StepError` when it cannot be told."""
    if spec.gateway.interface != "auto":
        return spec.gateway.interface
    known = facts.get(node.name)
    address = spec.vrrp_address(node)
    interface = known.interface_of(address) if known is not None else None
    if interface is None:
        raise StepError("no_interface", node=node.name, address=str(address))
    return interface.name


def rke2_settings(spec: ClusterSpec, node: Node, *, begins: bool, selinux: bool = False) -> dict[str, Setting]:
    """The keys of RKE2's config.yaml for a node, without tokens; ``begins``: the cluster begins with it.

    All nodes get ``kubernetes.settings``: RKE2 skips what its kind does not know. The lists ``tls-san``, ``disable``,
    ``node-label`` and ``node-taint`` are joined with ours, other keys of ours win. Those that must be equal on all
    servers are: they come from the spec alone. Sources: docs.rke2.io, reference/server_config and
    reference/linux_agent_config.
    """
    own: dict[str, Setting] = {"node-name": node.name, "node-ip": str(node.cluster_address)}
    if not begins:
        own["server"] = f"https://{join_address(spec, node)}:{SUPERVISOR_PORT}"
    extra = dict(spec.kubernetes.settings)
    if node.external_address is not None:
        own["node-external-ip"] = str(node.external_address)
    for key, values in (("node-label", [f"{k}={v}" for k, v in node.labels.items()]), ("node-taint", node.taints)):
        if values:
            own[key] = list(dict.fromkeys([*_as_list(extra.get(key)), *values]))
    if selinux:
        extra.setdefault("selinux", True)
    if not node.is_server:
        return {**extra, **own}
    own["tls-san"] = list(dict.fromkeys([*certificate_names(spec), *_as_list(extra.get("tls-san"))]))
    own["cluster-cidr"] = str(spec.kubernetes.pod_cidr)
    own["service-cidr"] = str(spec.kubernetes.service_cidr)
    disabled = list(dict.fromkeys([*spec.profile.disabled_parts, *_as_list(extra.get("disable"))]))
    if disabled:
        own["disable"] = disabled
    own |= _role_switches(node)
    return {**extra, **own}


def _role_switches(node: Node) -> dict[str, Setting]:
    switches: dict[str, Setting] = {}
    if Role.CONTROL_PLANE not in node.roles:
        switches |= dict.fromkeys(("disable-apiserver", "disable-controller-manager", "disable-scheduler"), True)
    if Role.ETCD not in node.roles:
        switches["disable-etcd"] = True
    return switches


def _as_list(value: Setting | None) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def yaml_of(settings: Mapping[str, Setting]) -> str:
    """Settings as YAML, every string quoted so that no reader takes it for something else."""
    lines = []
    for key, value in settings.items():
        name = yaml_key(key)
        if isinstance(value, list):
            lines.append(f"{name}:")
            lines += [f"  - {yaml_scalar(item)}" for item in value]
        else:
            lines.append(f"{name}: {yaml_scalar(value)}")
    return "\n".join(lines) + "\n"
