"""Whether a bundle has what a plan's Rainbond needs: chart, helm for this machine, images for the nodes."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from rbdtui.bundle import rainbond
from rbdtui.bundle.model import Chart
from rbdtui.bundle.rainbond import FoundChart, own_arch
from rbdtui.bundle.scan import OfflineBundle, chart_names
from rbdtui.bundle.verify_files import finding_of, verify_file
from rbdtui.findings import Finding, Place, Severity
from rbdtui.rainbond.images import needed_images, repository_of
from rbdtui.rainbond.provisioner import MAKERS_IMAGE, is_image
from rbdtui.rainbond.releases import Release, release_of
from rbdtui.rainbond.values import misfits, value_tree
from rbdtui.sizes import size_of
from rbdtui.spec import fields
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.rules.rainbond import OURS
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.words import T, Text

_VALUES: Final = "rainbond.values"
_OPEN: Final = frozenset({"operator.env", "Component"})
"""Sections whose keys the chart's templates read, but its own values do not name."""
_UNNAMED: Final = frozenset({"Cluster.containerdRuntimePath", "Cluster.imagePullPolicy", "rbac", "serviceAccount"})
"""Values that some chart of Rainbond names and another leaves out."""


def verify_rainbond(bundle: OfflineBundle, spec: ClusterSpec, arches: Sequence[str]) -> list[Finding]:
    """Judge it for the architectures of the nodes. Reads archives of images whole the first time."""
    charts = bundle.rainbond.charts()
    findings = [*verify_charts(bundle, charts, rainbond.CHART_NAMES), *verify_helm(bundle)]
    # Nobody brings files to the nodes of a cluster that is there already.
    by_hand = spec.is_existing and spec.registry.mode is not RegistryMode.EXTERNAL
    if not by_hand:
        findings += [finding for arch in arches for finding in _verify_archives(bundle, spec, arch)]
    release, unclear = _release(bundle, spec)
    findings += unclear
    if release is None:
        return findings
    chart = rainbond.chart_for(charts, release)
    if chart is not None:
        findings += unknown_values(spec, release, chart)
    elif any(found.chart is not None for found in charts):
        names = ", ".join(chart_names(charts))
        findings.append(finding_of("RBD-BUNDLE-020", Severity.ERROR, charts=names, release=release.tag))
    if by_hand:
        needed = needed_images(spec, release)
        params: dict[str, str | int] = {"count": len(needed), "repository": repository_of(spec, release)}
        findings.append(finding_of("RBD-BUNDLE-025", Severity.WARNING, evidence="\n".join(needed), **params))
        return findings
    for arch in arches:
        findings += _verify_images(bundle, spec, release, arch)
    return findings


def verify_charts(bundle: OfflineBundle, charts: Sequence[FoundChart], names: str) -> Iterator[Finding]:
    """The charts of a platform; ``names`` is how a chart is called that is missed."""
    if not charts:
        path = str(bundle.directory)
        yield finding_of("RBD-BUNDLE-001", Severity.ERROR, names=names, path=path)
    for found in charts:
        if found.digests:
            yield finding_of(
                "RBD-BUNDLE-006", Severity.ERROR, evidence=found.digests, file=found.path.name, arch=own_arch()
            )
        elif found.chart is None:
            yield finding_of("RBD-BUNDLE-019", Severity.ERROR, file=found.path.name, detail=found.detail)
        else:
            evidence = f"{found.chart.name} {found.chart.version}\nsha256 {found.chart.file.sha256}"
            yield finding_of(
                "RBD-BUNDLE-008",
                Severity.INFO,
                evidence=evidence,
                file=found.path.name,
                size=size_of(found.chart.file.size_bytes),
            )


def verify_helm(bundle: OfflineBundle) -> Iterator[Finding]:
    """It runs on this machine, whatever the nodes are."""
    judged = bundle.judge_helm(own_arch())
    if judged is None:
        names = f"helm-{own_arch()}"
        yield finding_of("RBD-BUNDLE-001", Severity.ERROR, names=names, path=str(bundle.directory))
    else:
        yield from verify_file(judged, own_arch())


def _verify_archives(bundle: OfflineBundle, spec: ClusterSpec, arch: str) -> Iterator[Finding]:
    paths = bundle.rainbond.image_paths(arch)
    if not paths and spec.registry.mode is RegistryMode.EXTERNAL:
        yield finding_of("RBD-BUNDLE-024", Severity.WARNING, arch=arch, domain=spec.registry.domain or "")
    elif not paths:
        names = f"rainbond-images-{arch}.tar.zst"
        yield finding_of("RBD-BUNDLE-001", Severity.ERROR, names=names, path=str(bundle.directory))
    for path in paths:
        yield from verify_file(bundle.judge_archive(path, arch), arch)


