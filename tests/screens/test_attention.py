"""The terminal rings when a run asks or ends, once, and not for how it was found; a demo is not left by mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.engine.events import RunFinished, RunOutcome
from screens.app import RbdTuiApp
from screens.dialogs.leave import LeaveDialog
from screens.terminal.settings import Settings, load_settings, save_settings
from tests.screens.conftest import Opened, bench, make_site
from tests.screens.journals import append
from tests.screens.running import on_stage
from tests.screens.waiting import show_run, until

Patch = pytest.MonkeyPatch


@pytest.fixture
def rung(monkeypatch: Patch) -> list[bool]:
    """Grows with every ring."""
    rings: list[bool] = []
    monkeypatch.setattr(RbdTuiApp, "bell", lambda _: rings.append(True))
    return rings


@pytest.mark.parametrize(("on", "rings"), [(True, 1), (False, 0)])
async def test_the_end_of_a_run_rings_once(
    on: bool, rings: int, home: Path, opened: Opened, monkeypatch: Patch, rung: list[bool]
) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        async with opened(workbench, settings=replace(Settings(), bell=on)) as pilot:
            await show_run(pilot)
            await pilot.pause(0.5)
            assert rung == []
            append(run_dir, RunFinished(RunOutcome.FAILED, 3, 30.0), at=30.0)
            run = workbench.run
            assert run is not None
            await until(pilot, lambda: run.state().outcome is not None)
            await pilot.pause(0.6)
            assert len(rung) == rings


async def test_how_a_run_was_found_does_not_ring(
    home: Path, opened: Opened, monkeypatch: Patch, rung: list[bool]
) -> None:
    with on_stage(home, "asked", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.pause(0.5)
    with on_stage(home / "again", "done", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.pause(0.5)
    assert rung == []


async def test_a_demo_with_something_in_it_is_left_on_purpose(home: Path, opened: Opened) -> None:
    site = make_site(home / "demo")
    async with opened(bench(site, simulated=True)) as pilot:
        workbench = pilot.app.workbench  # type: ignore[attr-defined]
        workbench.change(lambda data: data.update(name="other"))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeaveDialog))
        await pilot.press("escape")
        assert pilot.app.is_running
        assert not isinstance(pilot.app.screen, LeaveDialog)


def test_bell_and_mouse_last(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    assert save_settings(file, Settings(bell=False, mouse=True)) == ""
    kept = load_settings(file)
    assert (kept.bell, kept.mouse) == (False, True)
    file.write_text("{}", encoding="utf-8")
    assert (load_settings(file).bell, load_settings(file).mouse) == (True, False)
