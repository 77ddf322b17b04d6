"""Variables of kubespray's and KubeSphere's playbooks that say something of the whole site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic_core import PydanticCustomError

from rbdtui.importers.imported import Setting
from rbdtui.importers.yaml_fields import Fields
from rbdtui.spec.values import domain, ipv4_network, is_ipv4
from rbdtui.words import T, Text

NETWORKS: Final[Mapping[str, str]] = {
    "kube_pods_subnet": "kubernetes.pod_cidr",
    "kube_service_addresses": "kubernetes.service_cidr",
}
KUBELET: Final = "kubernetes.settings.kubelet-arg"
_SNAPSHOTS: Final = "kubernetes.settings.etcd-snapshot-schedule-cron"
_KEPT_SNAPSHOTS: Final = "kubernetes.settings.etcd-snapshot-retention"
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
    if key == "etcd_backup_period" and (cron := _every(_number(text, 24 * 60))):
        return {_SNAPSHOTS: cron}
    if key == "keep_backup_number" and (kept := _number(text, 1000)):
        return {_KEPT_SNAPSHOTS: kept}
    if key == "kubelet_max_pods" and (pods := _number(text, 10_000)):
        return {KUBELET: (f"max-pods={pods}",)}
    if key == f"{BALANCER}.port" and text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535:
        return {"kubernetes.api.port": int(text)}
    return None


def why_not(key: str) -> Text:
    """Why cluster.yaml does not take a variable over."""
    if key == "kube_version":
        return T("import.kube_version")
    return T("import.network_plugin") if key == "kube_network_plugin" else T("import.no_place")


def _number(text: str, most: int) -> int:
    """A whole number from 1 to ``most``; 0 for anything else."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    return number if number <= most else 0


def _every(minutes: int) -> str:
    """A time of cron that comes every so many minutes; empty where there is none, since cron counts within the hour."""
    if minutes and 60 % minutes == 0:
        return f"*/{minutes} * * * *" if minutes < 60 else "0 * * * *"
    hours = minutes // 60
    if hours and minutes % 60 == 0 and 24 % hours == 0:
        return f"0 */{hours} * * *" if hours < 24 else "0 0 * * *"
    return ""


def flattened(fields: Fields, before: str = "", depth: int = 0) -> Iterator[tuple[str, str, int]]:
    """Every single value of a mapping and of those below it, with its line."""
    for key in fields.names():
        if fields.is_single(key):
            if text := fields.text(key):
                yield f"{before}{key}", text, fields.line_of(key)
        elif depth < _DEEPEST and fields.is_mapping(key):
            yield from flattened(fields.below(key), f"{before}{key}.", depth + 1)
