"""CSV with a line of titles, for spreadsheets and scripts; `rbdtui.importers.tables` reads it."""

from __future__ import annotations

import csv
import io
from typing import Final

from rbdtui.exporters.exporter import Exporter, login_of
from rbdtui.roles import Role
from rbdtui.spec.model import ClusterSpec

_TITLES: Final = ("name", "address", "roles", "user", "port", "key", "external_address")


class _Csv:
    name = "csv"
    holds = (
        "nodes[].name", "nodes[].address", "nodes[].roles", "nodes[].ssh.user", "nodes[].ssh.port", "nodes[].ssh.key",
        "ssh.user", "ssh.port", "ssh.key", "nodes[].external_address",
    )  # fmt: skip
    roles = frozenset(Role)

    def write(self, spec: ClusterSpec) -> str:
        """A row for each node."""
        buffer = io.StringIO()
        table = csv.writer(buffer, lineterminator="\n")
        table.writerow(_TITLES)
        for node in spec.nodes:
            login = login_of(spec, node)
            external = str(node.external_address or "")
            roles = " ".join(role.value for role in node.roles)
            table.writerow([node.name, str(node.address), roles, login.user, login.port or "", login.key, external])
        return buffer.getvalue()


EXPORTER: Final[Exporter] = _Csv()
