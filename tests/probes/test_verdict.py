"""The verdict over all probes, by table; ids of probes; the published JSON."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from rbdtui.paths import asset
from rbdtui.probes import api, cluster, etcd, gateway, hosts, vip
from rbdtui.probes.model import (
    CLUSTER,
    VIP,
    Answer,
    Health,
    HealthSnapshot,
    ProbeKey,
    ProbeState,
    ProbeStatus,
)
from rbdtui.probes.verdict import QUORUM, verdict
from rbdtui.words import T, use_language

API = ProbeKey(api.API, VIP, 6443)
OTHERS = {
    "ssh1": ProbeKey(hosts.SSH, "node1", 22),
    "ssh2": ProbeKey(hosts.SSH, "node2", 22),
    "api1": ProbeKey(api.API, "node1", 6443),
    "disk1": ProbeKey(hosts.DISK, "node1"),
    "node1": ProbeKey(cluster.NODE, "node1"),
    "etcd1": ProbeKey(etcd.ETCD, "node1"),
    "vip": ProbeKey(vip.VIP_HOLDER, CLUSTER),
    "gw80": ProbeKey(gateway.GATEWAY, "node1", 80),
}
OK, EXPECTED, DEGRADED = ProbeState.OK, ProbeState.EXPECTED, ProbeState.DEGRADED
DOWN, UNKNOWN = ProbeState.DOWN, ProbeState.UNKNOWN


def status(key: ProbeKey, state: ProbeState) -> ProbeStatus:
    detail = T("probe.trouble.refused")
    return ProbeStatus(key, state, detail, since=1_790_000_000.0, newest=Answer(key, state, detail))


def picture(**states: ProbeState) -> list[ProbeStatus]:
    """All probes good but for those named."""
    keys = {"api": API, "quorum": QUORUM, **OTHERS}
    return [status(key, states.get(name, states.get("rest", OK))) for name, key in keys.items()]


@pytest.mark.parametrize(
    ("states", "health"),
    [
        ({}, Health.OK),
        ({"gw80": EXPECTED}, Health.OK),
        ({"gw80": DOWN}, Health.DEGRADED),
        ({"disk1": DEGRADED}, Health.DEGRADED),
        ({"node1": DOWN}, Health.DEGRADED),
        ({"etcd1": DOWN, "quorum": DEGRADED}, Health.DEGRADED),
        ({"ssh1": DOWN}, Health.DEGRADED),
        ({"api1": DOWN}, Health.DEGRADED),
        ({"vip": DOWN}, Health.DEGRADED),
        ({"disk1": UNKNOWN}, Health.DEGRADED),
        ({"api": DEGRADED}, Health.DEGRADED),
        ({"api": UNKNOWN}, Health.DEGRADED),
        ({"api": DOWN}, Health.DOWN),
        ({"quorum": DOWN}, Health.DOWN),
        ({"api": DOWN, "rest": DOWN}, Health.DOWN),
        ({"rest": UNKNOWN}, Health.UNKNOWN),
        ({"rest": UNKNOWN, "ssh1": DOWN, "ssh2": DOWN}, Health.UNKNOWN),
        ({"rest": UNKNOWN, "ssh1": DOWN, "api": DOWN}, Health.DOWN),
        ({"rest": UNKNOWN, "ssh1": OK}, Health.DEGRADED),
    ],
)
def test_verdict(states: dict[str, ProbeState], health: Health) -> None:
    assert verdict(picture(**states), API)[0] is health


def test_nothing_asked_is_unknown() -> None:
    assert verdict([], API)[0] is Health.UNKNOWN


@pytest.mark.parametrize(
    ("answered", "health", "words"),
    [
        ({}, Health.UNKNOWN, "Checking: 0 of 10"),
        ({"disk1": OK}, Health.UNKNOWN, "Checking: 1 of 10"),
        ({"disk1": OK, "gw80": DOWN}, Health.DEGRADED, "1 of 10"),
        ({"disk1": OK, "api": DOWN}, Health.DOWN, "does not answer at its address"),
        ({"ssh1": DOWN}, Health.UNKNOWN, "Checking: 1 of 10"),
    ],
)
def test_what_has_not_been_asked_yet_is_neither_good_nor_bad(
    answered: dict[str, ProbeState], health: Health, words: str
) -> None:
    keys = {"api": API, "quorum": QUORUM, **OTHERS}
    waiting = [
        status(key, answered[name]) if name in answered else ProbeStatus(key, UNKNOWN, T("probe.waiting"), since=0.0)
        for name, key in keys.items()
    ]
    verdict_now, headline = verdict(waiting, API)
    assert verdict_now is health
    assert words in str(headline)


def test_headline_names_what_is_bad_before_what_is_unknown() -> None:
    _, headline = verdict(picture(disk1=UNKNOWN, gw80=DOWN, ssh2=DOWN, etcd1=DOWN), API)
    assert str(headline) == "4 of 10 probes are not good: ssh@node2, etcd@node1, gateway-80@node1 and 1 more."


NODE1 = ("ssh1", "api1", "disk1", "node1", "etcd1", "gw80")


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (dict.fromkeys(NODE1, DOWN), "node1: no answer."),
        (dict.fromkeys(NODE1, UNKNOWN) | {"ssh1": DOWN, "gw80": EXPECTED}, "node1: no answer."),
        (
            dict.fromkeys(NODE1, DOWN) | {"quorum": DEGRADED, "ssh2": UNKNOWN},
            "node1: no answer. Besides, not good (2): etcd-quorum, ssh@node2.",
        ),
        (dict.fromkeys(NODE1, DOWN) | {"api1": OK}, "5 of 10 probes are not good: ssh@node1"),
    ],
)
def test_a_server_that_is_gone_is_one_fault(states: dict[str, ProbeState], words: str) -> None:
    health, headline = verdict(picture(**states), API)
    assert health is Health.DEGRADED
    assert str(headline).startswith(words)


def test_what_nothing_stands_behind_is_not_counted() -> None:
    assert "all 9 probes" in str(verdict(picture(gw80=EXPECTED), API)[1])


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (API, "api@VIP"),
        (QUORUM, "etcd-quorum"),
        (OTHERS["vip"], "vip-holder"),
        (OTHERS["gw80"], "gateway-80@node1"),
        (OTHERS["ssh1"], "ssh@node1"),
        (ProbeKey(gateway.GATEWAY, VIP, 8443), "gateway-8443@VIP"),
    ],
)
def test_ids(key: ProbeKey, name: str) -> None:
    assert key.id == name


def schema() -> Draft202012Validator:
    data = json.loads(asset("schemas", "health.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(data)
    return Draft202012Validator(data, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("state", list(ProbeState))
def test_json_keeps_the_published_shape(state: ProbeState, language: str) -> None:
    use_language(language)
    probes = tuple(picture(rest=state))
    health, headline = verdict(probes, API)
    data = HealthSnapshot(health, headline, probes).to_json()
    schema().validate(json.loads(json.dumps(data)))


def test_json_of_an_expected_closed_port_is_ok() -> None:
    data = status(OTHERS["gw80"], EXPECTED).to_json()
    assert data == {
        "id": "gateway-80@node1",
        "target": "node1",
        "port": 80,
        "state": "ok",
        "detail": "Closed: nothing listens.",
        "latency_ms": None,
        "since": "2026-09-21T14:13:20+00:00",
    }


def test_json_of_a_probe_without_a_port() -> None:
    assert status(QUORUM, OK).to_json()["port"] is None


def test_schema_refuses_a_state_outside_the_contract() -> None:
    bad = {"state": "expected", "probes": []}
    assert not schema().is_valid(bad)
