"""Another profile or distribution: nothing that was typed is lost, and nothing is left that would be refused."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path

import pytest

from rbdtui.profiles import PROFILES
from rbdtui.spec.loader import parse_spec, parse_values
from rbdtui.workbench.draft.draft import Data, Draft
from rbdtui.workbench.draft.operations import Stash, put, set_mode
from rbdtui.workbench.draft.switching import laid_aside, set_distribution, set_profile
from rbdtui.workbench.site_list import make_site

SECTIONS = """\
storage: {mode: nfs, server: 10.0.0.30, path: /data}
registry: {mode: external, domain: hub.corp:5000}
mysql: {mode: external, host: 10.0.0.20, username: rbd, password: secret:mysql}
rainbond: {version: v6.2.1-release}
"""
PLAN = """\
apiVersion: rbdtui/v1
name: site-a
profile: rainbond-6
bundle: bundle
nodes:
  - {name: node1, address: 10.0.0.11, roles: [control-plane, etcd, worker, gateway, build], labels: {zone: a}}
  - {name: node2, address: 10.0.0.12, roles: [worker], taints: ["a=b:NoSchedule"]}
kubernetes: {pod_cidr: 10.52.0.0/16, settings: {debug: true}, api: {mode: first-server}}
gateway: {mode: none}
"""


def plan(text: str = PLAN + SECTIONS) -> Data:
    data = parse_spec(text).data
    assert data is not None
    return copy.deepcopy(dict(data))


def codes(data: Data) -> set[str]:
    return {finding.code for finding in parse_values(data).findings}


def empty() -> Stash:
    return {}


def switch(draft: Draft, profile: str) -> None:
    def operation(data: Data) -> None:
        set_profile(data, profile, draft.aside)

    draft.change(operation)


def test_sections_go_with_the_profile_and_come_back_with_it() -> None:
    data, aside = plan(), empty()
    before = copy.deepcopy(data)
    assert set_profile(data, "kubernetes-only", aside) == ["storage", "registry", "mysql", "rainbond"]
    assert "RBD-SPEC-040" not in codes(data)
    assert laid_aside(data, aside) == ["storage", "registry", "mysql", "rainbond"]
    assert set_profile(data, "rainbond-6", aside) == []
    assert data == before
    assert laid_aside(data, aside) == []


@pytest.mark.parametrize("way", itertools.permutations([profile.name for profile in PROFILES]))
def test_whatever_is_tried_on_the_way_nothing_is_lost_or_refused(way: tuple[str, ...]) -> None:
    data, aside = plan(PLAN.replace("rainbond-6", "rainbond-5.17") + SECTIONS + "etcd: {mode: builtin}\n"), empty()
    before = copy.deepcopy(data)
    for name in (*way, "rainbond-5.17"):
        set_profile(data, name, aside)
        assert "RBD-SPEC-040" not in codes(data)
    assert data == before


def test_what_was_deleted_meanwhile_does_not_come_back() -> None:
    data, aside = plan(), empty()
    set_profile(data, "kubernetes-only", aside)
    set_profile(data, "rainbond-6", aside)
    put(data, "mysql", "")
    set_profile(data, "kubernetes-only", aside)
    set_profile(data, "rainbond-6", aside)
    assert "mysql" not in data
    assert data["registry"]["domain"] == "hub.corp:5000"


def test_of_a_cluster_that_is_there_already_nothing_of_ours_is_set_up() -> None:
    data, aside = plan(), empty()
    before = copy.deepcopy(data)
    laid = set_distribution(data, "existing", aside)
    assert laid == ["kubernetes.api", "kubernetes.pod_cidr", "kubernetes.settings", "nodes.labels", "nodes.taints"]
    assert data["kubernetes"] == {"distribution": "existing"}
    put(data, "kubernetes.kubeconfig", "/a")
    data["nodes"].reverse()
    assert set_distribution(data, "rke2", aside) == ["kubernetes.kubeconfig"]
    data["nodes"].reverse()
    data["kubernetes"].pop("distribution")
    assert data == before
    set_distribution(data, "existing", aside)
    assert data["kubernetes"]["kubeconfig"] == "/a"


@pytest.mark.parametrize("hostile", [{"profile": ["a"]}, {"profile": 7, "mysql": 3}, {"kubernetes": 1, "nodes": {}}])
def test_it_never_raises_whatever_stands_in_the_file(hostile: Data) -> None:
    for name in ("rainbond-6", "made-up", "kubernetes-only"):
        set_profile(hostile, name, empty())
    for name in ("existing", "rke2"):
        set_distribution(hostile, name, empty())


def test_what_is_laid_aside_survives_a_crash_and_a_save(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", name="site-a", profile="rainbond-6")
    site.spec_file.write_text(PLAN + SECTIONS, encoding="utf-8")
    draft = Draft.open(site)
    assert draft is not None
    before = copy.deepcopy(draft.data)
    switch(draft, "kubernetes-only")
    kept = draft.to_keep()
    assert kept is not None
    draft.write_kept(kept)
    again = Draft.open(site)
    assert again is not None
    assert again.recovered
    again.save()
    last = Draft.open(site)
    assert last is not None
    assert not last.recovered
    assert last.data["profile"] == "kubernetes-only"
    switch(last, "rainbond-6")
    assert last.data == before


@pytest.mark.parametrize("way", [("haproxy",), ("external", "haproxy"), ("none", "haproxy", "keepalived")])
def test_what_means_the_same_in_two_modes_is_kept_between_them(way: tuple[str, ...]) -> None:
    gateway = {"mode": "keepalived", "vip": "10.0.0.100/24", "virtual_router_id": 87, "unicast": False}
    data: Data = {"gateway": dict(gateway)}
    aside: Stash = {}
    for mode in way:
        set_mode(data, "gateway", mode, aside)
        if mode in ("external", "none"):
            assert data["gateway"] == {"mode": mode}
    assert data["gateway"] == {**gateway, "mode": way[-1]}


def test_what_means_something_else_in_another_mode_waits_for_its_own() -> None:
    data: Data = {"kubernetes": {"api": {"mode": "vip", "address": "10.0.0.100"}}}
    aside: Stash = {}
    set_mode(data, "kubernetes.api", "external", aside)
    assert data["kubernetes"] == {"api": {"mode": "external"}}
    set_mode(data, "kubernetes.api", "vip", aside)
    assert data["kubernetes"] == {"api": {"mode": "vip", "address": "10.0.0.100"}}
