"""What a site is exported as is imported as the same site again, but for what the format has no place for."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.exporters import EXPORTERS, exporter_named, left_out
from rbdtui.exporters.exporter import login_of
from rbdtui.importers import recognised
from rbdtui.roles import OUTSIDE, Role
from rbdtui.spec.loader import parse_values
from rbdtui.spec.model import ClusterSpec
from rbdtui.workbench.pasting import add_pasted, take

READ_AS = {"csv": "csv", "hosts": "csv", "ansible": "ansible", "kubekey": "kubekey", "roi": "roi"}
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,12}[a-z0-9])?", fullmatch=True).filter(lambda name: not name.isdigit())
USERS = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True)
KEYS = st.from_regex(r"(~|/root)/[a-z][a-z0-9_. -]{0,8}[a-z]", fullmatch=True)
ROLES = [role.value for role in Role if role not in OUTSIDE]
"""Those that may be had together; a server beside Kubernetes has one role alone."""
KUBERNETES = {"control-plane", "etcd", "worker"}


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A section with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


APIS: list[dict[str, Any]] = [
    {"mode": "first-server"},
    {"mode": "vip", "address": "10.0.0.251"},
    {"mode": "external", "address": "10.0.0.252", "port": 8443},
]
LOGINS = some(user=USERS, port=st.integers(1, 65535), key=KEYS)


@st.composite
def sites(draw: st.DrawFn) -> dict[str, Any]:
    """The plain values of a good site."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    numbers = draw(st.lists(st.integers(1, 250), min_size=len(names), max_size=len(names), unique=True))
    nodes: list[dict[str, Any]] = []
    for name, number in zip(names, numbers, strict=True):
        roles = draw(st.sets(st.sampled_from(ROLES), min_size=1).filter(lambda chosen: bool(chosen & KUBERNETES)))
        node: dict[str, Any] = {
            "name": name,
            "address": f"10.0.0.{number}",
            "roles": [role for role in ROLES if role in roles],
        }
        node |= draw(
            some(
                internal_address=st.just(f"10.9.0.{number}"),
                external_address=st.just(f"192.0.2.{number}"),
                labels=st.just({"zone": "a", "x/y": "b.c"}),
            )
        )
        if login := draw(LOGINS):
            node["ssh"] = login
        nodes.append(node)
    api: dict[str, Any] = draw(st.sampled_from(APIS))
    site: dict[str, Any] = {"apiVersion": "rbdtui/v1", "name": "site", "profile": "rainbond-6", "bundle": "/data"}
    site |= {"ssh": draw(LOGINS), "nodes": nodes, "kubernetes": {"api": {**api}, "pod_cidr": "10.8.0.0/16"}}
    storage = st.sampled_from([{}, {"mode": "storage-class", "storage_class": "ceph"},
                               {"mode": "nfs", "server": "10.0.0.253", "path": "/export"}])  # fmt: skip
    registry = st.sampled_from([{}, {"mode": "external", "domain": "hub.corp:5000", "scheme": "http"}])
    return site | {"storage": dict(draw(storage)), "registry": dict(draw(registry))}


def good(data: dict[str, Any]) -> ClusterSpec:
    loaded = parse_values(data)
    assert loaded.spec is not None, [str(finding.message) for finding in loaded.findings]
    return loaded.spec


def imported_again(site: dict[str, Any], name: str) -> ClusterSpec:
    """A new site with all that the export of this one says."""
    text = exporter_named(name).write(good(site))
    importer = recognised(text)
    assert importer is not None
    assert importer.name == READ_AS[name]
    data = {key: copy.deepcopy(site[key]) for key in ("apiVersion", "name", "profile", "bundle")}
    pasted = take(importer.read(text), data, updating=True)
    assert (pasted.refusals, pasted.remarks) == ((), ())
    add_pasted(data, pasted)
    return good(data)


@pytest.mark.parametrize("name", READ_AS)
@settings(max_examples=60, deadline=None)
@given(site=sites())
def test_an_export_says_the_same_after_its_import(name: str, site: dict[str, Any]) -> None:
    exporter = exporter_named(name)
    assert exporter.write(imported_again(site, name)) == exporter.write(good(site))


