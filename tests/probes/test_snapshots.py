"""Snapshots of etcd as health sees them: late, none, none yet; and the script that lists them without reading any."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from rbdtui.probes.model import Health, ProbeState
from rbdtui.probes.snapshots import SnapshotAges, judge_snapshots
from rbdtui.transport.scripts import script
from rbdtui.words import LANGUAGES, say
from tests.probes.targets import Authority
from tests.probes.test_monitor import scene, states

H = 3600.0


@pytest.mark.parametrize(
    ("data_h", "newest_h", "count", "state", "word"),
    [
        (100, 3, 5, ProbeState.OK, "good"),
        (100, 12.9, 5, ProbeState.OK, "good"),  # saving takes a while
        (100, 13.1, 5, ProbeState.DEGRADED, "late"),
        (100, 700, 1, ProbeState.DEGRADED, "late"),
        (100, -1, 1, ProbeState.OK, "good"),  # a clock that was set back
        (3, None, 0, ProbeState.EXPECTED, "none_yet"),
        (None, None, 0, ProbeState.EXPECTED, "none_yet"),
        (14, None, 0, ProbeState.DEGRADED, "none"),
    ],
)
def test_what_is_late(data_h: float | None, newest_h: float | None, count: int, state: ProbeState, word: str) -> None:
    data_s, newest_s = (None if hours is None else hours * H for hours in (data_h, newest_h))
    answer = judge_snapshots("node1", "x", SnapshotAges(data_s, newest_s, count), 12 * H)
    assert (answer.state, answer.detail.key) == (state, f"probe.snapshot.{word}")
    for language in LANGUAGES:
        assert "{" not in say(answer.detail, language)


async def test_a_server_whose_schedule_is_late_is_told(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        assert (await cluster.monitor().once()).health is Health.OK
        cluster.hosts["node2"].scripts["etcd-snapshot-ages"] = lambda: (
            f"data 900000\n{20 * 3600} 5152 etcd-snapshot-1\n"
        )
        cluster.hosts["node3"].scripts["etcd-snapshot-ages"] = lambda: "nonsense\n"
        snapshot = await cluster.monitor().once()
    assert states(snapshot) == {"snapshot@node2": "degraded", "snapshot@node3": "unknown"}
    assert "20.0 h old" in str(snapshot.by_id["snapshot@node2"].detail)
    assert "snapshot@node4" not in snapshot.by_id, "it has no etcd"


def test_the_script_lists_ages_and_leaves_out_what_is_not_finished(tmp_path: Path) -> None:
    directory, data = tmp_path / "snapshots", tmp_path / "var/lib/rancher/rke2/server/db/etcd/member"

    def run() -> list[str]:
        text = script("etcd-snapshot-ages").text.replace("/var/lib/", f"{tmp_path}/var/lib/")
        done = subprocess.run(["sh", "-c", text, "x", str(directory)], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert run() == ["data -"]
    directory.mkdir()
    data.mkdir(parents=True)
    for name, age_s in (("etcd-snapshot-n1-1", 7200), ("etcd-snapshot-n1-2", 60), ("cut.part", 5)):
        (directory / name).write_bytes(b"x" * 100)
        os.utime(directory / name, (time.time() - age_s,) * 2)
    head, *lines = [line.split(" ") for line in run()]
    assert head[0] == "data"
    assert int(head[1]) < 60
    assert [(name, int(age) // 60, size) for age, size, name in lines] == [
        ("etcd-snapshot-n1-1", 120, "100"), ("etcd-snapshot-n1-2", 1, "100")
    ]  # fmt: skip
