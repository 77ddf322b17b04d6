"""What a node can be there for."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a node does."""

    CONTROL_PLANE = "control-plane"
    ETCD = "etcd"
    WORKER = "worker"
    GATEWAY = "gateway"
    BUILD = "build"
    BALANCER = "balancer"
    """Carries the VIP with HAProxy behind it, and is no node of Kubernetes."""
    SERVICE = "service"
    """Carries a service that is made for the cluster, such as its NFS server, and is no node of Kubernetes."""


OUTSIDE: Final = frozenset({Role.BALANCER, Role.SERVICE})
"""What is done beside Kubernetes; a server that does it does nothing else."""
