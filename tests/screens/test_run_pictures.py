"""The run screen in every state, looked at as pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.site import Site
from rbdtui.workbench.sections import RUN
from tests.screens.conftest import LOOKS, Opened, Picture, bench
from tests.screens.running import STAGES, on_stage
from tests.screens.waiting import show_run

LIKE_OTHERS = ("asked", "fresh", "gone", "nothing", "partial", "servers", "stopping")
"""Stages that differ from another one in their words alone."""


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
@pytest.mark.parametrize("stage", STAGES)
async def test_every_stage(
    stage: str, size: tuple[int, int], language: str, ascii_only: bool, home: Path, opened: Opened, picture: Picture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with on_stage(home, stage, monkeypatch) as (workbench, _):
        async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
            await show_run(pilot)
            picture(pilot, drawn=stage not in LIKE_OTHERS)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_no_run_yet(
    size: tuple[int, int], language: str, ascii_only: bool, site: Site, opened: Opened, picture: Picture
) -> None:
    async with opened(bench(site), size=size, language=language, ascii_only=ascii_only) as pilot:
        pilot.app.show_section(RUN)  # type: ignore[attr-defined]
        await pilot.pause()
        picture(pilot, drawn=False)
