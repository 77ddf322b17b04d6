"""All that failed in a run in one list, and a text in the logs of all steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from rbdtui.engine.logs import log_file
from screens.run.log_pane import LogPane
from screens.run.run_logs import RunLogsDialog
from tests.screens.conftest import Opened, settled
from tests.screens.run_seen import screen_of
from tests.screens.running import on_stage
from tests.screens.waiting import program, show_run, until


def listed(pilot: Pilot[int]) -> list[str]:
    """What stands in the list, by the ids of steps."""
    options = pilot.app.screen.query_one("#found", OptionList)
    return [str(options.get_option_at_index(place).id) for place in range(options.option_count)]


async def opened_dialog(pilot: Pilot[int]) -> None:
    await show_run(pilot)
    await pilot.press("l")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunLogsDialog))
    await settled(pilot)


async def test_only_what_failed_is_listed_with_its_reason_and_gone_to(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_stage(home, "failed", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await opened_dialog(pilot)
            assert listed(pilot) == ["host-packages@node2"]
            assert "The package manager of node2" in program(pilot).text_on_screen()
            await pilot.press("enter")
            await settled(pilot)
            step = screen_of(pilot).selected_step
            assert step is not None
            assert step.info.id == "host-packages@node2"


async def test_a_text_is_found_in_every_log_and_the_one_chosen_shows_it(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_stage(home, "done", monkeypatch) as (workbench, run_dir):
        for step, line in (("os-prepare@node3", "swap is Kept"), ("rke2-agent@node4", "swap was kept, too")):
            with open(log_file(run_dir, step), "a", encoding="utf-8") as log:
                log.write(f'2026-03-02T14:00:09+0000 time="x" level=info msg="{line}"\n')
        async with opened(workbench) as pilot:
            await opened_dialog(pilot)
            assert "Nothing has failed" in program(pilot).text_on_screen()
            await pilot.press(*"kept")
            await until(pilot, lambda: len(listed(pilot)) == 2)
            assert listed(pilot) == ["os-prepare@node3", "rke2-agent@node4"]
            assert "swap is Kept" in program(pilot).text_on_screen()
            await pilot.press("down", "enter")
            await until(pilot, lambda: not isinstance(pilot.app.screen, RunLogsDialog))
            await settled(pilot)
            chosen = screen_of(pilot).selected_step
            assert chosen is not None
            assert chosen.info.id == "rke2-agent@node4"
            pane = pilot.app.screen.query_one(LogPane)
            assert pilot.app.focused is pane
            await until(pilot, lambda: any("swap was kept, too" in row for row in pane.text_rows))


async def test_what_is_nowhere_is_said(opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with on_stage(home, "done", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await opened_dialog(pilot)
            await pilot.press(*"[[x", "enter")
            await until(pilot, lambda: "“[[x” is in no log" in program(pilot).text_on_screen())
            assert isinstance(pilot.app.screen, RunLogsDialog)
