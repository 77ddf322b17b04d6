"""Which archives of images a plan needs, as RKE2 releases them.

``rke2-images`` is ``rke2-images-core`` and ``-canal`` together; every other pod network, multus, and since 1.36
ingress-nginx (before that Traefik) come in archives of their own. Sources: rancher/rke2, scripts/build-images and
pkg/cli/cmds/server.go (v1.30.4+rke2r1, v1.36.3+rke2r1); docs.rke2.io, install/airgap.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.model import ClusterSpec, Profile

RKE2: Final = "rke2"
RKE2_IMAGES: Final = "rke2-images"
RKE2_IMAGES_CORE: Final = "rke2-images-core"

_PODS_NETWORKS: Final = ("canal", "calico", "cilium", "flannel")
_CLOUDS: Final = {"rancher-vsphere": "vsphere", "harvester": "harvester"}
_ENDINGS: Final = ("tar.zst", "tar.gz", "tar")
"""Forms in which RKE2 takes images, the preferred first; its releases have the first two."""


def part(name: str) -> str:
    """The kind of archive that holds a part's images, e.g. ``rke2-images-cilium``."""
    return f"{RKE2_IMAGES}-{name}"


KINDS: Final = (
    RKE2, RKE2_IMAGES, RKE2_IMAGES_CORE,
    *(part(name) for name in (*_PODS_NETWORKS, "multus", "traefik", "ingress-nginx", *_CLOUDS.values())),
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
    settings = spec.kubernetes.settings
    disabled = set(words(settings.get("disable")))
    chosen = words(settings.get("cni")) or ["canal"]
    networks = [name for name in chosen if name in (*_PODS_NETWORKS, "multus") and f"rke2-{name}" not in disabled]
    others = [name for name in networks if name != "canal"]
    others += _ingresses(spec, version, disabled)
    others += [_CLOUDS[name] for name in words(settings.get("cloud-provider-name")) if name in _CLOUDS]
    rest = tuple(part(name) for name in dict.fromkeys(others))
    if "canal" in networks:
        return (RKE2_IMAGES, *rest), (RKE2_IMAGES_CORE, part("canal"), *rest)
    return (RKE2_IMAGES_CORE, *rest), (RKE2_IMAGES, *rest)


def _ingresses(spec: ClusterSpec, version: Rke2Version | None, disabled: set[str]) -> list[str]:
    """Ingress controllers outside of the core archive: that holds the one which is RKE2's default."""
    if spec.profile is Profile.RAINBOND_6 or version is None:
        return []
    own = "ingress-nginx" if version.at_least(1, 36) else "traefik" if version.at_least(1, 30, 3) else ""
    asked = words(spec.kubernetes.settings.get("ingress-controller"))
    return [own] if own in asked and f"rke2-{own}" not in disabled else []


def words(setting: object) -> list[str]:
    """A setting as RKE2 reads lists: several values, or one with commas in it."""
    values: Iterable[object] = setting if isinstance(setting, list) else () if setting is None else (setting,)
    return [word for value in values for word in str(value).split(",") if word]
