"""Which archives of images a plan needs, as RKE2 releases them.

``rke2-images`` is ``rke2-images-core`` and ``-canal`` together; every other pod network, multus, and since 1.36
ingress-nginx (before that Traefik) come in archives of their own. Sources: rancher/rke2, scripts/build-images and
pkg/cli/cmds/server.go (v1.30.4+rke2r1, v1.36.3+rke2r1); docs.rke2.io, install/airgap.
"""

from __future__ import annotations

from typing import Final

from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.rules.parts import INGRESS_CONTROLLERS, MULTUS, POD_NETWORKS, chosen

RKE2: Final = "rke2"
RKE2_IMAGES: Final = "rke2-images"
RKE2_IMAGES_CORE: Final = "rke2-images-core"

_CANAL: Final = "canal"
_CLOUDS: Final = {"rancher-vsphere": "vsphere", "harvester": "harvester"}
_ENDINGS: Final = ("tar.zst", "tar.gz", "tar")
"""Forms in which RKE2 takes images, the preferred first; its releases have the first two."""


def part(name: str) -> str:
    """The kind of archive that holds a part's images, e.g. ``rke2-images-cilium``."""
    return f"{RKE2_IMAGES}-{name}"


KINDS: Final = (
    RKE2, RKE2_IMAGES, RKE2_IMAGES_CORE,
    *(part(name) for name in (*POD_NETWORKS, MULTUS, *INGRESS_CONTROLLERS, *_CLOUDS.values())),
)  # fmt: skip


def names_of(kind: str, arch: str) -> tuple[str, ...]:
    """The file names that a kind may have for an architecture: those of RKE2's releases, which ROI's packages keep."""
    if kind == RKE2:
        return (f"{RKE2}.linux-{arch}.tar.gz",)
    return tuple(f"{kind}.linux-{arch}.{ending}" for ending in _ENDINGS)


def image_sets(spec: ClusterSpec, version: Rke2Version | None) -> tuple[tuple[str, ...], ...]:
    """Sets of archives, each of which has all images of the plan; the preferred first.

    Without a version, what depends on it is left out.
    """
    parts = [*own_networks(spec), *_own_ingresses(spec, version)]
    parts += [_CLOUDS[name] for name in chosen(spec.kubernetes.settings, "cloud-provider-name") if name in _CLOUDS]
    rest = tuple(part(name) for name in dict.fromkeys(parts))
    if _CANAL in _networks(spec):
        return (RKE2_IMAGES, *rest), (RKE2_IMAGES_CORE, part(_CANAL), *rest)
    return (RKE2_IMAGES_CORE, *rest), (RKE2_IMAGES, *rest)


def own_networks(spec: ClusterSpec) -> list[str]:
    """Pod networks whose images ``rke2-images`` does not have."""
    return [name for name in _networks(spec) if name != _CANAL]


def asked_ingresses(spec: ClusterSpec) -> list[str]:
    """Ingress controllers that the settings name and nothing takes away."""
    if spec.profile.has_gateway:
        return []
    asked = chosen(spec.kubernetes.settings, "ingress-controller")
    return [name for name in asked if name in INGRESS_CONTROLLERS and not _is_disabled(spec, name)]


def _own_ingresses(spec: ClusterSpec, version: Rke2Version | None) -> list[str]:
    """Those outside of the core archive: that holds the one which is RKE2's default."""
    if version is None:
        return []
    outside = "ingress-nginx" if version.at_least(1, 36) else "traefik" if version.at_least(1, 30, 3) else ""
    return [name for name in asked_ingresses(spec) if name == outside]


def _networks(spec: ClusterSpec) -> list[str]:
    names = chosen(spec.kubernetes.settings, "cni") or [_CANAL]
    return [name for name in names if name in (*POD_NETWORKS, MULTUS) and not _is_disabled(spec, name)]


def _is_disabled(spec: ClusterSpec, name: str) -> bool:
    return f"rke2-{name}" in chosen(spec.kubernetes.settings, "disable")
