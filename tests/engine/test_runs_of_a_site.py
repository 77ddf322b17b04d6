"""Which run of a site is meant: the one under way, else the one made last, whatever the clock said, unless given up."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from rbdtui.engine import client as client_module
from rbdtui.engine import launch
from rbdtui.engine.client import (
    CommandError,
    RunClient,
    RunStartError,
    can_resume,
    current_run,
    half_failover,
    half_move,
    half_restore,
    latest_of_plan,
    latest_run,
    resume_run,
    start_run,
    unfinished_reset,
)
from rbdtui.engine.events import (
    Outcome,
    RunCreated,
    RunFinished,
    RunOutcome,
    StepFailed,
    StepFinished,
    StepInfo,
    StepStarted,
)
from rbdtui.engine.inputs import (
    Purpose,
    PurposeKind,
    RunInputError,
    RunOptions,
    create_run_dir,
    read_purpose,
    spec_digest,
)
from rbdtui.engine.journal import Journal, JournalError
from rbdtui.engine.lock import SiteLockedError, hold_site, holder_of, refuse_when_held
from rbdtui.engine.state import StepStatus
from rbdtui.redact import Redactor
from rbdtui.session import Session
from rbdtui.site import Site, SiteError
from rbdtui.words import T, say
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.run.run_list import run_line
from tests.disks import small_disk
from tests.engine.disk_runs import FACTS, SECRETS, assert_whole, ended, runner, start, until
from tests.engine.support import SPEC_TEXT

DAY_S = 86400
DIGEST = spec_digest(SPEC_TEXT.encode())


def made(site: Site, monkeypatch: pytest.MonkeyPatch, at_s: float) -> str:
    """A run made when the jump host's clock said so."""
    monkeypatch.setattr(time, "time_ns", lambda: int(at_s * 1e9))
    run_dir = create_run_dir(site, SPEC_TEXT.encode(), FACTS, RunOptions())
    (run_dir / "events.jsonl").touch()
    monkeypatch.undo()
    return run_dir.name


