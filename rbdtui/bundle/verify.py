"""Whether a bundle has what a plan needs: every file present, whole, for the right machines, and of one version."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rbdtui.bundle.images import RKE2, asked_ingresses, image_sets, names_of, own_networks, part
from rbdtui.bundle.scan import Judged, JudgedPackages, OfflineBundle
from rbdtui.bundle.verify_files import CODES, finding_of, verify_file, version_of
from rbdtui.bundle.verify_kubesphere import verify_kubesphere
from rbdtui.bundle.verify_rainbond import verify_rainbond
from rbdtui.bundle.verify_rook import verify_rook
from rbdtui.errors import StepError
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Place, Severity
from rbdtui.host_programs import host_programs
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.rules.parts import path_of

_INGRESS_CODES: Final = {"traefik": "RBD-BUNDLE-017", "ingress-nginx": "RBD-BUNDLE-018"}


def verify_bundle(bundle: OfflineBundle, spec: ClusterSpec, facts: Iterable[NodeFacts]) -> list[Finding]:
    """Judge the bundle for the hosts as they were seen; with no facts, for amd64. Reads files whole the first time."""
    known = list(facts)
    outside = {node.name for node in spec.outside_nodes}
    arches = sorted({each.arch for each in known if each.arch and each.node not in outside}) or ["amd64"]
    findings = [
        finding_of("RBD-BUNDLE-012", Severity.ERROR, evidence=bad.detail, file=bad.path.name)
        for bad in bundle.bad_lists
    ]
    if not spec.is_existing:
        findings += [finding for arch in arches for finding in _verify_arch(bundle, spec, arch)]
        findings += _verify_packages(bundle, spec, known)
        findings += _verify_kubernetes(bundle, spec, arches)
    if spec.installs_rainbond:
        findings += verify_rainbond(bundle, spec, arches)
    if spec.installs_kubesphere:
        findings += verify_kubesphere(bundle, spec, arches)
    if spec.ceph_disks and not spec.is_existing:
        findings += verify_rook(bundle, arches)
    return findings


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
            yield finding_of(
                "RBD-BUNDLE-001", Severity.ERROR, evidence=evidence, names=names, path=str(bundle.directory)
            )
        else:
            yield from verify_file(seen, arch)
    yield from _verify_versions([seen for seen in judged.values() if seen is not None])


def _other_sets(bundle: OfflineBundle, spec: ClusterSpec, arch: str, missing: str) -> str:
    """Sets of archives that would do instead of the one in which a kind is missing."""
    sets = image_sets(spec, bundle.rke2_version(arch)) if missing != RKE2 else ()
    return "\n".join(f"or: {' + '.join(kinds)}" for kinds in sets if missing not in kinds)


def _verify_versions(files: Sequence[Judged]) -> Iterator[Finding]:
    """RKE2's program asks for the images of exactly its own version."""
    versions = {seen.path.name: version for seen in files if (version := version_of(seen))}
    if len(set(versions.values())) > 1:
        evidence = "\n".join(f"{name}: {version}" for name, version in versions.items())
        yield finding_of("RBD-BUNDLE-009", Severity.ERROR, evidence=evidence, versions=", ".join(versions.values()))


def _verify_kubernetes(bundle: OfflineBundle, spec: ClusterSpec, arches: Sequence[str]) -> Iterator[Finding]:
    """Whether Rainbond's maker names the Kubernetes that RKE2 brings."""
    since, until = spec.profile.kubernetes_since, spec.profile.kubernetes_until
    for version in sorted({found for arch in arches if (found := bundle.rke2_version(arch)) is not None}):
        brought, profile = f"{version.major}.{version.minor}", spec.profile.name
        if since is not None and not version.at_least(*since):
            wanted = f"{since[0]}.{since[1]}"
            yield finding_of("RBD-BUNDLE-028", Severity.ERROR, found=brought, wanted=wanted, profile=profile)
        elif until is not None and version.at_least(until[0], until[1] + 1):
            proven = f"{until[0]}.{until[1]}"
            yield finding_of("RBD-BUNDLE-027", Severity.WARNING, found=brought, proven=proven, profile=profile)


def _verify_packages(bundle: OfflineBundle, spec: ClusterSpec, facts: Sequence[NodeFacts]) -> Iterator[Finding]:
    """Nodes that lack what carries the VIP or mounts NFS volumes find it in the bundle."""
    lacking: dict[tuple[str, str, str], list[str]] = {}
    missing: set[str] = set()
    for each in facts:
        wanted = host_programs(spec, spec.node(each.node))
        if "tools" not in each.failed and not each.tools.issuperset(wanted):
            lacking.setdefault((each.os.id, each.os.version_id, each.arch), []).append(each.node)
            missing.update(name for name in wanted if name not in each.tools)
    for system, nodes in lacking.items():
        yield from _verify_system(bundle, system, nodes, sorted(missing))


def _verify_system(
    bundle: OfflineBundle, system: tuple[str, str, str], nodes: Sequence[str], programs: Sequence[str]
) -> Iterator[Finding]:
    """The packages of one operating system."""
    name = "-".join(system)
    try:
        judged = bundle.judge_packages(*system)
    except StepError as error:
        yield finding_of("RBD-BUNDLE-014", Severity.ERROR, evidence=f"{error}\n{error.evidence}", system=name)
        return
    if not judged.files and not judged.missing:
        yield finding_of(
            "RBD-BUNDLE-010", Severity.WARNING, system=name, nodes=", ".join(nodes), programs=", ".join(programs)
        )
        return
    yield from _verify_package_files(judged, system[2])
    if not judged.has_list:
        evidence = "\n".join(f"{file.inspected.sha256}  {file.path.name}" for file in judged.files if file.inspected)
        yield finding_of("RBD-BUNDLE-015", Severity.WARNING, evidence=evidence, system=name)


def _verify_package_files(judged: JudgedPackages, arch: str) -> Iterator[Finding]:
    for file in judged.files:
        if file.fault is not None:
            evidence = file.evidence or file.detail
            params = {"file": file.path.name, "arch": arch, "detail": file.detail}
            yield finding_of(CODES[file.fault], Severity.ERROR, evidence=evidence, **params)
    for missing in judged.missing:
        yield finding_of("RBD-BUNDLE-001", Severity.ERROR, names=missing, path=str(judged.directory))
