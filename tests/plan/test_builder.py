"""The graph of a plan: whatever the spec, everything stands behind what it waits for, and only where it must."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.builder import build_plan, rainbond_steps
from rbdtui.plan.step import Plan, StepKind, Undoable
from rbdtui.spec.model import ClusterSpec, Role
from rbdtui.words import LANGUAGES, catalogue
from tests.plan.support import ALL_IN_ONE, spec_of, three_servers_and_an_agent

ROLES = ("control-plane", "etcd", "worker", "gateway", "build")
VIP_GATEWAY = {"mode": "keepalived", "vip": "10.0.0.100/24", "virtual_router_id": 87}
MODES: list[dict[str, dict[str, object]]] = [
    {"kubernetes": {"api": {"mode": "vip"}}, "gateway": VIP_GATEWAY},
    {"kubernetes": {"api": {"mode": "first-server"}}, "gateway": VIP_GATEWAY},
    {"kubernetes": {"api": {"mode": "first-server"}}, "gateway": {"mode": "none"}},
    {"kubernetes": {"api": {"mode": "external", "address": "10.0.0.50"}},
     "gateway": {"mode": "external", "address": "10.0.0.50"}},
]  # fmt: skip


@st.composite
def specs(draw: st.DrawFn) -> ClusterSpec:
    """Any plan with an API server and an etcd member, sensible or not."""
    nodes = draw(st.lists(st.sets(st.sampled_from(ROLES), min_size=1), min_size=1, max_size=8))
    roles = {f"n{number}": sorted(own) for number, own in enumerate(nodes)}
    roles["n0"] = sorted({*roles["n0"], draw(st.sampled_from(["control-plane", "etcd"]))})
    profile = draw(st.sampled_from(["rainbond-6", "kubernetes-only"]))
    return spec_of(roles, profile=profile, sections=draw(st.sampled_from(MODES)))


def behind(plan: Plan) -> dict[str, set[str]]:
    """Of every step: all that is certainly done when it starts; fails when the order is not topological."""
    done: dict[str, set[str]] = {}
    for step in plan.steps:
        assert step.id not in done, f"{step.id} twice"
        assert set(step.after) <= done.keys(), f"{step.id} stands before what it waits for"
        done[step.id] = set(step.after).union(*(done[before] for before in step.after))
    return done


def of_kind(plan: Plan, *names: str) -> list[str]:
    return [step.id for step in plan.steps if step.name in names]


def kind(step_id: str) -> str:
    return step_id.partition("@")[0]


def node_of(step_id: str) -> str:
    return step_id.partition("@")[2]


def in_series(ids: Sequence[str], done: dict[str, set[str]]) -> bool:
    return all(earlier in done[later] for earlier, later in pairwise(ids))


@settings(deadline=None)
@given(specs())
def test_any_plan_is_in_order(spec: ClusterSpec) -> None:
    plan = build_plan(spec, {})
    done = behind(plan)
    (first,) = of_kind(plan, "rke2-first-server")
    servers, agents = of_kind(plan, "rke2-server"), of_kind(plan, "rke2-agent")
    assert in_series([first, *servers], done), "servers join one at a time"
    assert [f"rke2-ready@{node_of(each)}" for each in servers] == of_kind(plan, "rke2-ready")
    assert not any(kind(each) == "rke2-ready" for server in servers for each in done[server]), "a vote is enough"
    assert all(first in done[agent] for agent in agents)
    configs = of_kind(plan, "rke2-config")
    assert [config for config in configs if first not in done[config]] == [f"rke2-config@{spec.servers[0].name}"]
    carriers = of_kind(plan, "keepalived")
    assert all(vip in done[first] for vip in of_kind(plan, "vip-up"))
    if (held := f"keepalived@{node_of(first)}") in carriers and of_kind(plan, "vip-to-server"):
        assert {each for each in carriers if each in done[first]} == {held}, "nobody else is waited for"
        assert all(held in done[each] for each in carriers if each != held), "it holds the address from the start"
        assert all({*carriers} <= done[server] for server in servers), "and is the only one before others join"
    else:
        assert {*carriers} <= done[first]
    assert in_series(of_kind(plan, "keepalived-check"), done), "gateways are touched one at a time"
    assert all(done[check] >= {first, *servers} for check in of_kind(plan, "keepalived-check"))
    of_rainbond = {step.name for step in rainbond_steps(spec)}
    beside = {"keepalived-gateway-check"}
    if of_kind(plan, "keepalived-gateway-check"):
        beside.add("keepalived-check")
    before = {step.id for step in plan.steps if step.name not in of_rainbond | beside}
    assert done["cluster-proof"] == before - {"cluster-proof"}, "the proof is behind all of the cluster"
    rainbond = of_kind(plan, *of_rainbond)
    assert in_series(["cluster-proof", *rainbond], done), "Rainbond comes last, one step behind the other"
    checks = of_kind(plan, *beside)
    assert in_series([step for step in checks if kind(step) == "keepalived-gateway-check"], done)
    assert all("rainbond-ready" in done[check] for check in of_kind(plan, "keepalived-gateway-check"))
    assert all(
        {*of_kind(plan, "keepalived-check")} <= done[check] for check in of_kind(plan, "keepalived-gateway-check")
    )
    for check in of_kind(plan, "keepalived-check") if rainbond else ():
        assert "rainbond-release" in done[check], "an address that may move is no ground for helm"
        assert check not in done["rainbond-ready"], "beside the waiting"
    assert bool(rainbond) is spec.profile.installs_rainbond
    assert {step.node for step in plan.steps} == {"", *(node.name for node in spec.nodes)}
    assert [step.id for step in build_plan(spec, {}).steps] == [step.id for step in plan.steps]


@settings(deadline=None)
@given(specs())
def test_lanes_are_ordered_and_tied_together_only_at_gates(spec: ClusterSpec) -> None:
    plan = build_plan(spec, {})
    done = behind(plan)
    for node in spec.nodes:
        lane = [step.id for step in plan.steps if step.node == node.name]
        assert in_series(lane, done)
        for step_id in lane:
            if not {"rke2-first-server", "api-reached"} & {kind(other) for other in (step_id, *done[step_id])}:
                of_first = done.get(f"keepalived@{spec.servers[0].name}", set())
                own = {other for other in done[step_id] if node_of(other) != spec.servers[0].name}
                assert {node_of(other) for other in own} <= {node.name}, f"{step_id} is tied"
                shared = done[step_id] - own - {f"keepalived@{spec.servers[0].name}"}
                assert node is spec.servers[0] or shared <= of_first, f"{step_id} waits for more than the address"


def test_the_plan_of_three_servers_and_an_agent() -> None:
    plan = build_plan(three_servers_and_an_agent(), {})
    done = behind(plan)
    assert of_kind(plan, "rke2-server", "rke2-agent") == ["rke2-server@n2", "rke2-server@n3", "rke2-agent@n4"]
    assert "vip-to-server" in done["rke2-server@n2"]
    assert "vip-to-server" in done["rke2-agent@n4"]
    assert "rke2-server@n2" not in done["rke2-agent@n4"], "agents do not wait for further servers"
    assert of_kind(plan, "keepalived-check") == ["keepalived-check@n3", "keepalived-check@n2", "keepalived-check@n1"]
    assert "keepalived@n4" not in done["cluster-proof"]


def test_agents_wait_for_an_api_where_the_first_server_has_none() -> None:
    spec = spec_of({"e1": ("etcd",), "c1": ("control-plane", "gateway"), "w1": ("worker",)})
    done = behind(build_plan(spec, {}))
    assert "rke2-ready@c1" in done["rke2-agent@w1"]


def test_where_servers_run_already_agents_are_the_last() -> None:
    spec = three_servers_and_an_agent()
    unit = frozenset({"rke2-server.service"})
    for facts in (NodeFacts("n2", 0.0, active_units=unit), NodeFacts("n2", 0.0, enabled_units=unit)):
        done = behind(build_plan(spec, {"n2": facts}))
        assert {"rke2-server@n3", "rke2-ready@n3"} <= done["rke2-agent@n4"]
        assert "rke2-ready@n2" in done["rke2-server@n3"], "never two are away"
    agent_runs = NodeFacts("n4", 0.0, active_units=frozenset({"rke2-agent.service"}))
    assert "rke2-server@n3" not in behind(build_plan(spec, {"n4": agent_runs}))["rke2-agent@n4"]


def test_a_node_that_no_api_can_know_yet_is_labelled_when_there_is_one() -> None:
    spec = spec_of({"e1": ("etcd", "worker"), "e2": ("etcd", "worker"), "c1": ("control-plane", "gateway")})
    done = behind(build_plan(spec, {}))
    assert {"rke2-ready@c1"} <= done["node-labels@e1"] & done["node-labels@e2"]
    assert "rke2-server@c1" not in done["rke2-server@e2"]


@pytest.mark.parametrize("mode", MODES[1:])
def test_without_the_api_on_the_vip_no_gateway_is_checked(mode: dict[str, dict[str, object]]) -> None:
    plan = build_plan(spec_of({"n1": ALL_IN_ONE, "n2": ("gateway", "worker")}, sections=mode), {})
    assert of_kind(plan, "keepalived-check", "vip-to-server") == []


def test_every_step_has_a_title_and_gates_change_nothing_that_could_be_undone() -> None:
    for step in build_plan(three_servers_and_an_agent(), {}).steps:
        for language in LANGUAGES:
            assert step.title.key in catalogue(language)
        assert not (step.kind is StepKind.GATE and isinstance(step, Undoable))


def test_roles_decide_who_gets_a_label() -> None:
    spec = spec_of({"n1": ALL_IN_ONE, "n2": ("control-plane", "etcd"), "n3": ("worker",)})
    workers = [node.name for node in spec.nodes_with(Role.WORKER)]
    assert of_kind(build_plan(spec, {}), "node-labels") == [f"node-labels@{name}" for name in workers]
