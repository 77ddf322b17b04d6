"""Checks on what the kernel offers: control groups, modules, settings, SELinux, AppArmor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.checks.hosts.ports import uses_canal
from rbdtui.checks.view import NodeView
from rbdtui.facts.software import FAPOLICYD_RULES
from rbdtui.findings import Finding, Severity
from rbdtui.spec.rke2_keys import words_of

_CONTROLLERS: Final = {1: frozenset({"memory", "pids"}), 2: frozenset({"cpu", "cpuset", "memory", "pids"})}
"""What RKE2 does not start without, by version of control groups; of version 1 it misses cpu and cpuset with a warning
only (k3s-io/k3s, pkg/cgroups/cgroups_linux.go)."""
_CGROUP_1_ALLOWED: Final = "fail-cgroupv1=false"
_SWITCHES: Final = ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables")


def control_groups(view: NodeView) -> Iterator[Finding]:
    """kubelet finds the controllers it needs and can write them."""
    facts = view.facts
    if "cgroups" in facts.failed:
        return
    wanted = _CONTROLLERS.get(facts.cgroup_version, _CONTROLLERS[2])
    if missing := wanted - facts.cgroup_controllers:
        shown = ", ".join(sorted(missing))
        evidence = f"cgroup v{facts.cgroup_version}: {' '.join(sorted(facts.cgroup_controllers))}"
        yield view.finding("RBD-KERN-101", Severity.ERROR, controllers=shown, evidence=evidence)
    if closed := wanted & facts.cgroup_read_only:
        yield view.finding("RBD-KERN-102", Severity.ERROR, controllers=", ".join(sorted(closed)))


def control_group_version(view: NodeView) -> Iterator[Finding]:
    """kubelet takes the host's version of control groups: from 1.35 on version 1 no more.

    Source: Kubernetes' feature ``failCgroupV1``, true by default since 1.35; RKE2 leaves it so.
    """
    version = view.rke2_version
    if view.facts.cgroup_version != 1 or version is None or not version.at_least(1, 35):
        return
    if _CGROUP_1_ALLOWED not in words_of(view.spec.kubernetes.settings.get("kubelet-arg")):
        yield view.finding("RBD-KERN-107", Severity.ERROR, version=str(version), kernel=view.facts.kernel)


def modules(view: NodeView) -> Iterator[Finding]:
    """Modules for containers and their network are there or can be loaded."""
    facts = view.facts
    if "kernel_modules" in facts.failed:
        return
    loadable: list[str] = []
    absent: list[str] = []
    for name in _wanted_modules(view):
        if name not in facts.modules_loaded:
            (loadable if name in facts.modules_available else absent).append(name)
    if not facts.modules_loaded & {"ip_tables", "nf_tables"}:
        (loadable if facts.modules_available & {"ip_tables", "nf_tables"} else absent).append("nf_tables")
    if loadable:
        yield view.finding("RBD-KERN-105", Severity.INFO, modules=", ".join(loadable))
    if absent and facts.modules_knowable:
        yield view.finding("RBD-KERN-103", Severity.ERROR, modules=", ".join(absent), kernel=facts.kernel)
    elif absent:
        yield view.finding("RBD-KERN-104", Severity.WARNING, modules=", ".join(absent), kernel=facts.kernel)


def _wanted_modules(view: NodeView) -> tuple[str, ...]:
    base = ("overlay", "br_netfilter", "nf_conntrack")
    return (*base, "vxlan") if uses_canal(view.spec) else base


def settings(view: NodeView) -> Iterator[Finding]:
    """Kernel settings that the plan will change are named beforehand."""
    found, limits = view.facts.sysctl, view.limits
    if "sysctl" in view.facts.failed:
        return
    changed = [f"{key} = {found[key]} -> 1" for key in _SWITCHES if found.get(key, "1") != "1"]
    floors = (
        ("fs.inotify.max_user_instances", limits.inotify_instances),
        ("fs.inotify.max_user_watches", limits.inotify_watches),
    )
    for key, floor in floors:
        if len(value := found.get(key, "")) < 19 and value.isdecimal() and int(value) < floor:
            changed.append(f"{key} = {found[key]} -> {floor}")
    if changed:
        yield view.finding("RBD-KERN-106", Severity.INFO, settings="; ".join(changed), evidence="\n".join(changed))


def selinux(view: NodeView) -> Iterator[Finding]:
    """An enforcing SELinux has RKE2's policy, now or at the next boot; containers are confined by a setting only.

    Source: rancher/rke2-docs, security/selinux (installations from an archive).
    """
    facts = view.facts
    modes = (facts.selinux, facts.selinux_at_boot if facts.selinux in ("enforcing", "permissive") else "")
    if "enforcing" not in modes or "packages" in facts.failed:
        return
    if "rke2-selinux" not in facts.packages:
        code = "RBD-SEC-101" if facts.selinux == "enforcing" else "RBD-SEC-104"
        yield view.finding(
            code, Severity.ERROR, evidence=f"now {facts.selinux}, at boot {facts.selinux_at_boot or '?'}"
        )


def hardening_profile(view: NodeView) -> Iterator[Finding]:
    """A hardening profile finds its user: RKE2's server does not start without.

    Source: rancher/rke2 v1.30.4 and v1.36.3, pkg/cli/cmds/profile_linux.go; the kernel's settings are the plan's work.
    """
    profile = words_of(view.spec.kubernetes.settings.get("profile"))
    if profile and view.node.is_server and "users" not in view.facts.failed and "etcd" not in view.facts.users:
        yield view.finding("RBD-SEC-105", Severity.ERROR, field="kubernetes.settings", profile=profile[0])


def apparmor(view: NodeView) -> Iterator[Finding]:
    """An active AppArmor has its parser, which the container runtime calls."""
    facts = view.facts
    if facts.apparmor_enabled and "tools" not in facts.failed and "apparmor_parser" not in facts.tools:
        yield view.finding("RBD-SEC-102", Severity.WARNING)


def fapolicyd(view: NodeView) -> Iterator[Finding]:
    """No policy daemon forbids programs that came without a package: kubelet and containerd would not be run."""
    if "fapolicyd" in view.facts.active_units and FAPOLICYD_RULES not in view.facts.files:
        yield view.finding("RBD-SEC-103", Severity.ERROR, path=FAPOLICYD_RULES)
