"""A cluster that is there already: what must be said of it, and that nothing is planned for its servers."""

from __future__ import annotations

import pytest

from rbdtui.findings import Severity
from rbdtui.paths import asset
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.references import LocalKind, local_files
from tests.spec.samples import judged

EXISTING = asset("examples", "existing-cluster.yaml").read_text(encoding="utf-8")
KUBECONFIG = "  kubeconfig: ~/kubeconfig "
EXTERNAL = "  mode: external                  # external: a balancer"


def changed(old: str, new: str) -> str:
    assert EXISTING.count(old) == 1, old
    return EXISTING.replace(old, new)


def test_gateways_and_builders_are_all_that_is_asked_for() -> None:
    findings = judged(EXISTING)
    assert [finding.code for finding in findings if finding.severity is Severity.ERROR] == []
    assert [finding.code for finding in findings if finding.code.startswith("RBD-EXISTING")] == ["RBD-EXISTING-008"]


def test_nobody_logs_in_anywhere() -> None:
    spec = parse_spec(EXISTING).spec
    assert spec is not None
    assert (spec.managed_nodes, len(spec.nodes)) == ([], 2)
    assert local_files(spec)[LocalKind.SERVICE_KEY, "~/kubeconfig"] == "kubernetes.kubeconfig"


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        (KUBECONFIG, "  # ", "RBD-EXISTING-001", "kubernetes.kubeconfig"),
        ("distribution: existing", "distribution: rke2", "RBD-EXISTING-002", "kubernetes.kubeconfig"),
        (KUBECONFIG, "  api: {mode: external}\n  kubeconfig: /k ", "RBD-EXISTING-004", "kubernetes.api"),
        (KUBECONFIG, "  settings: {debug: true}\n  kubeconfig: /k ", "RBD-EXISTING-004", "kubernetes.settings"),
        ("    # external_address", "    labels: {a: b}\n    # ", "RBD-EXISTING-005", "nodes[1].labels"),
        (EXTERNAL, "  mode: keepalived #", "RBD-EXISTING-006", "gateway.mode"),
        ("profile: rainbond-6 ", "profile: rainbond-5.17 ", "RBD-EXISTING-007", "etcd.mode"),
    ],
)
def test_a_mistake_is_told_at_its_place(old: str, new: str, code: str, place: str) -> None:
    found = [finding for finding in judged(changed(old, new)) if finding.code == code]
    assert [(each.place.field, each.severity) for each in found] == [(place, Severity.ERROR)]


def test_there_is_nothing_to_install_without_rainbond() -> None:
    text = changed("profile: rainbond-6 ", "profile: kubernetes-only ")
    text = text[: text.index("storage:")] + text[text.index("# Warnings that you accept") :]
    assert "RBD-EXISTING-003" in [finding.code for finding in judged(text)]
