"""What is told of Ceph by what Rook writes down of it."""

from __future__ import annotations

import pytest

from rbdtui.probes.ceph import judge_ceph
from rbdtui.probes.model import ProbeState
from rbdtui.rook.standing import CephStanding
from rbdtui.words import LANGUAGES, say

GIB = 1024**3
GOOD = CephStanding("Ready", "", "HEALTH_OK", (), 600 * GIB, 60 * GIB, 3, 3)
OK, DEGRADED, DOWN, UNKNOWN = ProbeState.OK, ProbeState.DEGRADED, ProbeState.DOWN, ProbeState.UNKNOWN


@pytest.mark.parametrize(
    ("standing", "states", "said"),
    [
        (GOOD, (OK, OK, OK), "room for 180 GiB more"),
        (
            CephStanding("Ready", "", "HEALTH_WARN", ("OSD_DOWN: 1 osds down",), 600 * GIB, 0, 2, 3),
            (DEGRADED, DEGRADED, OK),
            "OSD_DOWN: 1 osds down",
        ),
        (CephStanding("Failure", "", "HEALTH_ERR", (), 600 * GIB, 0, 0, 3), (DOWN, DOWN, OK), "0 of 3 disks"),
        (CephStanding("Ready", "", "HEALTH_OK", (), 600 * GIB, 480 * GIB, 3, 3), (OK, OK, DEGRADED), "80 % used"),
        (
            CephStanding("Ready", "", "HEALTH_WARN", ("AUTH_INSECURE_KEYS_ALLOWED: x",), 600 * GIB, 0, 3, 3),
            (OK, OK, OK),
            "older keys",
        ),
        (CephStanding(), (DOWN, DOWN, UNKNOWN), "says nothing"),
    ],
    ids=["well", "a disk is away", "broken", "nearly full", "older keys", "nothing is there"],
)
def test_what_is_told(standing: CephStanding, states: tuple[ProbeState, ...], said: str) -> None:
    answers = list(judge_ceph(standing, 3))
    assert tuple(answer.state for answer in answers) == states
    assert any(said in say(answer.detail, "en") for answer in answers)
    for answer in answers:
        for language in LANGUAGES:
            assert "{" not in say(answer.detail, language)
