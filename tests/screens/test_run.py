"""The run screen by keys: picture, log, looking back, and whatever keys come in whatever state."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from rbdtui.engine.events import Outcome, StepFinished
from rbdtui.engine.logs import log_file
from rbdtui.site import Site
from rbdtui.workbench.draft.operations import put
from rbdtui.workbench.sections import HEALTH, NODES, RUN
from screens.run.log_pane import LogPane
from screens.run.step_matrix import StepMatrix
from screens.shell.base import SectionScreen
from screens.widgets.canvas import Canvas
from screens.widgets.frame import KeyLine
from screens.widgets.message_block import MessageBlock
from tests.screens.conftest import LARGE, Opened, bench, make_site, settled
from tests.screens.journals import T0, append, holder, open_ports
from tests.screens.run_seen import screen_of, selected, status, title, told
from tests.screens.running import STAGES, on_stage
from tests.screens.waiting import caught_up, program, show_run, until

Patch = pytest.MonkeyPatch


# --- where a site opens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["upload", "gone", "failed", "partial", "done"])
async def test_a_site_opens_where_the_eye_belongs(home: Path, opened: Opened, monkeypatch: Patch, stage: str) -> None:
    with on_stage(home, stage, monkeypatch) as (workbench, _):
        wanted = HEALTH if stage == "done" else RUN
        async with opened(workbench) as pilot:
            assert section_shown(pilot) == wanted


async def test_a_site_without_a_run_or_with_a_changed_plan_opens_at_its_servers(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    async with opened(bench(make_site(home / "fresh"))) as pilot:
        assert section_shown(pilot) == NODES
    with on_stage(home, "done", monkeypatch) as (workbench, _):
        workbench.change(lambda data: put(data, "name", "other"))
        async with opened(workbench) as pilot:
            assert section_shown(pilot) == NODES


def section_shown(pilot: Pilot[int]) -> str:
    """The section before the operator."""
    screen = pilot.app.screen
    assert isinstance(screen, SectionScreen)
    return screen.SECTION


# --- the picture ---------------------------------------------------------------------------------------------


async def test_the_cursor_follows_the_work_until_it_is_moved(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            assert selected(pilot) == "ship-bundle@node1"
            append(run_dir, StepFinished("ship-bundle@node1", Outcome.CHANGED, 21.0), at=21.0)
            await until(pilot, lambda: selected(pilot) == "ship-bundle@node2")
            await pilot.press("up")
            assert selected(pilot) == "keepalived@node2"
            append(run_dir, StepFinished("ship-bundle@node2", Outcome.CHANGED, 22.0), at=22.0)
            await caught_up(pilot)
            assert selected(pilot) == "keepalived@node2"
            await pilot.press("escape")
            assert selected(pilot) != "keepalived@node2"


async def test_three_nodes_need_no_sideways_window_at_80_columns(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            head, *rows = pilot.app.screen.query_one(StepMatrix).text_lines
            assert all(f"node{n} 5/" in head for n in (1, 2, 3))
            assert any("44%" in row and "35%" in row for row in rows)


async def test_fifty_nodes_are_reached_by_the_cursor_and_each_has_its_sign(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "fifty", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            matrix = pilot.app.screen.query_one(StepMatrix)
            _, signs, *_ = matrix.text_lines
            assert len(signs.split(maxsplit=1)[1]) == 50
            assert signs.count("?") == 1
            assert signs.count("!") == 1
            await pilot.press(*["right"] * 60)
            assert matrix.selected_node == "node50"
            assert "node50" in matrix.text_lines[0]
            await pilot.press(*["left"] * 60)
            assert "node1" in matrix.text_lines[0]
            await pilot.press("e")
            first = selected(pilot)
            await pilot.press("e")
            assert {first, selected(pilot)} == {"os-prepare@node8", "os-prepare@node31"}


async def test_a_node_and_a_step_are_gone_to_by_typing(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "fifty", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            matrix = pilot.app.screen.query_one(StepMatrix)
            await pilot.press("slash", *"node37")
            assert matrix.selected_node == "node37"
            await pilot.press("space", *"agent", "enter")
            assert selected(pilot) == "rke2-agent@node37"
            before = matrix.place
            await pilot.press("slash", *"node1", "escape")
            assert matrix.place == before
            await pilot.press("slash", *"nothing like it", "enter")
            assert matrix.place == before
            assert "nothing like it" in told(pilot)
            await pilot.press("s", "escape")
            assert matrix.place == before


async def test_home_and_end_go_to_the_first_and_the_last_row(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "done", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.press("home")
            assert selected(pilot).startswith("claim@")
            await pilot.press("end")
            assert selected(pilot).startswith("cluster-proof")
            assert "50 of 50" in status(pilot)


async def test_the_picture_keeps_its_height_whatever_is_under_the_cursor(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "asked", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            top = pilot.app.screen.query_one("#top")
            heights = set()
            for _ in range(12):
                await pilot.press("down")
                await pilot.pause()
                heights.add(top.size.height)
            assert len(heights) == 1


async def test_counts_of_steps_do_not_come_and_go(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    for stage in ("fresh", "upload"):
        with on_stage(home / stage, stage, monkeypatch) as (workbench, _):
            async with opened(workbench) as pilot:
                await show_run(pilot)
                head, *_ = pilot.app.screen.query_one(StepMatrix).text_lines
                assert "/13" in head


async def test_a_transfer_shows_share_and_rest(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, _):
        async with opened(workbench, size=LARGE) as pilot:
            await show_run(pilot)
            assert "44 %  62.0 MiB/s  11s left" in title(pilot)


@pytest.mark.parametrize("size", [(80, 24), LARGE])
async def test_gateway_ports_and_the_holder_of_the_address(
    size: tuple[int, int], home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "servers", monkeypatch) as (workbench, run_dir):
        for event in open_ports(broken=True):
            append(run_dir, event)
        append(run_dir, holder("node3"))
        async with opened(workbench, size=size) as pilot:
            await show_run(pilot)
            await until(pilot, lambda: status(pilot).endswith("VIP on node3"))
            await pilot.press("g")
            table = pilot.app.screen.query_one("#gateways", Canvas).text_lines
            (line,) = [line for line in table if line.startswith("7070")]
            assert line.count("✗") == 1
            assert line.count("✓") == 3
            assert any(line.startswith("VIP") and "node3" in line for line in table)
            assert any("node2 7070" in line for line in table) or size[1] == 24


async def test_what_waits_says_for_what(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.press("down")
            lines = pilot.app.screen.query_one("#facts", MessageBlock).lines
            assert str(lines[0][0]) == "Waiting for ship bundle on node1."


async def test_an_idle_screen_writes_nothing(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "partial", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.pause(0.5)
            written: list[object] = []
            monkeypatch.setattr(App, "_display", lambda self, screen, renderable: written.append(renderable))
            await pilot.pause(2.5)
            assert written == []


async def test_a_clock_repaints_its_own_cells_only(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "stalled", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.pause(0.5)
            matrix = pilot.app.screen.query_one(StepMatrix)
            painted: list[tuple[object, ...]] = []
            monkeypatch.setattr(StepMatrix, "refresh", lambda self, *regions, **_: painted.append(regions))
            monkeypatch.setattr("screens.terminal.clock.now", lambda: T0 + 172.0)
            screen_of(pilot)._tick()
            assert len(painted) == 1
            (region,) = painted[0]
            assert region.height == 1  # type: ignore[attr-defined]
            assert region.width < 18  # type: ignore[attr-defined]
            assert matrix is not None


# --- the log -------------------------------------------------------------------------------------------------


async def test_the_log_is_followed_and_stands_still_where_it_is_read(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "stalled", monkeypatch) as (workbench, run_dir):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            log = pilot.app.screen.query_one(LogPane)
            file = log_file(run_dir, "rke2-first-server@node1")
            with file.open("a", encoding="utf-8") as stream:
                stream.write("2026-03-02T14:02:52+0000 the newest line\n")
            await until(pilot, lambda: log.text_rows[-1] == "14:02:52 the newest line")
            await pilot.press("enter", "up", "up", "up")
            assert not log.follows
            before = log.text_rows
            with file.open("a", encoding="utf-8") as stream:
                stream.write("2026-03-02T14:02:53+0000 an even newer line\n")
            await pilot.pause(0.6)
            assert log.text_rows == before
            await pilot.press("end")
            assert log.text_rows[-1].endswith("an even newer line")
            await pilot.press("home")
            assert log.text_rows[0].startswith("--- attempt 1")


async def test_a_log_without_output_says_where_to_look(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        log_file(run_dir, "ship-bundle@node1").write_text(
            "2026-03-02T14:00:12+0000 --- attempt 1 ---\n", encoding="utf-8"
        )
        async with opened(workbench) as pilot:
            await show_run(pilot)
            assert selected(pilot) == "ship-bundle@node1"
            await until(pilot, lambda: "No output; c shows what it changes." in program(pilot).text_on_screen())


async def test_the_way_back_from_a_log_is_shown(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "stalled", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.press("enter")
            await pilot.pause()
            line = str(pilot.app.screen.query_one(KeyLine).render())
            assert line.endswith("Esc back  ? help")
            assert len(line) <= 80


async def test_searching_older_and_newer(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "stalled", monkeypatch) as (workbench, run_dir):
        file = log_file(run_dir, "rke2-first-server@node1")
        lines = [f"2026-03-02T14:01:00+0000 line {n} {'NEEDLE' if n % 100 == 0 else 'hay'}" for n in range(1000)]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        async with opened(workbench) as pilot:
            await show_run(pilot)
            log = pilot.app.screen.query_one(LogPane)
            await pilot.press("enter", "slash", *"needle", "enter")
            await until(pilot, lambda: any("line 900 NEEDLE" in row for row in log.text_rows))
            await pilot.press("N")
            await until(pilot, lambda: any("line 800 NEEDLE" in row for row in log.text_rows))
            await pilot.press("n")
            await until(pilot, lambda: any("line 900 NEEDLE" in row for row in log.text_rows))
            await pilot.press("n")
            await until(pilot, lambda: "not in any newer line" in told(pilot))
            await pilot.press("slash", *"nowhere", "enter")
            await until(pilot, lambda: "is not in this log" in told(pilot))


async def test_long_lines_are_cut_moved_and_wrapped(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "stalled", monkeypatch) as (workbench, run_dir):
        file = log_file(run_dir, "rke2-first-server@node1")
        file.write_text("x" * 1_000_000 + "\n" + "".join(f"{n:04d} " for n in range(60)) + "\n", encoding="utf-8")
        async with opened(workbench) as pilot:
            await show_run(pilot)
            log = pilot.app.screen.query_one(LogPane)
            await pilot.press("enter", "right", "right")
            shown = "".join(segment.text for segment in log.render_line(1))
            assert shown.startswith("0008")
            await pilot.press("left", "left", "w", "end")
            assert log.text_rows[-1].startswith("00")
            assert sum("00" in row for row in log.text_rows) >= 4
            await pilot.press("up", "up", "pageup", "pageup", "home", "down", "pagedown", "w", "end")


async def test_a_hostile_log_reaches_no_terminal(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "stalled", monkeypatch) as (workbench, run_dir):
        evil = "\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m\x07\x00 10 %\r90 %\x9b6n\u202egnp.exe"
        log_file(run_dir, "rke2-first-server@node1").write_text(evil + "\n", encoding="utf-8")
        async with opened(workbench) as pilot:
            await show_run(pilot)
            drawn = "".join(pilot.app.screen.query_one(LogPane).text_rows)
            assert "90 %" in drawn
            assert all(character.isprintable() for character in drawn)


# --- looking back --------------------------------------------------------------------------------------------


async def test_looking_back_and_coming_to_the_present(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "done", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            assert "done" in status(pilot)
            await pilot.press("left_curly_bracket")
            assert "0 of 50" in status(pilot)
            await pilot.press("right_square_bracket", "right_square_bracket")
            slider = pilot.app.screen.query_one("#slider", Canvas)
            assert "LOOKING BACK 14:00:00" in slider.text_lines[0]
            counts = []
            for _ in range(10):
                await pilot.press("shift+right")
                counts.append(int(status(pilot).split(" of ")[0].split()[-1]))
            assert counts == sorted(counts)
            assert 0 < counts[-1] < 48
            await pilot.press("shift+left")
            assert "in progress" in status(pilot)
            await pilot.press("right_curly_bracket")
            assert "50 of 50" in status(pilot)
            assert not slider.display


async def test_a_line_of_the_timeline_leads_to_its_moment(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "done", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await pilot.press("t", "home", "down", "down", "enter")
            assert "LOOKING BACK" in pilot.app.screen.query_one("#slider", Canvas).text_lines[0]
            assert "of 50" in status(pilot)
            await pilot.press("escape")
            assert "50 of 50" in status(pilot)


async def test_a_log_is_shown_as_it_was(home: Path, opened: Opened, monkeypatch: Patch) -> None:
    with on_stage(home, "stalled", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            log = pilot.app.screen.query_one(LogPane)
            newest = log.text_rows[-1]
            for _ in range(9):
                await pilot.press("shift+left")
            await until(pilot, lambda: selected(pilot) == "rke2-first-server@node1")
            assert log.text_rows[-1] < newest


# --- whatever comes ------------------------------------------------------------------------------------------

KEYS = [
    *"aprstgceowknNx/?h0r", "enter", "escape", "up", "down", "left", "right", "pageup", "pagedown", "home", "end",
    "left_square_bracket", "right_square_bracket", "shift+left", "shift+right", "tab", "shift+tab", "space", "f1",
    "ctrl+p", "ctrl+y", "delete", "backspace",
]  # fmt: skip
LEAVING = ["escape", "escape", "s", "y", "d", "escape", "q", "enter"]


@pytest.mark.parametrize("stage", [*STAGES, "none"])
async def test_no_key_in_any_state_raises(
    stage: str, home: Path, opened: Opened, monkeypatch: Patch, site: Site
) -> None:
    chance = random.Random(stage)
    if stage == "none":
        async with opened(bench(site)) as pilot:
            program(pilot).show_section(RUN)
            await press_anything(pilot, chance)
        return
    home = home / "other"
    home.mkdir()
    with on_stage(home, stage, monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            await press_anything(pilot, chance)


async def press_anything(pilot: Pilot[int], chance: random.Random) -> None:
    """Every key once, in an order of chance, at sizes of chance; those that may end the program come last."""
    for number, key in enumerate([*chance.sample(KEYS, len(KEYS)), *LEAVING]):
        if not pilot.app.is_running or pilot.app._exit:
            return
        if number % 20 == 0:
            await pilot.resize_terminal(*chance.choice([(80, 24), (120, 40), (60, 20), (200, 50)]))
        await pilot.press(key)
    await settled(pilot)


async def test_ports_stand_beside_the_picture_also_after_the_terminal_became_wide(
    home: Path, opened: Opened, monkeypatch: Patch
) -> None:
    with on_stage(home, "servers", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            for size in ((40, 10), LARGE, (80, 24), LARGE):
                await pilot.resize_terminal(*size)
            ports = pilot.app.screen.query_one("#ports", Canvas)
            assert any("7070" in line for line in ports.text_lines)
            assert ports.size.height == len(ports.text_lines)
