"""Protocol 112 between gateways: really sent and heard between two networks' ends, and what its absence means."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.checks.services import FleetCheck, vrrp_between, vxlan_between
from rbdtui.checks.services.asking import no_secret
from rbdtui.checks.services.between import Between, BetweenQuestion, ways_in_words
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Severity
from rbdtui.paths import asset
from rbdtui.transport.base import CommandResult, ConnectionLostError
from rbdtui.transport.scripts import Script
from rbdtui.words import LANGUAGES, say
from tests.checks.support import VIP, good_facts, place, spec_of
from tests.stand_in import StandInHost

PYTHON = str(Path(sys.executable).resolve())
_LACKING = None if os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip") else "needs root, unshare, ip"
on_a_wire = pytest.mark.skipif(_LACKING is not None, reason=f"NOT TRIED ON A WIRE: {_LACKING}")

MARK = "0123456789abcdef"
WIRE = """set -eu
ip link set lo up
unshare -n sleep 30 &
other=$!
until [ "$(readlink "/proc/$other/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add va type veth peer name vb netns "$other"
there() { nsenter -t "$other" -n "$@"; }
ip addr add 198.51.100.1/26 dev va
there ip addr add 198.51.100.2/26 dev vb
ip link set va up
there ip link set vb up
[ -z "$STRANGER" ] || there "$PYTHON" "$STRANGER" &
sleep "$LATE"
{
    PATH=$ONLY nsenter -t "$other" -n sh "$TRIER" "$WAY" 198.51.100.2 1.5 "$THEIR_MARK" $THEIR_TARGETS ||
        echo "exit $?"
} > "$OUT/there" 2>&1 &
last=$!
PATH=$ONLY sh "$TRIER" "$WAY" 198.51.100.1 1.5 "$MARK" $TARGETS > "$OUT/here" 2>&1 || echo "exit $?" >> "$OUT/here"
wait "$last" || true
kill "$other"
"""
"""Two ends of a cable, each in a network of its own."""


def tried(
    tmp_path: Path,
    *programs: str,
    targets: str,
    their_targets: str,
    their_mark: str = MARK,
    stranger: str = "",
    way: str = "vrrp",
    late_s: float = 0.0,
) -> tuple[list[str], list[str]]:
    """What the script says at both ends, on hosts that have these programs alone."""
    only = tmp_path / "bin"
    only.mkdir()
    for program in ("sh", "nsenter", *programs):
        found = PYTHON if program == "python3" else shutil.which(program)
        assert found is not None, program
        (only / program).symlink_to(found)
    speaker = tmp_path / "stranger.py"
    speaker.write_text(stranger)
    environment = {
        **os.environ,
        "PYTHON": PYTHON,
        "TRIER": str(asset("scripts", "packets-between.sh")),
        "ONLY": str(only),
        "OUT": str(tmp_path),
        "WAY": way,
        "LATE": str(late_s),
        "MARK": MARK,
        "THEIR_MARK": their_mark,
        "TARGETS": targets,
        "THEIR_TARGETS": their_targets,
        "STRANGER": str(speaker) if stranger else "",
    }
    subprocess.run(["unshare", "-n", "sh", "-c", WIRE], env=environment, check=True, timeout=60)
    here, there = ((tmp_path / name).read_text().splitlines() for name in ("here", "there"))
    return here, there


@on_a_wire
@pytest.mark.parametrize("program", ["python3", "perl"])
@pytest.mark.parametrize(("way", "group"), [("vrrp", False), ("vrrp", True), ("8472", False)])
def test_both_ends_hear_each_other(tmp_path: Path, program: str, way: str, group: bool) -> None:
    targets = ("224.0.0.18", "224.0.0.18") if group else ("198.51.100.2", "198.51.100.1")
    here, there = tried(tmp_path, program, targets=targets[0], their_targets=targets[1], way=way)
    assert here == ["heard 198.51.100.2", "tried"]
    assert there == ["heard 198.51.100.1", "tried"]


NOISE = """import socket, time
port = {port}
speaker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if port else socket.SOCK_RAW, 0 if port else 112)
for number in range(20):
    for packet in (b"!", bytes([0x21, 87, 101, 1, 0, 1, 0, 0, 198, 51, 100, 50]), bytes(1400), bytes(20)):
        speaker.sendto(packet, ("198.51.100.1", port))
    time.sleep(0.05)
