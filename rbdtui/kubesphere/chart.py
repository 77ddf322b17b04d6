"""KubeSphere's chart ``ks-core``: the values that follow from a plan, and the images that it then runs.

Source: kubesphere/kubesphere@v4.1.3, config/ks-core (Chart.yaml, values.yaml, templates, charts/redis-ha).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rbdtui.content import Content
from rbdtui.rainbond.values import content_of, merged, with_references, without
from rbdtui.spec.model import ClusterSpec, GatewayMode, Role
from rbdtui.spec.rules.kubesphere import OURS

CHART: Final = "ks-core"
RELEASE: Final = "ks-core"
"""Name of helm's release, as the maker's own instructions have it: the names of Redis begin with it."""
NAMESPACE: Final = "kubesphere-system"
"""The only one that the chart lets itself be installed in (templates/kubesphere-config.yaml)."""
CONTROLS_NAMESPACE: Final = "kubesphere-controls-system"
"""Made by the chart's job after the installation (templates/post-patch-system-ns-job.yaml)."""
CONSOLE_PORT: Final = 30880
API_SERVER: Final = "ks-apiserver"
CONSOLE: Final = "ks-console"
CONTROLLER: Final = "ks-controller-manager"
ADMIN: Final = "admin"
FIRST_PASSWORD: Final = "P@88w0rd"  # noqa: S105 - public, and to be changed at the first login
"""Of the account admin, unless ``authentication.adminPassword`` gives another (templates/_helpers.tpl)."""
SEVERAL: Final = 3
"""Pods of each part with ``ha.enabled`` (templates/ks-apiserver.yaml and the like), and the servers that it needs."""
_IMAGES: Final = (
    ("apiserver",),
    ("console",),
    ("controller",),
    ("kubectl",),
    ("nodeShell",),
    ("helmExecutor",),
    ("ksCRDs", "kubectl"),
    ("ksExtensionRepository",),
)
"""Where the chart's values name an image; the first five also start terminals, jobs and extensions later."""
_REDIS_IMAGES: Final = (("redisHA",), ("redisHA", "haproxy"))

Tree = dict[str, object]


def is_ha(spec: ClusterSpec) -> bool:
    """Whether each part runs several times, with a Redis of several pods for what they share."""
    return len(spec.nodes_with(Role.CONTROL_PLANE)) >= SEVERAL


def chart_values(spec: ClusterSpec, registry: str, secret: Callable[[str], str]) -> Content:
    """The values file for helm, YAML; ``registry`` stands before ``kubesphere/`` in the names of the images."""
    return content_of(value_tree(spec, registry), secret)


def value_tree(spec: ClusterSpec, registry: str) -> Tree:
    """The same as a tree; a secret is a `SecretRef`."""
    several = is_ha(spec)
    own: Tree = {"global": {"imageRegistry": registry}, "telemetry": {"enabled": False}, "ha": {"enabled": several}}
    if several and not has_other_cache(spec):
        volume: Tree = {"enabled": spec.kubesphere.storage_class is not None}
        if spec.kubesphere.storage_class is not None:
            volume["storageClass"] = spec.kubesphere.storage_class
        own["redisHA"] = {"enabled": True, "persistentVolume": volume}
    return merged(own, without(OURS, with_references(spec.kubesphere.values)))


def has_other_cache(spec: ClusterSpec) -> bool:
    """Whether the operator gives a Redis of his own, ``ha.cache`` among the chart's values."""
    return bool(_at(spec.kubesphere.values, "ha").get("cache"))


def console_port(spec: ClusterSpec) -> int:
    """Where the console answers on every node."""
    port = _at(spec.kubesphere.values, "console").get("nodePort")
    return port if isinstance(port, int) else CONSOLE_PORT


def console_url(spec: ClusterSpec) -> str:
    """Where users open the console: at the VIP where the nodes carry it, else at the first node; empty without it."""
    if not spec.installs_kubesphere:
        return ""
    at_vip = spec.gateway.mode is GatewayMode.KEEPALIVED and spec.has_vip
    address = spec.gateway_address if at_vip else spec.cluster_nodes[0].cluster_address
    return f"http://{address}:{console_port(spec)}"


def several_pods(spec: ClusterSpec) -> int:
    """Pods of the API server, of the console and of the controllers."""
    return SEVERAL if is_ha(spec) else 1


def needed_images(spec: ClusterSpec, defaults: Mapping[str, Any]) -> tuple[str, ...]:
    """Names below the registry with their tags; ``defaults`` are the chart's own values.

    An image that the operator gives a registry or a digest of its own is not among them.
    """
    values = merged(defaults, value_tree(spec, ""))
    places = (*_IMAGES, *(_REDIS_IMAGES if is_ha(spec) and not has_other_cache(spec) else ()))
    return tuple(dict.fromkeys(_images(values, places)))


def _images(values: Mapping[str, Any], places: Iterable[tuple[str, ...]]) -> Iterator[str]:
    tag = _at(values, "global").get("tag", "")
    for place in places:
        part = _at(values, *place)
        image = _at(part, "image")
        if image.get("repository") and not image.get("registry") and not image.get("digest") and _is_used(part):
            yield f"{image['repository']}:{image.get('tag') or tag}"


def _is_used(part: Mapping[str, Any]) -> bool:
    return part.get("enabled") is not False


def _at(values: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        below = values.get(key)
        values = below if isinstance(below, Mapping) else {}
    return values


def default_registry(defaults: Mapping[str, Any]) -> str:
    """Where the chart takes its images from unless it is told otherwise."""
    return str(_at(defaults, "global").get("imageRegistry") or "docker.io")


def registry_among(names: Collection[str], needed: Sequence[str]) -> tuple[str | None, list[str]]:
    """What stands before the needed images in the archives, and those that are not there below it.

    Of several registries the one that lacks least; None where there is none of the images.
    """
    registries = {name.removesuffix(f"/{image}") for name in names for image in needed if name.endswith(f"/{image}")}
    lacks = {
        registry: [image for image in needed if f"{registry}/{image}" not in names] for registry in sorted(registries)
    }
    best = min(lacks, key=lambda registry: len(lacks[registry]), default=None)
    return best, lacks[best] if best is not None else list(needed)
