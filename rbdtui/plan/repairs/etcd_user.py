"""The user that RKE2 wants with a hardening profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.repairs.commands import SystemUser
from rbdtui.plan.repairs.repair import Repair
from rbdtui.plan.resources.base import Resource
from rbdtui.spec.model import ClusterSpec


@dataclass(frozen=True, slots=True)
class EtcdUser(Repair):
    """Make it (rke2-docs, docs/security/hardening_guide.md, "Create the etcd user")."""

    name: ClassVar[str] = "repair-etcd-user"
    codes: ClassVar[frozenset[str]] = frozenset({"RBD-SEC-105"})

    def resources(self, spec: ClusterSpec, facts: NodeFacts) -> Sequence[Resource]:
        """User and group."""
        return (SystemUser("etcd", "etcd user"),)
