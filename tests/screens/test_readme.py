"""The README shows the screens as they are drawn now."""

from __future__ import annotations

import re

import pytest

from tests.screens.readme import PICTURES, ROOT, SHOWN


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_the_one_that_is_drawn_and_compared(name: str) -> None:
    again = "copy it with: python -m tests.screens.readme"
    assert (SHOWN / name).read_bytes() == PICTURES[name].read_bytes(), again


def test_the_readme_shows_each_and_no_other() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(assets/pictures/([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(PICTURES)
    assert sorted(file.name for file in SHOWN.iterdir()) == sorted(PICTURES)
