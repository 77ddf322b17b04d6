"""Questions of a run and what an operator can have it do, by keys."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from rbdtui.engine.client import RunClient
from rbdtui.engine.events import Choice, QuestionAnswered, QuestionAsked, RunFinished, RunOutcome
from rbdtui.engine.inputs import JOURNAL_NAME
from rbdtui.engine.protocol import Command
from rbdtui.site import Site
from rbdtui.words import T
from rbdtui.workbench.faults import FaultLine
from rbdtui.workbench.sections import REVIEW, RUN
from screens.dialogs.question import GRACE_S, QuestionDialog
from screens.run.run import RunScreen
from screens.run.step_matrix import StepMatrix
from screens.terminal import clock
from screens.widgets.frame import HeadLine
from tests.screens.conftest import Opened, bench, settled
from tests.screens.fake_runner import listening
from tests.screens.journals import RUN_ID, T0, Story, append, write_run
from tests.screens.run_seen import banner, selected, status, told
from tests.screens.running import held, on_stage
from tests.screens.waiting import caught_up, drawn, program, show_run, until

Patch = pytest.MonkeyPatch


# --- questions -----------------------------------------------------------------------------------------------

QUESTION = "host-packages@node2#1"


def settling(run_dir: Path, choice: Choice) -> Callable[[object], None]:
    """A runner that writes the answer it is given into its journal."""
    return lambda _: append(run_dir, QuestionAnswered(QUESTION, choice, "ops (pts/0)"))


async def until_asked(pilot: Pilot[int]) -> None:
    await show_run(pilot)
    await until(pilot, lambda: isinstance(pilot.app.screen, QuestionDialog))


def let_grace_pass(monkeypatch: Patch) -> None:
    monkeypatch.setattr("screens.terminal.clock.now", lambda: T0 + 30 + GRACE_S + 0.1)


async def test_a_question_is_answered_here(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "asking", monkeypatch) as (workbench, run_dir):
        obey = settling(run_dir, Choice.SKIP)
        async with listening(run_dir, obey) as requests, opened(workbench) as pilot:
            await until_asked(pilot)
            await pilot.press("k")
            assert requests == []
            let_grace_pass(monkeypatch)
            await pilot.press("k")
            await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
            assert [(r.command, r.question, r.choice) for r in requests] == [(Command.ANSWER, QUESTION, Choice.SKIP)]


async def test_a_question_that_another_terminal_answers_goes_away(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "asking", monkeypatch) as (workbench, run_dir):
        async with opened(workbench) as pilot:
            await until_asked(pilot)
            append(run_dir, QuestionAnswered(QUESTION, Choice.RETRY, "li (pts/7)"))
            # In one: what is told goes away by itself.
            words = "Answered elsewhere: retry, by li (pts/7)."
            await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and told(pilot) == words)


async def test_one_answer_settles_the_question_on_all_terminals(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "asking", monkeypatch) as (workbench, run_dir):
        obey = settling(run_dir, Choice.RETRY)
        other = bench(workbench.site)
        async with listening(run_dir, obey) as requests, opened(workbench) as first, opened(other) as second:
            for pilot in (first, second):
                await until_asked(pilot)
            let_grace_pass(monkeypatch)
            await second.press("r")
            for pilot in (first, second):
                await until(pilot, lambda pilot=pilot: isinstance(pilot.app.screen, RunScreen))  # type: ignore[misc]
            await until(first, lambda: "Answered elsewhere: retry" in told(first))
            assert len(requests) == 1


@pytest.mark.parametrize(("stage", "goes_on"), [("upload", True), ("asking", False)])
async def test_the_demo_says_that_a_run_goes_on_by_itself_only_while_it_does(
    home: Path, opened: Opened, monkeypatch: Patch, stage: str, goes_on: bool
) -> None:
    with on_stage(home, stage, monkeypatch) as (workbench, _):
        workbench.faults = FaultLine(("node1",), io.BytesIO(), io.BytesIO())
        async with opened(workbench) as pilot:
            await show_run(pilot)
            screen = program(pilot).screen_stack[0]
            assert isinstance(screen, RunScreen)
            assert (screen.next_hint is not None) == goes_on


async def test_only_what_may_be_answered_is_taken(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        asked = QuestionAsked("ship-bundle@node1#1", "ship-bundle@node1", T("timeline.asked"), (Choice.RETRY,))
        append(run_dir, asked)
        async with listening(run_dir) as requests, opened(workbench) as pilot:
            await until_asked(pilot)
            now = clock.now()
            monkeypatch.setattr("screens.terminal.clock.now", lambda: now + GRACE_S + 0.1)
            await pilot.press("k", "x", "s")
            await settled(pilot)
            assert requests == []
            await pilot.press("r")
            await until(pilot, lambda: bool(requests))
            assert requests[0].choice is Choice.RETRY


async def test_keys_pressed_while_an_answer_is_on_its_way_change_nothing(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "asking", monkeypatch) as (workbench, run_dir):
        obey = settling(run_dir, Choice.RETRY)
        async with listening(run_dir, obey) as requests, opened(workbench) as pilot:
            await until_asked(pilot)
            let_grace_pass(monkeypatch)
            for press in ("r", "enter", "k"):
                pilot.app.post_message(events.Key(press, None))
            await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
            assert [request.choice for request in requests] == [Choice.RETRY]


async def test_leaving_says_that_the_run_goes_on(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        async with listening(run_dir) as requests, opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.press("d")
            await until(pilot, lambda: pilot.app.screen.is_modal)
            assert "continues in the background" in program(pilot).text_on_screen()
            await pilot.press("enter")
            await pilot.pause()
            assert program(pilot).return_value == 0
            assert requests == []


async def test_a_question_comes_up_on_every_section_and_can_be_put_off(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "asking", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await until_asked(pilot)
            await pilot.press("escape")
            assert isinstance(pilot.app.screen, RunScreen)
            program(pilot).show_section("site")
            program(pilot)._draw()
            await settled(pilot)
            assert not isinstance(pilot.app.screen, QuestionDialog)
            assert workbench.run is not None
            workbench.run.put_off.clear()
            program(pilot)._draw()
            await until(pilot, lambda: isinstance(pilot.app.screen, QuestionDialog))
            await pilot.press("escape")
            program(pilot).show_section(RUN)
            await settled(pilot)
            assert "press a" in banner(pilot)
            await pilot.press("a")
            assert isinstance(pilot.app.screen, QuestionDialog)


# --- steering ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "keys", "command", "step"),
    [
        ("upload", ["p"], Command.PAUSE, None),
        ("paused", ["p"], Command.RESUME, None),
        ("upload", ["s", "y"], Command.STOP, None),
        ("asked", ["r"], Command.RETRY, "host-packages@node2"),
        ("asked", ["up", "r"], Command.RETRY, None),
        ("retrying", ["r"], Command.RETRY, "os-prepare@node2"),
    ],
)
async def test_keys_that_steer(
    stage: str, keys: list[str], command: Command, step: str | None, home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, stage, monkeypatch) as (workbench, run_dir):
        async with listening(run_dir) as requests, opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.press(*keys)
            await until(pilot, lambda: bool(requests))
            assert [(request.command, request.step) for request in requests] == [(command, step)]


@pytest.mark.parametrize(
    ("stage", "said"),
    [("upload", "in progress"), ("paused", ": paused"), ("stopping", ": stopping"), ("asked", ": needs an answer")],
)
async def test_the_head_says_how_the_run_stands(
    stage: str, said: str, home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, stage, monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await drawn(pilot)
            assert pilot.app.screen.query_one(HeadLine).right.endswith(said)


async def test_stop_is_asked_for_twice(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        async with listening(run_dir) as requests, opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.press("s", "n")
            await pilot.press("s", "escape")
            await settled(pilot)
            assert requests == []


async def test_a_runner_that_does_not_listen_is_a_sentence(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.press("p")
            await until(pilot, lambda: "does not answer" in told(pilot))


async def test_a_runner_that_dies_under_the_screen_is_said_with_what_to_do(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "gone", monkeypatch) as (workbench, _):
        site = workbench.site
        with held(site):
            assert workbench.run is not None
            workbench.run.alive = True
            async with opened(workbench) as pilot:
                await show_run(pilot)
                assert "in progress" in status(pilot)
        async with opened(bench(site)) as pilot:
            await show_run(pilot)
            assert "interrupted" in status(pilot)
            assert "press p" in banner(pilot)
            await pilot.press("p")
            await until(pilot, lambda: bool(told(pilot)) or pilot.app.screen.is_modal)


async def test_a_journal_of_a_newer_version_is_said_and_what_was_read_stays(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            with (run_dir / JOURNAL_NAME).open("a") as journal:
                journal.write(json.dumps({"schema": 99, "seq": 1, "at": 0, "type": "new"}) + "\n")
            await until(pilot, lambda: "newer rbdtui" in banner(pilot))
            assert "16 of 41" in status(pilot)


async def test_another_run_is_chosen(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "done", monkeypatch) as (workbench, _):
        write_run(workbench.site, Story(3, unchanged=True).records(), "20260303-0900-1a2b")
        workbench.look_for_run()
        async with opened(workbench) as pilot:
            await show_run(pilot)
            assert "41 of 41" in status(pilot)
            await pilot.press("o")
            await until(pilot, lambda: pilot.app.screen.is_modal)
            await pilot.press("down", "enter")
            await until(pilot, lambda: workbench.run is not None and workbench.run.run_id == RUN_ID)
            await caught_up(pilot)
            assert "50 of 50" in status(pilot)


async def test_a_run_started_elsewhere_is_found(site: Site, opened: Opened, monkeypatch: Patch) -> None:
    async with opened(bench(site)) as pilot:
        program(pilot).show_section(RUN)
        await settled(pilot)
        write_run(site, Story(3).records(20.4))
        with held(site):
            await until(pilot, lambda: pilot.app.screen.query_one("#run").display)
            await caught_up(pilot)
            assert selected(pilot) == "ship-bundle@node1"


async def test_two_terminals_see_the_same(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        other = bench(workbench.site)
        async with opened(workbench) as first, opened(other) as second:
            await show_run(first)
            await show_run(second)
            append(run_dir, RunFinished(RunOutcome.STOPPED, 12, 20.0), at=30.0)
            for pilot in (first, second):
                await until(pilot, lambda pilot=pilot: "stopped" in status(pilot))  # type: ignore[misc]
                await pilot.press("x")  # has no meaning here, and ends what is told of the other terminal
            same = [pilot.app.screen.query_one(StepMatrix).text_lines for pilot in (first, second)]
            assert same[0] == same[1]


# --- a new run in its stead ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "damaged"), [("gone", False), ("failed", False), ("gone", True)])
async def test_a_run_left_unfinished_is_given_up_for_a_new_one(
    home: Path, opened: Opened, monkeypatch: Patch, stage: str, damaged: bool
) -> None:
    with on_stage(home, stage, monkeypatch) as (workbench, run_dir):
        if damaged:
            journal = run_dir / JOURNAL_NAME
            first, *others = journal.read_bytes().splitlines(keepends=True)
            journal.write_bytes(b"".join([first, b"damaged\n", *others]))
        async with opened(bench(workbench.site)) as pilot:
            await show_run(pilot)
            await caught_up(pilot)
            if damaged:
                assert f"`rbdtui run --new {workbench.site.path}` (b on the run screen)" in banner(pilot)
            await pilot.press("b", "n")
            await settled(pilot)
            assert not RunClient(run_dir).given_up()
            await pilot.press("b")
            await until(pilot, lambda: pilot.app.screen.is_modal)
            assert RUN_ID in program(pilot).text_on_screen()
            await pilot.press("y")
            await until(pilot, lambda: f"Run {RUN_ID} is abandoned" in told(pilot))
            assert program(pilot).current_mode == REVIEW, "where a new one is started"
            assert RunClient(run_dir).given_up()
            assert workbench.session.interrupted_run() is None
            await show_run(pilot)
            assert "abandoned" in status(pilot)
            assert "Start a new one in Review" in banner(pilot)
            await pilot.press("b", "p")
            await settled(pilot)
            assert isinstance(pilot.app.screen, RunScreen), "neither has a meaning any more"
            await pilot.press("o")
            await until(pilot, lambda: "abandoned" in program(pilot).text_on_screen() and pilot.app.screen.is_modal)


@pytest.mark.parametrize("stage", ["upload", "done"])
async def test_a_run_under_way_or_well_ended_is_not_given_up(
    home: Path, opened: Opened, monkeypatch: Patch, stage: str
) -> None:
    with on_stage(home, stage, monkeypatch) as (workbench, run_dir):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.press("b")
            await settled(pilot)
            assert isinstance(pilot.app.screen, RunScreen)
            assert not RunClient(run_dir).given_up()


async def test_a_journal_that_cannot_be_read_is_a_sentence_where_a_run_is_started(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "gone", monkeypatch) as (workbench, run_dir):
        journal = run_dir / JOURNAL_NAME
        async with opened(bench(workbench.site)) as pilot:
            await show_run(pilot)
            await caught_up(pilot)
            journal.write_bytes(b"damaged\n" + journal.read_bytes())
            monkeypatch.setattr(type(program(pilot)), "ensure_unlocked", yes)
            await pilot.press("p")
            await until(pilot, lambda: "rbdtui run --new" in told(pilot))


async def yes(*_: object) -> bool:
    return True