@pytest.mark.parametrize("name", READ_AS)
@settings(max_examples=60, deadline=None)
@given(site=sites())
def test_what_a_format_holds_comes_back(name: str, site: dict[str, Any]) -> None:
    before, after = good(site), imported_again(site, name)
    exporter = exporter_named(name)
    assert [(node.name, node.address) for node in after.nodes] == [(node.name, node.address) for node in before.nodes]
    for old, new in zip(before.nodes, after.nodes, strict=True):
        if exporter.roles:
            assert set(new.roles) == set(old.roles) & exporter.roles
        for path in ("internal_address", "external_address", "labels"):
            if f"nodes[].{path}" in exporter.holds:
                assert getattr(new, path) == getattr(old, path)
        there, here = login_of(before, old), login_of(after, new)
        for field in ("user", "port", "key"):
            if f"ssh.{field}" in exporter.holds:
                assert getattr(here, field) == getattr(there, field)
    if "kubernetes.pod_cidr" in exporter.holds:
        assert after.kubernetes.pod_cidr == before.kubernetes.pod_cidr
    if "kubernetes.api" in exporter.holds:
        assert (after.kubernetes.api.mode, after.api_address) == (before.kubernetes.api.mode, before.api_address)
    if "storage.mode" in exporter.holds:
        assert (after.storage, after.registry) == (before.storage, before.registry)


@pytest.mark.parametrize("exporter", EXPORTERS, ids=lambda exporter: exporter.name)
def test_no_secret_is_exported_and_all_that_is_left_out_is_named(exporter: Any) -> None:
    site = {
        "apiVersion": "rbdtui/v1", "name": "site", "profile": "rainbond-6", "bundle": "/data",
        "ssh": {"password": "secret:ssh", "bastion": [{"address": "a.lan"}, {"address": "b.lan"}]},
        "nodes": [{"name": "a", "address": "10.0.0.1", "roles": ["worker", "build"],
                   "ssh": {"sudo_password": "secret:x"}}],
        "gateway": {"mode": "external", "address": "10.0.0.9"},
        "mysql": {"mode": "external", "host": "db", "username": "u", "password": "secret:mysql"},
    }  # fmt: skip
    lost = left_out(exporter, good(site))
    assert set(lost.secrets) == {"ssh.password", "nodes[].ssh.sudo_password", "mysql.password"}
    assert {"ssh.bastion[].address", "gateway.mode", "gateway.address"} <= set(lost.fields)
    assert ("mysql.host" in lost.fields) == (exporter.name != "roi")
    assert (Role.BUILD in lost.roles) == (exporter.name == "kubekey")
    assert "secret:" not in exporter.write(good(site))


def test_one_bastion_of_the_site_goes_into_an_inventory_and_comes_back() -> None:
    site: dict[str, Any] = {
        "apiVersion": "rbdtui/v1", "name": "site", "profile": "rainbond-6", "bundle": "/data",
        "ssh": {"bastion": {"address": "jump.lan", "user": "hop", "port": 2200, "key": "~/.ssh/a b"}},
        "nodes": [{"name": "a", "address": "10.0.0.1", "roles": ["worker"]}],
    }  # fmt: skip
    assert imported_again(site, "ansible").ssh.bastions == good(site).ssh.bastions


def test_the_database_of_roi_comes_back_but_for_its_password() -> None:
    site: dict[str, Any] = {
        "apiVersion": "rbdtui/v1", "name": "site", "profile": "rainbond-6", "bundle": "/data",
        "nodes": [{"name": "a", "address": "10.0.0.1", "roles": ["worker"]}],
        "mysql": {"mode": "external", "host": "db", "username": "u", "password": "secret:mysql"},
        "rainbond": {"version": "v6.9.8-release"},
    }  # fmt: skip
    importer = recognised(text := exporter_named("roi").write(good(site)))
    assert importer is not None
    assert importer.read(text).settings == {
        "mysql.mode": "external", "mysql.host": "db", "mysql.port": 3306, "mysql.username": "u",
        "rainbond.version": "v6.9.8-release",
    }  # fmt: skip
