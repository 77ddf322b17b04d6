"""How to log in, worked out from the spec: a node's own ssh section over the site's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import Endpoint, endpoints_of


def spec(ssh: dict[str, Any], *nodes: dict[str, Any]) -> ClusterSpec:
    return ClusterSpec.model_validate(
        {
            "apiVersion": "rbdtui/v1",
            "name": "site-a",
            "bundle": "/data",
            "ssh": ssh,
            "nodes": [
                {"name": f"n{number}", "address": f"10.0.0.{number}", "roles": ["worker"], **node}
                for number, node in enumerate(nodes, 1)
            ],
        }
    )


def test_without_a_word_it_is_root_on_port_22_and_the_agent_may_be_asked() -> None:
    assert endpoints_of(spec({}, {})) == {"n1": Endpoint("n1", "10.0.0.1", 22, "root")}


def test_a_node_overrides_the_site_key_by_key() -> None:
    site = {"user": "ops", "port": 2222, "key": "~/k", "password": "secret:pw", "sudo_password": "secret:sudo"}
    own = {"user": "admin", "sudo_password": "secret:other", "agent": False}
    first, second = endpoints_of(spec(site, {}, {"ssh": own})).values()
    assert (first.user, first.port, first.password, first.sudo_password) == ("ops", 2222, "pw", "sudo")
    assert first.key == Path.home() / "k"
    assert (second.user, second.port, second.password, second.sudo_password) == ("admin", 2222, "pw", "other")
    assert (first.agent, second.agent) == (True, False)


def test_a_chain_of_bastions_is_shared_by_the_nodes_behind_it() -> None:
    chain = [{"address": "10.9.0.1", "user": "jump"}, {"address": "10.9.0.2", "port": 2022, "key": "/k"}]
    first, second, third = endpoints_of(spec({"bastion": chain}, {}, {}, {"ssh": {"bastion": []}})).values()
    assert first.bastions == second.bastions
    assert first.before == first.bastions[1]
    outer, inner = first.bastions
    assert (str(outer), str(inner)) == ("jump@10.9.0.1:22", "root@10.9.0.2:2022")
    assert inner.bastions == (outer,)
    assert inner.key == Path("/k")
    assert third.bastions == ()
    assert third.before is None


def test_one_bastion_needs_no_list() -> None:
    endpoint = endpoints_of(spec({"bastion": {"address": "gate.example", "password": "secret:gate"}}, {}))["n1"]
    assert [(one.node, one.address, one.password) for one in endpoint.bastions] == [
        ("gate.example", "gate.example", "gate")
    ]
