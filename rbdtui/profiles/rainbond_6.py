"""Rainbond 6 on a Kubernetes of our own.

Ports, names and parts: goodrain/rainbond-operator@v6.2.1-release, controllers/handler; goodrain/rainbond-console,
script/install-cluster.sh.
"""

from __future__ import annotations

from typing import Final

from rbdtui.profiles.limits import GIB, STAGING, DiskNeed, Limits
from rbdtui.profiles.profile import GatewayPort, Profile, Reach
from rbdtui.rainbond_version import RainbondVersion
from rbdtui.roles import Role

REGISTRY_NAME: Final = "goodrain.me"
"""Name of the built-in registry: the one certificate that a gateway holds before any application has its own."""

PROFILE: Final = Profile(
    name="rainbond-6",
    roles=tuple(Role),
    # 40 GB free in both places is what Rainbond V6's offline installer asks for; its images take 4 GiB more.
    limits=Limits(
        memory_shared_bytes=16 * GIB,
        disks={
            "/var/lib/rancher": DiskNeed(12 * GIB, 40 * GIB),
            "/opt/rainbond": DiskNeed(10 * GIB, 40 * GIB),
            **STAGING,
        },
    ),
    sections=("storage", "registry", "mysql", "rainbond"),
    versions=(RainbondVersion(6, 2, 1), RainbondVersion(7, 0, 0)),
    # goodrain/rainbond-docs, installation/install-with-helm.
    kubernetes_since=(1, 24),
    mysql_proven=((8, 0),),
    mysql_tolerated=((5, 7),),
    storage_class="nfs-storage",
    gateway_ports=(
        *(GatewayPort(number, Reach.USERS) for number in (80, 443, 6060, 7070, 8443)),
        GatewayPort(7080, Reach.ADDRESS),
        GatewayPort(8099),
        GatewayPort(8889, Reach.ADDRESS),
        GatewayPort(9180, Reach.ADDRESS),
        GatewayPort(12379),
        GatewayPort(9009, essential=False),
    ),
    gateway_program="rbd-gateway",
    # Rainbond itself leads these to its first gateway only; here they lead to the address that moves.
    host_names=(REGISTRY_NAME, "region.goodrain.me"),
    directories=("/opt/rainbond",),
    # RKE2's ingress would take 80 and 443 from the gateway: ingress-nginx, and Traefik from v1.36 on. A name that a
    # version does not have does no harm.
    disabled_parts=("rke2-ingress-nginx", "rke2-traefik", "rke2-traefik-crd"),
    registries_asset="registries.yaml",
)
