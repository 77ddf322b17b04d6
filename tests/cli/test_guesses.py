"""Words that were misspelt are told with those that were meant, wherever on the command line they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui import __version__
from rbdtui.cli.output import Exit
from rbdtui.words import LANGUAGES
from tests.cli import console


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("words", "meant", "other"),
    [
        (["chekc"], "check", "completion"),
        (["secret", "lst"], "list", "attach"),
        (["secret", "froget"], "forget", "attach"),
        (["bundle", "verfy"], "verify", "attach"),
        (["check", "--jsno"], "--json", "--help"),
        (["check", "--onyl", "rules"], "--only", "--help"),
        (["plan", "--dif"], "--diff", "--help"),
        (["run", "--detatch"], "--detach", "--help"),
        (["init", "s", "--example", "kubernets-only"], "kubernetes-only", "--help"),
        (["check", "--only", "ruls"], "rules", "--help"),
        (["run", "--on-failure", "quarentine"], "quarantine", "--help"),
        (["completion", "bahs"], "bash", "--help"),
        (["schema", "helth"], "health", "--help"),
    ],
)
def test_a_misspelt_word_is_told_with_the_one_that_was_meant(
    words: list[str], meant: str, other: str, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = console.say(capsys, language, *words).check(Exit.USAGE)
    question = {"en": f"Did you mean {meant}?", "zh": f"您是否想用 {meant}？"}[language]
    assert question in said.err
    assert other not in said.err
    assert any(word in said.err for word in words[-1:] + words[-2:-1]), "what was typed is repeated"
    assert said.out == ""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("words", "known"),
    [
        (["weather"], "rbdtui --help"),
        (["check", "--bogus"], "rbdtui check --help"),
        (["secret", "weather"], "set, list, forget"),
        (["schema", "weather"], "check, audit, plan, run"),
        (["check", "--only", "weather"], "rules, services, preflight"),
    ],
)
def test_a_word_like_no_other_is_told_with_where_the_known_ones_stand(
    words: list[str], known: str, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = console.say(capsys, language, *words).check(Exit.USAGE)
    assert words[-1] in said.err
    assert known in said.err
    assert {"en": "Did you mean", "zh": "您是否想用"}[language] not in said.err


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_misspelt_node_is_told_with_the_one_that_was_meant(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    console.say(capsys, "en", "init", site, "--example", "kubernetes-only")
    said = console.say(capsys, language, "trust", site, "--replace", "sevrer1").check(Exit.USAGE)
    assert {"en": "Did you mean server1?", "zh": "您是否想用 server1？"}[language] in said.err
    assert said.out == "", "no server was asked for its key"


@pytest.mark.parametrize("before", [["--ascii"], ["-v", "--no-color"], ["--lang", "en", "--ascii", "--slow-link"]])
def test_options_of_every_command_may_stand_before_it(
    before: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    console.say(capsys, "en", "init", site)
    in_front = console.say(capsys, "en", *before, "check", site, "--only", "rules")
    behind = console.say(capsys, "en", "check", site, "--only", "rules", *before)
    assert in_front == behind
    assert in_front.status == Exit.FINDINGS
    listed = console.say(capsys, "en", *before, "secret", "list", site).check(Exit.GOOD)
    assert listed == console.say(capsys, "en", "secret", *before, "list", site)


def test_a_passphrase_file_may_be_named_before_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site, absent = tmp_path / "site", tmp_path / "absent"
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("correct horse\n")
    console.say(capsys, "en", "init", site)
    console.run("en", "--passphrase-file", passphrase, "secret", "set", site, "sudo", stdin="x").check(Exit.GOOD)
    listed = console.say(capsys, "en", f"--passphrase-file={passphrase}", "secret", "list", site).check(Exit.GOOD)
    assert listed.out == "sudo\n"
    missing = console.say(capsys, "en", "--passphrase-file", absent, "secret", "list", site).check(Exit.USAGE)
    assert str(absent) in missing.err


@pytest.mark.parametrize("words", [["version"], ["--version"], ["--ascii", "version"]])
def test_the_version_is_the_answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = console.say(capsys, "en", *words)
    assert (said.status, said.out, said.err) == (Exit.GOOD, f"rbdtui {__version__}\n", "")
