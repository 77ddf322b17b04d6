"""What a cluster that is there already says of itself, and what that gives rise to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from rbdtui.checks.hosts.installed import refused_upgrade
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.kube.session import CertificateFault
from rbdtui.rainbond.releases import release_of
from rbdtui.rainbond.values import CONTAINERD_DIR
from rbdtui.spec.model import Node, Role
from rbdtui.spec.sections.storage import StorageMode

_FIELD: Final = "kubernetes.kubeconfig"
_VERSION: Final = re.compile(r"v?(\d{1,3})\.(\d{1,3})")
_SHOWN: Final = 5
_OWN_CONTAINERD: Final = re.compile(r"\+(rke2|k3s)")
"""How Kubernetes' version is written by those who bring a containerd of their own."""
_CERTIFICATE_CODES: Final = {
    CertificateFault.NOT_OURS: "RBD-EXISTING-118",
    CertificateFault.DATED: "RBD-EXISTING-119",
    CertificateFault.OTHER_NAME: "RBD-EXISTING-120",
}


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node as the cluster has it."""

    name: str
    hostname: str
    """Its label ``kubernetes.io/hostname``, by which Rainbond chooses nodes."""
    address: str
    """Its internal address."""
    is_ready: bool
    runtime: str
    """E.g. ``containerd://1.7.20``."""


@dataclass(frozen=True, slots=True)
class ClusterAnswer:
    """What the cluster says of itself; what stands behind a fault was not asked."""

    bad_file: str = ""
    """Why the kubeconfig cannot be used, raw."""
    server: str = ""
    silence: str = ""
    """Why there was no answer, raw; of a certificate, OpenSSL's reason."""
    certificate: CertificateFault | None = None
    """What is wrong with the certificate of whoever answers."""
    refusal: str = ""
    """What the API said to credentials that it does not take, or that may not read, raw."""
    may_all: bool = True
    version: str = ""
    nodes: tuple[NodeSeen, ...] = ()
    classes: tuple[str, ...] = ()
    default_classes: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    taken: tuple[tuple[str, int, str], ...] = ()
    """Node, port and pod of ports of hosts that pods have."""
    rainbond: str = ""
    """The release that its RainbondCluster names; empty without one."""


def judge_cluster(answer: ClusterAnswer, file: str, view: ClusterView) -> Iterator[Finding]:
    """The one reason why nothing could be asked, or all that does not fit the plan."""
    if answer.bad_file:
        yield view.finding("RBD-EXISTING-101", Severity.ERROR, field=_FIELD, path=file, reason=answer.bad_file)
    elif answer.certificate is not None:
        code = _CERTIFICATE_CODES[answer.certificate]
        yield view.finding(code, Severity.ERROR, field=_FIELD, server=answer.server, reason=answer.silence)
    elif answer.silence:
        yield view.finding(
            "RBD-EXISTING-102", Severity.ERROR, field=_FIELD, evidence=answer.silence, server=answer.server
        )
    elif answer.refusal:
        yield view.finding(
            "RBD-EXISTING-103", Severity.ERROR, field=_FIELD, evidence=answer.refusal, server=answer.server
        )
    else:
        if not answer.may_all:
            yield view.finding("RBD-EXISTING-104", Severity.ERROR, field=_FIELD)
        yield from _version(answer.version, view)
        yield from _containerd(answer.version, view)
        yield from _nodes(answer, view)
        yield from _classes(answer, view)
        named = view.spec.rainbond.version
        for code, params in refused_upgrade(answer.rainbond, release_of(named) if named is not None else None):
            yield view.finding(code, Severity.ERROR, field="rainbond.version", **params)
        if answer.leftovers:
            found = ", ".join(answer.leftovers)
            yield view.finding("RBD-EXISTING-115", Severity.WARNING, field=_FIELD, found=found)


def _version(written: str, view: ClusterView) -> Iterator[Finding]:
    profile = view.spec.profile
    found = _VERSION.match(written)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    since, until = profile.kubernetes_since, profile.kubernetes_until
    if since is not None and version < since:
        wanted = f"{since[0]}.{since[1]}"
        yield view.finding("RBD-EXISTING-105", Severity.ERROR, field=_FIELD, found=written, wanted=wanted)
    elif until is not None and version > until:
        proven = f"{until[0]}.{until[1]}"
        yield view.finding("RBD-EXISTING-106", Severity.WARNING, field=_FIELD, found=written, proven=proven)


def _containerd(version: str, view: ClusterView) -> Iterator[Finding]:
    """RKE2 and K3s bring a containerd of their own, which charts before 6.5 look for elsewhere unless they are told."""
    rainbond = view.spec.rainbond
    release = release_of(rainbond.version) if rainbond.version is not None else None
    if not _OWN_CONTAINERD.search(version) or (release is not None and not release.needs_containerd_path):
        return
    is_old = "etcd" in view.spec.profile.sections
    key, value = ("useK3sContainerd", True) if is_old else ("Cluster.containerdRuntimePath", CONTAINERD_DIR)
    if _value_at(rainbond.values, key) != value:
        params = {"found": version, "key": key, "value": str(value).replace("True", "true")}
        yield view.finding("RBD-EXISTING-117", Severity.ERROR, field="rainbond.values", **params)


def _value_at(values: Mapping[str, object], key: str) -> object:
    found: object = values
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _nodes(answer: ClusterAnswer, view: ClusterView) -> Iterator[Finding]:
    known = {node.name: node for node in answer.nodes}
    for node in view.spec.nodes:
        seen = known.get(node.name)
        if seen is None:
            names = ", ".join(sorted(known)[:_SHOWN])
            yield view.finding("RBD-EXISTING-107", Severity.ERROR, node=node.name, names=names)
        else:
            yield from _node(node, seen, view)
    ports = {port.number for port in view.spec.profile.gateway_ports}
    for name, port, pod in answer.taken:
        if port in ports and Role.GATEWAY in view.spec.node(name).roles:
            yield view.finding("RBD-EXISTING-116", Severity.ERROR, node=name, port=port, pod=pod)


def _node(node: Node, seen: NodeSeen, view: ClusterView) -> Iterator[Finding]:
    if seen.hostname != node.name:
        yield view.finding("RBD-EXISTING-108", Severity.ERROR, node=node.name, label=seen.hostname or "-")
    if seen.address != str(node.cluster_address):
        field = f"nodes[{view.spec.nodes.index(node)}].{node.cluster_field}"
        yield view.finding("RBD-EXISTING-109", Severity.ERROR, node=node.name, field=field, address=seen.address or "-")
    if not seen.is_ready:
        yield view.finding("RBD-EXISTING-110", Severity.ERROR, node=node.name)
    if not seen.runtime.startswith("containerd:"):
        yield view.finding("RBD-EXISTING-111", Severity.ERROR, node=node.name, runtime=seen.runtime or "-")


def _classes(answer: ClusterAnswer, view: ClusterView) -> Iterator[Finding]:
    storage, defaults = view.spec.storage, answer.default_classes
    chosen = storage.storage_class if storage.mode is StorageMode.STORAGE_CLASS else None
    if chosen is not None and chosen not in answer.classes:
        names = ", ".join(answer.classes[:_SHOWN]) or "-"
        yield view.finding("RBD-EXISTING-114", Severity.ERROR, field="storage.storage_class", name=chosen, names=names)
    if len(defaults) > 1:
        yield view.finding("RBD-EXISTING-113", Severity.WARNING, field=_FIELD, names=", ".join(defaults))
    elif not defaults:
        yield view.finding("RBD-EXISTING-112", Severity.WARNING, field=_FIELD)