def _release(bundle: OfflineBundle, spec: ClusterSpec) -> tuple[Release | None, list[Finding]]:
    """The release of the plan, and why there is none."""
    there = bundle.rainbond_releases()
    if spec.rainbond.version is not None:
        return release_of(spec.rainbond.version), []
    if len(there) == 1:
        return release_of(there[0]), []
    if there:
        return None, [finding_of("RBD-BUNDLE-021", Severity.ERROR, releases=", ".join(there))]
    return None, []


def _verify_images(bundle: OfflineBundle, spec: ClusterSpec, release: Release, arch: str) -> Iterator[Finding]:
    archives = bundle.rainbond.archives(arch)
    faulty = any(bundle.judge_archive(path, arch).fault is not None for path in bundle.rainbond.image_paths(arch))
    if not archives or faulty:
        return  # what is missing there is told once it can be read
    there = sorted({tag for archive in archives for tag in archive.releases})
    if there and release.tag not in there:
        yield finding_of("RBD-BUNDLE-022", Severity.ERROR, release=release.tag, releases=", ".join(there))
        return
    chosen = rainbond.of_release(archives, release)
    missing = rainbond.missing_images(spec, release, chosen, arch)
    if any(map(is_image, missing)):
        yield finding_of("RBD-BUNDLE-026", Severity.ERROR, arch=arch, image=MAKERS_IMAGE)
    missing = [name for name in missing if not is_image(name)]
    if missing:
        names = ", ".join(archive.path.name for archive in chosen)
        yield finding_of(
            "RBD-BUNDLE-023", Severity.ERROR, evidence="\n".join(missing), arch=arch, count=len(missing),
            files=names, images=", ".join(missing[:3]), release=release.tag,
        )  # fmt: skip


def unknown_values(spec: ClusterSpec, release: Release, chart: Chart) -> Iterator[Finding]:
    """Values of the operator's that the chart does not know, or that have another shape there."""
    own = value_tree(spec.model_copy(update={"rainbond": spec.rainbond.model_copy(update={"values": {}})}), release)
    yield from unknown_keys(_VALUES, OURS, spec.rainbond.values, own, chart)


def unknown_keys(
    field: str, ours: Collection[str], given: Mapping[str, object], own: Mapping[str, object], chart: Chart
) -> Iterator[Finding]:
    """The same of any chart: ``given`` are the values at a field, ``own`` those that the plan makes."""
    for path in dict.fromkeys([*misfits(own, given), *misfits(chart.values, given)]):
        yield Finding("RBD-CHART-004", Severity.ERROR, _place(field, path), {"key": path, "chart": _name(chart)})
    for path, known in _unknown(given, own, chart.values, ours, ""):
        hint = _nearest(path.rpartition(".")[2], known)
        params: dict[str, str | int | float | Text] = {"key": path, "chart": _name(chart), "hint": hint}
        yield Finding("RBD-CHART-005", Severity.WARNING, _place(field, path), params)


def _unknown(
    given: Mapping[str, object],
    own: Mapping[str, object],
    chart: Mapping[str, object],
    ours: Collection[str],
    path: str,
) -> Iterator[tuple[str, list[str]]]:
    """Paths of keys that neither the plan nor the chart has, with those that are there."""
    for key, value in given.items():
        here = f"{path}.{key}" if path else str(key)
        if here in _OPEN or here in _UNNAMED or here in ours:
            continue
        if key not in own and key not in chart:
            yield here, sorted({*own, *chart})
        elif isinstance(value, Mapping):
            below = [each if isinstance(each, Mapping) else {} for each in (own.get(key), chart.get(key))]
            if below[0] or below[1]:
                yield from _unknown(value, below[0], below[1], ours, here)


def _nearest(key: str, known: Sequence[str]) -> Text:
    close = difflib.get_close_matches(key[:64], known, 1, 0.6)
    if close:
        return T("bundle.values.nearest", nearest=close[0])
    return T("bundle.values.known", known=", ".join(known))


def _name(chart: Chart) -> str:
    return f"{chart.name} {chart.version}"


def _place(field: str, path: str) -> Place:
    return Place(field=fields.path_of((*field.split("."), *path.split("."))))
