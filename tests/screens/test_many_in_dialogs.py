"""Long lists in dialogs, of runs and of disks, are searched by the keys of Nodes; Escape shows all before it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.engine.events import RunOutcome
from rbdtui.site import Site
from rbdtui.workbench.run.run_list import RunLine
from screens.dialogs.disks import DisksDialog
from screens.dialogs.list_dialog import ListDialog
from screens.run.runs import RunsDialog
from screens.widgets.frame import KeyLine, TooSmall
from tests.screens.conftest import Opened, bench, settled, show_live
from tests.screens.forming import show
from tests.screens.pilot import key_event
from tests.screens.test_ceph_disks import site as ceph_site
from tests.screens.test_many import NAMED, SIZES, head, press
from tests.screens.waiting import drawn, program

DAY = 86400.0
FIRST = 1_790_000_000.0


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of day are the same everywhere."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[RunLine]:
    """Sixty, one a day, of which each tenth has failed; the newest first."""
    lines = [
        RunLine(f"20260921-{n:04x}", FIRST - n * DAY, RunOutcome.FAILED if n % 10 == 9 else RunOutcome.DONE, n)
        for n in range(60)
    ]
    monkeypatch.setattr("screens.run.runs.list_runs", lambda site: lines)
    return lines


def found(dialog: ListDialog[str]) -> list[int]:
    return list(dialog._shown)


def keys(dialog: ListDialog[str]) -> str:
    return str(dialog.query_one(KeyLine).render())


@pytest.mark.parametrize(("size", "language", "ascii_only"), SIZES)
async def test_a_run_is_found_by_its_day_and_opened(
    opened: Opened, site: Site, runs: list[RunLine], size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    chosen: list[str | None] = []
    async with opened(bench(site), size=size, language=language, ascii_only=ascii_only) as pilot:
        dialog = RunsDialog(runs[3].run_id)
        pilot.app.push_screen(dialog, chosen.append)
        await settled(pilot)
        assert found(dialog) == list(range(60))
        assert dialog.here == 3, "the one that is shown behind it"
        await press(pilot, "/2026-08-2")
        assert 5 < len(found(dialog)) < 15
        assert head(dialog).startswith("/2026-08-2")
        await press(pilot, "2", "enter")
        assert len(found(dialog)) == 1
        await press(pilot, "enter")
        assert chosen == [runs[30].run_id]


async def test_only_runs_that_ended_badly_are_seen_and_escape_leaves_last(
    opened: Opened, site: Site, runs: list[RunLine]
) -> None:
    chosen: list[str | None] = []
    async with opened(bench(site)) as pilot:
        dialog = RunsDialog("")
        pilot.app.push_screen(dialog, chosen.append)
        await settled(pilot)
        assert "Esc close" in keys(dialog)
        await press(pilot, "!", "down")
        assert found(dialog) == [9, 19, 29, 39, 49, 59]
        assert dialog.here == 19
        assert "Esc clear" in keys(dialog)
        assert "6 of 60" in head(dialog)
        await press(pilot, "/zzz", "enter", "enter")
        assert found(dialog) == []
        assert chosen == []
        assert "Nothing matches" in program(pilot).text_on_screen()
        await press(pilot, "/", "ctrl+u", "escape")
        assert dialog.is_current, "Escape left the search"
        assert found(dialog) == [9, 19, 29, 39, 49, 59]
        await press(pilot, "escape")
        assert len(found(dialog)) == 60
        assert "Esc close" in keys(dialog)
        await press(pilot, "escape")
        assert chosen == [None]


async def test_keys_at_a_stroke_and_a_terminal_that_was_too_small(
    opened: Opened, site: Site, runs: list[RunLine]
) -> None:
    chosen: list[str | None] = []
    async with opened(bench(site)) as pilot:
        dialog = RunsDialog("")
        pilot.app.push_screen(dialog, chosen.append)
        await settled(pilot)
        for key in ("slash", *"q!o/2026-07", "ctrl+u", *"2026-07", "down", "exclamation_mark"):
            pilot.app.post_message(key_event(NAMED.get(key, key)))
        await settled(pilot)
        await drawn(pilot)
        assert all("2026-07" in dialog.searched(place) for place in found(dialog))
        assert [place % 10 for place in found(dialog)] == [9] * len(found(dialog)) != []
        await pilot.resize_terminal(40, 10)
        await drawn(pilot)
        assert dialog.query_one(TooSmall).display
        await pilot.resize_terminal(80, 24)
        await press(pilot, "enter")
        assert chosen == [runs[found(dialog)[0]].run_id]


async def test_a_disk_is_found_and_chosen_and_what_was_chosen_stays(opened: Opened, home: Path) -> None:
    workbench, live = ceph_site(home)
    async with opened(workbench) as pilot:
        await show(pilot, "storage", "storage.disks")
        show_live(workbench, live)
        await drawn(pilot)
        await pilot.press("enter")
        await settled(pilot)
        dialog = pilot.app.screen
        assert isinstance(dialog, DisksDialog)
        assert dialog.count == 9
        await press(pilot, "/sdb", "enter")
        assert [place % 3 for place in dialog._shown] == [1, 1, 1]
        await press(pilot, "space", "down", "space")
        assert "2 chosen on 2 servers" in program(pilot).text_on_screen()
        await press(pilot, "/nowhere", "enter")
        assert dialog._shown == []
        await press(pilot, "space", "/127.88.0.13 data", "enter", "space", "escape")
        assert len(dialog._shown) == 9
        assert "3 chosen on 3 servers" in program(pilot).text_on_screen()
        show_live(workbench, live)
        await press(pilot, "enter")
        assert [entry["serial"] for entry in workbench.draft.data["storage"]["disks"]] == ["DATA1", "DATA2", "DATA3"]
