"""Whether a server can take the copy of the made NFS server: nothing there is lost by it, and there is room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.checks.services.asking import Asking
from rbdtui.checks.services.nfs_made import UNFIT
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.probes.nfs_state import NfsState, PathKind, read_state
from rbdtui.spec import nfs_copy
from rbdtui.spec.model import ClusterSpec

_FIELD: Final = "storage.copy_node"
_KIB_PER_GIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CopyQuestion:
    """Both servers, and the directory that is the same on both."""

    source: str
    copy: str
    path: str


class NfsCopyMadeCheck:
    """The server for the copy has an empty directory, or one of ours, and enough room."""

    name = "nfs-copy-made"
    field = _FIELD
    logs_in = False

    def question(self, spec: ClusterSpec) -> CopyQuestion | None:
        """Where the plan makes one."""
        source, copy, path = spec.nfs_node, spec.nfs_copy_node, spec.storage.path
        if source is None or copy is None or not path or spec.is_existing:
            return None
        return CopyQuestion(source.name, copy.name, path)

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """Both: how much there is to copy, only the source knows."""
        return [node.name for node in (spec.nfs_node, spec.nfs_copy_node) if node is not None]

    async def ask(self, question: CopyQuestion, asking: Asking) -> NfsState:
        """Look at the directory. Raises `TransportError`."""
        assert asking.host is not None, "only the two are asked"
        return await read_state(asking.host, question.path)

    def judge(self, question: CopyQuestion, answers: Mapping[str, NfsState], view: ClusterView) -> Iterator[Finding]:
        """What would be overwritten, and what would not fit; of our own copy nothing is."""
        yield from _port(question.copy, view)
        state, source = answers.get(question.copy), answers.get(question.source)
        if state is None:
            return
        params, evidence = {"node": question.copy, "path": question.path}, state.evidence()
        if state.kind in (PathKind.LINK, PathKind.OTHER) or state.filesystem in UNFIT:
            kind = state.filesystem
            yield view.finding(
                "RBD-NFS-154", Severity.ERROR, field=_FIELD, evidence=evidence, **params, filesystem=kind
            )
        elif state.role == "source" or state.clients(question.path):
            site = view.spec.name
            yield view.finding("RBD-NFS-151", Severity.ERROR, field=_FIELD, evidence=evidence, **params, site=site)
        elif state.entries and (state.role, state.site) != ("copy", view.spec.name):
            count = state.entries
            yield view.finding("RBD-NFS-150", Severity.ERROR, field=_FIELD, evidence=evidence, **params, count=count)
        elif source is not None and (wanted := source.size_kib - source.free_kib) > _room_kib(state):
            yield view.finding(
                "RBD-NFS-153", Severity.WARNING, field=_FIELD, evidence=evidence, **params, source=question.source,
                gib=round(_room_kib(state) / _KIB_PER_GIB, 1), wanted=round(wanted / _KIB_PER_GIB, 1),
            )  # fmt: skip


def _room_kib(state: NfsState) -> int:
    """What may be used for the copy: of a copy that is there, what it takes as well."""
    return state.size_kib if state.role == "copy" else state.free_kib


def _port(node: str, view: ClusterView) -> Iterator[Finding]:
    facts = view.facts.get(node)
    for listener in facts.listeners if facts is not None else ():
        if listener.port == nfs_copy.PORT and listener.process not in ("", "rsync"):
            yield view.finding(
                "RBD-NFS-152", Severity.ERROR, field=_FIELD, node=node, port=listener.port, process=listener.process,
                evidence=f"{listener.protocol} {listener.address}:{listener.port}",
            )  # fmt: skip


CHECK: Final = NfsCopyMadeCheck()
