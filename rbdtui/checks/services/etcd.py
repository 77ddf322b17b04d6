"""The etcd that Rainbond 5.17 is given: certificates that fit, and members that answer from where it will run.

Rainbond gets the files as the Secret ``rbd-etcd-secret`` in ``rbd-system`` with the keys ``ca-file``, ``cert-file``
and ``key-file`` (goodrain/rainbond-operator@v5.17.2-release, controllers/handler/common.go).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rbdtui.checks.services.asking import THIS_MACHINE, Asking
from rbdtui.checks.services.etcd_certificates import Flaw, flaws, read_material
from rbdtui.checks.services.etcd_client import Member, ask_member, context_of
from rbdtui.checks.services.etcd_findings import certificate_findings, cluster_findings, look
from rbdtui.checks.services.witnesses import told_once
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec, Role
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.together import together


@dataclass(frozen=True, slots=True)
class EtcdQuestion:
    """Endpoints, and paths of the files on this machine."""

    endpoints: tuple[str, ...]
    ca: str
    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class EtcdAnswer:
    """What one place sees; the files are the same from everywhere."""

    flaws: tuple[Flaw, ...] = ()
    members: tuple[Member, ...] = ()


class EtcdCheck:
    """The external etcd takes our certificate and is well."""

    name = "etcd"
    field = "etcd.endpoints"
    logs_in = False

    def question(self, spec: ClusterSpec) -> EtcdQuestion | None:
        """Endpoints and files, where the profile has an etcd to choose and it is one of the site's own."""
        etcd = spec.etcd
        if "etcd" not in spec.profile.sections or etcd.mode is not EtcdMode.EXTERNAL or not etcd.endpoints:
            return None
        if etcd.ca is None or etcd.cert is None or etcd.key is None:
            return None
        return EtcdQuestion(tuple(etcd.endpoints), etcd.ca, etcd.cert, etcd.key)

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """Nodes that Rainbond's parts may run on."""
        return [*(node.name for node in spec.nodes_with(Role.WORKER)), THIS_MACHINE]

    async def ask(self, question: EtcdQuestion, asking: Asking) -> EtcdAnswer:
        """Look at the files and ask every member. Raises `TransportError`."""
        found, tls = await asyncio.to_thread(_prepare, question)
        members = await together(*(ask_member(asking, endpoint, tls) for endpoint in question.endpoints))
        return EtcdAnswer(found, tuple(members))

    def judge(self, question: EtcdQuestion, answers: Mapping[str, EtcdAnswer], view: ClusterView) -> Iterator[Finding]:
        """Flaws of the files once, then one finding for all places that see the same."""
        any_answer = next(iter(answers.values()))
        paths = {"ca": question.ca, "cert": question.cert, "key": question.key}
        yield from certificate_findings(any_answer.flaws, paths, view)
        yield from told_once(view, answers, lambda _, answer: look(question.endpoints, answer.members))
        yield from told_once(view, answers, lambda _, answer: cluster_findings(question.endpoints, answer.members))


CHECK: Final = EtcdCheck()


def _prepare(question: EtcdQuestion) -> tuple[tuple[Flaw, ...], ssl.SSLContext | None]:
    """Flaws of the files, and TLS where they can be used for it."""
    material = read_material(question.ca, question.cert, question.key)
    if material is None:
        return (), None
    found = flaws(material)
    try:
        ca, cert, key = (str(Path(path).expanduser()) for path in (question.ca, question.cert, question.key))
        usable = not any(flaw.severity is Severity.ERROR for flaw in found)
        return found, context_of(ca, cert, key) if usable else None
    except (OSError, ValueError):
        return found, None
