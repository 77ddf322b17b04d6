"""The page that says what proves what names tests that are there, and leaves no file of tests for bad input out."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS / "README.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`((?:\w+/)*test_\w+\.py)(?:::(test_\w+))?`")


def test_every_test_that_is_named_is_there() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 50
    files = {file: (TESTS / file).read_text(encoding="utf-8") for file, _ in named if (TESTS / file).is_file()}
    gone = [f"{file}::{test}" for file, test in named if file not in files or f"def {test}" not in files[file]]
    assert gone == []


def test_every_room_and_every_file_on_bad_input_is_named() -> None:
    named = {file for file, _ in NAMED.findall(PAGE)}
    bad_input = {f"cli/{file.name}" for file in (TESTS / "cli").glob("test_bad_*.py")}
    assert bad_input - named == set()
    rooms = {place.name for place in TESTS.iterdir() if any(place.glob("test_*.py"))}
    assert {room for room in rooms if room not in PAGE} == set()
