"""The journal keeps what it was given through torn writes, damage and full disks, and says so when it cannot."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.engine.events import (
    EVENT_TYPES,
    SCHEMA,
    Choice,
    Event,
    FailurePolicy,
    NodeQuarantined,
    Outcome,
    ProbeChanged,
    QuestionAnswered,
    QuestionAsked,
    Record,
    RecordError,
    RunCreated,
    RunFinished,
    RunnerStarted,
    RunOutcome,
    RunPaused,
    RunResumed,
    StepDescribed,
    StepFailed,
    StepFinished,
    StepInfo,
    StepLetGo,
    StepNoted,
    StepProgressed,
    StepStalled,
    StepStarted,
    StepStirred,
    StopCause,
    StopRequested,
)
from rbdtui.engine.journal import READ_BYTES, RESERVE_BYTES, Journal, JournalError, JournalReader, read_journal
from rbdtui.redact import Redactor
from rbdtui.words import T, Text, say

NESTED = T("a.b", node="n1", count=3, share=0.5, reason=T("c.d", detail='中文 \u2028 " \\ \x1b[31m'))
SAMPLES: list[Event] = [
    RunCreated("r", "s", "p", (StepInfo("a@n1", "a", "n1", NESTED, "work", ("x",), skippable=True),), "0" * 64, "1"),
    RunnerStarted(12, "jump", "op", "192.0.2.1 5 22", FailurePolicy.QUARANTINE),
    StepStarted("a@n1", 2),
    StepDescribed("a@n1", ({"kind": "file", "title": NESTED.to_json(), "detail": "- a\n+ b\n"},)),
    StepNoted("a@n1", NESTED),
    StepProgressed("a@n1", 1, 2, 3.5),
    StepFinished("a@n1", Outcome.CHANGED, 1.25),
    StepFailed("a@n1", 1, "RBD-SSH-007", NESTED, NESTED, "evidence\n", 2.0),
    StepStalled("a@n1", 60.0, "last"),
    StepStirred("a@n1"),
    StepLetGo("a@n1"),
    QuestionAsked("a@n1#1", "a@n1", NESTED, (Choice.RETRY, Choice.STOP)),
    QuestionAnswered("a@n1#1", Choice.RETRY, "op"),
    RunPaused("op"),
    RunResumed("op"),
    StopRequested("", StopCause.FAILURE),
    NodeQuarantined("n1", "a@n1"),
    ProbeChanged("api@VIP", "VIP", 6443, "down", NESTED, None),
    RunFinished(RunOutcome.FAILED, 3, 12.5, NESTED),
]


def an_open_journal(path: Path, *secrets: str) -> Journal:
    return Journal(path, Redactor(secrets), clock=lambda: 1000.0)


async def filled(path: Path, events: list[Event]) -> bytes:
    journal = an_open_journal(path)
    journal.append(*events)
    await journal.close()
    return content(path)


def content(path: Path) -> bytes:
    return path.read_bytes()


def test_every_event_has_a_sample_here() -> None:
    assert {event.type for event in SAMPLES} == EVENT_TYPES.keys()


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.type)
def test_an_event_survives_its_json_form(event: Event) -> None:
    record = Record(7, 12.5, event)
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_the_stamp_of_the_clock_that_nobody_sets_may_be_missing_and_must_make_sense() -> None:
    line = Record(7, 12.5, StepStarted("a@n1", 1), 99.25).to_json()
    assert Record.from_json(line).steady_s == line["steady_s"] == 99.25
    assert Record.from_json({key: value for key, value in line.items() if key != "steady_s"}).steady_s is None
    senseless: tuple[object, ...] = ("99", float("nan"), [])
    for bad in senseless:
        with pytest.raises(RecordError):
            Record.from_json(line | {"steady_s": bad})


@given(detail=st.text(), value=st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text()))
def test_any_text_survives_its_json_form(detail: str, value: str | float) -> None:
    record = Record(1, 0.0, StepFailed("a@n1", 1, "c", Text("k", {"v": value}), Text("r"), detail, None))
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


async def test_records_come_back_in_order_and_numbered(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    await filled(path, SAMPLES)
    records = read_journal(path)
    assert [record.event for record in records] == SAMPLES
    assert [record.seq for record in records] == list(range(1, len(SAMPLES) + 1))
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_journal_torn_at_any_byte_reads_and_goes_on(tmp_path: Path) -> None:
    events: list[Event] = [StepStarted("a", 1), RunPaused("中"), StepFinished("a", Outcome.CHANGED, 1.0)]
    whole = await filled(tmp_path / "whole.jsonl", events)
    for size in range(len(whole) + 1):
        path = tmp_path / "torn.jsonl"
        path.write_bytes(whole[:size])
        complete = whole[:size].count(b"\n")
        assert [record.event for record in read_journal(path)] == events[:complete]
        journal = an_open_journal(path)
        assert len(journal.earlier) == complete
        assert journal.append(StepStarted("z", 1))[0].seq == complete + 1
        await journal.commit()
        await journal.close()
        assert [record.event for record in read_journal(path)][complete:] == [StepStarted("z", 1)]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b"{broken", "journal.damaged"),
        (b"\x00\x00\x00\x00", "journal.damaged"),
        (b"[]", "journal.damaged"),
        (b'{"schema":1,"seq":2,"at":1,"type":"step-started","step":"a"}', "journal.damaged"),
        (b'{"schema":1,"seq":2,"at":1,"type":"from-the-future"}', "journal.damaged"),
        (b'{"schema":1,"seq":5,"at":1,"type":"run-paused","by":"op"}', "journal.gap"),
        (f'{{"schema":{SCHEMA + 1},"seq":2,"at":1,"type":"run-paused"}}'.encode(), "journal.newer"),
    ],
)
async def test_a_bad_line_in_the_middle_is_named(tmp_path: Path, line: bytes, key: str) -> None:
    path = tmp_path / "events.jsonl"
    first, _, third = (await filled(path, SAMPLES[2:5])).splitlines(keepends=True)
    path.write_bytes(first + line + b"\n" + third)
    for read in (lambda: read_journal(path), lambda: an_open_journal(path)):
        with pytest.raises(JournalError) as caught:
            read()
        assert caught.value.text.key == key
        assert caught.value.text.params["line"] == 2
        assert str(path) in str(caught.value)
        assert say(caught.value.text, "zh") != say(caught.value.text, "en")
    assert path.read_bytes() == first + line + b"\n" + third, "a journal that is refused must stay as it is"


async def test_a_reader_that_follows_never_sees_half_a_line(tmp_path: Path) -> None:
    whole = await filled(tmp_path / "whole.jsonl", SAMPLES)
    path = tmp_path / "events.jsonl"
    reader, seen = JournalReader(path), []
    assert reader.read_new() == []
    with path.open("ab", buffering=0) as file:
        for position in range(0, len(whole), 7):
            file.write(whole[position : position + 7])
            seen += [record.event for record in reader.read_new()]
    assert seen == SAMPLES


async def test_a_line_longer_than_a_read_is_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    long = StepFailed("a", 1, "c", T("x.y"), T("x.z"), "e" * (READ_BYTES * 2), None)
    await filled(path, [long, StepStarted("b", 1)])
    assert [record.event for record in read_journal(path)] == [long, StepStarted("b", 1)]


async def test_commit_returns_only_after_the_disk_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed, real = threading.Event(), os.fdatasync

    def held(file: int) -> None:
        allowed.wait(10)
        real(file)

    monkeypatch.setattr(os, "fdatasync", held)
    journal = an_open_journal(tmp_path / "events.jsonl")
    journal.append(StepStarted("a", 1))
    commit = asyncio.create_task(journal.commit())
    await asyncio.sleep(0.05)
    assert not commit.done()
    allowed.set()
    await asyncio.wait_for(commit, 5)
    await journal.close()


async def test_commits_of_the_same_moment_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    real = os.fdatasync

    def counted(file: int) -> None:
        syncs.append(file)
        real(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    journal = an_open_journal(tmp_path / "events.jsonl")

    async def step(name: str) -> None:
        journal.append(StepStarted(name, 1))
        await journal.commit()

    await asyncio.gather(*(step(f"s{number}") for number in range(100)))
    assert len(syncs) <= 2
    await journal.close()


async def test_what_need_not_be_durable_costs_no_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    monkeypatch.setattr(os, "fdatasync", syncs.append)
    journal = an_open_journal(tmp_path / "events.jsonl")
    journal.append(StepNoted("a", T("x.y")))
    await journal.commit()
    assert syncs == []
    await journal.close()


async def test_a_sync_that_fails_reaches_everybody_who_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    journal = an_open_journal(tmp_path / "events.jsonl")
    journal.append(StepStarted("a", 1))
    results = await asyncio.gather(journal.commit(), journal.commit(), return_exceptions=True)
    assert [type(result) for result in results] == [JournalError, JournalError]
    with pytest.raises(JournalError):
        await journal.commit()
    await journal.close()


async def test_after_a_sync_that_failed_no_later_one_is_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells of pages that it could not write once, drops them, and calls the next sync good."""
    real = os.fdatasync

    def fail(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdatasync", fail)
    journal = an_open_journal(tmp_path / "events.jsonl")
    journal.append(StepStarted("a", 1))
    with pytest.raises(JournalError):
        await journal.commit()
    monkeypatch.setattr(os, "fdatasync", real)
    journal.release_reserve()
    journal.append(StepStarted("b", 1))
    await asyncio.sleep(0.05)
    with pytest.raises(JournalError):
        await journal.commit()
    await journal.close()


async def test_behind_half_a_line_that_cannot_be_taken_back_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "events.jsonl", os.write
    journal = an_open_journal(path)
    journal.append(StepStarted("a", 1))
    await journal.commit()

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def half(file: int, data: bytes) -> int:
        return real(file, data[:20]) if len(data) > 50 else fail()

    monkeypatch.setattr(os, "write", half)
    monkeypatch.setattr(os, "ftruncate", fail)
    with pytest.raises(JournalError):
        journal.append(StepStarted("b", 1))
    monkeypatch.undo()
    for _ in range(2):
        with pytest.raises(JournalError):
            journal.append(StepStarted("c", 1))
        with pytest.raises(JournalError):
            await journal.commit()
        journal.release_reserve()
    await journal.close()
    assert [record.event for record in read_journal(path)] == [StepStarted("a", 1)]


async def test_a_write_that_fails_half_way_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`os.write` is made to write a part and then fail, as on a disk that fills up."""
    path, real = tmp_path / "events.jsonl", os.write
    journal = an_open_journal(path)
    journal.append(StepStarted("a", 1))

    def full(file: int, data: bytes) -> int:
        if len(data) < 50:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data[:20])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalError) as caught:
        journal.append(StepStarted("b", 1), StepStarted("c", 1))
    assert caught.value.text.key == "journal.full"
    monkeypatch.setattr(os, "write", real)
    assert journal.append(StepStarted("d", 1))[0].seq == 2
    assert [record.event for record in read_journal(path)] == [StepStarted("a", 1), StepStarted("d", 1)]
    await journal.close()


async def test_room_is_kept_aside_and_given_back(tmp_path: Path) -> None:
    journal = an_open_journal(tmp_path / "events.jsonl")
    reserve = tmp_path / "events.reserve"
    assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES
    journal.release_reserve()
    assert not reserve.exists()
    await journal.close()


async def test_secrets_are_never_written(tmp_path: Path) -> None:
    path, secret = tmp_path / "events.jsonl", "run-hunter22"
    journal = an_open_journal(path, secret, "step-failed", "a@n1")
    text = T("a.b", detail=f"said {secret}")
    change = {"kind": "file", "title": text.to_json(), "detail": f"+ {secret}"}
    journal.append(
        StepFailed("a@n1", 1, "c", text, text, f"password={secret}", None),
        StepStalled("a@n1", 1.0, secret),
        StepNoted("a@n1", text),
        StepDescribed("a@n1", (change,)),
        QuestionAsked("q", "a@n1", text, (Choice.STOP,)),
        ProbeChanged("p", "t", 1, "ok", text, None),
        RunFinished(RunOutcome.FAILED, 0, 0.0, text),
    )
    await journal.close()
    assert secret not in path.read_text(encoding="utf-8")
    failed = read_journal(path)[0].event
    assert isinstance(failed, StepFailed)
    assert failed.step == "a@n1", "a name stays, even when a secret looks like it"


def test_events_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        StepStarted("a", 1).step = "b"  # type: ignore[misc]
