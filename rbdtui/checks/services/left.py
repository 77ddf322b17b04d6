"""Whether a server goes on as what an earlier plan made it: no new plan stops anything of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.host_programs import INOTIFY, MYSQL_SERVER, NFS_SERVER
from rbdtui.probes.mysql_host_state import MysqlHostState, read_host_state
from rbdtui.probes.nfs_copy_state import NfsCopyState, read_copy_state
from rbdtui.probes.nfs_state import EXPORTS_FILE, NfsState, read_state
from rbdtui.spec import nfs_copy
from rbdtui.spec.model import Node
from rbdtui.transport.base import Host, TransportError

_ANYWHERE: Final = "/"
"""The tables of exports are told whatever directory is asked about."""
_ON: Final = frozenset({"active", "activating", "reloading"})

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class LeftQuestion:
    """Servers that may have been it in an earlier plan."""

    nodes: tuple[str, ...]


class LeftCheck(ABC, Generic[State]):
    """Only who is it in the plan has something of ours that goes on."""

    name: str
    field: str
    limit_s = 30.0
    section: str
    """Of the plan: asked by profiles that have it alone."""
    program: str
    """Without it a server never was one."""

    def question(self, view: ClusterView) -> LeftQuestion | None:
        """Servers of this very site with the program, which the plan does not make it."""
        if self.section not in view.spec.profile.sections or view.spec.is_existing:
            return None
        nodes = tuple(
            node.name
            for node, facts in view.answered()
            if not self.is_planned(view, node) and self.program in facts.tools and view.is_ours(node.name)
        )
        return LeftQuestion(nodes) if nodes else None

    async def ask(self, question: LeftQuestion, hosts: Mapping[str, Host], secret: KnownSecret) -> Mapping[str, State]:
        """Look, one after the other; who does not answer is left out."""
        found: dict[str, State] = {}
        for name in question.nodes:
            try:
                found[name] = await self.look(hosts[name])
            except TransportError:  # that it cannot be reached is told by the check of the server itself
                continue
        return found

    def judge(self, question: LeftQuestion, answer: Mapping[str, State] | None, view: ClusterView) -> Iterator[Finding]:
        """What goes on on each of them."""
        for name, state in (answer or {}).items():
            yield from self.told(name, state, view)

    @abstractmethod
    def is_planned(self, view: ClusterView, node: Node) -> bool:
        """Whether the plan makes a node it, so that there is nothing to ask."""

    @abstractmethod
    async def look(self, host: Host) -> State:
        """See how a host stands; changes nothing. Raises `TransportError`."""

    @abstractmethod
    def told(self, name: str, state: State, view: ClusterView) -> Iterator[Finding]:
        """What a server goes on with."""


class NfsLeftCheck(LeftCheck[NfsState]):
    """Only the plan's NFS server gives a directory of ours to others."""

    name = "nfs-left"
    field = "storage.node"
    section = "storage"
    program = NFS_SERVER

    def is_planned(self, view: ClusterView, node: Node) -> bool:
        """The NFS server; its copy gives nothing, and is told by a check of its own if it does."""
        return node in (view.spec.nfs_node, view.spec.nfs_copy_node)

    async def look(self, host: Host) -> NfsState:
        """At the tables, and at what is in force."""
        return await read_state(host, _ANYWHERE)

    def told(self, name: str, state: NfsState, view: ClusterView) -> Iterator[Finding]:
        """A directory of ours that still has clients."""
        given = ", ".join(path for path in state.own_paths if state.clients(path))
        if given:
            yield view.finding(
                "RBD-NFS-156", Severity.WARNING, field=self.field, evidence=state.evidence(),
                node=name, path=given, table=EXPORTS_FILE,
            )  # fmt: skip


class CopyLeftCheck(LeftCheck[NfsCopyState]):
    """Only the plan's NFS server sends a copy, and only the plan's copy takes one."""

    name = "nfs-copy-left"
    field = "storage.copy_node"
    section = "storage"
    program = INOTIFY

    def is_planned(self, view: ClusterView, node: Node) -> bool:
        """Both, where there is a copy: what either does then is health's matter."""
        return view.spec.nfs_copy_node is not None and node in (view.spec.nfs_node, view.spec.nfs_copy_node)

    async def look(self, host: Host) -> NfsCopyState:
        """At both services."""
        return await read_copy_state(host)

    def told(self, name: str, state: NfsCopyState, view: ClusterView) -> Iterator[Finding]:
        """Whichever of the two services runs."""
        units = ((nfs_copy.PUSH_UNIT, state.push), (nfs_copy.COPY_UNIT, state.copy))
        running = " ".join(f"{unit}.service" for unit, active in units if active in _ON)
        if running:
            yield view.finding(
                "RBD-NFS-157", Severity.WARNING, field=self.field, evidence=state.evidence(), node=name, units=running
            )


class MysqlLeftCheck(LeftCheck[MysqlHostState]):
    """Only the servers of the plan's pair have a MySQL of ours, unless the plan names one of them as that outside."""

    name = "mysql-left"
    field = "mysql.source"
    section = "mysql"
    program = MYSQL_SERVER

    def is_planned(self, view: ClusterView, node: Node) -> bool:
        """One of the pair, or the server that the plan names."""
        named = {str(node.address), str(node.cluster_address), node.name}
        return node in (view.spec.mysql_pair or ()) or view.spec.mysql.host in named

    async def look(self, host: Host) -> MysqlHostState:
        """At the service, and for whom it was set up."""
        return await read_host_state(host)

    def told(self, name: str, state: MysqlHostState, view: ClusterView) -> Iterator[Finding]:
        """A service of this site that runs."""
        if state.active in _ON and state.site == view.spec.name:
            yield view.finding(
                "RBD-MYSQL-167", Severity.WARNING, field=self.field, evidence=state.evidence(),
                node=name, unit=state.unit,
            )  # fmt: skip


NFS_LEFT: Final = NfsLeftCheck()
COPY_LEFT: Final = CopyLeftCheck()
MYSQL_LEFT: Final = MysqlLeftCheck()
