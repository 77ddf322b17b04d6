"""Pages that say what proves what name tests that are there, and leave nothing out that must be named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rbdtui.cli import findings_page
from rbdtui.words import LANGUAGES, is_said

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
REASON = re.compile(r"nothing here: \S+ \S+")
"""What stands in the column of tests where no test of ours can notice, with the reason."""


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


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", "ARCHITECTURE.md", *(page for page in PAGES if "decisions/0" in page)]
)
def test_every_file_of_the_code_that_is_named_without_its_room_is_there(name: str) -> None:
    known = {
        file.name for place in ("rbdtui", "screens", "tests", "benchmarks") for file in (TOP / place).rglob("*.py")
    }
    named = {path.rpartition("/")[2] for path in re.findall(r"`([\w/]+\.py)`", page(name))}
    assert {file for file in named if "NAME" not in file} - known == set()


def test_every_room_is_in_the_architecture() -> None:
    text = page("ARCHITECTURE.md")
    rooms = {place.name for top in ("rbdtui", "screens") for place in (TOP / top).iterdir() if any(place.glob("*.py"))}
    assert len(rooms) > 20
    assert {room for room in rooms if not re.search(rf"\b{room}\b", text)} == set()


def test_every_room_and_every_file_on_bad_input_is_named() -> None:
    text = page("tests/README.md")
    named = {file for file, _ in NAMED.findall(text)}
    assert len(named) > 50
    bad_input = {f"cli/{file.name}" for file in (TESTS / "cli").glob("test_bad_*.py")}
    assert bad_input - named == set()
    rooms = {place.name for place in TESTS.iterdir() if any(place.glob("test_*.py"))}
    assert {room for room in rooms if room not in text} == set()


@pytest.mark.parametrize(
    ("name", "columns"),
    [("docs/assumptions.md", 4), ("docs/coverage.md", 3), ("docs/first-use.md", 3), ("docs/reports.md", 3)],
)
def test_every_row_has_a_test_or_the_reason_why_not(name: str, columns: int) -> None:
    """A row's last cell names a test, or says why there is none; one that is said to be missing has its reason, too."""
    rows = [line for line in page(name).splitlines() if line.startswith("|")]
    heads = {rows[index - 1] for index, row in enumerate(rows) if row.startswith("|---")}
    told = [row for row in rows if not row.startswith("|---") and row not in heads]
    assert len(told) > 30
    assert [row for row in told if not is_told(row, columns)] == []


def is_told(row: str, columns: int) -> bool:
    """Whether no cell of a row is empty, and the last one has a test or a reason."""
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    proof = cells[-1]
    return len(cells) == columns and all(cells) and bool(NAMED.search(proof) or REASON.match(proof))


def test_a_row_without_a_test_needs_a_reason() -> None:
    assert is_told("| a | b | `spec/test_rules.py` |", 3)
    assert is_told("| a | b | nothing here: no kernel here has it |", 3)
    assert not is_told("| a | b | nothing here: |", 3)
    assert not is_told("| a | b | nothing here |", 3)
    assert not is_told("| a |  | `spec/test_rules.py` |", 3)
    assert not is_told("| a | b |", 3)


def test_a_check_that_is_promised_to_warn_is_there() -> None:
    """Where the page on security says that a check warns or tells of something, the finding's code stands beside it."""
    sentences = re.split(r"(?<=[.;])\s", page("SECURITY.md"))
    promised = [" ".join(each.split()) for each in sentences if re.search(r"`check` (?:warns|tells)", each)]
    codes = [re.findall(r"RBD-[A-Z]+-\d{3}", each) for each in promised]
    unfounded = [each for each, named in zip(promised, codes, strict=True) if not named or not all(map(is_code, named))]
    assert unfounded == []


def is_code(code: str) -> bool:
    return is_said(f"finding.{code}.message")


def commands_of(text: str) -> list[str]:
    """The commands that a page has its readers type, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line.replace(" --lang zh ", " ") for line in lines]


def readmes() -> tuple[str, str]:
    """The page of readers of English, and that of readers of Chinese."""
    return page("README.md"), page("README.zh.md")


def test_the_chinese_readme_has_the_same_commands_and_exit_statuses() -> None:
    english, chinese = readmes()
    assert commands_of(chinese) == commands_of(english)
    status = re.compile(r"^\| (\d+) \|", flags=re.MULTILINE)
    assert status.findall(chinese) == status.findall(english) != []


BLOCK = re.compile(
    r"^(?P<fence> *```)(?P<language>\w*)\n.*?^ *```$|^(?P<level>#+) |^(?P<row>\|)|^(?P<item>- |\d+\. )",
    flags=re.DOTALL | re.MULTILINE,
)
PICTURE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")


def outline_of(text: str) -> list[list[str]]:
    """What a page is made of, section by section: level, then rows of tables, code, items of lists, and pictures."""
    sections: list[list[str]] = []
    for found in BLOCK.finditer(text):
        if found["level"]:
            sections.append([found["level"]])
        elif found["fence"]:
            sections[-1].append(f"code {found['language']}")
        elif found["row"]:
            line = text[found.start() :].partition("\n")[0]
            sections[-1].append(" ".join([f"row of {line.count('|') - 1}", *PICTURE.findall(line)]))
        else:
            sections[-1].append(f"item {found['item']}")
    return sections


def inline_commands_of(text: str) -> list[list[str]]:
    """rbdtui's commands within sentences, section by section; where they stand in a sentence is the language's."""
    parts = re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]
    return [sorted(re.findall(r"`(rbdtui [^`]+)`", re.sub(r"\s+", " ", part))) for part in parts]


def test_the_chinese_readme_is_made_of_the_same_parts() -> None:
    english, chinese = readmes()
    assert outline_of(chinese) == outline_of(english)
    assert len(outline_of(english)) > 10
    assert inline_commands_of(chinese) == inline_commands_of(english)


def test_an_outline_tells_apart_what_is_left_out() -> None:
    whole = "# A\n\n| a | b |\n|---|---|\n| ![x](x.svg) | y |\n\n```sh\n# no heading\n```\n## B\n\n- one\n1. two\n"
    assert outline_of(whole) == [
        ["#", "row of 2", "row of 2", "row of 2 x.svg", "code sh"], ["##", "item - ", "item 1. "]
    ]  # fmt: skip


def test_both_readmes_name_the_same_steps_and_files_in_their_tables() -> None:
    def names(text: str) -> list[str]:
        first = re.findall(r"^\| ([^|]+) \|", text, flags=re.MULTILINE)
        return [name for cell in first for name in re.findall(r"[a-z][a-z0-9]*(?:[-.][a-z0-9<>*]+)+", cell)]

    english, chinese = readmes()
    assert {"nfs-server", "rainbond-trial", "helm-<arch>", "rke2-images-core"} <= set(names(english))
    assert names(chinese) == names(english)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_all_findings_is_the_one_that_the_command_writes(language: str) -> None:
    assert findings_page.page_file(language).read_text(encoding="utf-8") == findings_page.page(language)


def test_every_decision_is_in_the_list() -> None:
    pages = TOP / "docs" / "decisions"
    listed = re.findall(r"\]\(([^)]*)\)", (pages / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(file.name for file in pages.glob("0*.md"))