def test_runs_stand_in_the_order_in_which_they_were_made(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_795_000_000.0
    (site.path / "runs" / "20991231-2359-ffff").mkdir(parents=True)
    (site.path / "runs" / "20991231-2359-ffff" / "events.jsonl").touch()
    moments = (now, now + 40 * DAY_S, now + 60, now - 1000 * DAY_S, now + 120)
    ids = [made(site, monkeypatch, at_s) for at_s in moments]
    assert site.run_ids() == ["20991231-2359-ffff", *ids], (
        "one of a version that kept no order is older than all others"
    )


def test_the_hour_that_comes_twice_in_autumn_has_different_names(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        first_pass = 1_792_888_200.0  # 2026-10-25 02:30 in Berlin, for the first time
        ids = [made(site, monkeypatch, at_s) for at_s in (first_pass, first_pass + 1800, first_pass + 3600)]
        assert ids == sorted(ids)
        assert site.run_ids() == ids
        assert ids[0].startswith("20261025-0030-"), "names are in UTC"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("number", [b"", b"x", b"9" * 5000, b"\xff"])
def test_a_number_that_makes_no_sense_does_no_harm(site: Site, monkeypatch: pytest.MonkeyPatch, number: bytes) -> None:
    first = made(site, monkeypatch, 1000.0)
    (site.run_dir(first) / "number").write_bytes(number)
    second = made(site, monkeypatch, 2000.0)
    assert second in site.run_ids()


def test_other_work_on_a_site_is_never_gone_on_with_and_says_what_it_was(site: Site) -> None:
    purpose = Purpose(PurposeKind.RECIPE, recipe="look-after", arguments={"node": "n1"})
    run_dir = create_run_dir(site, SPEC_TEXT.encode(), FACTS, RunOptions(), purpose)
    assert read_purpose(run_dir) == purpose
    assert read_purpose(run_dir).name == "look-after"
    assert not can_resume(run_dir, DIGEST)
    other_work = run_line(site, run_dir.name, active=False).other_work
    assert other_work is not None
    assert other_work.key == "recipe.look-after.title"
    assert other_work.params == {"node": "n1"}
    installing = create_run_dir(site, SPEC_TEXT.encode(), FACTS, RunOptions())
    assert run_line(site, installing.name, active=False).other_work is None


async def test_the_run_under_way_is_meant_whatever_is_newer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await start(site, "--pace=0.5")
    made(site, monkeypatch, time.time() + 40 * DAY_S)
    current = current_run(site)
    assert current is not None
    assert current.run_id == client.run_id
    await current.stop()
    assert (await ended(client)).outcome is RunOutcome.STOPPED


async def test_after_a_run_with_a_fast_clock_the_interrupted_one_is_taken_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(site, monkeypatch, time.time() + 40 * DAY_S)
    client = await start(site, "--pace=0.3")
    await kill(site)
    newest = latest_run(site)
    assert newest is not None
    assert newest.run_id == client.run_id
    assert can_resume(newest.run_dir, DIGEST)


async def kill(site: Site) -> None:
    holder = holder_of(site)
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    await until(lambda: holder_of(site) is None)


# --- giving up -----------------------------------------------------------------------------------------------


async def test_a_new_run_gives_up_the_one_left_unfinished(site: Site) -> None:
    first = await start(site, "--pace=0.3")
    await kill(site)
    assert can_resume(first.run_dir, DIGEST)
    second = await start(site)
    assert (await ended(second)).outcome is RunOutcome.DONE
    assert first.given_up()
    assert not can_resume(first.run_dir, DIGEST)
    assert first.state().steps, "it stays readable"
    shutil.rmtree(second.run_dir)
    newest = latest_run(site)
    assert newest is not None
    assert not can_resume(newest.run_dir, DIGEST), "it never comes back"


async def test_other_work_between_gives_nothing_up_and_hides_nothing(site: Site) -> None:
    installing = await start(site, "--pace=0.3")
    await kill(site)
    other = await start(site, purpose=Purpose(PurposeKind.RECIPE, recipe="look-after"))
    assert (await ended(other)).outcome is RunOutcome.DONE
    assert not installing.given_up()
    newest = latest_of_plan(site)
    assert newest is not None
    assert newest.run_id == installing.run_id
    assert can_resume(newest.run_dir, DIGEST)
    third = await start(site)
    assert (await ended(third)).outcome is RunOutcome.DONE
    assert installing.given_up(), "a new installation does"


def test_a_reset_cut_off_is_remembered_whatever_was_done_since(site: Site) -> None:
    reset = create_run_dir(site, SPEC_TEXT.encode(), FACTS, RunOptions(), Purpose(PurposeKind.RESET, nodes=("n1",)))
    (reset / "events.jsonl").touch()
    other = Purpose(PurposeKind.RECIPE, recipe="look-after")
    (create_run_dir(site, SPEC_TEXT.encode(), FACTS, RunOptions(), other) / "events.jsonl").touch()
    found = unfinished_reset(site)
    assert found is not None
    assert found.run_id == reset.name


RESTORE = Purpose(PurposeKind.RECIPE, recipe="restore", arguments={"name": "s", "digest": "d", "taken": "t"})


@pytest.mark.parametrize(
    ("events", "half"),
    [
        ([], False),
        (["started restore-halt@n1"], False),
        (["started restore-reset@n1"], True),
        (["started restore-reset@n1", "failed restore-reset@n1"], False),
        (["started restore-reset@n1", "done restore-reset@n1"], True),
        (["started restore-reset@n1", "done restore-reset@n1", "started restore-set-aside@n2"], True),
        (
            ["started restore-reset@n1", "done restore-reset@n1", "started restore-set-aside@n2",
             "done restore-set-aside@n2"],
            False,
        ),
    ],
)  # fmt: skip
async def test_a_restore_cut_off_between_old_and_new_data_is_remembered(
    site: Site, events: list[str], half: bool
) -> None:
    names = ("restore-halt@n1", "restore-reset@n1", "restore-set-aside@n2")
    await cut_off(site, RESTORE, names, events)
    assert (half_restore(site) is not None) == half
    reset = create_run_dir(site, SPEC_TEXT.encode(), FACTS, RunOptions(), Purpose(PurposeKind.RESET, nodes=("n1",)))
    (reset / "events.jsonl").touch()
    assert half_restore(site) is None, "all was taken back since"


async def cut_off(site: Site, purpose: Purpose, names: tuple[str, ...], events: list[str]) -> None:
    """A run of which somebody killed the runner after these events."""
    run_dir = create_run_dir(site, SPEC_TEXT.encode(), FACTS, RunOptions(), purpose)
    steps = tuple(StepInfo(name, name, name.partition("@")[2], T("vault.damaged"), "work") for name in names)
    journal = Journal(run_dir / "events.jsonl", Redactor(()))
    journal.append(RunCreated(run_dir.name, "site-a", "kubernetes-only", steps, DIGEST, "1"))
    for event in events:
        word, _, step = event.partition(" ")
        journal.append(
            StepStarted(step, 1) if word == "started"
            else StepFinished(step, Outcome.CHANGED, 1.0) if word == "done"
            else RunFinished(RunOutcome.DONE, 1, 1.0) if word == "ended"
            else StepFailed(step, 1, "x", T("vault.damaged"), T("vault.damaged"), "", None)
        )  # fmt: skip
    await journal.close()


@pytest.mark.parametrize(
    ("events", "half"),
    [
        ([], False),
        (["started failover-stop"], True),
        (["started failover-stop", "failed failover-stop"], True),
        (["started failover-stop", "done failover-stop", "started failover-promote"], True),
    ],
)
async def test_a_failover_that_was_cut_off_is_remembered(site: Site, events: list[str], half: bool) -> None:
    purpose = Purpose(PurposeKind.RECIPE, recipe="failover", arguments={"source": "n1", "replica": "n2"})
    await cut_off(site, purpose, ("failover-stop", "failover-promote"), events)
    assert (half_failover(site, "n1") is not None) == half
    await cut_off(site, Purpose(PurposeKind.RECIPE, recipe="snapshot"), ("snapshot-save",), ["started snapshot-save"])
    assert (half_failover(site, "n1") is not None) == half, "another recipe ends nothing"
    assert half_failover(site, "n2") is None, "roles were exchanged by hand: a failover would lead back now"
    reset = create_run_dir(site, SPEC_TEXT.encode(), FACTS, RunOptions(), Purpose(PurposeKind.RESET, nodes=("n1",)))
    (reset / "events.jsonl").touch()
    assert half_failover(site, "n1") is None, "all was taken back since"


@pytest.mark.parametrize(
    ("events", "half"),
    [
        ([], False),
        (["started move-copy", "failed move-copy"], False),
        (["started move-copy", "done move-copy", "started move-compare"], True),
        (["started move-copy", "done move-copy", "started move-compare", "failed move-compare"], True),
    ],
)
async def test_a_move_that_stopped_anybody_is_remembered_until_it_is_ended_or_taken_back(
    site: Site, events: list[str], half: bool
) -> None:
    purpose = Purpose(PurposeKind.RECIPE, recipe="move-storage", arguments={"storage_class": "shared"})
    await cut_off(site, purpose, ("move-copy", "move-compare"), events)
    assert (half_move(site) is not None) == half
    await cut_off(site, Purpose(PurposeKind.RECIPE, recipe="snapshot"), ("snapshot-save",), ["started snapshot-save"])
    assert (half_move(site) is not None) == half, "another recipe ends nothing"
    back = Purpose(PurposeKind.RECIPE, recipe="move-storage-back", arguments={"storage_class": "shared"})
    await cut_off(site, back, ("move-back",), ["started move-back", "done move-back", "ended"])
    assert half_move(site) is None, "it was taken back"


async def test_what_was_cut_off_is_told_and_nothing_but_its_end_may_begin(site: Site) -> None:
    pair = "mysql: {mode: pair, source: n1, replica: n2, username: rbd, password: secret:mysql}\n"
    text = SPEC_TEXT.replace("kubernetes-only", "rainbond-6") + pair
    site.spec_file.write_text(text)
    session = Session.open(site.path, HeldPassphrase())
    assert session.half_done is None
    purpose = Purpose(PurposeKind.RECIPE, recipe="failover", arguments={"source": "n1", "replica": "n2"})
    await cut_off(site, purpose, ("failover-stop",), ["started failover-stop", "done failover-stop"])
    told = session.half_done
    assert told is not None
    assert "rbdtui failover" in str(told)
    for begin in (
        lambda: session.start(FACTS, RunOptions()),
        lambda: session.start_recipe(Purpose(PurposeKind.RECIPE, recipe="snapshot"), FACTS, RunOptions()),
    ):
        with pytest.raises(SiteError) as refused:
            await begin()
        assert str(refused.value.text) == str(told)


async def test_a_run_that_ended_well_is_not_given_up(site: Site) -> None:
    first = await start(site)
    assert (await ended(first)).outcome is RunOutcome.DONE
    second = await start(site)
    assert (await ended(second)).outcome is RunOutcome.DONE
    assert not first.given_up()


async def test_a_run_that_did_not_start_gives_nothing_up(site: Site) -> None:
    first = await start(site, "--pace=0.3")
    await kill(site)
    with pytest.raises(RunStartError):
        await start(site, "--absent")
    assert can_resume(first.run_dir, DIGEST)


async def test_a_run_under_way_is_not_given_up(site: Site) -> None:
    client = await start(site, "--pace=0.5")
    with pytest.raises(SiteLockedError):
        client.give_up()
    assert not client.given_up()
    await client.stop()
    await ended(client)


async def test_a_damaged_journal_is_no_obstacle_to_a_new_run(site: Site) -> None:
    first = await start(site, "--pace=0.3")
    await kill(site)
    journal = first.run_dir / "events.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b"damaged\n", *lines[1:]]))
    with pytest.raises(JournalError) as refused:
        can_resume(first.run_dir, DIGEST)
    assert f"rbdtui run --new {site.path}" in str(refused.value)
    assert not can_resume(first.run_dir, "of an edited cluster.yaml"), "which is looked at before the journal"
    second = await start(site)
    assert (await ended(second)).outcome is RunOutcome.DONE
    assert first.given_up()


async def test_inputs_that_are_missing_are_named_with_the_way_out(site: Site) -> None:
    first = await start(site, "--pace=0.3")
    await kill(site)
    (first.run_dir / "spec.yaml").unlink()
    assert can_resume(first.run_dir, DIGEST), "only the runner knows what it lacks"
    with pytest.raises(RunStartError) as refused:
        await resume_run(first.run_dir, secrets=SECRETS, runner=runner())
    assert "spec.yaml" in str(refused.value)
    assert f"rbdtui run --new {site.path}" in str(refused.value)
    second = await start(site)
    assert (await ended(second)).outcome is RunOutcome.DONE


# --- who is there, and who does not answer ---------------------------------------------------------------------


async def test_a_runner_that_does_not_answer_is_not_called_gone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER_LIMIT_S", 1.0)
    client = await start(site, "--pace=0.5")
    holder = holder_of(site)
    assert holder is not None
    os.kill(holder.pid, signal.SIGSTOP)
    try:
        with pytest.raises(CommandError) as refused:
            await client.stop()
        assert refused.value.text.key == "command.silent"
        assert f"`kill -9 {holder.pid}`" in str(refused.value)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
    await until(lambda: holder_of(site) is None)
    with pytest.raises(CommandError) as refused:
        await client.stop()
    assert refused.value.text.key == "command.no_runner"
    await resume_run(client.run_dir, secrets=SECRETS, runner=runner())
    assert (await ended(client)).outcome is RunOutcome.DONE
    assert_whole(client, site)
    with pytest.raises(CommandError) as refused:
        await client.stop()
    assert refused.value.text.key == "command.ended"


async def test_a_command_to_another_run_names_the_one_under_way(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    other = made(site, monkeypatch, time.time())
    with hold_site(site, "20260101-0000-aaaa"), pytest.raises(CommandError) as refused:
        await RunClient(site.run_dir(other)).stop()
    assert refused.value.text.key == "command.other_run"
    assert "20260101-0000-aaaa" in str(refused.value)


@pytest.mark.parametrize("held", [True, False])
async def test_a_runner_that_starts_slowly_is_not_told_as_one_that_failed(
    site: Site, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    monkeypatch.setattr(launch, "START_LIMIT_S", 7.0 if held else 0.01)
    option = f"--slow={10.0 if held else 0.0}"
    if held:
        client = await start(site, option)
    else:
        with pytest.raises(RunStartError) as slow:
            await start(site, option)
        assert slow.value.text.key == "run.start_slow"
        await until(lambda: latest_run(site) is not None)
        newest = latest_run(site)
        assert newest is not None
        client = newest
    assert len([record async for record in client.records()]) > 10, "whoever follows sees it begin and end"
    assert (await ended(client)).outcome is RunOutcome.DONE


# --- sites that cannot be locked or written ------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_files_cannot_be_locked_nothing_is_run_and_the_rest_works(
    site: Site, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (site.path / "run.lock").touch()

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert holder_of(site) is None
    assert current_run(site) is None
    with pytest.raises(SiteError) as refused:
        refuse_when_held(site)
    assert refused.value.text.key == "lock.unsupported"
    assert say(refused.value.text, "zh") != say(refused.value.text, "en")
    with pytest.raises(SiteError), hold_site(site, "x"):
        pytest.fail("two runs could work on the site at once")
    with pytest.raises(SiteError):
        asyncio.run(start_run(site, spec_text=SPEC_TEXT.encode(), facts=FACTS, secrets=SECRETS, runner=runner()))
    assert not site.runs_dir.exists()


async def test_moved_to_a_disk_that_locks_the_site_can_be_run(site: Site, tmp_path: Path) -> None:
    moved = Site.open(Path(shutil.copytree(site.path, tmp_path / "moved")))
    assert (await ended(await start(moved))).outcome is RunOutcome.DONE


async def test_a_site_that_cannot_be_written_is_refused_until_it_can(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size="4m") as disk:
        path = disk / "site"
        path.mkdir(mode=0o700)
        (path / "cluster.yaml").write_text(SPEC_TEXT, encoding="utf-8")
        site = Site.open(path)
        os.system(f"mount -o remount,ro {disk}")
        try:
            with pytest.raises(SiteError) as refused:
                await start(site)
            assert refused.value.text.key == "lock.unusable"
            assert holder_of(site) is None
        finally:
            os.system(f"mount -o remount,rw {disk}")
        client = await start(site)
        assert (await ended(client)).outcome is RunOutcome.DONE
        assert client.state().counts()[StepStatus.CHANGED]


def test_a_mark_that_cannot_be_kept_is_said(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = RunClient(site.run_dir(made(site, monkeypatch, 1000.0)))

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RunInputError):
        client.give_up()
