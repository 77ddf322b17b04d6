"""Health for Prometheus: read back by the rules of its text format."""

from __future__ import annotations

import re

import pytest

from rbdtui.probes.api import API
from rbdtui.probes.gateway import GATEWAY
from rbdtui.probes.model import VIP, Health, HealthSnapshot, ProbeKey, ProbeState, ProbeStatus
from rbdtui.probes.prometheus import escaped, metrics
from rbdtui.words import T

SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\} (-?[0-9.e+]+)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\["\\n])*)"')


def snapshot() -> HealthSnapshot:
    waiting = T("probe.waiting")
    probes = (
        ProbeStatus(ProbeKey(API, VIP, 6443), ProbeState.OK, waiting, 1000.0, 2.5, answered_at=1234.5),
        ProbeStatus(ProbeKey(GATEWAY, "node1", 443), ProbeState.EXPECTED, waiting, 1000.0),
        ProbeStatus(ProbeKey(GATEWAY, "node2", 443), ProbeState.DOWN, waiting, 1100.25, None, answered_at=1234.0),
    )
    return HealthSnapshot(Health.DEGRADED, waiting, probes, (), 1300.0)


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match is not None, line
        back = {
            name: re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], v) for name, v in LABEL.findall(match[2])
        }
        key = (match[1], frozenset(back.items()))
        assert key not in found, "a sample stands once"
        found[key] = float(match[3])
    return found


def value(text: str, name: str, **labels: str) -> list[float]:
    return [v for (n, known), v in parsed(text).items() if n == name and labels.items() <= dict(known).items()]


def test_every_probe_is_in_one_of_four_states() -> None:
    text = metrics(snapshot(), "site-a")
    for probe, state in (("api@VIP", "ok"), ("gateway-443@node1", "ok"), ("gateway-443@node2", "down")):
        assert value(text, "rbdtui_probe_state", probe=probe, state=state) == [1]
        assert sorted(value(text, "rbdtui_probe_state", probe=probe)) == [0, 0, 0, 1]
    assert value(text, "rbdtui_health_state", state="degraded", site="site-a") == [1]
    assert value(text, "rbdtui_probe_latency_seconds") == [0.0025]
    assert value(text, "rbdtui_probe_since_timestamp_seconds", probe="gateway-443@node2") == [1100.25]
    assert value(text, "rbdtui_health_timestamp_seconds") == [1300]
    assert value(text, "rbdtui_probe_state", port="443", target="node2", kind="gateway", state="down") == [1]


def test_each_family_stands_together_behind_its_help_and_type() -> None:
    lines = metrics(snapshot(), "site-a").splitlines()
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    current = ""
    for line in lines:
        current = line.split()[2] if line.startswith("#") else current
        assert line.startswith(("#", f"{current}{{"))


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "a\\nb", '\\"', "站点"])
def test_labels_are_read_back_as_they_were(name: str) -> None:
    assert value(metrics(snapshot(), name), "rbdtui_health_timestamp_seconds", site=name) == [1300]
    assert "\n" not in escaped(name)
