"""Rainbond 5.17 on a Kubernetes of our own.

Ports, names and parts: goodrain/rainbond@v5.17.3-release, cmd/gateway/option/option.go;
goodrain/rainbond-operator@v5.17.2-release, controllers/handler.
"""

from __future__ import annotations

from typing import Final

from rbdtui.profiles.limits import GIB, STAGING, DiskNeed, Limits
from rbdtui.profiles.profile import GatewayPort, Profile, Reach
from rbdtui.profiles.rainbond_6 import REGISTRY_NAME
from rbdtui.rainbond_version import RainbondVersion
from rbdtui.roles import Role

PROFILE: Final = Profile(
    name="rainbond-5.17",
    roles=tuple(Role),
    # The high-availability page of 5.17 asks for 4 cores, 16 GB and 50 GB of each server.
    limits=Limits(
        memory_recommended_bytes=16 * GIB,
        disks={
            "/var/lib/rancher": DiskNeed(12 * GIB, 40 * GIB),
            "/opt/rainbond": DiskNeed(10 * GIB, 50 * GIB),
            **STAGING,
        },
    ),
    sections=("storage", "etcd", "registry", "mysql", "rainbond"),
    versions=(RainbondVersion(5, 17, 0), RainbondVersion(5, 18, 0)),
    # goodrain/rainbond-docs@V5.17-6.0-6.3, installation/install-with-helm.
    kubernetes_since=(1, 19),
    kubernetes_until=(1, 27),
    mysql_proven=((8, 0), (5, 7)),
    storage_class="nfs-client",
    gateway_ports=(
        *(GatewayPort(number, Reach.USERS) for number in (80, 443, 6060, 7070, 8443)),
        GatewayPort(8889, Reach.ADDRESS),
        GatewayPort(10254),
        GatewayPort(18080),
        GatewayPort(18081),
    ),
    gateway_program="rbd-gateway",
    host_names=(REGISTRY_NAME, "region.goodrain.me"),
    directories=("/opt/rainbond",),
    disabled_parts=("rke2-ingress-nginx", "rke2-traefik", "rke2-traefik-crd"),
    # The registry's password is random in each installation: pods bring it with them, containerd need not know it.
    registries_asset="registries-5.17.yaml",
)
