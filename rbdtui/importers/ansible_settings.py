"""Variables of kubespray's and KubeSphere's playbooks that say something of the whole site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic_core import PydanticCustomError

from rbdtui.importers.imported import Setting
from rbdtui.importers.yaml_fields import Fields
from rbdtui.spec.values import domain, ipv4_network, is_ipv4

NETWORKS: Final[Mapping[str, str]] = {
    "kube_pods_subnet": "kubernetes.pod_cidr",
    "kube_service_addresses": "kubernetes.service_cidr",
}
DOMAIN: Final = "apiserver_loadbalancer_domain_name"
BALANCER: Final = "loadbalancer_apiserver"
_KUBE_VIP: Final = "kube_vip_address"
_DEEPEST: Final = 4


def setting_of(key: str, text: str) -> dict[str, Setting] | None:
    """The settings that a variable gives, one below another as ``outer.inner``; None for none, or an unfit value."""
    try:
        if key in NETWORKS:
            return {NETWORKS[key]: str(ipv4_network(text))}
        if key == DOMAIN:
            return {"kubernetes.api.domain": str(domain(text))}
    except PydanticCustomError:
        return None
    if key in (f"{BALANCER}.address", _KUBE_VIP) and is_ipv4(text):
        return {"kubernetes.api.mode": "vip" if key == _KUBE_VIP else "external", "kubernetes.api.address": text}
    if key == f"{BALANCER}.port" and text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535:
        return {"kubernetes.api.port": int(text)}
    return None


def flattened(fields: Fields, before: str = "", depth: int = 0) -> Iterator[tuple[str, str, int]]:
    """Every single value of a mapping and of those below it, with its line."""
    for key in fields.names():
        if fields.is_single(key):
            if text := fields.text(key):
                yield f"{before}{key}", text, fields.line_of(key)
        elif depth < _DEEPEST and fields.is_mapping(key):
            yield from flattened(fields.below(key), f"{before}{key}.", depth + 1)
