"""Web servers of the distribution on ports that the plan needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.checks.hosts.listening import in_the_way
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.repairs.repair import Repair
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.resources.units import StoppedUnits
from rbdtui.spec.model import ClusterSpec

KNOWN = frozenset(
    {"apache2.service", "caddy.service", "httpd.service", "lighttpd.service", "nginx.service", "openresty.service"}
)  # fmt: skip
"""What is often installed and forgotten; anything else is for its owner to decide."""


@dataclass(frozen=True, slots=True)
class WebServersOff(Repair):
    """Stop them, also at boot."""

    name: ClassVar[str] = "repair-web-servers"
    codes: ClassVar[frozenset[str]] = frozenset({"RBD-PORT-101", "RBD-PORT-102"})

    def resources(self, spec: ClusterSpec, facts: NodeFacts) -> Sequence[Resource]:
        """Those that listen where the plan will."""
        units = sorted(in_the_way(spec, facts) & KNOWN)
        return (StoppedUnits(tuple(units)),) if units else ()
