"""Panes and dialogs of the run screen, looked at as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.screens.conftest import LOOKS, Opened, Picture, settled
from tests.screens.running import on_stage
from tests.screens.waiting import program, show_run, until

KEYS: dict[str, tuple[str, Sequence[str]]] = {
    "reading": ("servers", ["up", "up", "enter"]),
    "searched": ("stalled", ["slash", *"waiting", "enter"]),
    "timeline": ("servers", ["t"]),
    "gateways": ("servers", ["g"]),
    "looking-back": ("servers", ["shift+left", "shift+left", "left_square_bracket"]),
    "changes": ("upload", ["c"]),
    "stop": ("upload", ["s"]),
    "leave": ("upload", ["d"]),
    "runs": ("done", ["o"]),
    "waits": ("upload", ["down", "down", "down"]),
}
"""By name: the stage, and the keys that lead to what is looked at."""


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
@pytest.mark.parametrize("name", KEYS)
async def test_every_pane(
    name: str, size: tuple[int, int], language: str, ascii_only: bool, home: Path, opened: Opened, picture: Picture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    stage, keys = KEYS[name]
    with on_stage(home, stage, monkeypatch) as (workbench, _):
        async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
            await show_run(pilot)
            await pilot.press(*keys)
            await settled(pilot)
            await until(pilot, lambda: all(w.is_finished or w.group != "search" for w in program(pilot).workers))
            picture(pilot)
