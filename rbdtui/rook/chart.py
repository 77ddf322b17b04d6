"""Rook's chart ``rook-ceph``: the values that follow from a plan, the images that it then runs, what it runs on.

Source: rook/rook@v1.20.6 and v1.19.10, deploy/charts/rook-ceph (values.yaml, templates), deploy/examples/images.txt,
Documentation/Getting-Started/maintenance-and-support.md; ceph/ceph-csi-operator, deploy/charts/ceph-csi-operator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from rbdtui.content import Content
from rbdtui.rainbond.values import content_of
from rbdtui.rke2_version import Rke2Version

CHART: Final = "rook-ceph"
RELEASE: Final = "rook-ceph"
NAMESPACE: Final = "rook-ceph"
"""As the maker's own instructions have both."""
OPERATORS: Final = ("rook-ceph-operator", "ceph-csi-controller-manager")
"""Deployments of the chart: Rook's own, and that of the programs which mount volumes."""
Series = tuple[int, int]
KUBERNETES: Final[Mapping[Series, tuple[Series, Series]]] = {
    (1, 19): ((1, 30), (1, 35)),
    (1, 20): ((1, 31), (1, 36)),
}
"""The series of Rook that are maintained, and the oldest and the newest Kubernetes that each is made for."""
SINCE: Final[Mapping[Series, int]] = {(1, 19): 9, (1, 20): 5}
"""From which patch of a series on the key of the drivers can be of a kind that today's kernels know (``keyType``)."""
_DRIVERS_APART: Final = (1, 20)
"""From here on Rook no longer makes the drivers that mount volumes itself."""
EVERYWHERE: Final = [{"operator": "Exists"}]
"""For what mounts volumes: on nodes with taints, too, where somebody's pods may tolerate them."""
_CEPH: Final = re.compile(r"(?:.*/)?ceph/ceph:v(\d+)\.(\d+)\.(\d+)(?:-[\w.-]+)?\Z")
_CEPH_SINCE: Final = {19: (19, 2, 0), 20: (20, 2, 1)}
"""By major version the first release that these series take and recommend."""
_IMAGES: Final = (
    ("image",),
    ("csi", "cephcsi"),
    ("csi", "registrar"),
    ("csi", "provisioner"),
    ("csi", "snapshotter"),
    ("csi", "attacher"),
    ("csi", "resizer"),
    ("ceph-csi-operator", "controllerManager", "manager", "image"),
)
"""Where the chart's values name an image that a plan's pods run."""


def chart_values(version: str) -> Content:
    """The values file for helm, YAML, by the chart's version; it holds no secrets."""
    return content_of(value_tree(version), lambda name: name)


def value_tree(version: str) -> dict[str, object]:
    """The same as a tree: the maker's own choices, written down where another would take other disks than ours."""
    own: dict[str, object] = {"crds": {"enabled": True}, "allowLoopDevices": False, "enableDiscoveryDaemon": False}
    return own | ({"csi": {"pluginTolerations": EVERYWHERE}} if makes_drivers(version) else {})


def series_of(version: str) -> Series | None:
    """Of a chart's version, ``v1.20.6``; None where it has none."""
    match = re.match(r"v?(\d+)\.(\d+)\.", version)
    return (int(match[1]), int(match[2])) if match else None


def is_maintained(version: str) -> bool:
    """Whether a chart is of a series, and so late in it, that the plan's objects are made for it."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if match is None:
        return False
    since = SINCE.get((int(match[1]), int(match[2])))
    return since is not None and int(match[3]) >= since


def fits(series: Series, kubernetes: Rke2Version) -> bool:
    """Whether a Kubernetes is one that a series is made for."""
    oldest, newest = KUBERNETES[series]
    return kubernetes.at_least(*oldest) and not kubernetes.at_least(newest[0], newest[1] + 1)


def makes_drivers(version: str) -> bool:
    """Whether Rook of a chart's version makes the drivers itself."""
    return (series_of(version) or _DRIVERS_APART) < _DRIVERS_APART


def chart_images(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Whole names of the images that the chart's own values name."""
    return tuple(dict.fromkeys(_named(values)))


def _named(values: Mapping[str, Any]) -> Iterator[str]:
    for place in _IMAGES:
        below: Any = values
        for key in place:
            below = below.get(key) if isinstance(below, Mapping) else None
        if isinstance(below, Mapping) and below.get("repository") and below.get("tag"):
            yield f"{below['repository']}:{below['tag']}"


def ceph_image(names: Iterable[str]) -> str | None:
    """The newest image of Ceph itself among names of images that this Rook takes; the chart names none."""
    found = [(_version(name), name) for name in names if _version(name) is not None]
    taken = [(version, name) for version, name in found if version and version >= _CEPH_SINCE.get(version[0], (99,))]
    return max(taken, default=(None, None))[1]


def _version(image: str) -> tuple[int, int, int] | None:
    match = _CEPH.match(image)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
