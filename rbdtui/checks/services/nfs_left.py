"""Whether a server that an earlier plan made the NFS server goes on as one: no new plan stops anything of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.host_programs import NFS_SERVER
from rbdtui.probes.nfs_state import EXPORTS_FILE, NfsState, read_state
from rbdtui.transport.base import Host, TransportError

_ANYWHERE: Final = "/"
"""The tables of exports are told whatever directory is asked about."""


@dataclass(frozen=True, slots=True)
class LeftQuestion:
    """Servers that may have been the NFS server of an earlier plan."""

    nodes: tuple[str, ...]


class NfsLeftCheck:
    """Only the plan's NFS server gives a directory of ours to others."""

    name = "nfs-left"
    field = "storage.node"
    limit_s = 30.0

    def question(self, view: ClusterView) -> LeftQuestion | None:
        """Servers of this very site with the programs, that the plan has neither as the NFS server nor as its copy."""
        spec = view.spec
        if "storage" not in spec.profile.sections or spec.is_existing:
            return None
        planned = (spec.nfs_node, spec.nfs_copy_node)
        nodes = tuple(
            node.name
            for node, facts in view.answered()
            if node not in planned and NFS_SERVER in facts.tools and view.is_ours(node.name)
        )
        return LeftQuestion(nodes) if nodes else None

    async def ask(
        self, question: LeftQuestion, hosts: Mapping[str, Host], secret: KnownSecret
    ) -> Mapping[str, NfsState]:
        """Look at the tables and at what is in force, one after the other; who does not answer is left out."""
        found: dict[str, NfsState] = {}
        for name in question.nodes:
            try:
                found[name] = await read_state(hosts[name], _ANYWHERE)
            except TransportError:  # that it cannot be reached is told by the check of the server itself
                continue
        return found

    def judge(
        self, question: LeftQuestion, answer: Mapping[str, NfsState] | None, view: ClusterView
    ) -> Iterator[Finding]:
        """Each server that still has clients for a directory of ours."""
        for name, state in (answer or {}).items():
            given = ", ".join(path for path in state.own_paths if state.clients(path))
            if given:
                yield view.finding(
                    "RBD-NFS-156", Severity.WARNING, field=self.field, evidence=state.evidence(),
                    node=name, path=given, table=EXPORTS_FILE,
                )  # fmt: skip


CHECK: Final = NfsLeftCheck()
