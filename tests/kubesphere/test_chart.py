"""What KubeSphere's chart is given, and which images it then runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from rbdtui.kubesphere.chart import console_port, console_url, needed_images, registry_among, value_tree
from rbdtui.simulator.chart_kubesphere import chart_files
from rbdtui.spec.model import ClusterSpec
from tests.plan.support import ALL_IN_ONE, spec_of

DEFAULTS: dict[str, Any] = yaml.safe_load(chart_files()["ks-core/values.yaml"])
ONE = {"n1": ALL_IN_ONE}
THREE = {f"n{number}": ALL_IN_ONE for number in (1, 2, 3)}


def sphere(roles: Mapping[str, Sequence[str]] = THREE, **section: object) -> ClusterSpec:
    return spec_of(roles, sections={"kubesphere": {"install": True, **section}})


def test_three_servers_get_three_pods_of_each_part_and_a_redis_without_a_disk() -> None:
    assert value_tree(sphere(), "docker.io") == {
        "global": {"imageRegistry": "docker.io"},
        "telemetry": {"enabled": False},
        "ha": {"enabled": True},
        "redisHA": {"enabled": True, "persistentVolume": {"enabled": False}},
    }


def test_one_server_gets_no_redis() -> None:
    tree = value_tree(sphere(ONE), "docker.io")
    assert tree["ha"] == {"enabled": False}
    assert "redisHA" not in tree


def test_a_class_is_for_the_volumes_of_redis() -> None:
    tree = value_tree(sphere(storage_class="fast"), "docker.io")
    assert tree["redisHA"] == {"enabled": True, "persistentVolume": {"enabled": True, "storageClass": "fast"}}


def test_a_redis_of_the_operators_own_replaces_the_one_of_the_chart() -> None:
    cache = {"type": "redis", "options": {"host": "10.0.0.9"}}
    spec = sphere(values={"ha": {"cache": cache}})
    tree = value_tree(spec, "docker.io")
    assert tree["ha"] == {"enabled": True, "cache": cache}
    assert "redisHA" not in tree
    assert not [image for image in needed_images(spec, DEFAULTS) if "redis" in image or "haproxy" in image]


def test_what_other_keys_say_is_not_taken_from_the_values() -> None:
    spec = sphere(values={"global": {"imageRegistry": "elsewhere", "tag": "v4.1.2"}, "ha": {"enabled": False}})
    tree = value_tree(spec, "docker.io")
    assert tree["global"] == {"imageRegistry": "docker.io", "tag": "v4.1.2"}
    assert tree["ha"] == {"enabled": True}


def test_the_images_are_those_of_the_charts_own_values() -> None:
    own = ("ks-apiserver:v4.1.3", "ks-console:v4.1.3", "ks-controller-manager:v4.1.3")
    plain = {*own, "kubectl:v1.27.16", "ks-extensions-museum:v1.1.3"}
    assert set(needed_images(sphere(ONE), DEFAULTS)) == {f"kubesphere/{name}" for name in plain}
    many = {*plain, "redis:7.2.4-alpine", "haproxy:2.9.6-alpine"}
    assert set(needed_images(sphere(), DEFAULTS)) == {f"kubesphere/{name}" for name in many}


def test_values_change_the_images() -> None:
    values = {"global": {"tag": "v4.1.2"}, "ksExtensionRepository": {"enabled": False}}
    needed = needed_images(sphere(ONE, values=values), DEFAULTS)
    assert "kubesphere/ks-console:v4.1.2" in needed
    assert not [image for image in needed if "museum" in image]


def test_the_registry_is_the_one_that_lacks_least() -> None:
    needed = ("kubesphere/ks-apiserver:v4.1.3", "kubesphere/ks-console:v4.1.3")
    assert registry_among((), needed) == (None, list(needed))
    there = ["docker.io/kubesphere/ks-apiserver:v4.1.3", *(f"hub.corp/ks/{name}" for name in needed)]
    assert registry_among(there, needed) == ("hub.corp/ks", [])
    assert registry_among(there[:1], needed) == ("docker.io", ["kubesphere/ks-console:v4.1.3"])


def test_the_console_is_opened_at_the_vip_of_the_nodes_or_else_at_a_node() -> None:
    assert console_url(sphere()) == "http://10.0.0.100:30880"
    outside: dict[str, Mapping[str, object]] = {
        "gateway": {"mode": "external", "address": "10.0.0.9"},
        "kubernetes": {"api": {"mode": "external", "address": "10.0.0.9"}},
        "kubesphere": {"install": True},
    }
    assert console_url(spec_of(THREE, sections=outside)) == "http://10.0.0.11:30880"
    assert console_url(spec_of(THREE)) == ""


def test_the_console_has_the_port_of_the_values() -> None:
    assert console_port(sphere()) == 30880
    assert console_port(sphere(values={"console": {"nodePort": 31000}})) == 31000
