"""Whether a bundle has what a plan needs: every file present, whole, for the right machines, and of one version."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rbdtui.bundle.images import RKE2, asked_ingresses, image_sets, names_of, own_networks, part
from rbdtui.bundle.scan import Fault, Judged, JudgedPackages, OfflineBundle
from rbdtui.errors import StepError
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec.model import ClusterSpec, GatewayMode, Role
from rbdtui.spec.rules.parts import path_of

_CODES: Final = {
    Fault.UNREADABLE: "RBD-BUNDLE-002",
    Fault.DAMAGED: "RBD-BUNDLE-003",
    Fault.WRONG_ARCH: "RBD-BUNDLE-004",
    Fault.WRONG_NAME: "RBD-BUNDLE-005",
    Fault.BAD_SHA256: "RBD-BUNDLE-006",
    Fault.NOT_PLAIN: "RBD-BUNDLE-011",
    Fault.NOT_LISTED: "RBD-BUNDLE-013",
}
_INGRESS_CODES: Final = {"traefik": "RBD-BUNDLE-017", "ingress-nginx": "RBD-BUNDLE-018"}
_MIB: Final = 1 << 20
_PLACE: Final = Place(field="bundle")


def verify_bundle(bundle: OfflineBundle, spec: ClusterSpec, facts: Iterable[NodeFacts]) -> list[Finding]:
    """Judge the bundle for the hosts as they were seen; with no facts, for amd64. Reads files whole the first time."""
    known = list(facts)
    arches = sorted({each.arch for each in known if each.arch}) or ["amd64"]
    findings = [
        _finding("RBD-BUNDLE-012", Severity.ERROR, evidence=bad.detail, file=bad.path.name) for bad in bundle.bad_lists
    ]
    findings += [finding for arch in arches for finding in _verify_arch(bundle, spec, arch)]
    return [*findings, *_verify_packages(bundle, spec, known)]


def check_parts(spec: ClusterSpec, directory: Path, place: Callable[[str], Place]) -> list[Finding]:
    """Whether the bundle has archives for the parts that the settings name, by the names of its files alone.

    Quick, and knows neither the hosts nor RKE2's version: `verify_bundle` has the last word.
    """
    try:
        names = os.listdir(directory)
    except OSError:
        return []  # that there is no bundle is a finding of its own
    wanted = [("cni", name, "RBD-BUNDLE-016", Severity.ERROR) for name in own_networks(spec)]
    wanted += [("ingress-controller", name, _INGRESS_CODES[name], Severity.WARNING) for name in asked_ingresses(spec)]
    return [
        Finding(code, severity, place(path_of(spec.kubernetes.settings, key)), {"part": name, "archive": part(name)})
        for key, name, code, severity in wanted
        if not any(file.startswith(f"{part(name)}.linux-") for file in names)
    ]


def _verify_arch(bundle: OfflineBundle, spec: ClusterSpec, arch: str) -> Iterator[Finding]:
    """The program and the images that this plan needs, no more and no less."""
    judged = {kind: bundle.judge(kind, arch) for kind in (RKE2, *bundle.image_kinds(spec, arch))}
    for kind, seen in judged.items():
        if seen is None:
            names = " | ".join(names_of(kind, arch))
            evidence = _other_sets(bundle, spec, arch, kind)
            yield _finding("RBD-BUNDLE-001", Severity.ERROR, evidence=evidence, names=names, path=str(bundle.directory))
        else:
            yield from _verify_file(seen, arch)
    yield from _verify_versions([seen for seen in judged.values() if seen is not None])


def _other_sets(bundle: OfflineBundle, spec: ClusterSpec, arch: str, missing: str) -> str:
    """Sets of archives that would do instead of the one in which a kind is missing."""
    sets = image_sets(spec, bundle.rke2_version(arch)) if missing != RKE2 else ()
    return "\n".join(f"or: {' + '.join(kinds)}" for kinds in sets if missing not in kinds)


def _verify_file(seen: Judged, arch: str) -> Iterator[Finding]:
    if seen.fault is not None or seen.inspected is None:
        code = _CODES[seen.fault or Fault.UNREADABLE]
        evidence = seen.evidence or seen.detail
        yield _finding(code, Severity.ERROR, evidence=evidence, file=seen.path.name, arch=arch, detail=seen.detail)
        return
    if not seen.expected_sha256:
        evidence = seen.inspected.sha256
        yield _finding("RBD-BUNDLE-007", Severity.WARNING, evidence=evidence, file=seen.path.name, arch=arch)
    version = _version(seen)
    evidence = "\n".join(part for part in (version, f"sha256 {seen.inspected.sha256}") if part)
    size_mib = round(seen.inspected.size_bytes / _MIB, 1)
    yield _finding("RBD-BUNDLE-008", Severity.INFO, evidence=evidence, file=seen.path.name, size_mib=size_mib)


def _verify_versions(files: Sequence[Judged]) -> Iterator[Finding]:
    """RKE2's program asks for the images of exactly its own version."""
    versions = {seen.path.name: version for seen in files if (version := _version(seen))}
    if len(set(versions.values())) > 1:
        evidence = "\n".join(f"{name}: {version}" for name, version in versions.items())
        yield _finding("RBD-BUNDLE-009", Severity.ERROR, evidence=evidence, versions=", ".join(versions.values()))


