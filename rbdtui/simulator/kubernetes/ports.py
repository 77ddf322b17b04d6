"""What listens where on a simulated node of RKE2 (rke2 v1.30.4, as seen on hosts and in its source)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LOOPBACK: Final = "127.0.0.1"
ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - of the simulated machine
NODE_ADDRESS: Final = "node"
"""Stands for the machine's own address."""
ETCD_HTTP_PORT: Final = 2382
"""Where etcd's JSON gateway answers; 2379 speaks gRPC alone."""
ETCD_METRICS_PORT: Final = 2381
SUPERVISOR_PORT: Final = 9345
API_PORT: Final = 6443
SUPERVISOR_BALANCER_PORT: Final = 6444


@dataclass(frozen=True, slots=True)
class Port:
    """A socket that a part of RKE2 waits on."""

    address: str
    number: int
    process: str


ETCD: Final = (
    Port(NODE_ADDRESS, 2379, "etcd"),
    Port(NODE_ADDRESS, 2380, "etcd"),
    Port(LOOPBACK, 2379, "etcd"),
    Port(LOOPBACK, 2380, "etcd"),
    Port(LOOPBACK, ETCD_HTTP_PORT, "etcd"),
)
ETCD_BALANCER: Final = (Port(LOOPBACK, 2379, "rke2"),)
"""On servers without etcd: the way to those that have it."""
CONTROL_PLANE: Final = (
    Port(LOOPBACK, 10257, "kube-controller"),
    Port(LOOPBACK, 10258, "cloud-controlle"),
    Port(LOOPBACK, 10259, "kube-scheduler"),
    Port(ANYWHERE, 10260, "cloud-controlle"),
)
BALANCERS: Final = (Port(LOOPBACK, API_PORT, "rke2"), Port(LOOPBACK, SUPERVISOR_BALANCER_PORT, "rke2"))
"""On nodes without an API server: the ways to those that have one."""
CONTAINERD: Final = (Port(LOOPBACK, 10010, "containerd"),)
NODE: Final = (
    Port(ANYWHERE, 10250, "kubelet"),
    Port(LOOPBACK, 10248, "kubelet"),
    Port(LOOPBACK, 10249, "kube-proxy"),
    Port(LOOPBACK, 10256, "kube-proxy"),
)
INGRESS: Final = (Port(ANYWHERE, 80, "ingress"), Port(ANYWHERE, 443, "ingress"))
"""Host ports of the bundled ingress, on every node."""
