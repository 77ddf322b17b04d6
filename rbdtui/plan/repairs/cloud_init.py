"""cloud-init, which would write /etc/hosts anew at each boot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.content import plain
from rbdtui.plan.repairs.repair import Repair
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.files import ManagedFile, header
from rbdtui.spec.model import ClusterSpec

_PATH = "/etc/cloud/cloud.cfg.d/99-zz-rbdtui.cfg"


@dataclass(frozen=True, slots=True)
class HostsFileKept(Repair):
    """Tell cloud-init to leave the file alone."""

    name: ClassVar[str] = "repair-cloud-init"
    codes: ClassVar[frozenset[str]] = frozenset({"RBD-NAME-106"})

    def resources(self, spec: ClusterSpec, facts: NodeFacts) -> Sequence[Resource]:
        """A file that is read after all others of its directory."""
        return (ManagedFile(_PATH, plain(f"{header(spec.name)}\nmanage_etc_hosts: false\n")),)
