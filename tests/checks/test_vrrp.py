"""Virtual routers of others: really heard on a wire, by either interpreter, and what that means for the plan."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rbdtui.checks.services import judge_service, vrrp
from rbdtui.checks.services.asking import Asking, no_secret
from rbdtui.checks.services.vrrp import Announcement, VrrpAnswer
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Severity
from rbdtui.paths import asset
from rbdtui.transport.base import CommandResult
from rbdtui.transport.scripts import Script
from rbdtui.words import LANGUAGES, say
from tests.checks.cases import KUBERNETES, E, W
from tests.checks.support import VIP, claimed, good_facts, place, spec_of
from tests.stand_in import StandInHost

ROUTER_ID = 87
PYTHON = str(Path(sys.executable).resolve())
_LACKING = None if os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip") else "needs root, unshare, ip"
on_a_wire = pytest.mark.skipif(_LACKING is not None, reason=f"NOT HEARD ON A WIRE: {_LACKING}")

WIRE = """set -eu
mount -t sysfs none /sys
ip link set lo up
ip link add name va type veth peer name vb
ip addr add 203.0.113.1/24 dev va
ip addr add 198.51.100.2/26 dev vb
ip link set va up
ip link set vb up
"$PYTHON" "$SPEAKER" &
PATH=$ONLY sh "$LISTENER" 198.51.100.50 1.5 || echo "exit $?"
wait
"""
"""Two ends of a cable in a network of its own: one end speaks, the other one is listened at."""
SPEAKER = """import socket, time
speaker = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("203.0.113.1"))
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(30):
    address = socket.inet_aton("198.51.100.50")
    speaker.sendto(bytes([0x21, 87, 101, 1, 0, 1, 0, 0]) + address, ("224.0.0.18", 0))
    speaker.sendto(bytes([0x31, 51, 255, 0, 0, 100, 0, 0]), ("224.0.0.18", 0))
    speaker.sendto(b"!", ("224.0.0.18", 0))
    speaker.sendto(bytes([0x21, 9, 101, 200, 0, 1, 0, 0]) + address, ("224.0.0.18", 0))
    time.sleep(0.1)
"""


def listened(tmp_path: Path, *programs: str) -> list[str]:
    """What the script says on a host that has these programs alone."""
    only = tmp_path / "bin"
    only.mkdir()
    for program in ("sh", *programs):
        found = PYTHON if program == "python3" else shutil.which(program)
        assert found is not None, program
        (only / program).symlink_to(found)
    speaker = tmp_path / "speaker.py"
    speaker.write_text(SPEAKER)
    environment = {
        **os.environ,
        "PYTHON": PYTHON,
        "SPEAKER": str(speaker),
        "LISTENER": str(asset("scripts", "vrrp-listen.sh")),
        "ONLY": str(only),
    }
    said = subprocess.run(
        ["unshare", "-nm", "sh", "-c", WIRE], env=environment, capture_output=True, text=True, timeout=60
    )
    return said.stdout.splitlines()


@on_a_wire
@pytest.mark.parametrize("program", ["python3", "perl"])
def test_what_is_announced_is_heard_once_each_and_nonsense_is_not(tmp_path: Path, program: str) -> None:
    first, *heard, last = listened(tmp_path, program)
    assert (first, last) == ("interface vb", "listened")
    assert sorted(heard) == [
        "heard 203.0.113.1 2 87 101 198.51.100.50",
        "heard 203.0.113.1 2 9 101 198.51.100.50",
        "heard 203.0.113.1 3 51 255",
    ]


@on_a_wire
def test_a_host_without_anything_to_listen_with_says_so(tmp_path: Path) -> None:
    assert listened(tmp_path) == ["exit 3"]


# --- what it means ---------------------------------------------------------------------------------------------

FOREIGN = "10.9.9.9"
OURS = str(good_facts(2).interfaces[0].addresses[0].ip)


@pytest.mark.parametrize(
    ("said", "multicast", "codes"),
    [
        ((), False, {}),
        ((Announcement(FOREIGN, 51, 100, ("10.9.9.8",)),), True, {}),
        ((Announcement(FOREIGN, ROUTER_ID, 100, ("10.9.9.8",)),), False, {"RBD-VIP-112": W}),
        ((Announcement(FOREIGN, ROUTER_ID, 100, ("10.9.9.8",)),), True, {"RBD-VIP-112": E}),
        ((Announcement(FOREIGN, 51, 100, (VIP,)),), False, {"RBD-VIP-113": E}),
        ((Announcement(OURS, ROUTER_ID, 100, (VIP,)),), False, {}),
    ],
)
def test_who_is_in_the_way(said: tuple[Announcement, ...], multicast: bool, codes: dict[str, Severity]) -> None:
    changes: dict[str, object] = {"unicast": False} if multicast else {}
    spec = spec_of(gateway={"vip": f"{VIP}/16", "virtual_router_id": ROUTER_ID, **changes})
    facts = {f"node{i}": claimed(good_facts(i)) for i in (1, 2, 3)}
    view = ClusterView(spec, facts, place, spec.profile.limits)
    found = judge_service(vrrp.CHECK, {"node1": VrrpAnswer(said), "node2": VrrpAnswer(said)}, view)
    assert {finding.code: finding.severity for finding in found} == codes
    for finding in found:
        assert finding.params["witnesses"] == "node1, node2"
        for language in LANGUAGES:
            words = say(finding.message, language) + say(finding.remedy, language)
            assert FOREIGN in words
            assert "{" not in words
            assert str(finding.params["free"]) in words


def test_the_id_that_is_proposed_is_in_use_by_nobody() -> None:
    spec = spec_of(gateway={"vip": f"{VIP}/16", "virtual_router_id": 254})
    view = ClusterView(spec, {}, place, spec.profile.limits)
    said = tuple(Announcement(FOREIGN, number, 100, ()) for number in (254, 255, 1, 2))
    (finding,) = judge_service(vrrp.CHECK, {"node1": VrrpAnswer(said)}, view)
    assert finding.params["free"] == 3


class Listener(StandInHost):
    """A gateway that leaves this when it is told to listen."""

    name = "node1"

    def __init__(self, result: CommandResult) -> None:
        self._result = result

    async def run(self, script: Script, *args: str, **_: Any) -> CommandResult:
        assert (script.name, args) == ("vrrp-listen", (VIP, "3"))
        return self._result


@pytest.mark.parametrize(
    ("status", "out", "trouble"),
    [
        (0, "interface eth0\nheard 10.9.9.9 2 87 101 10.9.9.8\nheard x\nheard 10.9.9.9 2 900 1\nlistened\n", ""),
        (3, "", "not found"),
        (4, "interface eth0\n", "Operation not permitted"),
    ],
)
async def test_what_a_gateway_says_is_taken_apart(status: int, out: str, trouble: str) -> None:
    host = Listener(CommandResult(status, out.encode(), b"bind: Operation not permitted", 0.1))
    question = vrrp.CHECK.question(KUBERNETES)
    assert question is not None
    answer = await vrrp.CHECK.ask(question, Asking(no_secret, host))
    assert trouble in answer.trouble
    assert bool(answer.trouble) == bool(trouble)
    expected = (Announcement("10.9.9.9", 87, 101, ("10.9.9.8",)),) if not trouble else ()
    assert answer.heard == expected
    view = ClusterView(KUBERNETES, {}, place, KUBERNETES.profile.limits)
    deaf = [f.code for f in judge_service(vrrp.CHECK, {"node1": answer}, view) if f.severity is Severity.INFO]
    assert deaf == (["RBD-VIP-114"] if trouble else [])
