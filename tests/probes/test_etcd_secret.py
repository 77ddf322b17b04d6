"""Until when Rainbond 5.17 can open the cluster's etcd: judged by what is in its Secret, as the API gives it."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest

from rbdtui.probes.etcd_secret import EtcdSecretQuestion, judge_secret
from rbdtui.probes.model import Answer, ProbeState
from rbdtui.probes.registry import PROBES
from rbdtui.probes.settings import Thresholds
from rbdtui.rainbond.values import ETCD_SECRET
from tests.probes.standin import spec_of
from tests.probes.targets import Authority
from tests.probes.test_monitor import Scene, scene
from tests.probes.test_outside import around, asked

SECRET = f"/api/v1/namespaces/rbd-system/secrets/{ETCD_SECRET}"
DAY_S = 86400.0


def secret(content: bytes) -> dict[str, object]:
    return {"kind": "Secret", "data": {"cert-file": base64.b64encode(content).decode(), "key-file": "a2V5"}}


@pytest.mark.parametrize(
    ("later_s", "warn_days", "state", "words"),
    [
        (0.0, 0, ProbeState.OK, "valid for another 0 days"),
        (0.0, 30, ProbeState.DEGRADED, "expires in 0 days"),
        (3 * DAY_S, 30, ProbeState.DOWN, "expired 3 days ago"),
    ],
)
def test_dates(authority: Authority, later_s: float, warn_days: int, state: ProbeState, words: str) -> None:
    issued = authority.issue("client")
    answer = judge_secret(
        secret(issued.certificate), time.time() + later_s, Thresholds(certificate_warn_days=warn_days)
    )
    assert (answer.state, words in str(answer.detail)) == (state, True), answer.detail
    assert "CN=somebody" in answer.evidence


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", b"\xff\0"])
def test_what_is_no_certificate(content: bytes) -> None:
    assert judge_secret(secret(content), 0.0, Thresholds()).state is ProbeState.DOWN
    assert judge_secret({"data": {"cert-file": content.hex() + "!"}}, 0.0, Thresholds()).state is ProbeState.DOWN


async def ask(cluster: Scene, *, installed: bool = True) -> Answer:
    made = around(spec_of("rainbond-5.17", etcd={"mode": "reuse"}), cluster.network)
    made.kubeconfig, made.rainbond = cluster.kubeconfig, installed
    (answer,) = await asked(EtcdSecretQuestion(made))
    return answer


async def test_it_is_read_from_the_api(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        assert (await ask(cluster)).state is ProbeState.DOWN, "it is not there"
        assert (await ask(cluster, installed=False)).state is ProbeState.EXPECTED
        pem = authority.issue("client").certificate
        cluster.namespace.answers[SECRET] = (200, json.dumps(secret(pem)).encode())
        answer = await ask(cluster)
        assert answer.state is ProbeState.DEGRADED, "the test's certificates are good for an hour"
        assert "a2V5" not in answer.evidence
        for place in [place for place in cluster.network if place[1] == 6443]:
            del cluster.network[place]
        assert (await ask(cluster)).state is ProbeState.UNKNOWN


def test_only_an_etcd_that_is_not_rainbonds_own_has_one() -> None:
    (probe,) = (each for each in PROBES if each.name == "etcd-secret")
    for spec, count in (
        (spec_of("rainbond-5.17", etcd={"mode": "reuse"}), 1),
        (spec_of("rainbond-5.17", etcd={"mode": "builtin"}), 0),
        (spec_of(), 0),
    ):
        assert len(list(probe.questions(around(spec, {})))) == count
