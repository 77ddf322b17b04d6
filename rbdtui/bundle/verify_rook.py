"""Whether a bundle has what a plan's Ceph needs: Rook's chart, helm, the images, and a Kubernetes that Rook knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rbdtui.bundle import rook
from rbdtui.bundle.model import Chart
from rbdtui.bundle.scan import OfflineBundle, chart_names
from rbdtui.bundle.verify_files import finding_of, verify_file
from rbdtui.bundle.verify_rainbond import verify_charts
from rbdtui.findings import Finding, Severity
from rbdtui.rook.chart import KUBERNETES, SINCE, Series, fits, series_of


def verify_rook(bundle: OfflineBundle, arches: Sequence[str]) -> list[Finding]:
    """Judge it for the architectures of the nodes. Reads archives of images whole the first time."""
    charts = bundle.rook.charts()
    findings = list(verify_charts(bundle, charts, rook.CHART_NAMES))
    for arch in arches:
        findings += _archives(bundle, arch)
    chart = rook.newest_chart(charts)
    if chart is None:
        if any(found.chart is not None for found in charts):
            named = ", ".join(chart_names(charts))
            series = ", ".join(f"{_said(each)}.{patch}" for each, patch in SINCE.items())
            findings.append(finding_of("RBD-BUNDLE-033", Severity.ERROR, charts=named, series=series))
        return findings
    findings += _kubernetes(bundle, chart, arches)
    return findings + [finding for arch in arches for finding in _images(bundle, chart, arch)]


def _kubernetes(bundle: OfflineBundle, chart: Chart, arches: Sequence[str]) -> Iterator[Finding]:
    series = series_of(chart.version)
    assert series is not None, "only charts of a known series are chosen"
    for version in sorted({found for arch in arches if (found := bundle.rke2_version(arch)) is not None}):
        if not fits(series, version):
            fitting = [_said(each) for each in KUBERNETES if fits(each, version)]
            oldest, newest = map(_said, KUBERNETES[series])
            yield finding_of(
                "RBD-BUNDLE-034", Severity.ERROR, found=f"{version.major}.{version.minor}", chart=chart.version,
                oldest=oldest, newest=newest, fitting=", ".join(fitting) or "-",
            )  # fmt: skip


def _said(series: Series) -> str:
    return ".".join(map(str, series))


def _archives(bundle: OfflineBundle, arch: str) -> Iterator[Finding]:
    paths = bundle.rook.image_paths(arch)
    if not paths:
        names = f"rook-images-{arch}.tar.zst"
        yield finding_of("RBD-BUNDLE-001", Severity.ERROR, names=names, path=str(bundle.directory))
    for path in paths:
        yield from verify_file(bundle.judge_archive(path, arch), arch)


def _images(bundle: OfflineBundle, chart: Chart, arch: str) -> Iterator[Finding]:
    paths = bundle.rook.image_paths(arch)
    if not paths or any(bundle.judge_archive(path, arch).fault is not None for path in paths):
        return  # what is missing there is told once it can be read
    missing = rook.missing_images(bundle.rook.archives(arch), chart, arch)
    if missing:
        yield finding_of(
            "RBD-BUNDLE-035", Severity.ERROR, evidence="\n".join(missing), arch=arch, count=len(missing),
            files=", ".join(path.name for path in paths), images=", ".join(missing[:3]),
        )  # fmt: skip
