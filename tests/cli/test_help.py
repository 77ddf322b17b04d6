"""Help pages: whole sentences in every width and language, only options that do something, and examples that work."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from rich.cells import cell_len

from rbdtui.cli.app import VERBS, program
from rbdtui.cli.help_pages import wrap_cells
from rbdtui.cli.options import Command
from rbdtui.words import LANGUAGES
from tests.cli.test_command_line import VERBS as TESTED

PAGES = ([], *([verb] for verb in VERBS), ["secret", "set"], ["secret", "list"], ["bundle", "verify"])


def pages(language: str) -> list[str]:
    """All help pages as a terminal of 80 columns gets them, in the order of `PAGES`."""
    program = (
        f"from rbdtui.words import use_language; use_language({language!r})\n"
        "from rbdtui.cli.app import run_command_line\n"
        f"for words in {PAGES!r}:\n"
        "    run_command_line([*words, '--help']); print('\\f', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True,
        env={"COLUMNS": "80", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return done.stdout.split("\f\n")[:-1]


@pytest.fixture(scope="module", params=LANGUAGES)
def shown(request: pytest.FixtureRequest) -> dict[str, str]:
    """Each page by the words that ask for it, in one language."""
    return dict(zip((" ".join(words) for words in PAGES), pages(request.param), strict=True))


def test_no_sentence_is_cut_and_no_line_is_too_wide(shown: dict[str, str]) -> None:
    for page in shown.values():
        assert re.findall(r"\w\.\.\.$", page, re.MULTILINE) == []
        assert [line for line in page.splitlines() if cell_len(line) > 80] == []


def test_all_verbs_stand_on_the_first_page(shown: dict[str, str]) -> None:
    assert {*TESTED, "open"} == set(re.findall(r"^  ([a-z][a-z-]*)  ", shown[""], re.MULTILINE))


@pytest.mark.parametrize(
    ("page", "there", "absent"),
    [
        ("init", [], ["--slow-link", "--ascii", "--passphrase-file", "--no-color"]),
        ("schema", [], ["--slow-link", "--ascii", "--passphrase-file", "--no-color"]),
        ("completion", [], ["--slow-link", "--ascii", "--passphrase-file", "--no-color"]),
        ("pause", [], ["--slow-link", "--passphrase-file"]),
        ("check", ["--ascii", "--passphrase-file", "--verbose"], ["--slow-link"]),
        ("run", ["--ascii", "--passphrase-file", "--slow-link"], []),
        ("attach", ["--ascii", "--slow-link"], ["--passphrase-file"]),
        ("secret set", ["--passphrase-file"], ["--slow-link", "--ascii"]),
        ("open", ["--ascii", "--slow-link", "--passphrase-file"], []),
    ],
)
def test_only_options_that_do_something_are_shown(
    shown: dict[str, str], page: str, there: list[str], absent: list[str]
) -> None:
    assert [option for option in there if option not in shown[page]] == []
    assert [option for option in absent if option in shown[page]] == []
    assert "--lang" in shown[page]


def test_the_words_of_only_are_explained(shown: dict[str, str]) -> None:
    text = " ".join(shown["check"].split())
    for word in ("rules", "services", "preflight"):
        assert re.search(rf"{word} ?[(（]", text), word


def test_every_command_has_examples_that_are_understood() -> None:
    for command, words in commands():
        assert command.examples, words
        for example in command.examples:
            typed = shlex.split(example)
            assert typed[: len(words)] == words
            command.make_context(words[-1], typed[len(words) :])


def commands() -> Iterator[tuple[Command, list[str]]]:
    """Each command with the words that name it."""
    for verb in VERBS:
        found = program.get_command(click.Context(program), verb)
        if isinstance(found, click.Group):
            for name, below in found.commands.items():
                assert isinstance(below, Command)
                yield below, [verb, name]
        else:
            assert isinstance(found, Command)
            yield found, [verb]


@pytest.mark.parametrize("room", [20, 30, 60])
def test_a_line_is_broken_where_it_may_be(room: int) -> None:
    for text in (
        "Answer with `rbdtui run x` or wait, as `rbdtui attach x` does.",
        "先执行 `rbdtui run x`，再等待（可随时离开），然后查看结果。",
    ):
        lines = wrap_cells(text, room)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert all(cell_len(line) <= room for line in lines)
        assert all(line[0] not in "，。）、" for line in lines)
        assert all(line.count("`") % 2 == 0 for line in lines)
