"""What follows from a spec: the settings that RKE2 gets, addresses, priorities."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Interface

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.errors import StepError
from rbdtui.facts.model import Interface, NodeFacts
from rbdtui.plan.cluster import (
    JOIN_NAME,
    Setting,
    api_url,
    certificate_names,
    join_address,
    join_places,
    rke2_settings,
    vip_interface,
    vip_priority,
    yaml_of,
)
from rbdtui.plan.steps.keepalived import unicast_lines
from rbdtui.plan.steps.prepare import hosts_lines
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import endpoints_of
from tests.checks.support import good_facts
from tests.plan.support import ALL_IN_ONE, SERVER, spec_of, three_servers_and_an_agent

VIP_API = {"mode": "vip", "domain": "api.site-a.lan"}
CRITICAL = ("cluster-cidr", "service-cidr", "cluster-dns", "cluster-domain", "disable-kube-proxy", "disable", "cni")


def settings_of(spec: ClusterSpec, node: str) -> dict[str, Setting]:
    return rke2_settings(spec, spec.node(node), begins=node == spec.servers[0].name)


def test_the_first_server_joins_nobody_and_all_others_join_the_fixed_address() -> None:
    spec = three_servers_and_an_agent()
    assert "server" not in settings_of(spec, "n1")
    assert {settings_of(spec, node)["server"] for node in ("n2", "n3", "n4")} == {"https://10.0.0.100:9345"}


@pytest.mark.parametrize(
    ("api", "address", "url"),
    [
        ({"mode": "vip"}, "10.0.0.100", "https://10.0.0.100:6443"),
        ({"mode": "first-server"}, "10.0.0.11", "https://10.0.0.11:6443"),
        ({"mode": "external", "address": "10.0.0.50", "port": 8443}, "10.0.0.50", "https://10.0.0.50:8443"),
    ],
)
def test_where_nodes_register_and_where_the_api_is(api: dict[str, object], address: str, url: str) -> None:
    spec = three_servers_and_an_agent(kubernetes={"api": api})
    for name in ("n2", "n4"):
        assert join_address(spec, spec.node(name)) == address
        assert join_places(spec, spec.node(name)) == [address]
    assert api_url(spec) == url


HALVES = {"e1": ("etcd",), "e2": ("etcd",), "c1": ("control-plane", "gateway"), "w1": ("worker",)}


@pytest.mark.parametrize(
    ("first", "of_c1", "of_others"), [(SERVER, JOIN_NAME, "10.0.0.100"), ((), JOIN_NAME, JOIN_NAME)]
)
def test_who_finds_nobody_on_the_fixed_address_turns_to_etcd(
    first: tuple[str, ...], of_c1: str, of_others: str
) -> None:
    """A control plane without etcd always; all others where the first server has no API."""
    spec = spec_of({**HALVES, **({"n1": first} if first else {})})
    assert join_address(spec, spec.node("c1")) == of_c1
    assert {join_address(spec, spec.node(name)) for name in ("e2", "w1")} == {of_others}
    members = [str(node.address) for node in spec.nodes if "etcd" in node.roles]
    assert join_places(spec, spec.node("c1")) == members
    assert hosts_of(spec, JOIN_NAME) == members
    assert JOIN_NAME in certificate_names(spec)


def test_a_first_server_that_was_set_up_anew_does_not_join_itself() -> None:
    spec = three_servers_and_an_agent()
    assert join_address(spec, spec.node("n1")) == JOIN_NAME
    assert join_places(spec, spec.node("n1")) == ["10.0.0.12", "10.0.0.13"]


def hosts_of(spec: ClusterSpec, name: str) -> list[str]:
    """The addresses of a name in the order of the hosts file."""
    return [line.split()[0] for line in hosts_lines(spec) if name in line.split()[1:]]


def test_certificates_are_good_for_every_way_to_the_api() -> None:
    names = certificate_names(three_servers_and_an_agent(kubernetes={"api": VIP_API}))
    assert names == ["10.0.0.100", "api.site-a.lan", "n1", "10.0.0.11", "n2", "10.0.0.12", "n3", "10.0.0.13",
                     JOIN_NAME]  # fmt: skip


def test_critical_settings_are_the_same_on_all_servers() -> None:
    spec = three_servers_and_an_agent(
        kubernetes={"pod_cidr": "10.50.0.0/16", "settings": {"cluster-dns": "10.43.0.10", "cni": "canal"}}
    )
    seen = [{key: settings_of(spec, node).get(key) for key in CRITICAL} for node in ("n1", "n2", "n3")]
    assert seen[0] == seen[1] == seen[2]
    assert seen[0]["cluster-cidr"] == "10.50.0.0/16"


def test_lists_are_joined_and_our_own_keys_win() -> None:
    extra = {"tls-san": ["kube.example"], "disable": "rke2-metrics-server", "node-name": "other", "debug": True}
    spec = spec_of({"n1": ALL_IN_ONE}, profile="rainbond-6", sections={"kubernetes": {"settings": extra}})
    own = settings_of(spec, "n1")
    assert own["node-name"] == "n1"
    assert own["debug"] is True
    assert own["disable"] == ["rke2-ingress-nginx", "rke2-traefik", "rke2-traefik-crd", "rke2-metrics-server"]
    assert "kube.example" in own["tls-san"]  # type: ignore[operator]


def test_a_node_joins_with_its_labels_taints_and_outside_address_beside_those_of_all() -> None:
    extra = {"node-label": ["site=a"], "node-taint": "all=yes:PreferNoSchedule"}
    spec = three_servers_and_an_agent(kubernetes={"settings": extra})
    more = {"labels": {"disk": "ssd", "empty": ""}, "taints": ["a=b:NoSchedule"], "external_address": "203.0.113.5"}
    node = spec.node("n4").model_validate({**spec.node("n4").model_dump(exclude_defaults=True), **more})
    own = rke2_settings(spec, node, begins=False)
    assert own["node-label"] == ["site=a", "disk=ssd", "empty="]
    assert own["node-taint"] == ["all=yes:PreferNoSchedule", "a=b:NoSchedule"]
    assert own["node-external-ip"] == "203.0.113.5"
    assert settings_of(spec, "n4")["node-label"] == ["site=a"]


def test_nodes_with_a_network_of_their_own_know_each_other_by_it_and_are_logged_in_to_by_the_other() -> None:
    plain = three_servers_and_an_agent()
    data = plain.model_dump(mode="json", exclude_unset=True)
    for index, node in enumerate(data["nodes"]):
        node["address"], node["internal_address"] = f"192.168.9.{index + 1}", node["address"]
    spec = ClusterSpec.model_validate(data)
    for name in ("n1", "n2", "n4"):
        inside, outside = settings_of(plain, name), settings_of(spec, name)
        names = outside.pop("tls-san", [])
        assert set(inside.pop("tls-san", [])) <= set(names)  # type: ignore[arg-type]
        assert inside == outside, "RKE2 is told nothing but the network of the nodes"
        if name != "n4":
            assert "192.168.9.1" in names  # type: ignore[operator]
    assert hosts_lines(spec) == hosts_lines(plain)
    assert (spec.api_address, spec.gateway_address) == (plain.api_address, plain.gateway_address)
    for own in (spec, plain):
        assert "10.0.0.12" in unicast_lines(own, own.node("n1"))
        assert "192.168.9" not in unicast_lines(own, own.node("n1"))
    assert {each.address for each in endpoints_of(spec).values()} == {f"192.168.9.{number}" for number in range(1, 5)}


def test_the_vip_goes_to_the_card_in_its_network_also_where_kubernetes_has_the_other() -> None:
    data = three_servers_and_an_agent().model_dump(mode="json", exclude_unset=True)
    for index, node in enumerate(data["nodes"]):
        node["internal_address"] = f"192.168.9.{index + 1}"
    spec = ClusterSpec.model_validate(data)
    n1 = spec.node("n1")
    assert settings_of(spec, "n1")["node-ip"] == "192.168.9.1"
    spoken = unicast_lines(spec, n1)
    assert f"unicast_src_ip {n1.address}" in spoken
    assert "192.168.9" not in spoken
    known = good_facts(1)
    cards = {n1.address: "outer", n1.internal_address: "inner"}
    interfaces = tuple(
        Interface(name, f"52:54:00:00:00:{len(name):02x}", 1500, True, (IPv4Interface(f"{address}/24"),))
        for address, name in cards.items()
    )
    assert vip_interface(spec, n1, {"n1": replace(known, node="n1", interfaces=interfaces)}) == "outer"


def test_the_bundled_ingress_is_only_in_the_way_of_rainbond() -> None:
    assert "disable" not in settings_of(three_servers_and_an_agent(), "n1")


def test_an_agent_gets_the_operators_settings_and_of_ours_those_that_are_for_it() -> None:
    extra = {"kubelet-arg": ["max-pods=200"], "default-runtime": "crun", "cni": "canal"}
    own = settings_of(three_servers_and_an_agent(kubernetes={"settings": extra}), "n4")
    assert own == {**extra, "node-name": "n4", "node-ip": "10.0.0.14", "server": "https://10.0.0.100:9345"}


@pytest.mark.parametrize(("own", "value"), [({}, True), ({"selinux": False}, False)])
def test_where_selinux_is_enforced_containers_are_confined_unless_the_operator_says_no(
    own: dict[str, object], value: bool
) -> None:
    spec = three_servers_and_an_agent(kubernetes={"settings": own})
    for name in ("n1", "n4"):
        assert rke2_settings(spec, spec.node(name), begins=False, selinux=True)["selinux"] is value
    assert "selinux" not in settings_of(three_servers_and_an_agent(), "n1")


@pytest.mark.parametrize(
    ("roles", "off"),
    [
        (SERVER, set()),
        (("etcd",), {"disable-apiserver", "disable-controller-manager", "disable-scheduler"}),
        (("control-plane",), {"disable-etcd"}),
    ],
)
def test_a_server_with_half_a_role_switches_the_other_half_off(roles: tuple[str, ...], off: set[str]) -> None:
    spec = spec_of({"n1": ALL_IN_ONE, "n2": roles})
    assert {key for key in settings_of(spec, "n2") if key.startswith("disable-")} == off


def test_the_first_server_has_the_highest_priority_wherever_it_stands() -> None:
    spec = spec_of({"g1": ("gateway", "control-plane"), "n1": ALL_IN_ONE, "n2": ALL_IN_ONE})
    assert {node.name: vip_priority(spec, node) for node in spec.gateways} == {"n1": 100, "g1": 90, "n2": 80}


def test_an_interface_that_cannot_be_told_is_an_error_and_a_named_one_needs_no_facts() -> None:
    spec = three_servers_and_an_agent()
    with pytest.raises(StepError) as caught:
        vip_interface(spec, spec.node("n1"), {"n1": NodeFacts("n1", 0.0)})
    assert caught.value.code == "no_interface"
    gateway = {"vip": "10.0.0.100/24", "virtual_router_id": 1, "interface": "bond0"}
    named = spec_of({"n1": ALL_IN_ONE}, sections={"gateway": gateway})
    assert vip_interface(named, named.node("n1"), {}) == "bond0"


def test_keys_that_yaml_has_a_meaning_for_stay_texts() -> None:
    odd: dict[str, Setting] = {"no": "", "on": 1, "null": "x", "true": True, "a: b": "c", "~": 1, "kubelet-arg": ["x"]}
    assert yaml.safe_load(yaml_of(odd)) == odd


TEXTS = st.text(max_size=20).filter(lambda text: "\x00" not in text)


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,12}", fullmatch=True), TEXTS | st.integers() | st.booleans()
                       | st.lists(TEXTS, min_size=1, max_size=3), max_size=5))  # fmt: skip
def test_settings_are_read_back_as_they_were(given_settings: dict[str, Setting]) -> None:
    text = yaml_of(given_settings)
    try:
        read = yaml.safe_load(text) or {}
    except yaml.reader.ReaderError:
        return  # characters that YAML does not know at all
    assert json.dumps(read) == json.dumps(given_settings)
