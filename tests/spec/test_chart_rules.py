"""The rules on the chart's values that an operator gives."""

from __future__ import annotations

import pytest

from rbdtui.words import LANGUAGES, say
from tests.spec.samples import GOOD, changed, codes, judged
from tests.spec.test_service_rules import V5, V6, plan


def found(values: str, text: str = V6) -> list[tuple[str, str, str]]:
    findings = [each for each in judged(plan(text, rainbond=f"{{values: {values}}}")) if "CHART" in each.code]
    for finding in findings:
        for language in LANGUAGES:
            assert "{" not in say(finding.message, language) + say(finding.remedy, language)
        assert "hunter2" not in repr(finding)
    return [(each.code, str(each.severity), each.place.field.removeprefix("rainbond.values.")) for each in findings]


def test_values_that_are_the_operators_own() -> None:
    good = "{Cluster: {replicas: 3, imagePullPolicy: Always}, operator: {env: [{name: A_PASSWORD, value: secret:a}]}}"
    assert found(good) == []
    assert found("{}") == []
    assert found("{Cluster: text, operator: [1, {name: 2}]}") == []


@pytest.mark.parametrize("text", [V5, V6], ids=["5.17", "6"])
@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ("{Cluster: {gatewayIngressIPs: 10.0.0.1}}", "RBD-CHART-001", "Cluster.gatewayIngressIPs"),
        ("{Cluster: {nodesForGateway: []}}", "RBD-CHART-001", "Cluster.nodesForGateway"),
        ("{Cluster: {uiDatabase: {enable: true}}}", "RBD-CHART-001", "Cluster.uiDatabase"),
        ("{nfs-client-provisioner: {nfs: {server: a}}}", "RBD-CHART-001", "nfs-client-provisioner.nfs"),
        ("{Cluster: {replicas: 4}}", "RBD-CHART-002", "Cluster.replicas"),
        ("{Component: {x: {password: hunter2}}}", "RBD-CHART-003", "Component.x.password"),
        ("{operator: {env: [{name: HUB_PASSWORD, value: hunter2}]}}", "RBD-CHART-003", "operator.env[0].value"),
        ("{my_tokens: [hunter2]}", "RBD-CHART-003", "my_tokens[0]"),
    ],
)
def test_each_mistake_is_named(text: str, values: str, code: str, field: str) -> None:
    assert found(values, text) == [(code, "error", field)]


@pytest.mark.parametrize(
    ("values", "code", "key"),
    [
        ("{global: {imageRegistry: hub.corp}}", "RBD-CHART-001", "global.imageRegistry"),
        ("{ha: {enabled: false}}", "RBD-CHART-001", "ha.enabled"),
        (
            "{redisHA: {persistentVolume: {storageClass: fast}}}",
            "RBD-CHART-001",
            "redisHA.persistentVolume.storageClass",
        ),
        ("{authentication: {adminPassword: open}}", "RBD-CHART-003", "authentication.adminPassword"),
        ("{console: {nodePort: 8080}}", "RBD-CHART-006", "console.nodePort"),
        ("{console: {nodePort: 0}}", "RBD-CHART-006", "console.nodePort"),
    ],
)
def test_values_of_kubesphere_that_cannot_be(values: str, code: str, key: str) -> None:
    found = [each for each in judged(f"{GOOD}kubesphere: {{install: true, values: {values}}}\n") if each.code == code]
    assert [each.place.field for each in found] == [f"kubesphere.values.{key}"]


def test_good_values_of_kubesphere_and_none_of_another_profile() -> None:
    section = "kubesphere: {install: true, values: {console: {nodePort: 31000}}}\n"
    assert codes(f"{GOOD}{section}") == codes(GOOD)
    other = changed(("profile: kubernetes-only\n", "profile: rainbond-6\n")) + section
    (found,) = [each for each in judged(other) if each.code == "RBD-SPEC-040"]
    assert (found.place.field, found.params["profiles"]) == ("kubesphere", "kubernetes-only")


@pytest.mark.parametrize(
    ("registry", "code"),
    [("https://hub.corp/ks", "RBD-SPEC-053"), ("Hub.corp/ks", "RBD-SPEC-054"), ("hub.corp/K S", "RBD-SPEC-056")],
)
def test_a_registry_of_images_that_cannot_be(registry: str, code: str) -> None:
    assert code in codes(f"{GOOD}kubesphere: {{install: true, image_registry: '{registry}'}}\n")
