"""Checks on the system as such: distribution, kernel, architecture, processors, memory, swap, unreadable facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rbdtui.checks.view import ClusterView, NodeView
from rbdtui.facts.software import SYSTEMD
from rbdtui.findings import Finding, Severity
from rbdtui.profiles.limits import GIB
from rbdtui.roles import Role

KNOWN_FAMILIES: Final = frozenset(
    {
        "almalinux", "anolis", "centos", "debian", "fedora", "kylin", "ol", "openeuler", "opensuse", "opensuse-leap",
        "rhel", "rocky", "sled", "sles", "suse", "ubuntu",
    }
)  # fmt: skip
"""Distributions that RKE2's matrix or Rainbond's documents name, and their families."""
_RED_HAT: Final = frozenset({"rhel", "centos", "rocky", "almalinux", "ol"})
BUNDLE_ARCHES: Final = ("amd64", "arm64")


def unreadable_facts(view: NodeView) -> Iterator[Finding]:
    """What could not be found out is said, so that its silence is not taken for a good sign."""
    for name, reason in sorted(view.facts.failed.items()):
        yield view.finding("RBD-FACT-101", Severity.WARNING, fact=name, evidence=reason)


def os_family(view: NodeView) -> Iterator[Finding]:
    """The distribution is one that RKE2 or Rainbond is known to run on."""
    release = view.facts.os
    if release.id and not {release.id.lower(), *(name.lower() for name in release.id_like)} & KNOWN_FAMILIES:
        yield view.finding(
            "RBD-OS-101", Severity.WARNING, os=release.pretty_name or release.id, evidence=f"ID={release.id}"
        )


def kernel_version(view: NodeView) -> Iterator[Finding]:
    """The kernel is new enough for containers."""
    found = tuple(int(number) for number in re.findall(r"[0-9]{1,9}", view.facts.kernel)[:4])
    if not found:
        return
    for code, severity, wanted in (
        ("RBD-OS-102", Severity.ERROR, view.limits.kernel_minimum),
        ("RBD-OS-103", Severity.WARNING, view.limits.kernel_recommended),
    ):
        if found[: len(wanted)] < wanted:
            shown = ".".join(str(number) for number in wanted)
            yield view.finding(code, severity, kernel=view.facts.kernel, wanted=shown, evidence=view.facts.kernel)
            return


def extra_modules_package(view: NodeView) -> Iterator[Finding]:
    """RHEL 10 keeps modules that RKE2 needs in a package of its own."""
    release = view.facts.os
    if "packages" in view.facts.failed or not release.version_id.startswith("10"):
        return
    if {release.id, *release.id_like} & _RED_HAT and "kernel-modules-extra" not in view.facts.packages:
        yield view.finding("RBD-OS-104", Severity.WARNING, os=release.pretty_name)


def architecture(view: NodeView) -> Iterator[Finding]:
    """The architecture is one that RKE2 and Rainbond are built for."""
    arch = view.facts.arch
    if arch and arch not in BUNDLE_ARCHES:
        yield view.finding("RBD-OS-105", Severity.ERROR, arch=arch, known=", ".join(BUNDLE_ARCHES), evidence=arch)


def mixed_architectures(view: ClusterView) -> Iterator[Finding]:
    """More than one architecture is allowed, but the bundle must then have everything for each."""
    arches: dict[str, list[str]] = {}
    for node, facts in view.answered():
        if facts.arch and not node.is_outside:
            arches.setdefault(facts.arch, []).append(node.name)
    if len(arches) > 1:
        shown = "; ".join(f"{arch}: {', '.join(names)}" for arch, names in sorted(arches.items()))
        yield view.finding("RBD-OS-106", Severity.INFO, arches=", ".join(sorted(arches)), evidence=shown)


def systemd_runs(view: NodeView) -> Iterator[Finding]:
    """Everything of ours and of RKE2 is a systemd unit."""
    if SYSTEMD not in view.facts.files and "files" not in view.facts.failed:
        yield view.finding("RBD-OS-107", Severity.ERROR)


def processors(view: NodeView) -> Iterator[Finding]:
    """There are enough processors."""
    count = view.facts.cpu_count
    if not count:
        return
    if count < view.limits.cpu_minimum:
        yield view.finding("RBD-HW-101", Severity.ERROR, count=count, wanted=view.limits.cpu_minimum)
    elif count < view.limits.cpu_recommended:
        yield view.finding("RBD-HW-102", Severity.WARNING, count=count, wanted=view.limits.cpu_recommended)


def memory(view: NodeView) -> Iterator[Finding]:
    """There is enough memory."""
    total, limits = view.facts.memory.total_bytes, view.limits
    if not total:
        return
    for code, severity, wanted in (
        ("RBD-HW-103", Severity.ERROR, limits.memory_minimum_bytes),
        ("RBD-HW-104", Severity.WARNING, limits.memory_recommended_bytes),
    ):
        if total < wanted * limits.memory_tolerance:
            yield view.finding(code, severity, gib=round(total / GIB, 1), wanted=round(wanted / GIB))
            return
    shared = limits.memory_shared_bytes
    if {Role.ETCD, Role.WORKER} <= set(view.node.roles) and total < shared * limits.memory_tolerance:
        yield view.finding("RBD-HW-107", Severity.WARNING, gib=round(total / GIB, 1), wanted=round(shared / GIB))


def swap(view: NodeView) -> Iterator[Finding]:
    """Swap is off, now and after the next boot."""
    found = view.facts.memory
    if found.swap_bytes:
        yield view.finding("RBD-HW-105", Severity.WARNING, gib=round(found.swap_bytes / GIB, 1))
    elif found.swap_in_fstab:
        yield view.finding("RBD-HW-106", Severity.WARNING)
