"""Pairs of releases: what follows what, what nobody has read, and what the planned operator could not renew."""

from __future__ import annotations

from typing import Any

import pytest

from rbdtui.rainbond.releases import Release, release_of
from rbdtui.rainbond.upgrades import Refusal, Upgrade, chart_owns_gateway_config, installed_tag, outgrown


def release(version: str) -> Release:
    found = release_of(f"v{version}-release")
    assert found is not None
    return found


def stateful_set(name: str, size: str, storage_class: str = "local-path") -> dict[str, Any]:
    spec = {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}}
    return {"metadata": {"name": name}, "spec": {"volumeClaimTemplates": [{"spec": spec}]}}


@pytest.mark.parametrize(
    ("present", "planned", "is_change", "refusal", "unread"),
    [
        ("6.2.1", "6.2.1", False, None, ()),
        ("6.2.1", "6.9.3", True, None, ()),
        ("6.2.1", "6.9.8", True, None, ()),
        ("6.5.2", "6.9.8", True, None, ()),
        ("6.9.3", "6.2.1", True, Refusal.DOWNGRADE, ()),
        ("6.9.8", "6.9.7", True, Refusal.DOWNGRADE, ()),
        ("5.17.3", "6.9.8", True, Refusal.GENERATION, ()),
        ("6.2.1", "5.17.3", True, Refusal.GENERATION, ()),
        ("5.17.0", "5.17.3", True, None, ()),
        ("6.9.3", "6.10.0", True, None, ("v6.10.0-release",)),
        ("6.1.3", "6.9.3", True, None, ("v6.1.3-release",)),
        ("6.10.0", "6.10.0", False, None, ()),
    ],
)
def test_what_may_follow_what(
    present: str, planned: str, is_change: bool, refusal: Refusal | None, unread: tuple[str, ...]
) -> None:
    upgrade = Upgrade(release(present), release(planned))

    assert (upgrade.is_change, upgrade.refusal, upgrade.unread) == (is_change, refusal, unread)


@pytest.mark.parametrize(
    ("name", "size", "planned", "env", "told"),
    [
        ("minio", "1Gi", "6.7.1", {}, ""),
        ("minio", "1Gi", "6.7.2", {}, "minio: claims 1Gi local-path, v6.7.2-release claims 100Gi local-path"),
        ("rbd-monitor", "1Gi", "6.9.5", {}, "rbd-monitor: claims 1Gi local-path, v6.9.5-release claims 100Gi"),
        ("rbd-monitor", "1Gi", "6.9.6", {}, ""),
        ("minio", "1Gi", "6.9.8", {}, ""),
        ("minio", "100Gi", "6.9.3", {}, ""),
        ("rbd-db", "1Gi", "6.9.3", {}, ""),
        ("minio", "1Gi", "6.9.3", {"MINIO_DATA_STORAGE_REQUEST": "1"}, ""),
        ("rbd-monitor", "1Gi", "6.9.3", {"MONITOR_DATA_STORAGE_REQUEST": "2048"}, "claims 2Ti local-path"),
        ("minio", "1Gi", "6.5.2", {"STORAGE_CLASS_NAME": "nfs"}, "claims 1Gi nfs"),
        ("minio", "1Gi", "6.2.1", {"STORAGE_CLASS_NAME": "nfs"}, ""),
        ("minio", "1Gi", "5.17.3", {}, ""),
    ],
)
def test_claims_that_the_planned_operator_could_not_enlarge(
    name: str, size: str, planned: str, env: dict[str, str], told: str
) -> None:
    lines = list(outgrown(stateful_set(name, size), release(planned), env))

    assert len(lines) == bool(told)
    assert told in "".join(lines)


@pytest.mark.parametrize(
    ("values", "chart", "tag"),
    [
        ({"Cluster": {"installVersion": "v6.9.8-release"}}, "6.9.3", "v6.9.8-release"),
        ({"Cluster": {"installVersion": None}}, "6.9.3", "v6.9.3-release"),
        ({}, "6.2.1", "v6.2.1-release"),
        ({"Cluster": "odd"}, "6.2.1", "v6.2.1-release"),
    ],
)
def test_what_a_release_of_helm_holds(values: dict[str, object], chart: str, tag: str) -> None:
    assert installed_tag(values, chart) == tag


@pytest.mark.parametrize(
    ("chart", "owns"), [("6.2.1", False), ("6.3.0", False), ("6.3.1", True), ("6.9.3", True), ("odd", False)]
)
def test_from_which_chart_on_the_gateways_config_is_helms(chart: str, owns: bool) -> None:
    assert chart_owns_gateway_config(chart) is owns
