"""Whether a bundle has what a plan's KubeSphere needs: chart, helm for this machine, images for the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rbdtui.bundle import kubesphere
from rbdtui.bundle.scan import OfflineBundle, chart_names
from rbdtui.bundle.verify_files import finding_of, verify_file
from rbdtui.bundle.verify_rainbond import unknown_keys, verify_charts, verify_helm
from rbdtui.findings import Finding, Severity
from rbdtui.kubesphere.chart import needed_images, value_tree
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.rules.kubesphere import OURS


def verify_kubesphere(bundle: OfflineBundle, spec: ClusterSpec, arches: Sequence[str]) -> list[Finding]:
    """Judge it for the architectures of the nodes. Reads archives of images whole the first time."""
    charts, registry = bundle.kubesphere.charts(), spec.kubesphere.image_registry
    findings = [*verify_charts(bundle, charts, kubesphere.CHART_NAMES), *verify_helm(bundle)]
    if registry is None:
        findings += [finding for arch in arches for finding in _verify_archives(bundle, arch)]
    chart = kubesphere.newest_chart(charts)
    if chart is None:
        if any(found.chart is not None for found in charts):
            findings.append(finding_of("RBD-BUNDLE-029", Severity.ERROR, charts=", ".join(chart_names(charts))))
        return findings
    findings += unknown_keys("kubesphere.values", OURS, spec.kubesphere.values, _own(spec), chart)
    needed = needed_images(spec, chart.values)
    if registry is None:
        return findings + [finding for arch in arches for finding in _verify_images(bundle, needed, arch)]
    evidence, count = "\n".join(needed), len(needed)
    told = finding_of("RBD-BUNDLE-030", Severity.WARNING, evidence=evidence, registry=registry, count=count)
    return [*findings, told]


def _own(spec: ClusterSpec) -> dict[str, object]:
    bare = spec.kubesphere.model_copy(update={"values": {}})
    return value_tree(spec.model_copy(update={"kubesphere": bare}), "")


def _verify_archives(bundle: OfflineBundle, arch: str) -> Iterator[Finding]:
    paths = bundle.kubesphere.image_paths(arch)
    if not paths:
        names = f"kubesphere-images-{arch}.tar.zst"
        yield finding_of("RBD-BUNDLE-001", Severity.ERROR, names=names, path=str(bundle.directory))
    for path in paths:
        yield from verify_file(bundle.judge_archive(path, arch), arch)


def _verify_images(bundle: OfflineBundle, needed: Sequence[str], arch: str) -> Iterator[Finding]:
    paths = bundle.kubesphere.image_paths(arch)
    if not paths or any(bundle.judge_archive(path, arch).fault is not None for path in paths):
        return  # what is missing there is told once it can be read
    missing = kubesphere.missing_images(bundle.kubesphere.archives(arch), needed, arch)
    if missing:
        yield finding_of(
            "RBD-BUNDLE-031", Severity.ERROR, evidence="\n".join(missing), arch=arch, count=len(missing),
            files=", ".join(path.name for path in paths), images=", ".join(missing[:3]),
        )  # fmt: skip
