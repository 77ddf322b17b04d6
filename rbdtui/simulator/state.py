"""What all machines of a fleet have become, in a form that two fleets can be compared by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from rbdtui.simulator.files import Kind
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.kubernetes.cluster import Cluster, cluster_of
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.units import Active

UNREPEATABLE: Final = (
    "/etc/rancher/rke2/rke2.yaml",
    "/var/lib/rbdtui/started/rke2-",
    "/var/lib/rancher/rke2/server/agent-token",
    "/var/lib/rancher/rke2/agent/client-kubelet.crt",
    "/var/lib/rancher/rke2/agent/server-ca.crt",
    "/var/lib/rancher/rke2/server/node-token",
    "/var/lib/rancher/rke2/server/tls",
    "/var/lib/rancher/rke2/server/token",
)
"""Files into which a cluster's certificates get, which are never the same twice; their content does not count.

In other files the digest of the CA is as good as any other.
"""
VOLATILE: Final = ("/run", "/tmp", "/proc", "/sys")  # noqa: S108 - of the simulated machines


def fleet_state(fleet: SimulatedFleet) -> dict[str, object]:
    """Machines by name with their files, units, addresses and packages, and the clusters with nodes and members."""
    clusters = {id(cluster): cluster for cluster in fleet.network.clusters.values()}
    return {
        "machines": {name: machine_state(machine) for name, machine in fleet.machines.items()},
        "clusters": [_cluster_state(cluster) for cluster in clusters.values()],
    }


def machine_state(machine: Machine) -> dict[str, object]:
    """One machine; files are given by path, mode, owner and digest."""
    return {
        "files": dict(_files(machine)),
        "units": {unit.name: unit.active.value for unit in machine.systemd.all_units() if unit.active is Active.ACTIVE},
        "addresses": sorted(str(address) for address in machine.addresses),
        "packages": sorted(machine.packages),
        "modules": sorted(machine.modules),
        "sysctl": dict(sorted(machine.sysctl.items())),
    }


def _files(machine: Machine) -> Iterable[tuple[str, str]]:
    cluster = cluster_of(machine)
    ca_digest = cluster.server_authority.digest.encode() if cluster is not None else b""
    for path in machine.files.walk():
        if path.startswith(VOLATILE):
            continue
        entry = machine.files.get(path, follow=False)
        if entry is None:
            continue
        content = bytes(entry.content).replace(ca_digest, b"CA") if ca_digest else entry.content
        detail = {
            Kind.FILE: "" if path.startswith(UNREPEATABLE) else hashlib.sha256(content).hexdigest(),
            Kind.LINK: entry.target,
            Kind.DIRECTORY: "",
        }[entry.kind]
        yield path, f"{entry.kind.value} {entry.mode:o} {entry.owner} {detail}".rstrip()


def _cluster_state(cluster: Cluster) -> dict[str, object]:
    return {
        "nodes": {name: {"ready": cluster.ready(node), "labels": node.labels} for name, node in cluster.nodes.items()},
        "members": {member.machine.name: "learner" if member.learner else "voter" for member in cluster.members},
    }
