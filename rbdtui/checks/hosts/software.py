"""Checks on installed software: programs, keepalived, packet filters, network managers, earlier installations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.checks.hosts.ports import uses_canal
from rbdtui.checks.view import NodeView, PackageSource
from rbdtui.errors import StepError
from rbdtui.findings import Finding, Severity
from rbdtui.host_programs import (
    HAPROXY,
    INOTIFY,
    KEEPALIVED,
    MYSQL_DUMP,
    MYSQL_SERVER,
    NFS_SERVER,
    PACKAGES,
    RSYNC,
)
from rbdtui.rainbond.provisioner import CLIENT, CLIENT_PACKAGES, needs_client
from rbdtui.rook.objects import DATA_DIRECTORY

_NEEDED_TOOLS: Final = ("gzip", "iptables", "mount", "sha256sum", "systemctl", "systemd-run", "tar", "timeout")
"""RKE2 asks for systemd and iptables; the others are what our own steps call."""
_OUTSIDE_TOOLS: Final = ("sha256sum", "systemctl", "systemd-run", "timeout")
_BALANCER_TOOLS: Final = ("bash", *_OUTSIDE_TOOLS)
"""bash asks HAProxy on its own host: no other program that opens a connection is on every system."""
_OTHER_CLUSTERS: Final = frozenset({"crio", "k3s", "k3s-agent", "kubelet", "rke2-agent", "rke2-server"})
_OTHER_RUNTIMES: Final = frozenset({"containerd", "docker"})
_OLD_PACKAGES: Final = frozenset({"kubelet", "rke2-agent", "rke2-common", "rke2-server"})
_PODMAN_PATHS: Final = frozenset({"/etc/cni", "/opt/cni", "/var/lib/cni"})
"""Alone they come from the packages of podman and containernetworking-plugins."""
_CANAL_IGNORED: Final = "/etc/NetworkManager/conf.d/rke2-canal.conf"
_HAPROXY_CFG: Final = "/etc/haproxy/haproxy.cfg"
_KEEPALIVED_CONF: Final = "/etc/keepalived/keepalived.conf"


def tools(view: NodeView) -> Iterator[Finding]:
    """Programs that RKE2 and our steps call are there."""
    if "tools" in view.facts.failed:
        return
    needed = _BALANCER_TOOLS if view.node.is_balancer else _OUTSIDE_TOOLS if view.node.is_outside else _NEEDED_TOOLS
    if missing := [name for name in needed if name not in view.facts.tools]:
        yield view.finding("RBD-TOOL-101", Severity.ERROR, tools=", ".join(missing))
    if "modprobe" not in view.facts.tools and not view.node.is_outside:
        yield view.finding("RBD-TOOL-102", Severity.WARNING)


def haproxy(view: NodeView) -> Iterator[Finding]:
    """HAProxy is there or the bundle has it, and nobody else's HAProxy forwards anything here."""
    facts = view.facts
    if not view.node.is_balancer or "tools" in facts.failed:
        return
    if HAPROXY not in facts.tools:
        if view.bundle is not None:
            has_it = _bundle_has_packages(view, view.bundle, PACKAGES[HAPROXY])
            code, severity = ("RBD-LB-105", Severity.INFO) if has_it else ("RBD-LB-106", Severity.ERROR)
            yield view.finding(code, severity, system=_system(view))
    elif view.ours:
        return
    elif ports := sorted({each.port for each in facts.listeners if each.process == HAPROXY}):
        yield view.finding("RBD-LB-107", Severity.ERROR, ports=", ".join(map(str, ports)))
    elif _HAPROXY_CFG in facts.files:
        yield view.finding("RBD-LB-104", Severity.INFO, path=_HAPROXY_CFG)


def stale_keepalived(view: NodeView) -> Iterator[Finding]:
    """No keepalived of ours carries the VIP on from where it was before: others carry it now."""
    if view.ours and view.spec.has_vip and not view.carries_vip and KEEPALIVED in view.facts.active_units:
        yield view.finding("RBD-LB-108", Severity.ERROR)


def keepalived(view: NodeView) -> Iterator[Finding]:
    """keepalived is there or the bundle has it, and nobody else's keepalived is in use."""
    facts = view.facts
    if not view.carries_vip or "tools" in facts.failed:
        return
    if "keepalived" not in facts.tools:
        if view.bundle is not None:  # else nobody knows yet what it has, which is no mistake of the host
            yield _absent_keepalived(view, view.bundle)
    elif view.ours:
        return
    elif "keepalived" in facts.active_units:
        yield view.finding("RBD-LB-103", Severity.ERROR)
    elif _KEEPALIVED_CONF in facts.files:
        yield view.finding("RBD-LB-104", Severity.INFO, path=_KEEPALIVED_CONF)


def nfs_client(view: NodeView) -> Iterator[Finding]:
    """The programs that mount NFS volumes are there, or the bundle has them."""
    facts = view.facts
    if not needs_client(view.spec) or "tools" in facts.failed or CLIENT in facts.tools or view.bundle is None:
        return
    if _bundle_has_packages(view, view.bundle, CLIENT_PACKAGES):
        yield view.finding("RBD-NFS-132", Severity.INFO, system=_system(view))
    else:
        yield view.finding("RBD-NFS-133", Severity.ERROR, system=_system(view))


def nfs_server(view: NodeView) -> Iterator[Finding]:
    """What is to be the NFS server has its programs, or the bundle has them."""
    facts = view.facts
    if (
        view.node is not view.spec.nfs_node
        or "tools" in facts.failed
        or NFS_SERVER in facts.tools
        or view.bundle is None
    ):
        return
    if _bundle_has_packages(view, view.bundle, PACKAGES[NFS_SERVER]):
        yield view.finding("RBD-NFS-134", Severity.INFO, system=_system(view))
    else:
        yield view.finding("RBD-NFS-135", Severity.ERROR, system=_system(view))


