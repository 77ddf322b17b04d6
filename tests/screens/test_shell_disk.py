"""A disk of this machine that is full: said calmly, and what was typed stays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from rbdtui.workbench.sections import SITE
from screens.start.start import StartScreen
from screens.terminal.settings import load_settings
from screens.widgets.field import Field
from screens.widgets.frame import HeadLine, MessageLine
from tests.disks import fill, small_disk
from tests.screens.conftest import Opened, bench, make_site
from tests.screens.waiting import drawn, program, until


@pytest.fixture
def disk(home: Path) -> Iterator[Path]:
    """A disk of 256 KiB at ``~/disk``."""
    with small_disk(home / "disk", size="256k") as directory:
        yield directory


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await drawn(pilot)


def said(pilot: Pilot[int]) -> str:
    return str(pilot.app.screen.query_one(MessageLine).said)


def head(pilot: Pilot[int]) -> str:
    return pilot.app.screen.query_one(HeadLine).right


async def test_a_draft_that_finds_no_room_stays_and_is_kept_once_there_is(opened: Opened, disk: Path) -> None:
    site = make_site(disk / "site-a")
    before = site.spec_file.read_bytes()
    async with opened(bench(site)) as pilot:
        program(pilot).show_section(SITE)
        await drawn(pilot)
        ballast = fill(disk)
        await press(pilot, "enter", *"typed")
        await until(pilot, lambda: "not on disk" in said(pilot))
        await drawn(pilot)
        assert "No space left" in head(pilot)
        await press(pilot, "enter", "s")
        assert "No space left" in said(pilot)
        assert pilot.app.screen.query(Field).first().value == "site-atyped"
        assert site.spec_file.read_bytes() == before
        await press(pilot, "ctrl+y")
        assert "No space left" in said(pilot)
        assert "site-atyped" in pilot.app.clipboard
        ballast.unlink()
        await until(pilot, lambda: "on disk again" in said(pilot))
        await drawn(pilot)
        assert head(pilot) == "not saved"
        await press(pilot, "s")
        assert "Saved" in said(pilot)
    assert "site-atyped" in site.spec_file.read_text(encoding="utf-8")
    assert not [path for path in site.path.iterdir() if path.name.startswith(".")]


async def test_who_types_while_the_disk_is_full_reads_of_it_at_the_first_rest(opened: Opened, disk: Path) -> None:
    site = make_site(disk / "site-a")
    async with opened(bench(site)) as pilot:
        program(pilot).show_section(SITE)
        await drawn(pilot)
        fill(disk)
        await press(pilot, "enter")
        for letter in "typed without a rest":
            await press(pilot, "space" if letter == " " else letter)
            await asyncio.sleep(0.1)
        await until(pilot, lambda: "not on disk" in said(pilot))


async def test_settings_that_find_no_room_hold_all_the_same(opened: Opened, disk: Path, home: Path) -> None:
    (home / ".config").symlink_to(disk)
    fill(disk)
    async with opened() as pilot:
        await press(pilot, "L")
        assert "No space left" in said(pilot)
        assert "帮助" in program(pilot).text_on_screen()
    assert load_settings(home / ".config" / "rbdtui" / "settings.json").language is None


async def test_a_new_site_that_finds_no_room_leaves_no_half_of_it(opened: Opened, disk: Path) -> None:
    fill(disk)
    async with opened() as pilot:
        await press(pilot, "n", "tab", "ctrl+u", *"~", "slash", *"disk", "slash", "s", "enter")
        assert isinstance(pilot.app.screen, StartScreen)
        assert "No space left" in said(pilot)
    assert not (disk / "s" / "cluster.yaml").exists()