"""


@on_a_wire
@pytest.mark.parametrize("program", ["python3", "perl"])
@pytest.mark.parametrize("way", ["vrrp", "8472"])
def test_what_others_say_is_not_taken_for_an_answer(tmp_path: Path, program: str, way: str) -> None:
    here, there = tried(
        tmp_path, program, targets="198.51.100.2 203.0.113.9", their_targets="198.51.100.1", their_mark="f" * 16,
        stranger=NOISE.format(port=0 if way == "vrrp" else way), way=way,
    )  # fmt: skip
    assert here == ["unsent 203.0.113.9 Network is unreachable", "tried"]
    assert there == ["tried"]


@on_a_wire
def test_a_host_without_anything_to_try_with_says_so(tmp_path: Path) -> None:
    here, _ = tried(tmp_path, targets="198.51.100.2", their_targets="198.51.100.1")
    assert here == ["exit 3"]


@on_a_wire
@pytest.mark.parametrize("program", ["python3", "perl"])
def test_a_port_that_is_taken_is_told(tmp_path: Path, program: str) -> None:
    """As by the kernel of a cluster at work."""
    taker = "import socket, time\ntaken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    taker += "taken.bind(('0.0.0.0', 8472))\ntime.sleep(3)\n"
    _, there = tried(
        tmp_path, program, targets="198.51.100.2", their_targets="198.51.100.1", way="8472", stranger=taker, late_s=0.5
    )
    assert there == ["exit 5"]


# --- what it means ---------------------------------------------------------------------------------------------

NAMES = ("node1", "node2", "node3")


def address_of(name: str) -> str:
    """As `spec_of` has it."""
    return f"10.0.0.{11 + NAMES.index(name)}"


def view_of(**gateway: object) -> ClusterView:
    spec = spec_of(gateway={"vip": f"{VIP}/16", "virtual_router_id": 87, **gateway})
    return ClusterView(spec, {name: good_facts(i) for i, name in enumerate(NAMES, 1)}, place, spec.profile.limits)


def question_of(view: ClusterView) -> BetweenQuestion:
    question = vrrp_between.CHECK.question(view)
    assert question is not None
    return question


class Gateway(StandInHost):
    """One of several that try at once; who hears whom stands in a table, which may hold for the first round only."""

    def __init__(self, name: str, wire: Wire) -> None:
        self.name, self.wire = name, wire

    async def run(self, script: Script, *args: str, **_: Any) -> CommandResult:
        assert script.name == "packets-between"
        _way, own, _seconds, mark, *targets = args
        return self.wire.answer(self.name, own, mark, targets)


class Wire:
    def __init__(
        self, *shut: tuple[str, str], first_round_only: bool = False, ends: Mapping[str, CommandResult] | None = None
    ) -> None:
        self.shut, self.first_round_only, self.ends = set(shut), first_round_only, ends or {}
        self.asked: dict[str, list[tuple[str, str, list[str]]]] = {name: [] for name in NAMES}
        self.hosts = {name: Gateway(name, self) for name in NAMES}

    def answer(self, name: str, own: str, mark: str, targets: list[str]) -> CommandResult:
        self.asked[name].append((own, mark, targets))
        if name in self.ends:
            return self.ends[name]
        shut = self.shut if not self.first_round_only or len(self.asked[name]) == 1 else set()
        heard = [each for each in NAMES if each != name and (each, name) not in shut]
        lines = [*(f"heard {address_of(each)}" for each in heard), "heard x", "tried"]
        return CommandResult(0, "\n".join(lines).encode(), b"", 0)


async def asked(wire: Wire, view: ClusterView) -> Between:
    return await vrrp_between.CHECK.ask(question_of(view), wire.hosts, no_secret)


def judged(view: ClusterView, answer: Between | None) -> dict[str, str]:
    found = list(vrrp_between.CHECK.judge(question_of(view), answer, view))
    for finding in found:
        for language in LANGUAGES:
            words = say(finding.message, language) + say(finding.remedy, language)
            assert "{" not in words
    severities = {finding.code: finding.severity for finding in found}
    assert severities.items() <= {"RBD-VIP-115": Severity.ERROR, "RBD-VIP-116": Severity.INFO}.items()
    return {finding.code: str(finding.params.get("pairs") or finding.params.get("nodes")) for finding in found}


@pytest.mark.parametrize(
    ("shut", "pairs"),
    [
        ([], None),
        ([("node1", "node2")], "node1 -> node2"),
        ([("node1", "node2"), ("node2", "node1")], "node1 <-> node2"),
        ([("node3", "node1"), ("node3", "node2"), ("node1", "node3")], "node1 <-> node3, node3 -> node2"),
        ([("node1", "node3"), ("node2", "node3"), ("node3", "node2")], "* -> node3, node3 -> node2"),
    ],
)
async def test_each_way_that_is_shut_is_told_after_a_second_try(shut: list[tuple[str, str]], pairs: str | None) -> None:
    view, wire = view_of(), Wire(*shut)
    assert judged(view, await asked(wire, view)) == ({"RBD-VIP-115": pairs} if pairs else {})
    assert {len(rounds) for rounds in wire.asked.values()} == {2 if shut else 1}
    marks = [{rounds[number][1] for rounds in wire.asked.values()} for number in range(2 if shut else 1)]
    assert all(len(mark) == 1 for mark in marks), "all of one round share a mark"


async def test_who_began_late_is_heard_in_the_second_round() -> None:
    view, wire = view_of(), Wire(("node1", "node2"), first_round_only=True)
    assert judged(view, await asked(wire, view)) == {}


async def test_they_speak_as_keepalived_will() -> None:
    for view, targets in ((view_of(), 2), (view_of(unicast=False), 1)):
        wire = Wire()
        await asked(wire, view)
        for name, rounds in wire.asked.items():
            own, _, given = rounds[0]
            assert own == address_of(name)
            assert own not in given
            assert len(given) == targets
    assert given == ["224.0.0.18"]


NOT_SENT = CommandResult(0, b"unsent 10.0.0.1 Operation not permitted\nheard x\ntried\n", b"", 0)


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (CommandResult(3, b"", b"", 0), {"RBD-VIP-116": "node2"}),
        (CommandResult(4, b"", b"PermissionError: [Errno 1]", 0), {"RBD-VIP-116": "node2"}),
        (CommandResult(124, b"heard 10.0.0.1\n", b"", 0), {"RBD-VIP-116": "node2"}),
        (NOT_SENT, {"RBD-VIP-115": "* -> node2"}),
    ],
)
async def test_a_gateway_that_cannot_try_is_named_and_the_others_tell_of_each_other(
    end: CommandResult, found: dict[str, str]
) -> None:
    view, wire = view_of(), Wire(ends={"node2": end})
    answer = await asked(wire, view)
    assert judged(view, answer) == found
    if end is NOT_SENT:
        assert answer.unsent == {"node2": "10.0.0.1 Operation not permitted"}


async def test_a_gateway_that_is_gone_is_named_too() -> None:
    class Gone(Gateway):
        async def run(self, script: Script, *args: str, **_: Any) -> CommandResult:
            raise ConnectionLostError(self.name)

    view, wire = view_of(), Wire()
    wire.hosts["node3"] = Gone("node3", wire)
    assert judged(view, await asked(wire, view)) == {"RBD-VIP-116": "node3"}


def test_no_answer_in_time_is_no_fault() -> None:
    assert judged(view_of(), None) == {"RBD-VIP-116": "node1, node2, node3"}


def test_nothing_is_tried_without_a_vip_or_with_one_gateway() -> None:
    view = view_of()
    one = ClusterView(view.spec, {"node1": good_facts(1)}, place, view.limits)
    assert vrrp_between.CHECK.question(one) is None
    spec = spec_of(gateway={"mode": "external", "address": "10.0.0.9"}, api={"mode": "external", "address": "10.0.0.9"})
    bare = ClusterView(spec, {name: good_facts(i) for i, name in enumerate(NAMES, 1)}, place, spec.profile.limits)
    assert vrrp_between.CHECK.question(bare) is None


# --- VXLAN --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "port"),
    [({}, "8472"), ({"cni": "calico"}, "4789"), ({"cni": "cilium"}, "8472"), ({"cni": "none"}, None)],
)
def test_the_port_is_that_of_the_pods_network(settings: dict[str, object], port: str | None) -> None:
    spec = spec_of(settings=settings)
    view = ClusterView(spec, {name: good_facts(i) for i, name in enumerate(NAMES, 1)}, place, spec.profile.limits)
    question = vxlan_between.CHECK.question(view)
    assert (question.way if question is not None else None) == port
    if question is not None:
        assert [str(address) for address in question.addresses.values()] == [address_of(name) for name in NAMES]


@pytest.mark.parametrize("check", [vrrp_between.CHECK, vxlan_between.CHECK], ids=lambda check: check.name)
def test_who_does_not_hold_its_address_is_told_elsewhere_and_takes_no_part(
    check: FleetCheck[BetweenQuestion, Between],
) -> None:
    facts = {name: good_facts(i) for i, name in enumerate(NAMES, 1)}
    facts["node2"] = replace(facts["node2"], interfaces=facts["node3"].interfaces)
    view = ClusterView(view_of().spec, facts, place, view_of().limits)
    question = check.question(view)
    assert question is not None
    assert list(question.addresses) == ["node1", "node3"]


TAKEN = CommandResult(5, b"", b"", 0)


@pytest.mark.parametrize(
    ("wire", "found"),
    [
        (Wire(), {}),
        (Wire(("node1", "node2")), {"RBD-NET-115": "node1 -> node2"}),
        (Wire(ends={"node2": TAKEN}), {}),
        (Wire(("node1", "node3"), ends={"node2": TAKEN}), {"RBD-NET-115": "node1 -> node3"}),
        (Wire(ends=dict.fromkeys(NAMES, TAKEN)), {}),
        (Wire(ends={"node2": CommandResult(3, b"", b"", 0)}), {"RBD-NET-116": "node2"}),
    ],
)
async def test_ways_that_vxlan_does_not_pass_are_told_and_a_cluster_at_work_is_left_alone(
    wire: Wire, found: dict[str, str]
) -> None:
    view = view_of()
    question = vxlan_between.CHECK.question(view)
    assert question is not None
    answer = await vxlan_between.CHECK.ask(question, wire.hosts, no_secret)
    told = list(vxlan_between.CHECK.judge(question, answer, view))
    assert {each.code: str(each.params.get("pairs") or each.params.get("nodes")) for each in told} == found
    for each in told:
        for language in LANGUAGES:
            words = say(each.message, language) + say(each.remedy, language)
            assert "8472" in words
            assert "{" not in words


def test_of_many_ways_a_few_are_told() -> None:
    nodes = [f"n{number}" for number in range(1, 9)]
    lost = [("n1", other) for other in nodes[1:]]
    assert ways_in_words(lost, nodes) == ", ".join(f"n1 -> {other}" for other in nodes[1:7]) + " (+1)"
    assert ways_in_words([(a, b) for a in nodes for b in nodes if a != b], nodes) == (
        ", ".join(f"* -> {other}" for other in nodes[:6]) + " (+2)"
    )
