"""The cluster's own etcd for Rainbond 5.17: whether its nodes have the certificates, and these are good.

On servers where Kubernetes is still to be installed there are none, which is as it should be. Files by layout: RKE2's
k3s-io/k3s pkg/daemons/control/deps; RKE1's rancher/rke pki; kubernetes.io, "PKI certificates and requirements".
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.checks.services.asking import Asking
from rbdtui.checks.services.etcd_certificates import Flaw, Material, flaws
from rbdtui.checks.services.witnesses import Seen, told_once
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec, Role
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.transport.answers import parse_answer
from rbdtui.transport.scripts import script

_FIELD: Final = "etcd.mode"
_ROLES: Final = ("ca", "cert", "key")


@dataclass(frozen=True, slots=True)
class ReuseQuestion:
    """Nothing but that it is asked."""


@dataclass(frozen=True, slots=True)
class ReuseAnswer:
    """The certificates of one node."""

    layout: str = ""
    """Empty when there are none at all."""
    paths: tuple[str, ...] = ()
    """Of authority, certificate and key."""
    absent: tuple[str, ...] = ()
    flaws: tuple[Flaw, ...] = ()


class EtcdReuseCheck:
    """Certificates that Rainbond can be given for the cluster's etcd."""

    name = "etcd-reuse"
    field = _FIELD
    logs_in = False

    def question(self, spec: ClusterSpec) -> ReuseQuestion | None:
        """Where the plan uses the cluster's etcd."""
        is_asked = "etcd" in spec.profile.sections and spec.etcd.mode is EtcdMode.REUSE
        return ReuseQuestion() if is_asked else None

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """The nodes that have it."""
        return [node.name for node in spec.nodes_with(Role.ETCD)]

    async def ask(self, question: ReuseQuestion, asking: Asking) -> ReuseAnswer:
        """Look for the files. Raises `TransportError`."""
        host = asking.host
        assert host is not None, "only nodes are asked"
        result = await host.must(script("etcd-certificates"), "")
        return parse_answer(host.name, "etcd-certificates", lambda: read_certificates(result.text))

    def judge(
        self, question: ReuseQuestion, answers: Mapping[str, ReuseAnswer], view: ClusterView
    ) -> Iterator[Finding]:
        """Flaws of each node, and once what will be handed on."""
        for name, answer in answers.items():
            places = {role: f"{name}:{path}" for role, path in zip(_ROLES, answer.paths, strict=False)}
            for flaw in answer.flaws:
                params = {"path": places[flaw.role], "detail": flaw.detail}
                yield view.finding(flaw.code, flaw.severity, field=_FIELD, evidence=flaw.detail, **params)
        yield from told_once(view, answers, lambda _, answer: _look(answer))


CHECK: Final = EtcdReuseCheck()


def read_certificates(text: str) -> ReuseAnswer:
    """What the script printed."""
    lines = [line.split(" ") for line in text.splitlines() if line]
    if not lines:
        return ReuseAnswer()
    layout = next((words for words in lines if words[0] == "layout"), [""])
    name, paths = "".join(layout[1:2]), tuple(layout[2:5])
    if len(paths) != len(_ROLES):
        raise ValueError(f"a layout of {len(paths)} files")
    absent = tuple(words[1] for words in lines if words[0] == "absent")
    contents = {words[0]: base64.b64decode(words[1], validate=True) for words in lines if words[0] in ("ca", "cert")}
    found: tuple[Flaw, ...] = ()
    if len(contents) == len(_ROLES) - 1:
        found = flaws(Material(contents["ca"], contents["cert"]))
    if ["fits", "no"] in lines:
        found = (*found, Flaw("RBD-ETCD-124", Severity.ERROR, "key"))
    return ReuseAnswer(name, paths, absent, found)


def _look(answer: ReuseAnswer) -> Iterator[Seen]:
    if answer.absent:
        missing = {"paths": ", ".join(answer.absent)}
        yield Seen("RBD-ETCD-131", Severity.ERROR, _FIELD, missing, f"{answer.layout}: {' '.join(answer.paths)}")
    elif answer.layout and not any(flaw.severity is Severity.ERROR for flaw in answer.flaws):
        params = dict(zip(_ROLES, answer.paths, strict=True))
        yield Seen("RBD-ETCD-132", Severity.INFO, _FIELD, params, answer.layout)
