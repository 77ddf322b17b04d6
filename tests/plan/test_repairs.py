"""Repairs: what they do to files of others, and what they are offered for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rbdtui.checks import check_node
from rbdtui.errors import StepError
from rbdtui.facts.model import HostsEntry, Listener
from rbdtui.findings import Finding, Place, Severity
from rbdtui.plan.recipes import Request, recipe_named
from rbdtui.plan.repairs import REPAIRS, repairs_for
from rbdtui.plan.repairs.hosts_lines import without_stale
from rbdtui.plan.repairs.swap import without_swap
from tests.screens.answers import facts_of
from tests.screens.journals import spec_of

OURS = "# BEGIN rbdtui\n10.9.9.9 node2\n# END rbdtui\n"
RIGHT = {"node1": "10.0.0.1", "node2": "10.0.0.2", "goodrain.me": "10.0.0.100"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("UUID=1 / ext4 defaults 0 1\n", "UUID=1 / ext4 defaults 0 1\n"),
        ("/swap.img none swap sw 0 0\n", "# /swap.img none swap sw 0 0\n"),
        ("/dev/sda2\tswap\tswap\tdefaults\t0 0", "# /dev/sda2\tswap\tswap\tdefaults\t0 0"),
        ("# /swap.img none swap sw 0 0\n", "# /swap.img none swap sw 0 0\n"),
        ("tmpfs /swap tmpfs swap 0 0\nswap\nnone swap\n", "tmpfs /swap tmpfs swap 0 0\nswap\nnone swap\n"),
        ("/a none swap sw 0 0\r\n/b / xfs x 0 0\r\n", "# /a none swap sw 0 0\r\n/b / xfs x 0 0\r\n"),
    ],
)
def test_lines_of_swap_become_comments(before: str, after: str) -> None:
    assert without_swap(before) == after
    assert without_swap(after) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("127.0.0.1 localhost\n", "127.0.0.1 localhost\n"),
        ("10.0.0.1 node1\n10.9.9.9 node2\n", "10.0.0.1 node1\n"),
        ("10.9.9.9 node2 db\n", "10.9.9.9 db\n"),
        ("10.9.9.9 node2 db # mine\n", "10.9.9.9 db # mine\n"),
        ("10.9.9.9\tother # node2\n", "10.9.9.9\tother # node2\n"),
        ("# 10.9.9.9 node2\n\n10.9.9.9\n", "# 10.9.9.9 node2\n\n10.9.9.9\n"),
        ("10.9.9.9 goodrain.me\r\n10.9.9.9 x goodrain.me", "10.9.9.9 x\n"),
        (f"{OURS}10.9.9.9 node2\n", OURS),
        ("10.9.9.9 caf\udce9 node1\n", "10.9.9.9 caf\udce9\n"),
    ],
)  # fmt: skip
def test_names_of_the_plan_leave_other_addresses(before: str, after: str) -> None:
    assert without_stale(before, RIGHT) == after
    assert without_stale(after, RIGHT) == after


def test_each_repair_serves_findings_that_exist_and_no_two_the_same() -> None:
    codes = [code for kind in REPAIRS for code in kind.codes]
    assert len(codes) == len(set(codes))
    assert len({kind.name for kind in REPAIRS}) == len(REPAIRS)


def test_what_is_found_on_a_node_is_offered_for_that_node() -> None:
    spec = spec_of(3)
    facts = {name: facts_of(spec, name) for name in ("node1", "node2")}
    facts["node2"] = replace(
        facts["node2"],
        active_units=frozenset({*facts["node2"].active_units, "firewalld"}),
        immutable=("/etc/hosts",),
        hosts_file=(HostsEntry("10.9.9.9", ("node1",)),),
    )
    findings = [found for known in facts.values() for found in check_node(spec, known, Place)]
    offered = repairs_for(findings, spec, facts)
    assert {step: {each.code for each in found} for step, found in offered.items()} == {
        "repair-attributes@node2": {"RBD-DISK-113"},
        "repair-firewalld@node2": {"RBD-FW-101"},
        "repair-hosts-lines@node2": {"RBD-NAME-105"},
    }


@pytest.mark.parametrize(("unit", "offered"), [("nginx.service", True), ("postgresql.service", False), ("", False)])
def test_only_web_servers_of_the_distribution_are_stopped(unit: str, offered: bool) -> None:
    spec = spec_of(3)
    known = replace(facts_of(spec, "node1"), listeners=(Listener("tcp", "0.0.0.0", 6443, "nginx", 7, unit),))
    finding = Finding("RBD-PORT-101", Severity.ERROR, Place("nodes", "node1"))
    assert bool(repairs_for([finding], spec, {"node1": known})) is offered


def test_a_node_is_repaired_in_an_order_in_which_files_can_be_changed_first() -> None:
    spec = spec_of(3)
    facts = {name: facts_of(spec, name) for name in ("node1", "node2")}
    chosen = "repair-swap@node1 repair-firewalld@node2 repair-attributes@node1"
    plan = recipe_named("repair").build(Request(spec, facts, {"steps": chosen}))
    assert [step.id for step in plan.steps] == [
        "repair-attributes@node1", "repair-swap@node1", "repair-firewalld@node2"
    ]  # fmt: skip
    assert plan.steps[1].after == ("repair-attributes@node1",)
    assert plan.steps[2].after == ()


@pytest.mark.parametrize("step", ["repair-everything@node1", "repair-swap@node9", "repair-swap", "rke2-server@node1"])
def test_what_is_no_repair_is_refused(step: str) -> None:
    spec = spec_of(3)
    with pytest.raises(StepError) as refused:
        recipe_named("repair").build(Request(spec, {"node1": facts_of(spec, "node1")}, {"steps": step}))
    assert refused.value.code == "repair_unknown"
