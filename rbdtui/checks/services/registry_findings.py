"""What the answers of a registry mean for the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.checks.services.registry_answer import Fault, RegistryAnswer, RegistryFailure, RegistryQuestion
from rbdtui.checks.services.witnesses import Seen, told_once
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity

_DOMAIN, _SCHEME, _CA, _USER = "registry.domain", "registry.scheme", "registry.ca", "registry.username"
_PASSWORD, _NAMESPACE = "registry.password", "registry.namespace"
_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO
_OBSTACLES: Final = {
    1: ("RBD-REG-101", _E),
    2: ("RBD-REG-102", _E),
    3: ("RBD-REG-103", _E),
    4: ("RBD-REG-104", _E),
    5: ("RBD-REG-105", _W),
}
_CODES: Final = {
    Fault.SILENT: ("RBD-REG-106", _E, _DOMAIN),
    Fault.BROKEN: ("RBD-REG-107", _E, _DOMAIN),
    Fault.NOT_REGISTRY: ("RBD-REG-108", _E, _DOMAIN),
    Fault.NOT_HTTP: ("RBD-REG-109", _E, _DOMAIN),
    Fault.IS_HTTP: ("RBD-REG-110", _E, _SCHEME),
    Fault.IS_HTTPS: ("RBD-REG-111", _E, _SCHEME),
    Fault.REDIRECTS: ("RBD-REG-112", _E, _DOMAIN),
    Fault.UNWELL: ("RBD-REG-113", _E, _DOMAIN),
    Fault.TLS_REFUSED: ("RBD-REG-120", _E, _DOMAIN),
    Fault.UNTRUSTED: ("RBD-REG-121", _E, _CA),
    Fault.OTHER_NAME: ("RBD-REG-122", _E, _DOMAIN),
    Fault.EXPIRED: ("RBD-REG-123", _E, _DOMAIN),
    Fault.NOT_YET_VALID: ("RBD-REG-124", _E, _DOMAIN),
    Fault.EXPIRES_SOON: ("RBD-REG-125", _W, _DOMAIN),
    Fault.CERTIFICATE: ("RBD-REG-126", _E, _CA),
    Fault.CA_FILE: ("RBD-REG-127", _E, _CA),
    Fault.LOGIN_NEEDED: ("RBD-REG-131", _E, _USER),
    Fault.LOGIN_REFUSED: ("RBD-REG-132", _E, _PASSWORD),
    Fault.TOKEN_SERVICE: ("RBD-REG-133", _E, _DOMAIN),
    Fault.TOKEN_IN_CLEAR: ("RBD-REG-134", _E, _DOMAIN),
    Fault.NOT_LOGGED_IN: ("RBD-REG-135", _W, _PASSWORD),
    Fault.NO_PULL: ("RBD-REG-141", _E, _USER),
    Fault.NO_PUSH: ("RBD-REG-142", _E, _USER),
    Fault.NO_NAMESPACE: ("RBD-REG-143", _E, _NAMESPACE),
    Fault.READ_ONLY: ("RBD-REG-144", _E, _DOMAIN),
    Fault.PUSH_FAILED: ("RBD-REG-145", _E, _DOMAIN),
    Fault.LEADS_ELSEWHERE: ("RBD-REG-146", _E, _DOMAIN),
    Fault.LEFT: ("RBD-REG-147", _I, _DOMAIN),
    Fault.OTHER_CONTENT: ("RBD-REG-148", _E, _DOMAIN),
    Fault.MISSING: ("RBD-REG-151", _W, _NAMESPACE),
}
_ONCE: Final = (Fault.LEFT,)
"""Names something else for each place, and means the same."""


def judge(question: RegistryQuestion, answers: Mapping[str, RegistryAnswer], view: ClusterView) -> Iterator[Finding]:
    """One finding for all nodes that see the same."""
    left: list[str] = []

    def look(name: str, answer: RegistryAnswer) -> Iterator[Seen]:
        for trouble in answer.troubles:
            if trouble.fault in _ONCE:
                left.append(trouble.detail)
            else:
                yield seen(question, trouble)

    yield from told_once(view, answers, look)
    if left:
        code, severity, path = _CODES[Fault.LEFT]
        params = {"registry": _name(question), "image": left[0].partition(":")[0]}
        yield view.finding(code, severity, field=path, evidence="\n".join(left), **params)


def _name(question: RegistryQuestion) -> str:
    usual = question.port == (443 if question.https else 80)
    return question.host if usual else f"{question.host}:{question.port}"


def seen(question: RegistryQuestion, trouble: RegistryFailure) -> Seen:
    """What a trouble means for the plan."""
    if trouble.fault is Fault.OBSTACLE:
        code, severity = _OBSTACLES[trouble.number]
        path = _DOMAIN
    else:
        code, severity, path = _CODES[trouble.fault]
    params: dict[str, str | int] = {
        "registry": _name(question),
        "port": question.port,
        "user": question.username,
        "namespace": question.namespace,
        "detail": trouble.detail,
        "number": trouble.number,
    }
    return Seen(code, severity, path, params, trouble.evidence or trouble.detail)
