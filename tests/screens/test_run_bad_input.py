"""What a run screen may meet: hostile words, huge logs, a runner that dies, a journal or directory not whole."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from textual.pilot import Pilot

from rbdtui.engine import client
from rbdtui.engine.events import (
    Choice,
    Event,
    NodeQuarantined,
    QuestionAsked,
    RunFinished,
    RunOutcome,
    RunPaused,
    StepFailed,
    StepNoted,
    StepStalled,
)
from rbdtui.engine.inputs import JOURNAL_NAME
from rbdtui.engine.lock import hold_site
from rbdtui.engine.logs import log_file
from rbdtui.probes.model import ProbeState
from rbdtui.words import T, Text
from screens.dialogs.question import QuestionDialog
from screens.run.log_pane import LogPane
from screens.run.run import RunScreen
from tests.screens.conftest import Opened, bench, make_site
from tests.screens.fake_runner import hanging, listening
from tests.screens.journals import RUN_ID, append, holder, port_changed, spec_text, write_run
from tests.screens.run_seen import banner, screen_of, status, told
from tests.screens.running import STAGES, on_stage, runner_process
from tests.screens.waiting import caught_up, show_run, until

Patch = pytest.MonkeyPatch
EVIL = "\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b6n\x07\x00\u202egnp.exe"
FIRST_SERVER = "rke2-first-server@node1"
LOG_BYTES = 100 * 2**20
MEMORY_BYTES = 24 * 2**20
"""So much more may be needed to read a log of any length."""


def drawn(pilot: Pilot[int]) -> list[str]:
    """All that goes to the terminal, piece by piece, without the escapes that draw it."""
    strips = pilot.app.screen._compositor.render_strips()
    return [segment.text for strip in strips for segment in strip if segment.control is None]


def evil_asks(step: str) -> list[Event]:
    """A step that failed with such words, and a question that repeats them."""
    text = T("error.packages_refused.message", node=EVIL)
    question = T("question.step_failed_on", step=EVIL, node=EVIL, reason=text)
    return [
        StepFailed(step, 1, EVIL, text, T("finding.RBD-SSH-007.remedy", node=EVIL), f"{EVIL}\n{EVIL}", None),
        QuestionAsked(f"{step}#1", step, question, (Choice.RETRY, Choice.STOP)),
    ]


@pytest.mark.parametrize("keys", [(), ("t",), ("g",), ("enter",), ("slash", "e", "enter"), ("o",), ("c",)])
async def test_words_of_hosts_do_not_act_on_the_terminal(
    keys: tuple[str, ...], home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "stalled", monkeypatch) as (workbench, run_dir):
        log_file(run_dir, FIRST_SERVER).write_text(f"{EVIL}\n" * 50, encoding="utf-8")
        append(
            run_dir,
            StepStalled(FIRST_SERVER, 75.0, EVIL),
            StepNoted(FIRST_SERVER, T("plan.note.vip_away", node=EVIL)),
            RunPaused(EVIL),
            NodeQuarantined(EVIL, FIRST_SERVER),
            port_changed("node2", 7070, ProbeState.DOWN, T("probe.gateway.console_status", status=EVIL), None),
            holder(EVIL),
            *evil_asks(FIRST_SERVER),
        )
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await until(pilot, lambda: isinstance(pilot.app.screen, QuestionDialog))
            assert all(piece.isprintable() for piece in drawn(pilot))
            assert "red" in "".join(drawn(pilot))
            await pilot.press("escape", *keys)
            assert all(piece.isprintable() for piece in drawn(pilot))


def memory_bytes() -> int:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    "line",
    [b'2026-03-02T14:01:00+0000 level=info msg="Waiting for API server"\n', b"x" * 999_999 + b"\n", b"\x1b[0m" * 25],
    ids=["lines", "lines of 1 MB", "no lines"],
)
async def test_a_log_of_100_mb_is_read_without_being_held(
    line: bytes, home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "stalled", monkeypatch) as (workbench, run_dir):
        file = log_file(run_dir, FIRST_SERVER)
        block = line * (2**20 // len(line) or 1)
        with file.open("wb") as stream:
            for _ in range(LOG_BYTES // len(block)):
                stream.write(block)
        async with opened(workbench) as pilot:
            before = memory_bytes()
            await show_run(pilot)
            await pilot.press("enter", "up", "pageup", "pageup", "home", "down", "pagedown", "w", "up", "right", "end")
            await pilot.press("slash", *"no such thing", "enter")
            await until(pilot, lambda: "is not in this log" in told(pilot))
            assert memory_bytes() - before < MEMORY_BYTES
            assert pilot.app.screen.query_one(LogPane).text_rows


async def test_the_runner_dies_under_the_screen(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "gone", monkeypatch) as (workbench, _), hold_site(workbench.site, RUN_ID):
        assert workbench.run is not None
        workbench.run.alive = True
        async with opened(workbench) as pilot:
            await show_run(pilot)
            assert "in progress" in status(pilot)
            lock = workbench.run.client
            monkeypatch.setattr(type(lock), "alive", lambda _: False)
            await until(pilot, lambda: "interrupted" in status(pilot))
            assert "press p" in banner(pilot)
            assert screen_of(pilot).check_action("go_on", ())
            assert not screen_of(pilot).check_action("pause", ())


@pytest.mark.parametrize(("language", "halted", "going"), [("en", "halted", "in progress"), ("zh", "被挂起", "进行中")])
async def test_a_runner_halted_from_outside_is_said_by_itself_with_what_to_do(
    home: Path, opened: Opened, monkeypatch: Patch, language: str, halted: str, going: str
) -> None:
    stage = STAGES["upload"]()
    site = make_site(home / "site-a", spec_text(stage.story.nodes))
    write_run(site, stage.story.records(stage.at_s))
    with runner_process(site) as pid:
        async with opened(bench(site), language=language) as pilot:
            await show_run(pilot)
            assert going in status(pilot)
            os.kill(pid, signal.SIGSTOP)
            await until(pilot, lambda: halted in status(pilot))
            assert f"`kill -CONT {pid}`" in banner(pilot)
            assert not screen_of(pilot).check_action("pause", ())
            os.kill(pid, signal.SIGCONT)
            await until(pilot, lambda: going in status(pilot))
            os.kill(pid, signal.SIGSTOP)
            await until(pilot, lambda: f"`kill -9 {pid}`" in banner(pilot))
            os.kill(pid, signal.SIGKILL)
            await until(pilot, lambda: bool(screen_of(pilot).check_action("go_on", ())))


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_runner_that_answers_nothing_is_said_by_itself_with_what_to_do(
    home: Path, opened: Opened, monkeypatch: Patch, language: str
) -> None:
    monkeypatch.setattr(client, "ASK_EVERY_S", 0.1)
    monkeypatch.setattr(client, "ANSWER_LIMIT_S", 0.3)
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        async with opened(workbench, language=language) as pilot:
            await show_run(pilot)
            assert banner(pilot) == ""
            with hanging(run_dir):
                await until(pilot, lambda: f"`kill -9 {os.getpid()}`" in banner(pilot))
            async with listening(run_dir):
                await until(pilot, lambda: banner(pilot) == "")


async def test_a_torn_last_line_waits_for_its_end(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        append(run_dir, RunPaused("ops (pts/1)"))
        journal = run_dir / JOURNAL_NAME
        whole = journal.read_bytes()
        journal.write_bytes(whole[:-20])
        async with opened(bench(workbench.site)) as pilot:
            await show_run(pilot)
            assert "in progress" in status(pilot)
            assert banner(pilot) == ""
            with journal.open("ab") as stream:
                stream.write(whole[-20:])
            await until(pilot, lambda: "paused" in status(pilot))


@pytest.mark.parametrize(
    "damage", [b"{ not json\n", b"\xff\xfe\n", b'{"schema": 1, "seq": 7, "at": 0, "type": "run-paused"}\n']
)
async def test_a_damaged_journal_is_said_and_what_was_read_stays(
    damage: bytes, home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        with (run_dir / JOURNAL_NAME).open("ab") as journal:
            journal.write(damage + b'{"schema": 1, "seq": 99, "at": 0, "type": "run-paused", "by": "op"}\n')
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await until(pilot, lambda: "cannot be read" in status(pilot))
            assert JOURNAL_NAME in banner(pilot)
            await pilot.press("p", "enter", "t", "escape", "g", "left_square_bracket", "end")
            assert isinstance(pilot.app.screen, RunScreen)


async def test_what_a_power_cut_kept_from_being_written_is_no_damage(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "gone", monkeypatch) as (workbench, run_dir):
        with (run_dir / JOURNAL_NAME).open("ab") as journal:
            journal.write(b"\0" * 900 + b"\n")
        async with opened(bench(workbench.site)) as pilot:
            await show_run(pilot)
            await caught_up(pilot)
            assert "interrupted" in status(pilot)
            assert "press p" in banner(pilot)


@pytest.mark.parametrize("stage", ["upload", "done"])
async def test_a_directory_that_is_deleted_meanwhile_is_said(
    stage: str, home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, stage, monkeypatch) as (workbench, run_dir):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            settled_before = status(pilot).partition(" of ")[2][:2]
            shutil.rmtree(run_dir)
            await until(pilot, lambda: "is gone" in banner(pilot))
            assert settled_before in status(pilot)
            await pilot.press("p", "s", "r", "enter", "slash", "x", "enter", "escape", "t", "escape", "o", "escape")
            assert isinstance(pilot.app.screen, RunScreen)


async def test_a_full_disk_of_the_jump_host_is_said_with_what_to_do(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "gone", monkeypatch) as (workbench, run_dir):
        reason: Text = T("journal.full", path=str(run_dir / JOURNAL_NAME))
        append(run_dir, RunFinished(RunOutcome.FAILED, 11, 40.0, reason))
        async with opened(bench(workbench.site)) as pilot:
            await show_run(pilot)
            await caught_up(pilot)
            assert "failed" in status(pilot)
            assert "is full" in banner(pilot)
            assert "Press p to resume." in banner(pilot)