def _version(seen: Judged) -> str:
    contents = seen.inspected.contents if seen.inspected is not None else None
    return contents.version if contents is not None else ""


def _verify_packages(bundle: OfflineBundle, spec: ClusterSpec, facts: Sequence[NodeFacts]) -> Iterator[Finding]:
    """Gateways that lack keepalived find it in the bundle."""
    if spec.gateway.mode is not GatewayMode.KEEPALIVED:
        return
    gateways = {node.name for node in spec.nodes_with(Role.GATEWAY)}
    lacking: dict[tuple[str, str, str], list[str]] = {}
    for each in facts:
        if each.node in gateways and "keepalived" not in each.tools and "tools" not in each.failed:
            lacking.setdefault((each.os.id, each.os.version_id, each.arch), []).append(each.node)
    for system, nodes in lacking.items():
        yield from _verify_system(bundle, system, nodes)


def _verify_system(bundle: OfflineBundle, system: tuple[str, str, str], nodes: Sequence[str]) -> Iterator[Finding]:
    """The packages of one operating system."""
    name = "-".join(system)
    try:
        judged = bundle.judge_packages(*system)
    except StepError as error:
        yield _finding("RBD-BUNDLE-014", Severity.ERROR, evidence=f"{error}\n{error.evidence}", system=name)
        return
    if not judged.files and not judged.missing:
        yield _finding("RBD-BUNDLE-010", Severity.WARNING, system=name, nodes=", ".join(nodes))
        return
    yield from _verify_package_files(judged, system[2])
    if not judged.has_list:
        evidence = "\n".join(f"{file.inspected.sha256}  {file.path.name}" for file in judged.files if file.inspected)
        yield _finding("RBD-BUNDLE-015", Severity.WARNING, evidence=evidence, system=name)


def _verify_package_files(judged: JudgedPackages, arch: str) -> Iterator[Finding]:
    for file in judged.files:
        if file.fault is not None:
            evidence = file.evidence or file.detail
            params = {"file": file.path.name, "arch": arch, "detail": file.detail}
            yield _finding(_CODES[file.fault], Severity.ERROR, evidence=evidence, **params)
    for missing in judged.missing:
        yield _finding("RBD-BUNDLE-001", Severity.ERROR, names=missing, path=str(judged.directory))


def _finding(code: str, severity: Severity, *, evidence: str = "", **params: str | int | float) -> Finding:
    return Finding(code, severity, _PLACE, params, evidence)
