"""What follows from a spec for the cluster: addresses, priorities, and the settings that RKE2 gets. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.step import StepError
from rbdtui.spec.model import ApiMode, ClusterSpec, GatewayMode, Node, Profile, Role

API_PORT: Final = 6443
SUPERVISOR_PORT: Final = 9345
CONFIG_FILE: Final = "/etc/rancher/rke2/config.yaml"
REGISTRIES_FILE: Final = "/etc/rancher/rke2/registries.yaml"
TOKEN_SECRET: Final = "rke2-token"  # noqa: S105 - the name of a secret
VRRP_SECRET: Final = "vrrp-password"  # noqa: S105 - the name of a secret

AGENT_SETTINGS: Final = frozenset(
    {
        "debug", "data-dir", "disable-default-registry-endpoint", "node-label", "node-taint", "selinux",
        "lb-server-port",
        "image-credential-provider-bin-dir", "image-credential-provider-config", "container-runtime-endpoint",
        "snapshotter", "private-registry", "system-default-registry", "node-external-ip", "resolv-conf", "kubelet-arg",
        "kube-proxy-arg", "protect-kernel-defaults", "enable-pprof", "profile", "audit-policy-file",
        "control-plane-resource-requests", "control-plane-resource-limits",
    }
)  # fmt: skip
"""Settings that an agent takes too; all others are a server's. Source: docs.rke2.io/reference/linux_agent_config."""

_PLAIN_KEY: Final = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)\Z)[a-z][a-z0-9-]*")
"""A key that no reader of YAML takes for anything but a text."""

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


def has_vip(spec: ClusterSpec) -> bool:
    """Whether keepalived on the gateways carries an address."""
    return spec.gateway.mode is GatewayMode.KEEPALIVED and spec.gateway.vip is not None


def api_is_on_vip(spec: ClusterSpec) -> bool:
    """Whether the API is reached through the address that keepalived carries."""
    return has_vip(spec) and spec.kubernetes.api.mode is ApiMode.VIP


def join_address(spec: ClusterSpec) -> str:
    """Where all nodes but the first server register, now and whenever they start again.

    The API's fixed address (the VIP or the balancer) rather than the first server's: what stands in ``server:`` is
    asked again by an agent that restarts, and that must work while the first server is dead. The price is that the
    holder of a VIP must be a ready server while nodes join; the step ``vip-to-server`` sees to that, and the gate
    ``api-reached`` proves it from each node right before it joins. Where the first server has no API of its own (etcd
    alone), nothing can answer on the fixed address yet, and the first server's own address it is.
    """
    first = first_server(spec)
    if spec.kubernetes.api.mode is ApiMode.FIRST_SERVER or Role.CONTROL_PLANE not in first.roles:
        return str(first.address)
    return str(spec.api_address)


def api_url(spec: ClusterSpec) -> str:
    """The API as the operator and the final proof reach it."""
    return f"https://{spec.api_address}:{spec.kubernetes.api.port}"


def certificate_names(spec: ClusterSpec) -> list[str]:
    """All names and addresses under which the API may be called, for ``tls-san``; without doubles, in a fixed order."""
    names = [str(spec.api_address)]
    if spec.kubernetes.api.domain:
        names.append(spec.kubernetes.api.domain)
    if has_vip(spec) and spec.gateway.vip is not None:
        names.append(str(spec.gateway.vip.ip))
    for node in spec.servers:
        names += [node.name, str(node.address)]
    return list(dict.fromkeys(names))


def gateway_priority(spec: ClusterSpec, node: Node) -> int:
    """VRRP priority: 100 for the first server if it is a gateway, then 90, 80, … in the order of the file."""
    first = first_server(spec)
    ordered = sorted(spec.gateways, key=lambda gateway: gateway.name != first.name)
    return max(10, 100 - 10 * ordered.index(node))


def vip_interface(spec: ClusterSpec, node: Node, facts: Mapping[str, NodeFacts]) -> str:
    """The interface that carries the VIP on a gateway; raises `StepError` when it cannot be told."""
    if spec.gateway.interface != "auto":
        return spec.gateway.interface
    known = facts.get(node.name)
    interface = known.interface_of(node.address) if known is not None else None
    if interface is None:
        raise StepError("no_interface", node=node.name, address=str(node.address))
    return interface.name


def rke2_settings(spec: ClusterSpec, node: Node) -> dict[str, Setting]:
    """The keys of RKE2's config.yaml for a node, without the token.

    Of ``kubernetes.settings`` a node gets what its kind of RKE2 takes; the lists ``tls-san`` and ``disable`` are joined
    with ours, other keys of ours win. Those that must be equal on all servers are: they come from the spec alone.
    Sources: docs.rke2.io, reference/server_config and reference/linux_agent_config.
    """
    own: dict[str, Setting] = {"node-name": node.name, "node-ip": str(node.address)}
    if node.name != first_server(spec).name:
        own["server"] = f"https://{join_address(spec)}:{SUPERVISOR_PORT}"
    extra = dict(spec.kubernetes.settings)
    if not node.is_server:
        return {**{key: value for key, value in extra.items() if key in AGENT_SETTINGS}, **own}
    own["tls-san"] = list(dict.fromkeys([*certificate_names(spec), *_as_list(extra.get("tls-san"))]))
    own["cluster-cidr"] = str(spec.kubernetes.pod_cidr)
    own["service-cidr"] = str(spec.kubernetes.service_cidr)
    disabled = list(dict.fromkeys([*_disabled_parts(spec), *_as_list(extra.get("disable"))]))
    if disabled:
        own["disable"] = disabled
    own |= _role_switches(node)
    return {**extra, **own}


def _disabled_parts(spec: ClusterSpec) -> list[str]:
    """RKE2's bundled ingress would take 80 and 443 from Rainbond's gateway; without Rainbond it may keep them."""
    return ["rke2-ingress-nginx"] if spec.profile is Profile.RAINBOND_6 else []


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
        name = key if _PLAIN_KEY.fullmatch(key) else yaml_scalar(key)
        if isinstance(value, list):
            lines.append(f"{name}:")
            lines += [f"  - {yaml_scalar(item)}" for item in value]
        else:
            lines.append(f"{name}: {yaml_scalar(value)}")
    return "\n".join(lines) + "\n"


def yaml_scalar(value: str | int | bool) -> str:
    """A value as JSON, which YAML takes too once the characters are escaped that it has a meaning of its own for."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff]", lambda found: f"\\u{ord(found.group()):04x}", text)
