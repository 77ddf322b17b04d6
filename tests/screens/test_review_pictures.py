"""Review in every state, looked at as pictures: findings, check under way, plan, step with differences, consent."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from rbdtui.workbench.sections import REVIEW
from screens.review.start_run import StartRunDialog
from tests.screens.conftest import LOOKS, Opened, Picture, settled
from tests.screens.reviewing import in_state
from tests.screens.waiting import program, until

Look = tuple[int, int]
KEYS = {
    "unchecked": (), "looking": (), "good": (), "bad": (), "failed": (), "given-up": (), "outdated": (), "fifty": (),
    "asking": ("v",), "plan": ("v",), "unchanged": ("v",), "plan-fifty": ("v",),
}  # fmt: skip


async def show(pilot: Pilot[int], *keys: str) -> None:
    program(pilot).show_section(REVIEW)
    await settled(pilot)
    await pilot.press(*keys)
    await settled(pilot)


LIKE_OTHERS = ("given-up", "outdated", "unchanged")
"""States that differ from another one in their words alone."""


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
@pytest.mark.parametrize("state", KEYS)
async def test_every_state(
    state: str, size: Look, language: str, ascii_only: bool, home: Path, opened: Opened, picture: Picture
) -> None:
    async with opened(in_state(home, state), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, *KEYS[state])
        picture(pilot, drawn=state not in LIKE_OTHERS)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_a_step_with_its_differences(
    size: Look, language: str, ascii_only: bool, home: Path, opened: Opened, picture: Picture
) -> None:
    async with opened(in_state(home, "plan"), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, "v", "down", "down", "down", "down", "enter")
        picture(pilot, name="files")
        await pilot.press("escape", "down")
        await settled(pilot)
        picture(pilot, name="uploads")
        await pilot.press("slash", *"virtual_router")
        await settled(pilot)
        picture(pilot, name="searched", drawn=False)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_consent(
    size: Look, language: str, ascii_only: bool, home: Path, opened: Opened, picture: Picture
) -> None:
    workbench = in_state(home, "warned")
    workbench.passphrases.give("a passphrase")
    workbench.session.unlock(create=True)
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, "x")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartRunDialog))
        picture(pilot, name="asked")
        await pilot.press(*"site-a", "up", "up", "right", "right")
        await settled(pilot)
        picture(pilot, name="policy")
        await pilot.press("enter")
        await settled(pilot)
        picture(pilot, name="warnings")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_what_is_accepted_and_what_exists_only_once(
    size: Look, language: str, ascii_only: bool, home: Path, opened: Opened, picture: Picture
) -> None:
    workbench = in_state(home, "warned")
    workbench.change(lambda data: data.update(profile="rainbond-6"))
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, "o")
        picture(pilot, name="once")
        await pilot.press("escape")
        workbench.undo()
        program(pilot)._draw()
        await settled(pilot)
        while not pilot.app.screen.check_action("acknowledge", ()):
            await pilot.press("down")
            await settled(pilot)
        await pilot.press("k", *"trial")
        await settled(pilot)
        picture(pilot, name="reason", drawn=False)
        await pilot.press("enter")
        await settled(pilot)
        picture(pilot, name="accepted")
