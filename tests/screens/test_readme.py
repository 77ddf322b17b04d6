"""The README shows the screens as they are drawn, which `test_readme_pictures.py` compares; and how many are kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.screens.conftest import SHOWN

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = Path(__file__).parent / "__snapshots__"
MOST_PICTURES: Final = 120
"""So many can be looked at again by somebody who changes the look of all; texts are for what a screen says."""


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_readme_shows_each_picture_and_no_other(page: str) -> None:
    shown = re.findall(r"!\[[^\]]+\]\(assets/pictures/([^)]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(file.name for file in SHOWN.iterdir())


def test_there_are_no_more_pictures_than_somebody_can_look_at() -> None:
    pictures = [*SHOWN.glob("*.svg"), *KEPT.rglob("*.svg")]
    assert 80 < len(pictures) <= MOST_PICTURES


def test_no_picture_shows_a_line_of_a_log_in_the_form_it_was_written_in() -> None:
    texts = [file.read_text(encoding="utf-8") for file in KEPT.rglob("*.txt")]
    assert any("get db manager failed" in " ".join(text.split()) for text in texts)
    assert not [text for text in texts if "level=" in text or "msg=" in text]
