"""Whether a bundle has what a plan's KubeSphere needs: chart, helm for this machine, images for the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rbdtui.bundle import kubesphere
from rbdtui.bundle.model import Chart
from rbdtui.bundle.scan import OfflineBundle, chart_names
from rbdtui.bundle.verify_files import finding_of, verify_file
from rbdtui.bundle.verify_rainbond import unknown_keys, verify_charts, verify_helm
from rbdtui.findings import Finding, Severity
from rbdtui.kubesphere.chart import needed_images, value_tree
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.rules.kubesphere import OURS


def verify_kubesphere(bundle: OfflineBundle, spec: ClusterSpec, arches: Sequence[str]) -> list[Finding]:
    """Judge it for the architectures of the nodes. Reads archives of images whole the first time."""
    charts = bundle.kubesphere.charts()
    findings = [*verify_charts(bundle, charts, kubesphere.CHART_NAMES), *verify_helm(bundle)]
    chart = kubesphere.newest_chart(charts)
    if chart is None:
        if any(found.chart is not None for found in charts):
            findings.append(finding_of("RBD-BUNDLE-029", Severity.ERROR, charts=", ".join(chart_names(charts))))
        return findings
    findings += unknown_keys("kubesphere.values", OURS, spec.kubesphere.values, _own(spec), chart)
    for arch in arches:
        findings += _verify_images(bundle, spec, chart, arch)
    return findings


def _own(spec: ClusterSpec) -> dict[str, object]:
    bare = spec.kubesphere.model_copy(update={"values": {}})
    return value_tree(spec.model_copy(update={"kubesphere": bare}), "")


def _verify_images(bundle: OfflineBundle, spec: ClusterSpec, chart: Chart, arch: str) -> Iterator[Finding]:
    needed = needed_images(spec, chart.values)
    if spec.kubesphere.image_registry is not None:
        registry = spec.kubesphere.image_registry
        yield finding_of(
            "RBD-BUNDLE-030", Severity.WARNING, evidence="\n".join(needed), registry=registry, count=len(needed)
        )
        return
    paths = bundle.kubesphere.image_paths(arch)
    if not paths:
        names = f"kubesphere-images-{arch}.tar.zst"
        yield finding_of("RBD-BUNDLE-001", Severity.ERROR, names=names, path=str(bundle.directory))
        return
    judged = [bundle.judge_archive(path, arch) for path in paths]
    for each in judged:
        yield from verify_file(each, arch)
    if any(each.fault is not None for each in judged):
        return  # what is missing there is told once it can be read
    missing = kubesphere.missing_images(bundle.kubesphere.archives(arch), needed, arch)
    if missing:
        yield finding_of(
            "RBD-BUNDLE-031", Severity.ERROR, evidence="\n".join(missing), arch=arch, count=len(missing),
            files=", ".join(path.name for path in paths), images=", ".join(missing[:3]),
        )  # fmt: skip
