"""Pages that say what proves what name tests that are there, and leave nothing out that must be named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rbdtui.cli import findings_page
from rbdtui.words import LANGUAGES

TESTS = Path(__file__).resolve().parent
TOP = TESTS.parent
PAGES = sorted(
    str(page.relative_to(TOP))
    for page in (
        TESTS / "README.md",
        *TOP.glob("SECURITY.md"),
        TOP / "CONTRIBUTING.md",
        TOP / "ARCHITECTURE.md",
        *(TOP / "docs").glob("**/*.md"),
    )
)
NAMED = re.compile(r"`((?:[\w.]+/)*test_\w+\.py)(?:::(test_\w+))?`")
UNNOTICED = "nothing here"
"""What stands in the column of tests where no test of ours can notice; the reason follows."""


def page(name: str) -> str:
    return (TOP / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_every_test_that_is_named_is_there(name: str) -> None:
    named = NAMED.findall(page(name))
    files = {file: (TESTS / file).read_text(encoding="utf-8") for file, _ in named if (TESTS / file).is_file()}
    gone = [f"{file}::{test}" for file, test in named if file not in files or f"def {test}" not in files[file]]
    assert gone == []


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_every_place_in_the_code_that_is_named_is_there(name: str) -> None:
    named = set(re.findall(r"`((?:rbdtui|assets|screens)/[\w./]*)`", page(name)))
    assert len(named) > 5
    gone = [place for place in sorted(named) if not (TOP / place).exists() and "NAME" not in place]
    assert gone == []
    names = set(re.findall(r"`(\w+/\w+\.py)`", page(name)))
    known = {str(file.relative_to(TOP / "rbdtui")) for file in (TOP / "rbdtui").glob("*/*.py")}
    known |= {str(file.relative_to(TESTS)) for file in TESTS.glob("*/*.py")}
    assert {name for name in names if not name.startswith(("rbdtui/", "screens/"))} - known == set()


def test_every_room_and_every_file_on_bad_input_is_named() -> None:
    text = page("tests/README.md")
    named = {file for file, _ in NAMED.findall(text)}
    assert len(named) > 50
    bad_input = {f"cli/{file.name}" for file in (TESTS / "cli").glob("test_bad_*.py")}
    assert bad_input - named == set()
    rooms = {place.name for place in TESTS.iterdir() if any(place.glob("test_*.py"))}
    assert {room for room in rooms if room not in text} == set()


def test_every_belief_has_a_source_and_a_test_or_the_reason_why_not() -> None:
    rows = [line for line in page("docs/assumptions.md").splitlines() if line.startswith("|")]
    beliefs = [row for row in rows if not row.startswith(("|---", "| belief |"))]
    poor = []
    for row in beliefs:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        if len(cells) != 4 or not all(cells) or not (NAMED.search(cells[3]) or cells[3].startswith(UNNOTICED)):
            poor.append(row)
    assert poor == []


def commands_of(text: str) -> list[str]:
    """The commands that a page has its readers type, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line.replace(" --lang zh ", " ") for line in lines]


def test_the_chinese_readme_has_the_same_commands_and_exit_statuses() -> None:
    english, chinese = ((TOP / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
    assert commands_of(chinese) == [line for line in commands_of(english) if "pytest" not in line]
    status = re.compile(r"^\| (\d+) \|", flags=re.MULTILINE)
    assert status.findall(chinese) == status.findall(english) != []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_all_findings_is_the_one_that_the_command_writes(language: str) -> None:
    assert findings_page.page_file(language).read_text(encoding="utf-8") == findings_page.page(language)


def test_every_decision_is_in_the_list() -> None:
    pages = TOP / "docs" / "decisions"
    listed = re.findall(r"\]\(([^)]*)\)", (pages / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(file.name for file in pages.glob("0*.md"))
