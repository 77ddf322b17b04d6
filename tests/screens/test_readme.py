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


def test_no_picture_shows_a_line_of_a_log_in_the_form_it_was_written_in() -> None:
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "tests" / "screens" / "__snapshots__").rglob("*.txt")]
    assert any("get db manager failed" in " ".join(text.split()) for text in texts)
    assert not [text for text in texts if "level=" in text or "msg=" in text]
