"""A script that reads --json gets a document also when a command fails, and the same status for the same fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rbdtui.cli.output import Exit
from rbdtui.paths import asset
from rbdtui.site import Site
from rbdtui.words import LANGUAGES
from tests.cli import console

COMMANDS = ("check", "plan", "run --yes", "runs", "attach", "health", "bundle verify")
SHAPE = Draft202012Validator(json.loads(asset("schemas", "error.schema.json").read_text()))


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A site that names a secret which nobody has stored."""
    console.say(capsys, "en", "init", tmp_path / "site", "--example", "kubernetes-only")
    return tmp_path / "site"


def error_of(said: console.Said) -> dict[str, object]:
    """The one document of an answer, which says of an error what stderr says."""
    found = json.loads(said.out)
    SHAPE.validate(found)
    error: dict[str, object] = found["error"]
    assert error["exit_status"] == said.status
    assert str(error["message"]) in said.err
    assert str(error["remedy"]) in said.err
    return error


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_site_that_is_not_there(
    language: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = console.say(capsys, language, *command.split(), tmp_path / "nowhere", "--json").check(Exit.USAGE)
    assert "nowhere" in str(error_of(said)["message"])


@pytest.mark.parametrize("words", [("check", "--jsno", "--json"), ("check", "--only", "ruls", "--json"),
                                   ("chekc", "--json"), ("bundle", "verfy", "--json")])  # fmt: skip
def test_a_mistake_on_the_command_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    error_of(console.say(capsys, "en", *words).check(Exit.USAGE))


def test_a_run_that_cannot_be_attached(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = console.say(capsys, "en", "attach", site, "--json").check(Exit.USAGE)
    assert "no run yet" in str(error_of(said)["message"])


@pytest.mark.parametrize("fault", ["a file that is a directory", "a directory that others can read"])
def test_what_the_system_refuses(fault: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if fault.startswith("a file"):
        (site / "secrets.enc").mkdir()
    else:
        site.chmod(0o755)
    error_of(console.say(capsys, "en", "check", site, "--json").check(Exit.USAGE))


def test_a_defect_is_told_as_one(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Site, "open", _broken)
    said = console.say(capsys, "en", "check", site, "--json")
    assert said.status == Exit.USAGE
    assert "KeyError" in str(error_of(said)["message"])


def _broken(_: Path) -> Site:
    raise KeyError("lost")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_missing_secret_is_the_same_finding_to_check_and_to_health(
    language: str, as_json: bool, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--json",) if as_json else ()
    for command in ("check", "health"):
        said = console.say(capsys, language, command, site, *options).check(Exit.FINDINGS)
        assert "RBD-SECRET-001" in said.out
        if as_json:
            Draft202012Validator(json.loads(asset("schemas", "check.schema.json").read_text())).validate(
                json.loads(said.out)
            )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("group", ["secret", "bundle"])
def test_a_group_alone_shows_its_page_line_by_line(
    language: str, group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = console.say(capsys, language, group).check(Exit.USAGE)
    page = console.say(capsys, language, group, "--help").check(Exit.GOOD)
    assert said.err.strip() == page.out.strip()
    assert len(page.out.splitlines()) > 5
