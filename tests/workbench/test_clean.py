"""Text of hosts on its way to a terminal: nothing in it acts, and it stays readable."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.workbench.clean import clean_line, clean_lines


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text", "plain text"),
        ("中文 ok", "中文 ok"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;ZXZpbA==\x07after", "after"),
        ("\x1bP+q544e\x1b\\after", "after"),
        ("\x9b2Jgone", "gone"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        (" 10%\r 50%\r100%\r\n", "100%"),
        ("100%\r", "100%"),
        ("a\tb", "a       b"),
        ("bell\x07 null\x00", "bell\ufffd null\ufffd"),
        ("right\u202eleft", "right\ufffdleft"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("\x1b", "\ufffd"),
        ("\x1b]unfinished", ""),
    ],
)
def test_what_acts_is_gone(raw: str, shown: str) -> None:
    assert clean_line(raw) == shown


@given(st.text(alphabet=st.one_of(st.sampled_from("\x1b\x9b[]?;0m\x07\r\x00\\P"), st.characters())))
def test_nothing_that_acts_is_ever_left(raw: str) -> None:
    shown = clean_line(raw)
    assert not [letter for letter in shown if unicodedata.category(letter) == "Cc"]


def test_long_lines_are_cut() -> None:
    assert len(clean_line("x" * 1_000_000, 100)) == 100
    assert clean_line("x" * 100, 100) == "x" * 100


def test_many_lines_are_cut() -> None:
    assert len(clean_lines("line\n" * 10_000, limit_lines=4)) == 4
