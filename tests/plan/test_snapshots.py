"""Snapshots: which files are whole, and a run that takes one, proves it, copies it and tidies up."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.builder import build_plan
from rbdtui.plan.recipes import Request, recipe_named
from rbdtui.plan.snapshots import (
    COPIES,
    KEY_SECRET,
    OURS,
    Snapshot,
    SnapshotState,
    copies_in,
    copies_kept,
    copy_file,
    is_snapshot_name,
    snapshots_on,
    surplus_copies,
)
from rbdtui.plan.step import Plan, StepContext
from rbdtui.plan.steps.snapshot import CopySnapshot, PruneCopies, PruneSnapshots, TakeSnapshot
from rbdtui.sealed_file import Sealing, unseal
from rbdtui.simulator.kubernetes.snapshots import DIRECTORY
from rbdtui.spec.snapshot_schedule import gap_of, snapshot_directory
from rbdtui.transport.scripts import script
from tests.plan.support import Bench, bench, carry_out, spec_of
from tests.plan.walk import walk

DATABASE = b"d" * 5120
WHOLE = DATABASE + hashlib.sha256(DATABASE).digest()
KEY = bytes(range(32))


def listed(directory: Path, prefix: str = "") -> list[list[str]]:
    text = script("etcd-snapshots").text
    done = subprocess.run(
        ["sh", "-c", text, "x", str(directory), prefix], capture_output=True, text=True, check=True, timeout=30
    )
    head, *lines = done.stdout.splitlines()
    word, available, _ = head.split(" ")
    assert word == "room"
    assert abs(int(available) - shutil.disk_usage("/").free) < 2**34
    return [line.split(" ", 4) for line in lines]


def test_a_snapshot_is_whole_by_its_own_sum_and_nothing_else(tmp_path: Path) -> None:
    contents = {
        "whole-n1-1700000000": WHOLE,
        "cut-n1-1700000001": WHOLE[:-1],
        "early-n1-1700000002": WHOLE[: 512 * 3 + 32],
        "bit-n1-1700000003": b"e" + WHOLE[1:],
        "empty-n1-1700000004": b"",
        "sum-n1-1700000005": WHOLE[-32:],
        "going-n1-1700000006.part": WHOLE,
        "small-n1-1700000007.zip": b"PK",
        "odd name": WHOLE,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "directory").mkdir()
    states = {name: (state, digest) for state, _, _, digest, name in listed(tmp_path)}
    digest = hashlib.sha256(DATABASE).hexdigest()
    assert states == {
        "whole-n1-1700000000": ("whole", digest),
        "cut-n1-1700000001": ("cut", "-"),
        "early-n1-1700000002": ("damaged", "-"),
        "bit-n1-1700000003": ("damaged", "-"),
        "empty-n1-1700000004": ("cut", "-"),
        "sum-n1-1700000005": ("cut", "-"),
        "going-n1-1700000006.part": ("part", "-"),
        "small-n1-1700000007.zip": ("zip", "-"),
        "odd name": ("whole", digest),
    }
    assert [line[4] for line in listed(tmp_path, "whole-")] == ["whole-n1-1700000000"]
    assert listed(tmp_path / "none" / "at all") == []


@pytest.mark.parametrize("name", ["", "../x", "a b", "a\nb", "-x", ".x", "x/y", "x" * 300])
def test_what_is_no_name_of_a_snapshot_is_never_asked_for(name: str) -> None:
    assert not is_snapshot_name(name)


def test_copies_are_listed_and_those_that_were_cut_off_are_told(tmp_path: Path) -> None:
    assert copies_in(tmp_path) == []
    directory = tmp_path / COPIES
    directory.mkdir()
    about = {"taken_at": 1700000000, "digest": "ab", "node": "n1", "name": "x"}
    for name in ("rbdtui-a-n1-1700000000.sealed", "rbdtui-b-n1-1700000001.sealed"):
        sealing = Sealing(directory / name, KEY, len(WHOLE), about)
        sealing.write(WHOLE)
        sealing.finish()
    cut = directory / "rbdtui-b-n1-1700000001.sealed"
    os.truncate(cut, cut.stat().st_size - 1)
    (directory / "rbdtui-c-n1-1700000002.sealed.part").write_bytes(b"x")
    (directory / "notes.txt").write_text("mine")
    assert [(each.name, each.state, each.is_good) for each in copies_in(tmp_path)] == [
        ("rbdtui-c-n1-1700000002", SnapshotState.PART, False),
        ("rbdtui-b-n1-1700000001", SnapshotState.CUT, False),
        ("rbdtui-a-n1-1700000000", SnapshotState.WHOLE, True),
    ]
    assert copies_in(tmp_path)[2].digest == "ab"


def plan(context: StepContext, node: str = "node1") -> Plan:
    return recipe_named("snapshot").build(Request(context.spec, context.facts, {"node": node}))


@asynccontextmanager
async def cluster(tmp_path: Path, count: int = 1) -> AsyncIterator[tuple[Bench, StepContext]]:
    async with bench(tmp_path, count) as at:
        await walk(build_plan(at.context.spec, at.context.facts), at.context)
        secret = at.context.secret
        yield at, replace(at.context, secret=lambda name: KEY.hex() if name == KEY_SECRET else secret(name))


async def test_one_is_taken_proven_copied_and_old_ones_of_ours_go(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (at, context):
        old = [f"{OURS}old{number}-node1-{1600000000 + number}" for number in range(7)]
        for name in [*old, "etcd-snapshot-node1-1600000000", f"{OURS}cut-node1-1599999999"]:
            at.machine().files.put(f"{DIRECTORY}/{name}", WHOLE if "cut" not in name else WHOLE[:-1])
        await walk(plan(context), context)

        there = (await snapshots_on(context.hosts["node1"], snapshot_directory(context.spec))).found
        (copy,) = copies_in(context.site_dir)
        assert copy.state is SnapshotState.WHOLE
        assert copy.name == there[0].name
        assert copy.name.startswith(f"{OURS}run1-node1-")
        assert copy.digest == there[0].digest
        assert copy.node == "node1"
        path = context.site_dir / COPIES / f"{copy.name}.sealed"
        assert path.stat().st_mode & 0o777 == 0o600
        content = b"".join(unseal(path, KEY))
        assert content == at.machine().files.read(f"{DIRECTORY}/{copy.name}")
        assert hashlib.sha256(content[:-32]).hexdigest() == copy.digest
        assert {each.name for each in there} == {copy.name, *old[3:], "etcd-snapshot-node1-1600000000"}

        walked = await walk(plan(context), context)
        assert not any(step.changed for step in walked.values()), "the same run makes no second one"


async def test_a_disk_that_is_too_full_is_said_before_anything_is_taken(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (at, context):
        disk = at.machine().files.disk_of(DIRECTORY)
        disk.tree_bytes += disk.available_bytes - 60 * 2**20
        with pytest.raises(StepError) as raised:
            await TakeSnapshot("node1").pending(context)
        assert raised.value.code == "snapshot_no_room"
        assert copies_in(context.site_dir) == []


async def test_rke2_that_ends_well_without_a_snapshot_is_not_believed(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (at, context):
        pending = await TakeSnapshot("node1").pending(context)
        disk = at.machine().files.disk_of(DIRECTORY)
        disk.tree_bytes += disk.available_bytes - 100_000
        with pytest.raises(StepError) as raised:
            await TakeSnapshot("node1").apply(context, pending)
        assert raised.value.code == "snapshot_not_taken"


async def test_one_that_was_cut_off_is_named_and_never_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cluster(tmp_path) as (_, context):
        monkeypatch.setattr("rbdtui.simulator.verbs.snapshots.snapshot_of", lambda _: WHOLE[:-100])
        with pytest.raises(StepError) as raised:
            await carry_out(TakeSnapshot("node1"), context)
        assert raised.value.code == "snapshot_cut_off"
        assert str(raised.value.params["name"]).startswith(OURS)
        copy = CopySnapshot("node1")
        with pytest.raises(StepError):
            await copy.apply(context, await copy.pending(context))
        assert copies_in(context.site_dir) == []


async def test_what_changes_on_the_way_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cluster(tmp_path) as (at, context):
        await carry_out(TakeSnapshot("node1"), context)
        copy = CopySnapshot("node1")
        pending = await copy.pending(context)
        assert pending.seen is not None
        place = f"{DIRECTORY}/{pending.seen.name}"
        at.machine().files.put(place, at.machine().files.read(place)[:-1] + b"x")
        with pytest.raises(StepError) as raised:
            await copy.apply(context, pending)
        assert raised.value.code == "snapshot_changed"
        assert list((context.site_dir / COPIES).iterdir()) == []


async def test_this_machines_room_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cluster(tmp_path) as (_, context):
        await carry_out(TakeSnapshot("node1"), context)
        few: Any = type("Usage", (), {"free": 1000})
        monkeypatch.setattr("rbdtui.plan.steps.snapshot.shutil.disk_usage", lambda _: few)
        with pytest.raises(StepError) as raised:
            await CopySnapshot("node1").pending(context)
        assert raised.value.code == "snapshot_no_room_here"


async def test_what_rke2_will_not_delete_holds_nothing_up(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (at, context):
        for number in range(7):
            at.machine().files.put(f"{DIRECTORY}/{OURS}old{number}-node1-{1600000000 + number}", WHOLE)
        prune = PruneSnapshots("node1")
        pending = await prune.pending(context)
        assert len(pending.changes) == 2
        await at.machine().systemd.stop("rke2-server")
        await prune.apply(context, pending)
        assert [note.key for note in at.heard.notes] == ["plan.note.snapshots_stay"]


async def test_a_node_without_etcd_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path, 2) as at:
        with pytest.raises(StepError) as raised:
            plan(at.context, "node2")
        assert raised.value.code == "snapshot_no_etcd"


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        ("0 */12 * * *", 12), ("*/30 * * * *", 0.5), ("0 0 * * *", 24), ("0 0,6 * * *", 18), ("15 3 * * 1-5", 72),
        ("0 0 1 * *", 31 * 24), ("0 0 1 * 1", 7 * 24), ("@every 90m", 1.5), ("@daily", 24), ("@every 1h30m", 1.5),
        ("0 8-18/5 * * *", 14), ("", None), ("@reboot", None), ("0 */12 * *", None), ("0 24 * * *", None),
        ("0 */0 * * *", None), ("0 0 30 2 *", None), ("x", None), ("@every ", None), ("0 0 * * MON", None),
    ],
)  # fmt: skip
def test_how_far_apart_rke2s_own_snapshots_are(schedule: str, hours: float | None) -> None:
    assert gap_of(schedule) == (None if hours is None else hours * 3600)


def copies(text: str) -> list[Snapshot]:
    """One for each letter, the newest first: w whole, c cut off, p part; x one that is not ours, and whole."""
    states = {"w": SnapshotState.WHOLE, "c": SnapshotState.CUT, "p": SnapshotState.PART, "x": SnapshotState.WHOLE}
    return [
        Snapshot(f"{'' if letter == 'x' else OURS}{number}", states[letter], 1, 1000.0 - number)
        for number, letter in enumerate(text)
    ]


@pytest.mark.parametrize(
    ("there", "kept", "proven", "gone"),
    [
        ("wwww", 2, "0", "2 3"),
        ("wwww", 5, "0", ""),
        ("w", 1, "0", ""),
        ("wwww", 2, "9", ""),  # the new one has not come
        ("cwww", 2, "0", ""),  # the new one is not whole: it is none that could be fallen back to
        ("wccw", 2, "0", ""),  # what was cut off does not count, and stays while it is not older than all that stay
        ("wwcp", 2, "0", "2 3"),
        ("wwxx", 1, "0", "1"),  # others' files are not ours to delete
        ("www", 1, "2", ""),  # a clock that was set back: the proven one stays, and nothing newer goes
        ("wwww", 1, "0", "1 2 3"),
    ],
)
def test_which_copies_go_and_the_last_good_one_never_does(there: str, kept: int, proven: str, gone: str) -> None:
    found = surplus_copies(copies(there), kept, f"{OURS}{proven}")
    assert [each.name.removeprefix(OURS) for each in found] == gone.split()
    whole = {each.name for each in copies(there) if each.state is SnapshotState.WHOLE}
    assert whole - {each.name for each in found}, "one stays, whatever there is"


@pytest.mark.parametrize(
    ("said", "kept"), [(None, 5), ("12", 12), (3, 3), ("0", 1), ("many", 5), ("-1", 5), ("1" * 30, 5)]
)
def test_as_many_copies_stay_as_rke2_keeps_of_its_own(said: object, kept: int) -> None:
    settings = {} if said is None else {"etcd-snapshot-retention": said}
    spec = spec_of({"n1": ("control-plane", "etcd", "worker")}, sections={"kubernetes": {"settings": settings}})
    assert copies_kept(spec) == kept


async def test_old_copies_go_once_the_new_one_was_proven(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (_, context):

        def sealed(number: int) -> None:
            path = copy_file(context.site_dir, f"{OURS}old{number}-node1-{1600000000 + number}")
            path.parent.mkdir(mode=0o700, exist_ok=True)
            about = {"taken_at": 1600000000.0 + number, "digest": "0" * 64, "node": "node1", "name": path.name}
            sealing = Sealing(path, KEY, len(WHOLE), about)
            sealing.write(WHOLE)
            sealing.finish()
            sealing.close()

        for number in range(7):
            sealed(number)
        prune = PruneCopies("node1")
        assert (await prune.pending(context)).is_done, "nothing goes before the new one is there"
        await walk(plan(context), context)
        names = [each.name for each in copies_in(context.site_dir)]
        assert names[0].startswith(f"{OURS}run1-node1-")
        assert [name.removeprefix(OURS) for name in names[1:]] == [
            f"old{number}-node1-{1600000000 + number}" for number in (6, 5, 4, 3)
        ]
        assert (await prune.pending(context)).is_done
