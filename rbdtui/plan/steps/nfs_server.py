"""An NFS server on a node: a directory of its own, given to the networks of the cluster's nodes.

``no_root_squash``, as Rainbond's own pods write as root; ``sync``, so that what was acknowledged outlives a power cut;
``fsid``, so that a handle of a client stays good when the directory is moved to another disk. Sources: exports(5),
nfs.conf(5) of nfs-utils; Linux, fs/lockd/svc.c (``nlm_tcpport``).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import ClassVar, Final

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.content import Content, fill_asset, plain
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.exports import GivenDirectory, InForce
from rbdtui.plan.resources.files import ManagedFile, header
from rbdtui.plan.resources.units import RunningUnit, StoppedUnits, digest_of
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.base import ResourceStep
from rbdtui.probes.nfs_state import EXPORTS_FILE
from rbdtui.spec import nfs_copy, nfs_ports
from rbdtui.spec.model import ClusterSpec

UNIT: Final = "nfs-server.service"
PORTS_FILE: Final = "/etc/nfs.conf.d/rbdtui.conf"
LOCKD_FILE: Final = "/etc/modprobe.d/rbdtui-nfs.conf"
_OPTIONS: Final = "rw,sync,no_subtree_check,no_root_squash"
_SPACE: Final = uuid.UUID("5f1c2a0e-8d43-4b0f-9d0e-6f1f5a6f7c21")
"""Of our own: the same site and path always have the same number."""


def clients(spec: ClusterSpec, facts: Mapping[str, NodeFacts]) -> tuple[str, ...]:
    """Who may have the directory: the networks in which the nodes of Kubernetes are, without any that lies in another.

    Of a node whose interface is not known it is the address alone.
    """
    found: list[IPv4Network] = []
    for node in spec.cluster_nodes:
        known = facts.get(node.name)
        interface = known.interface_of(node.cluster_address) if known is not None else None
        own = [each.network for each in interface.addresses if each.ip == node.cluster_address] if interface else []
        found += own or [IPv4Network(node.cluster_address)]
    return tuple(str(network) for network in collapse_addresses(found))


def table(spec: ClusterSpec, networks: Sequence[str]) -> Content:
    """Our table of exports."""
    path = spec.storage.path or ""
    options = f"{_OPTIONS},fsid={uuid.uuid5(_SPACE, f'{spec.name} {path}')}"
    return plain(f"{header(spec.name)}\n{path} {' '.join(f'{network}({options})' for network in networks)}\n")


@dataclass(frozen=True, slots=True)
class NfsServer(ResourceStep):
    """The NFS server gives its directory to the nodes."""

    name: ClassVar[str] = "nfs-server"

    def resources(self, context: StepContext) -> Sequence[Resource]:
        """Ports before the first start; the table behind it, as nobody has to be kept waiting by a restart for it."""
        spec = context.spec
        path, networks = spec.storage.path or "", clients(spec, context.facts)
        values = {"header": header(spec.name), "mountd": str(nfs_ports.MOUNTD), "statd": str(nfs_ports.STATD)}
        values["lockd"] = str(nfs_ports.LOCKD)
        ports, lockd = (fill_asset(name, values, _no_secret) for name in ("nfs.conf", "nfs-lockd.conf"))
        return (
            GivenDirectory(path, spec.name),
            ManagedFile(LOCKD_FILE, lockd),
            ManagedFile(PORTS_FILE, ports),
            RunningUnit(UNIT, digest_of([lockd, ports]), restarts=True),
            ManagedFile(EXPORTS_FILE, table(spec, networks)),
            InForce(path, networks),
            *(() if spec.nfs_copy_node is not None else (StoppedUnits((f"{nfs_copy.PUSH_UNIT}.service",)),)),
        )


def _no_secret(name: str) -> str:
    raise KeyError(name)
