"""The address of the Kubernetes API as other installers name it."""

from __future__ import annotations

from collections.abc import Sequence

from rbdtui.importers.imported import ImportedNode, Setting
from rbdtui.importers.yaml_fields import Fields
from rbdtui.spec.values import is_ipv4
from rbdtui.words import T


def api_settings(
    fields: Fields, nodes: Sequence[ImportedNode], *, address: str, domain: str = "", port: int | None = None,
    is_vip: bool = False, key: str = "address",
) -> dict[str, Setting]:  # fmt: skip
    """``kubernetes.api``: a VIP, a balancer, or the first server where its own address is named; empty for nothing."""
    settings: dict[str, Setting] = {}
    if address and not is_ipv4(address):
        fields.remark(key, T("paste.no_address", text=address[:40]))
    elif address and any(address in (node.address, node.internal_address) for node in nodes):
        settings = {"kubernetes.api.mode": "first-server"}
    elif address:
        settings = {"kubernetes.api.mode": "vip" if is_vip else "external", "kubernetes.api.address": address}
    if domain:
        settings["kubernetes.api.domain"] = domain
    if port is not None and settings:
        settings["kubernetes.api.port"] = port
    return settings
