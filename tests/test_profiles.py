"""Profiles are values: what one is stands in a file of its own, and nothing else asks which one it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui import profiles
from rbdtui.bundle.images import asked_ingresses
from rbdtui.checks.hosts.ports import listening_needs, ways
from rbdtui.findings import Severity
from rbdtui.paths import asset
from rbdtui.plan.cluster import rke2_settings
from rbdtui.plan.steps.prepare import hosts_lines
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.profiles import KUBERNETES_ONLY, PROFILES, RAINBOND_6, GatewayPort, Profile, Reach
from rbdtui.roles import Role
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.schema import cluster_schema
from rbdtui.workbench.balancer import forwards
from rbdtui.workbench.draft.operations import uses_builds
from tests.spec.samples import changed, codes, judged

ROOT = Path(__file__).parent.parent
TRIAL = Profile(
    name="trial",
    roles=tuple(Role),
    limits=replace(KUBERNETES_ONLY.limits, cpu_minimum=16),
    sections=("storage",),
    gateway_ports=(GatewayPort(8080, Reach.USERS), GatewayPort(9999, Reach.ADDRESS), GatewayPort(5555)),
    gateway_program="trial-gateway",
    host_names=("trial.example",),
    directories=("/opt/trial",),
    disabled_parts=("rke2-ingress-nginx",),
)


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Profile:
    """One more profile, by its value and its line in the registry."""
    monkeypatch.setattr(profiles, "PROFILES", (*PROFILES, TRIAL))
    return TRIAL


def spec_for(profile: Profile, *more: tuple[str, str]) -> ClusterSpec:
    spec = parse_spec(changed(("profile: kubernetes-only", f"profile: {profile.name}"), *more)).spec
    assert spec is not None
    return spec


@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_every_profile_is_whole(profile: Profile) -> None:
    assert profiles.profile_named(profile.name) is profile
    assert {Role.CONTROL_PLANE, Role.ETCD, Role.WORKER} <= set(profile.roles)
    assert profile.limits.disks
    assert profile.has_gateway == bool(profile.gateway_program)
    assert not profile.registries_asset or asset("templates", profile.registries_asset).is_file()
    numbers = [port.number for port in profile.gateway_ports]
    assert len(numbers) == len(set(numbers))
    assert spec_for(profile).profile is profile


def test_names_are_unique_and_in_the_schema() -> None:
    names = [profile.name for profile in PROFILES]
    assert len(names) == len(set(names))
    properties = cluster_schema()["properties"]
    assert isinstance(properties, dict)
    assert properties["profile"]["enum"] == names


def test_the_gateway_ports_stand_once() -> None:
    assert RAINBOND_6.ports(Reach.USERS) == (80, 443, 6060, 7070, 8443)
    assert set(RAINBOND_6.ports(Reach.ADDRESS)) == {80, 443, 6060, 7070, 7080, 8443, 8889, 9180}
    assert len(RAINBOND_6.ports(Reach.NODE)) == 11


def test_an_unknown_profile_is_told_with_the_allowed_ones(trial: Profile) -> None:
    [finding] = parse_spec(changed(("profile: kubernetes-only", "profile: trail"))).findings
    assert finding.code == "RBD-SPEC-006"
    assert finding.params["expected"] == ", ".join([*(profile.name for profile in PROFILES), "trial"])
    assert "trial" in str(finding.remedy) + str(finding.message)


def test_a_profile_is_added_by_its_value_alone(trial: Profile) -> None:
    spec = spec_for(trial)
    server = spec.nodes[0]
    listening = {need.port: need.purpose for need in listening_needs(spec, server)}
    assert {port for port, purpose in listening.items() if purpose == "trial-gateway"} == {8080, 9999, 5555}
    assert 8080 in {way.port for way in ways(spec)}
    assert {9999, 5555}.isdisjoint(way.port for way in ways(spec))
    assert rke2_settings(spec, server, begins=True)["disable"] == ["rke2-ingress-nginx"]
    assert "10.0.0.100 trial.example" in hosts_lines(spec)
    assert asked_ingresses(spec) == []
    assert uses_builds({"profile": "trial"})
    asked = {key.port for key in (status.key for status in HealthMonitor(spec, {}).snapshot().probes) if key.port}
    assert asked == {22, 6443, 8080}


def test_its_rules_come_with_it(trial: Profile) -> None:
    of_trial = ("profile: kubernetes-only", "profile: trial")
    assert "RBD-TOPO-009" in codes(changed(of_trial))
    assert "RBD-PROFILE-001" not in codes(changed(of_trial))
    assert "RBD-NAME-005" in codes(changed(of_trial, ("{mode: vip}", "{domain: trial.example}")))
    assert "RBD-NAME-005" not in codes(changed(("{mode: vip}", "{domain: trial.example}")))
    assert "RBD-SPEC-040" not in codes(changed(of_trial) + "storage: {}\n")
    assert "RBD-SPEC-040" in codes(changed(of_trial) + "mysql: {}\n")


def test_a_profile_of_which_this_version_installs_a_part_only_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    part = replace(TRIAL, is_complete=False)
    monkeypatch.setattr(profiles, "PROFILES", (part, *PROFILES))
    text = changed(("profile: kubernetes-only", "profile: trial"))
    [finding] = [each for each in judged(text) if each.code == "RBD-PROFILE-001"]
    assert (finding.severity, finding.place.field) == (Severity.WARNING, "profile")
    assert "trial" in str(finding.message)
    assert profiles.proposed() is PROFILES[0], "what is installed in full comes first"


def test_a_balancer_forwards_what_users_reach(trial: Profile) -> None:
    data = {
        "profile": "trial",
        "nodes": [{"name": "node1", "address": "10.0.0.11", "roles": ["control-plane", "etcd", "gateway"]}],
        "gateway": {"mode": "external", "address": "10.0.0.100"},
        "kubernetes": {"api": {"mode": "first-server"}},
    }
    assert [forward.port for forward in forwards(data)] == [8080]


def _comparisons(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            text = ast.unparse(node)
            if any(word in text for word in ("RAINBOND_6", "KUBERNETES_ONLY", "rainbond-6", "kubernetes-only")):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {text}"


def test_nothing_asks_which_profile_it_is() -> None:
    files = [path for room in ("rbdtui", "screens") for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 300
    assert [found for path in files for found in _comparisons(path)] == []
