"""Whether a node can be made the NFS server of the plan: nothing is there that would be given away or has its ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.checks.services.asking import Asking
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.probes.nfs_state import NfsState, PathKind, read_state
from rbdtui.spec import nfs_ports
from rbdtui.spec.model import ClusterSpec

_FIELD: Final = "storage.node"
_PATH: Final = "storage.path"
UNFIT: Final = frozenset({"tmpfs", "ramfs", "overlay", "squashfs", "nfs", "nfs4", "cifs", "9p", "vfat"})
"""What the kernel does not give away, or what is gone after a power cut (Linux, Documentation/filesystems/nfs)."""
_OWN_PROGRAMS: Final = frozenset({"", "nfsd", "rpc.mountd", "rpc.statd", "rpcbind", "systemd", "lockd"})
"""Who has these ports where an NFS server is; the kernel's own sockets name nobody."""
_LEAST_FREE_GIB: Final = 20
_KIB_PER_GIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MadeQuestion:
    """The node, and the directory that it shall give away."""

    node: str
    path: str


class NfsMadeCheck:
    """The node that is to be the NFS server has room for it."""

    name = "nfs-made"
    field = _FIELD
    logs_in = False

    def question(self, spec: ClusterSpec) -> MadeQuestion | None:
        """Where the plan makes one."""
        node, path = spec.nfs_node, spec.storage.path
        return MadeQuestion(node.name, path) if node is not None and path and not spec.is_existing else None

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """That node alone."""
        return [spec.nfs_node.name] if spec.nfs_node is not None else []

    async def ask(self, question: MadeQuestion, asking: Asking) -> NfsState:
        """Look at the directory and at what is given away by now. Raises `TransportError`."""
        assert asking.host is not None, "only the node is asked"
        return await read_state(asking.host, question.path)

    def judge(self, question: MadeQuestion, answers: Mapping[str, NfsState], view: ClusterView) -> Iterator[Finding]:
        """What stands in the way; of our own earlier run nothing does."""
        state = answers.get(question.node)
        if state is None:
            return
        params = {"node": question.node, "path": question.path}
        evidence = state.evidence()
        if state.kind in (PathKind.LINK, PathKind.OTHER):
            yield view.finding("RBD-NFS-140", Severity.ERROR, field=_PATH, evidence=evidence, **params)
        elif given := state.moved_from(question.path):
            yield view.finding("RBD-NFS-147", Severity.ERROR, field=_PATH, evidence=evidence, **params, given=given)
        elif state.role == "copy":
            site = view.spec.name
            yield view.finding("RBD-NFS-155", Severity.ERROR, field=_FIELD, evidence=evidence, **params, site=site)
        elif state.entries and not state.is_ours and (state.role, state.site) != ("source", view.spec.name):
            count = state.entries
            yield view.finding("RBD-NFS-142", Severity.ERROR, field=_PATH, evidence=evidence, **params, count=count)
        if state.others:
            given = "; ".join(line.split()[0] for line in state.others)
            yield view.finding("RBD-NFS-141", Severity.ERROR, field=_FIELD, evidence=evidence, **params, exports=given)
        if state.filesystem in UNFIT:
            kind = state.filesystem
            yield view.finding("RBD-NFS-145", Severity.ERROR, field=_PATH, evidence=evidence, **params, filesystem=kind)
        elif state.size_kib and not state.is_ours:
            yield from _room(state, params, evidence, view)
        yield from _ports(question, view)


def _room(state: NfsState, params: dict[str, str], evidence: str, view: ClusterView) -> Iterator[Finding]:
    if state.free_kib < _LEAST_FREE_GIB * _KIB_PER_GIB:
        free = round(state.free_kib / _KIB_PER_GIB, 1)
        yield view.finding(
            "RBD-NFS-144", Severity.WARNING, field=_PATH, evidence=evidence, **params, gib=free, wanted=_LEAST_FREE_GIB
        )
    if state.mount == "/":
        yield view.finding("RBD-NFS-146", Severity.WARNING, field=_PATH, evidence=evidence, **params)


def _ports(question: MadeQuestion, view: ClusterView) -> Iterator[Finding]:
    facts = view.facts.get(question.node)
    for listener in facts.listeners if facts is not None else ():
        if listener.port in nfs_ports.ALL and listener.process not in _OWN_PROGRAMS:
            yield view.finding(
                "RBD-NFS-143", Severity.ERROR, field=_FIELD, node=question.node, port=listener.port,
                process=listener.process, evidence=f"{listener.protocol} {listener.address}:{listener.port}",
            )  # fmt: skip


CHECK: Final = NfsMadeCheck()
