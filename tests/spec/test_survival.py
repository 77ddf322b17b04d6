"""What a node's death means, by layout."""

from __future__ import annotations

import pytest

from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.survival import Impact, Survival, survivals, what_if_dies
from rbdtui.words import LANGUAGES, say
from tests.spec.samples import GOOD


def spec_of(*roles: str, api: str = "vip", gateway: str = "keepalived") -> ClusterSpec:
    nodes = "".join(f"  - {{name: n{i}, address: 10.1.0.{i + 1}, roles: [{role}]}}\n" for i, role in enumerate(roles))
    extra = {"keepalived": ", vip: 10.1.0.100/24", "external": ", address: 10.1.0.90", "none": ""}[gateway]
    loaded = parse_spec(
        f"apiVersion: rbdtui/v1\nname: x\nbundle: b\nkubernetes: {{api: {{mode: {api}}}}}\n"
        f"gateway: {{mode: {gateway}{extra}}}\nnodes:\n{nodes}"
    )
    assert loaded.spec is not None, loaded.findings
    return loaded.spec


ALL = "control-plane, etcd, worker, gateway, build"
SERVER = "control-plane, etcd"


def fates(survival: Survival) -> tuple[str, ...]:
    return tuple(outcome.impact.value for outcome in survival.outcomes)


CASES = [
    ("three all-in-one", (ALL, ALL, ALL), {}, "n1", ("holds", "holds", "holds", "holds")),
    ("single node", (ALL,), {}, "n0", ("lost", "lost", "lost", "lost")),
    ("two members", (ALL, ALL), {}, "n1", ("lost", "lost", "holds", "holds")),
    ("agent", (ALL, ALL, ALL, "worker"), {}, "n3", ("untouched", "untouched", "untouched", "untouched")),
    (
        "only gateway",
        ("control-plane, etcd, gateway", SERVER, SERVER, "build"),
        {},
        "n0",
        ("holds", "lost", "lost", "untouched"),
    ),
    ("only builder", (SERVER, SERVER, SERVER, "build"), {}, "n3", ("untouched", "untouched", "unused", "lost")),
    (
        "first server",
        (SERVER, SERVER, SERVER, "gateway"),
        {"api": "first-server"},
        "n0",
        ("holds", "lost", "untouched", "unused"),
    ),
    (
        "second server",
        (SERVER, SERVER, SERVER, "gateway"),
        {"api": "first-server"},
        "n1",
        ("holds", "holds", "untouched", "unused"),
    ),
    (
        "gateway apart",
        (SERVER, SERVER, SERVER, "gateway", "gateway"),
        {"api": "first-server"},
        "n4",
        ("untouched", "untouched", "holds", "unused"),
    ),
    (
        "behind balancers",
        (ALL, ALL, ALL),
        {"api": "external", "gateway": "external"},
        "n0",
        ("holds", "holds", "holds", "holds"),
    ),
    ("no VIP", (ALL, ALL, ALL), {"api": "first-server", "gateway": "none"}, "n2", ("holds",) * 4),
    (
        "only control plane",
        ("control-plane", "etcd", "etcd", "etcd"),
        {"api": "first-server", "gateway": "none"},
        "n0",
        ("untouched", "lost", "unused", "unused"),
    ),
]


@pytest.mark.parametrize(("layout", "roles", "modes", "node", "expected"), CASES, ids=[case[0] for case in CASES])
def test_fates(
    layout: str, roles: tuple[str, ...], modes: dict[str, str], node: str, expected: tuple[str, ...]
) -> None:
    spec = spec_of(*roles, **modes)
    assert fates(what_if_dies(spec, node)) == expected, layout


def test_quorum_is_counted() -> None:
    survival = what_if_dies(spec_of(*[ALL] * 5), "n0")
    assert (survival.etcd_members, survival.etcd_members_left, survival.etcd_members_needed) == (5, 4, 3)


def test_the_words_name_who_takes_over() -> None:
    spec = parse_spec(GOOD).spec
    assert spec is not None
    survival = what_if_dies(spec, "node1")
    assert str(survival.etcd.text) == "etcd 2 of 3, quorum holds"
    assert str(survival.gateway.text) == "VIP moves to node2"
    many = what_if_dies(spec_of(*[ALL] * 7), "n0")
    assert str(many.gateway.text) == "VIP moves to one of n1, n2, n3, n4 +2"


@pytest.mark.parametrize("gateway", ["keepalived", "external", "none"])
@pytest.mark.parametrize("api", ["vip", "external", "first-server"])
def test_every_layout_has_words_in_every_language(api: str, gateway: str) -> None:
    for roles in ((ALL, ALL, ALL), (ALL,), (SERVER, "gateway"), ("worker",), (ALL, ALL, SERVER, "worker")):
        for survival in survivals(spec_of(*roles, api=api, gateway=gateway)):
            for outcome in survival.outcomes:
                assert isinstance(outcome.impact, Impact)
                for language in LANGUAGES:
                    sentence = say(outcome.text, language)
                    assert not sentence.startswith("survival.")
                    assert "{" not in sentence


def test_an_unknown_node_is_refused() -> None:
    spec = parse_spec(GOOD).spec
    assert spec is not None
    with pytest.raises(KeyError):
        what_if_dies(spec, "nobody")


@pytest.mark.parametrize(
    ("count", "dead", "impact"),
    [(3, "n0", Impact.HOLDS), (3, "n3", Impact.UNTOUCHED), (2, "n0", Impact.LOST)],
)
def test_ceph_goes_on_while_two_servers_with_copies_are_left(count: int, dead: str, impact: Impact) -> None:
    """With one copy alone it serves nothing."""
    data = spec_of(ALL, ALL, ALL, ALL).model_dump(mode="json", exclude_unset=True)
    disks = [{"node": f"n{i}", "device": f"/dev/disk/by-id/D{i}", "serial": f"D{i}"} for i in range(count)]
    spec = ClusterSpec.model_validate({**data, "storage": {"mode": "rook-ceph", "disks": disks}})
    outcome = what_if_dies(spec, dead).storage
    assert outcome.impact is impact
    for language in LANGUAGES:
        assert "{" not in say(outcome.text, language)
