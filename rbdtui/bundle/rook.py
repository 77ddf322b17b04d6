"""Rook's part of the bundle: the chart of its operator, and the archives of its images and of Ceph's own.

Chart and images are told by their contents; ``rook-ceph-VERSION.tgz`` is what ``helm pull`` calls the chart
(rook/rook@v1.20.6, deploy/charts/rook-ceph), the names of the archives are our own choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from rbdtui.bundle.model import Chart
from rbdtui.bundle.rainbond import FileNames, FoundChart, FoundImages
from rbdtui.rook.chart import CHART, ceph_image, chart_images, is_maintained

CHART_NAMES: Final = "rook-ceph*.tgz"
CEPH_IMAGE: Final = "quay.io/ceph/ceph:v20.2.4"
"""Which one Rook's own examples name, for whoever has none."""
NAMES: Final = FileNames(
    ("rook", "ceph"),
    re.compile(r"rook-ceph.*\.(tgz|tar\.gz)", re.IGNORECASE),
    re.compile(r"rook-ceph[\w.-]*", re.IGNORECASE),
)
_NUMBER: Final = re.compile(r"\d+")


def own_charts(charts: Iterable[FoundChart]) -> list[Chart]:
    """Those that are the operator's, of any series."""
    return [found.chart for found in charts if found.chart is not None and found.chart.name == CHART]


def newest_chart(charts: Iterable[FoundChart]) -> Chart | None:
    """The newest of the series that are maintained; None without one."""
    own = [chart for chart in own_charts(charts) if is_maintained(chart.version)]
    return max(own, key=lambda chart: tuple(map(int, _NUMBER.findall(chart.version)[:4])), default=None)


def names_in(archives: Iterable[FoundImages], arch: str) -> set[str]:
    """Names of the images for an architecture."""
    return {image.name for archive in archives for image in archive.images if image.arch in (arch, "")}


def missing_images(archives: Sequence[FoundImages], chart: Chart, arch: str) -> list[str]:
    """Those of the chart's images that no archive has, and Ceph's own where there is none that this Rook takes."""
    there = names_in(archives, arch)
    missing = [name for name in chart_images(chart.values) if name not in there]
    return missing if ceph_image(there) is not None else [*missing, CEPH_IMAGE]
