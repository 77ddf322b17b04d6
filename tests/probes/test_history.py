"""What a site remembers of its health: changes with their evidence, bounded, readable after everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rbdtui.probes import history as history_module
from rbdtui.probes.api import API
from rbdtui.probes.history import HealthHistory, Memory
from rbdtui.probes.model import VIP, HealthEvent, ProbeKey, ProbeState
from rbdtui.words import T, say
from tests.probes.standin import health_output
from tests.probes.targets import Authority
from tests.probes.test_monitor import NODES, scene, until, watching

KEY = ProbeKey(API, VIP, 6443)
OK, DOWN = ProbeState.OK, ProbeState.DOWN


def event(at: float, new: ProbeState = DOWN, reason: str = "x") -> HealthEvent:
    old = OK if new is DOWN else DOWN
    return HealthEvent(KEY, old, new, T("probe.via", detail=T("probe.trouble.refused"), node=reason), None, at)


def test_what_was_kept_is_read_by_the_next_process_in_either_language(tmp_path: Path) -> None:
    kept = HealthHistory(tmp_path / "health")
    kept.record(event(1000.5), "HTTP/1.1 502\n\x1b[2J")
    kept.close()
    (past,) = HealthHistory(tmp_path / "health").events()
    assert (past.at, past.probe, past.old, past.new) == (1000.5, "api@VIP", OK, DOWN)
    assert past.evidence == "HTTP/1.1 502\n\x1b[2J"
    assert say(past.detail, "en") == "Closed: nothing listens. (checked from x)"
    assert "端口关闭" in say(past.detail, "zh")
    assert (tmp_path / "health").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "health" / "events.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        b'{"at": 1e999}\n',
        b"\0\0\0\0\n",
        b"[[[[[[\n",
        b'{"at": 5, "probe": "api@VIP", "old": "ok", "new": "sideways", "detail": {"key": "x"}}\n',
        b'{"at": 5, "probe": "api@VIP", "old": "ok", "new": "down", "detail": [1]}\n',
        b'{"at": 5, "probe": "api@VI',
        "\udcff".encode("utf-8", "surrogateescape") + b"\n",
    ],
)
def test_a_damaged_line_costs_itself_only(tmp_path: Path, damage: bytes) -> None:
    kept = HealthHistory(tmp_path)
    kept.record(event(1.0))
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(damage)
    kept.record(event(2.0, OK))
    assert [past.at for past in HealthHistory(tmp_path).events()] == [1.0, 2.0]


def test_the_files_are_bounded_and_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "FILE_LIMIT_BYTES", 4000)
    kept = HealthHistory(tmp_path)
    for number in range(200):
        kept.record(event(float(number)), "e" * 5000)
    past = kept.events()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2 * 4000
    assert past[-1].at == 199.0
    assert [one.at for one in past] == sorted(one.at for one in past)


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    first, second = HealthHistory(tmp_path), HealthHistory(tmp_path)
    first.record(event(1.0))
    second.record(event(1.1))
    assert [past.at for past in second.events()] == [1.0]
    first.close()
    second.record(event(2.0, OK))
    assert [past.at for past in first.events()] == [1.0, 2.0]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"boots": 1}', '{"boots": {}, "latencies_ms": {"a": 1}}'])
def test_a_damaged_memory_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "last.json").write_text(content)
    assert HealthHistory(tmp_path).memory() == Memory()


def test_latencies_that_are_none_are_left_out(tmp_path: Path) -> None:
    odd = [1, None, -1, 1e9, True, "x", 2.5]
    (tmp_path / "last.json").write_text(json.dumps({"boots": {"a": "b"}, "latencies_ms": {"p": odd}}))
    assert HealthHistory(tmp_path).memory() == Memory({"a": "b"}, {"p": (1.0, None, 2.5)})


async def test_what_changes_while_watched_and_while_not(authority: Authority, tmp_path: Path) -> None:
    place = tmp_path / "health"
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        monitor = cluster.monitor(history=HealthHistory(place))
        async with watching(monitor):
            await until(monitor, "gateway-7070@VIP", OK)
            del cluster.network[("198.51.100.50", 7070)]
            await until(monitor, "gateway-7070@VIP", DOWN)
        cluster.open_gateway("198.51.100.50")
        full = health_output(NODES["node2"], disks={"/": 97})
        cluster.hosts["node2"].scripts["health"] = lambda: full
        after = cluster.monitor(history=HealthHistory(place))
        assert [change.key.id for change in after.snapshot().changes] == ["gateway-7070@VIP"]
        assert len([ms for ms in after.snapshot().by_id["api@VIP"].latencies_ms if ms is not None]) > 0
        await after.once()
    past = HealthHistory(place).events()
    assert [(one.probe, one.new, one.unwatched) for one in past] == [
        ("gateway-7070@VIP", DOWN, False),
        ("disk@node2", DOWN, True),
        ("gateway-7070@VIP", OK, True),
    ]
    assert "disk 97" in past[1].evidence


async def test_a_healthy_site_has_nothing_to_tell(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path, rainbond=True) as cluster:
        for _ in range(2):
            await cluster.monitor(history=HealthHistory(tmp_path / "health")).once()
    assert HealthHistory(tmp_path / "health").events() == []


async def test_the_address_that_moved_while_nobody_watched(authority: Authority, tmp_path: Path) -> None:
    async with scene(authority, tmp_path) as cluster:
        await cluster.monitor(history=HealthHistory(tmp_path / "health")).once()
        cluster.holder = "node2"
        await cluster.monitor(history=HealthHistory(tmp_path / "health")).once()
    (past,) = HealthHistory(tmp_path / "health").events()
    assert str(past.detail) == "198.51.100.50 is on node2."


async def test_a_full_disk_costs_the_history_and_not_the_watch(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "health").write_text("in the way")
    async with scene(authority, tmp_path) as cluster:
        cluster.hosts["node2"].scripts["health"] = lambda: health_output(NODES["node2"], disks={"/": 97})
        snapshot = await cluster.monitor(history=HealthHistory(tmp_path / "health")).once()
    assert snapshot.by_id["disk@node2"].state is DOWN
