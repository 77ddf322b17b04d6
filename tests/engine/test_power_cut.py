"""Journals as a power cut may leave them: pages that were not synced are lost in any order, and a run goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

import pytest

from rbdtui.engine.events import Event, Outcome, RunCreated, StepFinished, StepInfo, StepNoted, StepStarted
from rbdtui.engine.journal import Journal, JournalError, JournalReader, read_journal
from rbdtui.engine.state import RunState
from rbdtui.redact import Redactor
from rbdtui.words import T
from tests.engine.support import World, executing, lanes

PAGE = 4096
MOST_LOST = 3
"""Pages that are lost at once in these states."""
INFOS = tuple(StepInfo(f"a@n{number}", "a", f"n{number}", T("test.step"), "work") for number in range(90))
CREATED = RunCreated("r", "s", "p", INFOS, "0" * 64, "1")
NEXT = StepStarted("later", 1)


def bursts() -> Iterator[list[Event]]:
    """What is written between two syncs: a first line of several pages, few lines, many lines, long ones."""
    yield [CREATED]
    yield [StepStarted("a@n1", 1)]
    yield [StepNoted("a@n1", T("test.note", number=number)) for number in range(150)]
    yield [StepFinished("a@n1", Outcome.CHANGED, 1.0), StepStarted("a@n2", 1)]
    yield [StepNoted("a@n2", T("test.note", text="x" * 9000)), StepFinished("a@n2", Outcome.CHANGED, 1.0)]


async def states(directory: Path) -> list[tuple[int, bytes]]:
    """Lines that were committed, and what the disk may have, for every moment and every set of pages that were lost."""
    path, found, durable = directory / "whole.jsonl", [], b""
    journal = Journal(path, Redactor(()), clock=lambda: 1000.0)
    for burst in bursts():
        journal.append(*burst)
        whole = path.read_bytes()
        committed = durable.count(b"\n")
        unsynced = range(len(durable) // PAGE, (len(whole) - 1) // PAGE + 1)
        for lost in chain.from_iterable(combinations(unsynced, size) for size in range(MOST_LOST + 1)):
            found.append((committed, without(whole, durable, lost)))
        await journal.commit()
        durable = path.read_bytes()
    await journal.close()
    return found


def without(whole: bytes, durable: bytes, lost: tuple[int, ...]) -> bytes:
    """The file when some pages never reached the disk: they hold what was synced in them before, and zeros."""
    pages = [whole[start : start + PAGE] for start in range(0, len(whole), PAGE)]
    for number in lost:
        kept = durable[number * PAGE : (number + 1) * PAGE]
        pages[number] = kept.ljust(len(pages[number]), b"\0")
    return b"".join(pages)


async def test_every_state_that_lost_pages_leave_is_gone_on_with(tmp_path: Path) -> None:
    path, seen, with_holes = tmp_path / "events.jsonl", 0, 0
    whole = list(chain.from_iterable(bursts()))
    for committed, state in await states(tmp_path):
        path.write_bytes(state)
        follower = JournalReader(path)
        known = follower.read_new()
        while more := follower.read_new():
            known += more
        assert len(known) >= committed, "what was committed is there"
        assert [record.event for record in known] == whole[: len(known)]
        assert read_journal(path) == known
        await goes_on(path, len(known))
        assert [record.event for record in follower.read_new()] == [NEXT], "who followed sees it go on"
        copies = list(tmp_path.glob("events.jsonl.damaged*"))
        assert len(copies) <= 1
        for copy in copies:
            assert state.endswith(copy.read_bytes())
            assert copy.stat().st_mode & 0o777 == 0o600
            copy.unlink()
        seen, with_holes = seen + 1, with_holes + len(copies)
    assert seen > 40
    assert with_holes > 10


async def goes_on(path: Path, known: int) -> None:
    journal = Journal(path, Redactor(()), clock=lambda: 1000.0)
    assert len(journal.earlier) == known
    assert journal.append(NEXT)[0].seq == known + 1
    await journal.commit()
    await journal.close()
    assert read_journal(path)[-1].event == NEXT


@pytest.mark.parametrize(
    "tail",
    [
        b"{broken\n",
        b"\0" * 700 + b"\n",
        b"\xff\xfe\x00\x01\n",
        b"[" * 100_000 + b"\n",
        b"12\n\n[]\n",
        b'{"torn": \n' + b"\0" * 5000,
        b"\x80\n" * 3000,
    ],
    ids=["text", "zeros", "bytes", "deep", "no record", "half and zeros", "many"],
)
async def test_a_bad_end_is_cut_with_a_copy_that_is_never_overwritten(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "events.jsonl"
    earlier = tmp_path / "events.jsonl.damaged"
    earlier.write_bytes(b"of an earlier power cut")
    await goes_on(path, 0)
    good = path.read_bytes()
    path.write_bytes(good + tail)
    assert len(read_journal(path)) == 1
    assert path.read_bytes() == good + tail, "reading changes nothing"
    await goes_on(path, 1)
    assert (tmp_path / "events.jsonl.damaged.2").read_bytes() == tail
    assert earlier.read_bytes() == b"of an earlier power cut"


@pytest.mark.parametrize("zeros", [700, 4096])
async def test_zeros_that_end_within_a_block_are_damage_and_not_a_lost_page(tmp_path: Path, zeros: int) -> None:
    path = tmp_path / "events.jsonl"
    await goes_on(path, 0)
    await goes_on(path, 1)
    first, second = path.read_bytes().splitlines(keepends=True)
    damaged = first + b"\0" * zeros + b"\n" + second
    assert (len(first) + zeros) % 512
    path.write_bytes(damaged)
    with pytest.raises(JournalError):
        read_journal(path)
    with pytest.raises(JournalError):
        Journal(path, Redactor(()))
    assert path.read_bytes() == damaged


async def test_a_run_whose_first_line_was_lost_begins_anew_in_its_place(tmp_path: Path) -> None:
    """Nothing was done on any host before the first line was on the disk."""
    world = World()
    steps = lanes(world, ["n1"], ["a"])
    (tmp_path / "events.jsonl").write_bytes(b"\0" * PAGE + b'rest"}\n{"schema":1,"seq":2,"at":1,"type":"x"}\n')
    assert RunState.of(read_journal(tmp_path / "events.jsonl")).seq == 0
    async with executing(tmp_path, steps) as run:
        await run.outcome()
        assert run.state.all_settled
        assert isinstance(run.events()[0], RunCreated)


async def test_a_copy_that_cannot_be_kept_leaves_the_journal_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"{broken\n")

    def fail(file: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(JournalError) as caught:
        Journal(path, Redactor(()))
    assert caught.value.text.key == "journal.full"
    assert path.read_bytes() == b"{broken\n"
