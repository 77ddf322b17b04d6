"""Which images a plan's Rainbond is made of, by name and tag; what stands before them is the repository.

Sources: goodrain/rainbond-chart v5.17.3-release, v6.2.1-release to v6.9.3-release, templates/rbdcomponent_helm.yaml;
goodrain/rainbond-operator v5.17.2-release, v6.9.8-release, controllers (what it starts beside those: helpers, the
exporter of the database); goodrain/rainbond-docs@V5.17-6.0-6.3, installation/offline (what applications need).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from rbdtui.rainbond import provisioner
from rbdtui.rainbond.components import used_components
from rbdtui.rainbond.releases import Release
from rbdtui.rainbond.values import effective, image_repository
from rbdtui.spec.model import ClusterSpec

DEFAULT_REPOSITORY: Final = "registry.cn-hangzhou.aliyuncs.com/goodrain"
"""Of every chart so far."""
_INIT: Final = "rbd-init-probe"
"""Starts applications in order."""
_MESH: Final = "rbd-mesh-data-panel"
"""Leads the components of an application to one another (5.17)."""
_FIXED_NEW: Final = {
    "local-path-provisioner": "local-path-provisioner:v0.0.30",
    "minio": "minio:RELEASE.2023-10-24T04-42-36Z",
    "rbd-hub": "registry:2.6.2",
    "rbd-monitor": "rbd-monitor:v2.20.0",
    "rbd-db": "rbd-db:8.0.19",
}
_FIXED_OLD: Final = {
    "rbd-etcd": "etcd:v3.3.18",
    "rbd-hub": "registry:2.6.2",
    "metrics-server": "metrics-server:v0.4.1",
    "dashboard-metrics-scraper": "metrics-scraper:v1.0.4",
    "kubernetes-dashboard": "kubernetes-dashboard:v2.6.1",
    "rbd-db": "rbd-db:8.0.19",
    "nfs-provisioner": "nfs-provisioner:latest",
}
_PROVISIONER_OLD: Final = "nfs-client-provisioner:v4.0.2"
"""As the chart within 5.17's chart calls it."""
_PROVISIONER_NEW: Final = provisioner.MAKERS_IMAGE.rpartition("/")[2]


def needed_images(spec: ClusterSpec, release: Release) -> tuple[str, ...]:
    """Name and tag of each image that the plan's pods run, without those of components that are not used."""
    used = [part.name for part in used_components(spec, release)]
    return tuple(dict.fromkeys([*_of_components(used, release), *_beside(spec, used, release)]))


def build_images(release: Release) -> tuple[str, ...]:
    """What builds from source run in, beyond `needed_images`; of 6 nobody lists it by tags that last."""
    return ("buildkit:v0.12.0", "builder:latest-amd64", "runner:latest-amd64") if release.is_old else ()


def repository_of(spec: ClusterSpec, release: Release) -> str:
    """What stands before each of these names: of the external registry, of ``rainbond.values``, or the chart's."""
    given = effective(spec, release, "Cluster", "rainbondImageRepository")
    return given if isinstance(given, str) and given else image_repository(spec) or DEFAULT_REPOSITORY


def provisioner_image(spec: ClusterSpec, release: Release, archived: Iterable[str]) -> str:
    """The whole name under which the nodes have the provisioner's image; ``archived`` are names in the bundle."""
    usual = _PROVISIONER_OLD if release.is_old else _PROVISIONER_NEW
    found = provisioner.newest_image(archived)
    if (repository := image_repository(spec)) is not None:
        return f"{repository}/{short_name(found or usual)}"
    return found or f"{repository_of(spec, release)}/{usual}"


def lacking(needed: Iterable[str], there: Collection[str]) -> list[str]:
    """Those of the needed images that are not there; the provisioner's is known by two names and any tag of its own."""
    has_provisioner = any(map(provisioner.is_image, there))
    return [name for name in needed if not (has_provisioner if provisioner.is_image(name) else name in there)]


def short_name(image: str) -> str:
    """Name and tag without registry and namespace."""
    return image.rpartition("/")[2]


def full_name(image: str) -> str:
    """An image's name as containerd has it: without a registry it is of the public one (distribution/reference)."""
    host, slash, _ = image.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def _of_components(used: list[str], release: Release) -> Iterator[str]:
    fixed = _FIXED_OLD if release.is_old else _FIXED_NEW
    for name in used:
        if name == "rbd-app-ui":
            yield f"rainbond:{release.tag}{'-allinone' if release.is_old else ''}"
        elif name == "rbd-gateway" and not release.is_old:
            yield "apisix-ingress-controller:v1.8.3"
            yield f"apisix:{release.apisix}"
        elif name == provisioner.NAME:
            yield _PROVISIONER_OLD if release.is_old else _PROVISIONER_NEW
        else:
            yield fixed.get(name, f"{name}:{release.tag}")


def _beside(spec: ClusterSpec, used: list[str], release: Release) -> Iterator[str]:
    yield f"{_INIT}:{release.tag}"
    if release.helper_image:
        yield release.helper_image
    if not release.is_old:
        return
    yield f"{_MESH}:{release.tag}"
    if "rbd-db" in used:
        yield "mysqld-exporter:latest"