def nfs_copy(view: NodeView) -> Iterator[Finding]:
    """Both servers have what copies the directory of one to the other, or the bundle has it."""
    facts, spec = view.facts, view.spec
    if spec.nfs_copy_node is None or view.node not in (spec.nfs_node, spec.nfs_copy_node):
        return
    if "tools" in facts.failed or view.bundle is None:
        return
    lacking = [name for name in (RSYNC, INOTIFY) if name not in facts.tools]
    absent = [name for name in lacking if not _bundle_has_packages(view, view.bundle, PACKAGES[name])]
    if absent:
        yield view.finding("RBD-NFS-137", Severity.ERROR, system=_system(view), programs=", ".join(absent))
    elif lacking:
        yield view.finding("RBD-NFS-136", Severity.INFO, system=_system(view), programs=", ".join(lacking))


def mysql_server(view: NodeView) -> Iterator[Finding]:
    """What is to be a MySQL server has its programs, or the bundle has them."""
    facts = view.facts
    if view.node not in (view.spec.mysql_pair or ()) or "tools" in facts.failed or view.bundle is None:
        return
    lacking = [name for name in (MYSQL_SERVER, MYSQL_DUMP) if name not in facts.tools]
    absent = [name for name in lacking if not _bundle_has_packages(view, view.bundle, PACKAGES[name])]
    if absent:
        yield view.finding("RBD-MYSQL-161", Severity.ERROR, system=_system(view), programs=", ".join(absent))
    elif lacking:
        yield view.finding("RBD-MYSQL-160", Severity.INFO, system=_system(view))


def _absent_keepalived(view: NodeView, bundle: PackageSource) -> Finding:
    if _bundle_has_packages(view, bundle, PACKAGES[KEEPALIVED]):
        return view.finding("RBD-LB-101", Severity.INFO, system=_system(view))
    return view.finding("RBD-LB-102", Severity.ERROR, system=_system(view))


def _system(view: NodeView) -> str:
    """The host's system as the bundle's directories are named."""
    release = view.facts.os
    return f"{release.id}-{release.version_id}-{view.facts.arch}"


def _bundle_has_packages(view: NodeView, bundle: PackageSource, names: tuple[str, ...]) -> bool:
    """A bundle that cannot be read has none; what is wrong with it, its own findings say."""
    release = view.facts.os
    try:
        found = bundle.packages(release.id, release.version_id, view.facts.arch)
    except StepError:
        return False
    return any(file.path.name.startswith(names) for file in found)


def firewall(view: NodeView) -> Iterator[Finding]:
    """Packet filters that would come between the nodes are named; what they let through, the port matrix shows."""
    facts = view.facts
    if "firewalld" in facts.active_units:
        yield view.finding("RBD-FW-101", Severity.WARNING)
    if facts.firewall.ufw_enabled:
        yield view.finding("RBD-FW-102", Severity.WARNING)
    elif facts.firewall.input_closed and "firewalld" not in facts.active_units:
        yield view.finding("RBD-FW-103", Severity.WARNING, evidence="\n".join(facts.firewall.evidence))


def network_managers(view: NodeView) -> Iterator[Finding]:
    """Nothing on the host will take the pods' interfaces or kernel settings away."""
    facts = view.facts
    running = facts.active_units
    if (
        "NetworkManager" in running
        and not view.node.is_outside
        and uses_canal(view.spec)
        and _CANAL_IGNORED not in facts.files
    ):
        yield view.finding("RBD-NET-106", Severity.INFO, path=_CANAL_IGNORED)
    if {"nm-cloud-setup", "nm-cloud-setup.timer"} & (running | facts.enabled_units):
        yield view.finding("RBD-NET-107", Severity.WARNING)
    if "systemd-networkd" in running and view.carries_vip and not facts.networkd_keeps:
        yield view.finding("RBD-NET-114", Severity.WARNING)
    if {"wicked", "wickedd"} & running:
        yield view.finding("RBD-NET-108", Severity.WARNING)


def foreign_claim(view: NodeView) -> Iterator[Finding]:
    """No other site of ours has installed this host."""
    claim = view.facts.claim
    if claim is not None and not view.ours:
        evidence = f"site {claim.site}, cluster {claim.cluster_id}, run {claim.run_id}"
        yield view.finding("RBD-OLD-102", Severity.ERROR, site=claim.site, evidence=evidence)


def leftovers(view: NodeView) -> Iterator[Finding]:
    """Nothing of an earlier installation is left, unless that was our own for this very site."""
    facts = view.facts
    if view.ours:
        return
    # What a Ceph left behind is in the way of another Ceph alone: `rbdtui.checks.hosts.ceph` judges it.
    paths = [path for path in facts.leftovers if path != DATA_DIRECTORY]
    found = [*paths, *sorted(facts.packages & _OLD_PACKAGES)]
    if found and set(found) <= _PODMAN_PATHS:
        yield view.finding("RBD-OLD-106", Severity.INFO, found=", ".join(found), evidence="\n".join(found))
    elif found:
        yield view.finding("RBD-OLD-101", Severity.ERROR, found=", ".join(found), evidence="\n".join(found))
    if running := facts.active_units & _OTHER_CLUSTERS:
        yield view.finding("RBD-OLD-104", Severity.ERROR, units=", ".join(sorted(running)))


def other_runtimes(view: NodeView) -> Iterator[Finding]:
    """A container runtime beside RKE2's own changes packet filters under its feet."""
    if running := view.facts.active_units & _OTHER_RUNTIMES:
        yield view.finding("RBD-OLD-105", Severity.WARNING, units=", ".join(sorted(running)))
