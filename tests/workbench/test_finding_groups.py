"""Findings that are the same on several nodes are read once; none is lost, none is told of another node."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rbdtui.findings import Finding, Place, Severity
from rbdtui.words import Text
from rbdtui.workbench.review.finding_groups import places_of
from rbdtui.workbench.sections import NODES, SITE

MODULES, CLOCK, BUNDLE = "RBD-KERN-105", "RBD-TIME-101", "RBD-BUNDLE-001"


def modules(node: str, names: str = "overlay") -> Finding:
    return Finding(MODULES, Severity.INFO, Place("nodes[0].name", node), {"node": node, "modules": names})


def clock(node: str, seconds: float) -> Finding:
    params: dict[str, str | int | float | Text] = {"node": node, "seconds": seconds, "uncertainty": 0.1}
    return Finding(CLOCK, Severity.WARNING, Place("nodes[0].name", node), params)


def test_the_same_on_fifty_nodes_is_one_line() -> None:
    nodes = [f"node{number}" for number in range(1, 51)]
    (place,) = places_of([modules(node) for node in nodes])
    (group,) = place.groups
    assert place.section == NODES
    assert group.nodes == place.nodes == tuple(nodes)
    assert group.words.startswith("kernel modules")


def test_what_differs_stands_apart_and_the_worst_comes_first() -> None:
    missing = Finding(BUNDLE, Severity.ERROR, Place("bundle"), {"names": "rke2", "path": "bundle"})
    found = [modules("node1"), modules("node2"), modules("node3", "vxlan"), clock("node2", 3.0), missing]
    places = places_of(found)
    assert [(place.section, place.nodes) for place in places] == [
        (SITE, ()),
        (NODES, ("node2",)),
        (NODES, ("node1", "node2")),
        (NODES, ("node3",)),
    ]


def test_what_held_earlier_is_not_taken_for_what_holds_now() -> None:
    groups = [group for place in places_of([modules("node1")], [modules("node2")]) for group in place.groups]
    assert [(group.nodes, group.faded) for group in groups] == [(("node1",), False), (("node2",), True)]


FINDINGS = st.lists(
    st.one_of(
        st.builds(modules, st.sampled_from(["a", "b", "c", ""]), st.sampled_from(["x", "y"])),
        st.builds(clock, st.sampled_from(["a", "b", "c"]), st.sampled_from([1.0, 2.0])),
    ),
    max_size=30,
)


@given(FINDINGS, FINDINGS)
def test_every_finding_is_in_one_group(now: list[Finding], before: list[Finding]) -> None:
    groups = [group for place in places_of(now, before) for group in place.groups]
    assert sorted(repr(f) for group in groups for f in group.findings) == sorted(repr(f) for f in [*now, *before])
    for group in groups:
        assert len({(finding.code, finding.severity) for finding in group.findings}) == 1
