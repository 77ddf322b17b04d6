"""Lines for ``/etc/hosts``: every node, and the API where it has a name."""

from __future__ import annotations

from typing import Final

from rbdtui.exporters.exporter import Exporter
from rbdtui.roles import Role
from rbdtui.spec.model import ClusterSpec


class _Hosts:
    name = "hosts"
    holds = ("nodes[].name", "nodes[].address", "kubernetes.api.domain")
    roles: frozenset[Role] = frozenset()

    def write(self, spec: ClusterSpec) -> str:
        """Lines to be added to a file that is there."""
        lines = [f"{node.address}\t{node.name}" for node in spec.nodes]
        if spec.kubernetes.api.domain is not None:
            lines.append(f"{spec.api_address}\t{spec.kubernetes.api.domain}   # Kubernetes API")
        return f"# {spec.name}\n" + "".join(f"{line}\n" for line in lines)


EXPORTER: Final[Exporter] = _Hosts()
