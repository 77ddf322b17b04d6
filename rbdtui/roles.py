"""What a node can be there for."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a node does."""

    CONTROL_PLANE = "control-plane"
    ETCD = "etcd"
    WORKER = "worker"
    GATEWAY = "gateway"
    BUILD = "build"
    BALANCER = "balancer"
    """Carries the VIP with HAProxy behind it, and is no node of Kubernetes."""
