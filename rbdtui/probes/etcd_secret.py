"""Until when the certificate is good with which Rainbond 5.17 opens an etcd that is not its own.

It lies in a Secret and is a copy: whoever renews the original renews nothing there, and when it has expired all of
Rainbond that keeps something in etcd stops at once.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Final

from cryptography import x509

from rbdtui.kube.session import Json, KubeError
from rbdtui.masking import mask
from rbdtui.probes.api_session import NoApiError, api_session
from rbdtui.probes.certificates import Validity, dated, validity
from rbdtui.probes.model import CLUSTER, Answer, Expectation, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question, Stage
from rbdtui.probes.settings import Thresholds
from rbdtui.rainbond.values import ETCD_SECRET, needs_etcd_secret
from rbdtui.rainbond.workloads import NAMESPACE
from rbdtui.transport.answers import UNREADABLE
from rbdtui.words import T, Text

ETCD_SECRET_KIND: Final = ProbeKind("etcd-secret", 85, column="etcd", is_shared=True, is_measured=True)
_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}/secrets/{ETCD_SECRET}"
_KEY: Final = ProbeKey(ETCD_SECRET_KIND, CLUSTER)
_ETCD_PORT: Final = 2379
_DAY_S: Final = 86400


def judge_secret(secret: Json | None, at: float, thresholds: Thresholds) -> Answer:
    """What the Secret's certificate is worth at a moment, Unix time."""
    asked = f"GET {_PATH}"
    if secret is None:
        return Answer(_KEY, ProbeState.DOWN, T("probe.etcd_secret.absent", name=ETCD_SECRET), None, asked)
    found = _certificate(secret)
    if found is None:
        return Answer(_KEY, ProbeState.DOWN, T("probe.etcd_secret.unreadable", name=ETCD_SECRET), None, asked)
    days = int((found.end - at) // _DAY_S)
    facts: dict[str, str | int | float | Text] = {"name": ETCD_SECRET, "date": dated(found.end), "days": abs(days)}
    evidence = f"{dated(found.begin)} - {dated(found.end)} {found.subject}"
    state, detail = ProbeState.OK, T("probe.etcd_secret.good", **facts)
    if found.end <= at:
        state, detail = ProbeState.DOWN, T("probe.etcd_secret.expired", **facts)
    elif days < thresholds.certificate_warn_days:
        state, detail = ProbeState.DEGRADED, T("probe.etcd_secret.soon", **facts)
    return Answer(_KEY, state, detail, None, asked, evidence)


def _certificate(secret: Json) -> Validity | None:
    """Of the client, which stands first in its file."""
    try:
        pem = base64.b64decode((secret.get("data") or {})["cert-file"], validate=True)
        first = x509.load_pem_x509_certificates(pem)[0]
    except (*UNREADABLE, x509.InvalidVersion):
        return None
    return validity(_ETCD_PORT, first)


class EtcdSecretQuestion:
    """The Secret, as the API has it."""

    def __init__(self, around: ProbeContext) -> None:
        self._around = around
        self.keys = (_KEY,)
        self.interval_s = around.settings.cadence.slow_s
        self.limit_s = around.settings.limits.script_s * 4

    async def ask(self, post: Post) -> None:
        credentials = self._around.credentials()
        if self._around.expectation() is Expectation.CLOSED:
            post(Answer(_KEY, ProbeState.EXPECTED, T("probe.etcd_secret.not_yet")))
            return
        if credentials is None:
            post(Answer(_KEY, ProbeState.UNKNOWN, T("probe.unasked", reason=T("probe.trouble.no_way"))))
            return
        try:
            async with api_session(self._around, credentials) as (kube, _):
                secret = await kube.find(_PATH)
        except (NoApiError, KubeError) as error:
            post(Answer(_KEY, ProbeState.UNKNOWN, T("probe.unasked", reason=mask(str(error))[:300])))
            return
        post(judge_secret(secret, time.time(), self._around.settings.thresholds))


def _questions(around: ProbeContext) -> Iterator[Question]:
    if needs_etcd_secret(around.spec):
        yield EtcdSecretQuestion(around)


PROBE: Final = Probe("etcd-secret", (ETCD_SECRET_KIND,), _questions, Stage.GATEWAYS)
