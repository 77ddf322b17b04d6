"""KubeSphere's part of the bundle: its chart ``ks-core`` and the archives of its images, told by what is in them.

Chart and images are told by their contents; ``ks-core-VERSION.tgz`` is what ``helm pull`` calls the chart
(kubesphere/kubesphere@v4.1.3, config/ks-core/Chart.yaml), the names of the archives are our own choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from rbdtui.bundle.model import Chart
from rbdtui.bundle.rainbond import FileNames, FoundChart, FoundImages
from rbdtui.kubesphere.chart import CHART, registry_among

CHART_NAMES: Final = "ks-core*.tgz"
NAMES: Final = FileNames(
    ("kubesphere", "ks-"),
    re.compile(r"(ks-core|kubesphere).*\.(tgz|tar\.gz)", re.IGNORECASE),
    re.compile(r"(ks-core|kubesphere)[\w.-]*", re.IGNORECASE),
)
_NUMBER: Final = re.compile(r"\d+")


def newest_chart(charts: Iterable[FoundChart]) -> Chart | None:
    """Of the charts that are KubeSphere's the one with the highest version; None without one."""
    own = [found.chart for found in charts if found.chart is not None and found.chart.name == CHART]
    return max(own, key=lambda chart: tuple(map(int, _NUMBER.findall(chart.version)[:4])), default=None)


def missing_images(archives: Iterable[FoundImages], needed: Sequence[str], arch: str) -> list[str]:
    """Those of the needed images that no archive has for an architecture, below the registry that the others are of."""
    there = {image.name for archive in archives for image in archive.images if image.arch in (arch, "")}
    return registry_among(there, needed)[1]
