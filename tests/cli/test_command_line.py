"""The command line as an operator meets it: exit statuses, where words go, and mistakes in both languages."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rbdtui import profiles
from rbdtui.cli.app import run_command_line
from rbdtui.cli.output import Exit
from rbdtui.spec.template import EXAMPLES
from rbdtui.vault import Vault
from rbdtui.words import LANGUAGES, T, say, use_language
from tests.cli import console
from tests.screens.terminal import Terminal, terminal
from tests.spec.samples import in_part

VERBS = (
    "init", "trust", "secret", "check", "audit", "convert", "plan", "run",
    "attach", "pause", "resume", "retry", "stop", "health", "bundle",
    "demo", "drill", "reset", "completion", "schema", "runs", "logs", "kubeconfig", "version", "import",
    "export", "report", "support-bundle", "repair", "snapshot", "snapshots", "restore", "remove", "certs", "renew",
    "failover", "move-storage", "reboot",
)  # fmt: skip


@pytest.fixture
def passphrase_file(tmp_path: Path) -> str:
    file = tmp_path / "passphrase"
    file.touch(mode=0o600)
    file.write_text("correct horse\n")
    return str(file)


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "site"
    assert run_command_line(["init", str(path)]) == Exit.GOOD
    capsys.readouterr()
    return path


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_site_installs_what_this_version_can_and_says_of_others_that_it_cannot(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "PROFILES", in_part("rainbond-5.17"))
    plain = console.say(capsys, language, "init", tmp_path / "plain").check(Exit.GOOD)
    assert "profile: kubernetes-only" in (tmp_path / "plain" / "cluster.yaml").read_text()
    assert "Rainbond" not in plain.words
    for example, profile, is_told in (("three-node", "rainbond-6", False), ("rainbond-5.17", "rainbond-5.17", True)):
        other = console.say(capsys, language, "init", tmp_path / example, "--example", example).check(Exit.GOOD)
        assert f"profile: {profile}" in (tmp_path / example / "cluster.yaml").read_text()
        assert ("Rainbond" in other.err) is is_told


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("example", EXAMPLES)
def test_a_new_site_names_commands_that_fit_it(
    example: str, language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = console.say(capsys, language, "init", tmp_path / "site a", "--example", example).check(Exit.GOOD)
    named = {verb for verb in ("trust", "check", "audit") if f"`rbdtui {verb} '{tmp_path}/site a'`" in made.out}
    fits = {"rainbond-3.6": {"trust", "audit"}, "existing-cluster": {"check"}}
    assert named == fits.get(example, {"trust", "check"})
    if "trust" not in named:
        trusted = console.say(capsys, language, "trust", tmp_path / "site a").check(Exit.GOOD)
        assert say(T("cli.trust.nobody"), language) in trusted.err


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    use_language(language)
    assert run_command_line([verb, "--help"]) == Exit.GOOD
    captured = capsys.readouterr()
    assert verb in captured.out
    assert captured.err == ""


CLICKS_OWN_WORDS = re.compile(r"usage|options|commands?|args|default|required|range|integer", re.IGNORECASE)


def test_chinese_help_has_no_english_words_of_its_frame() -> None:
    program = (
        "from rbdtui.words import use_language; use_language('zh')\n"
        "from rbdtui.cli.app import VERBS, run_command_line\n"
        "for words in ([], *([verb] for verb in VERBS), ['secret', 'set'], ['bundle', 'verify']):\n"
        "    run_command_line([*words, '--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.count("用法：") == len(VERBS) + 4
    frame = re.sub(r"--?[a-z-]+|`[^`]*`|[A-Z]+_[A-Z_]+|\[[a-z|-]+\]", "", done.stdout)
    assert CLICKS_OWN_WORDS.findall(frame) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["chekc"], "chekc"),
        (["check", "--jsn"], "--json"),
        (["check", "--only", "rules,weather", "."], "weather"),
        (["init"], "SITE"),
        (["schema", "nothing"], "health"),
        (["demo", "--nodes", "1000"], "60"),
        (["demo", "--nodes", "many"], "60"),
        (["run", "--on-failure", "pray"], "quarantine"),
        (["run", "--accept", "RBD-HW-101,RBD-HW-1O2"], "--accept RBD-HW-1O2"),
        (["secret", "set", "."], "NAME"),
    ],
)
def test_wrong_use_names_what_is_allowed(
    arguments: list[str], named: str, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use_language(language)
    assert run_command_line(arguments) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert named in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("verb", ["trust", "check", "plan", "run", "attach", "pause", "health"])
def test_a_place_that_is_no_site_is_told(
    verb: str, language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use_language(language)
    places = {"absent": tmp_path / "absent", "file": tmp_path / "file", "bare": tmp_path / "bare"}
    places["file"].write_text("")
    places["bare"].mkdir(mode=0o700)
    for place in places.values():
        assert run_command_line([verb, str(place)]) == Exit.USAGE
        captured = capsys.readouterr()
        assert captured.out == ""
        assert str(place) in captured.err


@pytest.mark.parametrize("verb", ["check", "plan", "run", "health", "attach"])
def test_a_site_that_others_can_read_is_refused(verb: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.chmod(0o750)
    assert run_command_line([verb, str(site)]) == Exit.USAGE
    assert "chmod 700" in capsys.readouterr().err


def test_init_makes_a_private_commented_site_and_never_overwrites(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert site.stat().st_mode & 0o777 == 0o700
    spec = site / "cluster.yaml"
    assert spec.stat().st_mode & 0o077 == 0
    before = spec.read_bytes()
    assert b"#" in before
    assert run_command_line(["init", str(site)]) == Exit.USAGE
    assert spec.read_bytes() == before
    assert str(site) in capsys.readouterr().err


def test_check_of_rules_answers_by_schema_and_status(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = site / "cluster.yaml"
    spec.write_text(spec.read_text().replace("apiVersion: rbdtui/v1", "unknown_key: 1\napiVersion: rbdtui/v1"))
    assert run_command_line(["check", str(site), "--only", "rules", "--json"]) == Exit.FINDINGS
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    Draft202012Validator(_schema("check", capsys)).validate(found)
    (unknown,) = (f for f in found["findings"] if f["place"]["field"] == "unknown_key")
    assert unknown["severity"] == "error"
    line = 1 + spec.read_text().splitlines().index("unknown_key: 1")
    assert unknown["place"]["line"] == line
    assert found["counts"]["error"] >= 1


def _schema(name: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert run_command_line(["schema", name]) == Exit.GOOD
    schema: dict[str, object] = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    return schema


@pytest.mark.parametrize("name", ["check", "plan", "run", "runs", "health"])
def test_published_schemas_are_schemas(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "title" in _schema(name, capsys)


def test_secrets_go_in_by_standard_input_and_only_names_come_out(site: Path, passphrase_file: str) -> None:
    value = 'Op"er$at!or 1 \u5bc6'
    vault = (site, "--passphrase-file", passphrase_file)
    kept = console.run("en", "secret", "set", site, "sudo", *vault[1:], stdin=value).check(Exit.GOOD)
    listed = console.run("en", "secret", "list", *vault)
    assert (listed.status, listed.out.split()) == (Exit.GOOD, ["sudo"])
    assert value not in kept.words + listed.words
    assert Vault.open(site / "secrets.enc", "correct horse").get("sudo") == value
    assert value.encode() not in (site / "secrets.enc").read_bytes()
    console.run("en", "secret", "forget", site, "sudo", *vault[1:]).check(Exit.GOOD)
    assert Vault.open(site / "secrets.enc", "correct horse").names() == []


@pytest.mark.parametrize("locale", ["zh_CN.GBK", "zh_CN.UTF-8", "en_US.ISO-8859-1"])
def test_any_locale_will_do(locale: str, site: Path) -> None:
    said = console.run("zh", "check", site, "--only", "rules", environment={"LC_ALL": locale})
    assert said.status in (Exit.GOOD, Exit.FINDINGS), said.words
    assert "Traceback" not in said.words


def test_the_language_can_be_named_anywhere(site: Path) -> None:
    before = console.run("zh", "attach", site).check(Exit.USAGE)
    behind = console.run("", "attach", site, "--lang", "zh")
    wrong = console.run("", "attach", site, "--lang", "xx")
    assert before.words == behind.words
    assert (wrong.status, "en, zh" in wrong.err) == (Exit.USAGE, True)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o604, 0o620, 0o666])
def test_a_passphrase_that_others_can_read_or_change_is_told_of(
    site: Path, passphrase_file: str, mode: int, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(passphrase_file).chmod(mode)
    use_language(language)
    assert run_command_line(["secret", "list", str(site), "--passphrase-file", passphrase_file]) == Exit.GOOD
    said = capsys.readouterr().err
    assert (f"chmod 600 {passphrase_file}" in said) == (mode & 0o077 != 0)
    assert (f"{mode:04o}" in said) == (mode & 0o077 != 0)
    assert said.count("\n") == (mode & 0o077 != 0) + 1  # and that the vault is empty


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_vault_takes_no_short_passphrase_and_an_old_one_opens_with_it(
    site: Path, passphrase_file: str, language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_language(language)
    words = ["secret", "set", str(site), "sudo", "--passphrase-file", passphrase_file]
    for short in ("x", "seven 7"):
        Path(passphrase_file).write_text(short)
        monkeypatch.setattr("sys.stdin", io.StringIO("value"))
        assert run_command_line(words) == Exit.USAGE
        said = capsys.readouterr().err
        assert passphrase_file in said
        assert "8" in said
        assert short not in said.replace(passphrase_file, "").split()
        assert not (site / "secrets.enc").exists()
    Vault.create(site / "secrets.enc", "seven 7", work=2**14)
    monkeypatch.setattr("sys.stdin", io.StringIO("value"))
    assert run_command_line(words) == Exit.GOOD


def _asked(shown: Terminal, prompt: str, times: int, _: str) -> bool:
    return shown.said().count(prompt) == times


def test_a_short_passphrase_that_is_typed_is_asked_for_again(site: Path, tmp_path: Path) -> None:
    dialogue = (
        ("new vault", 1, "short"), ("Once more", 1, "short"), ("new vault", 2, "long enough"),
        ("Once more", 2, "long enough"), ("Value of sudo", 1, "value"), ("Once more", 3, "value"),
    )  # fmt: skip
    with terminal("secret", "set", site, "sudo", home=tmp_path) as shown:
        for prompt, times, answer in dialogue:
            wanted = partial(_asked, shown, f"{prompt}: ", times)
            shown.wait_for(wanted, 60.0)
            time.sleep(0.2)  # what is typed before the echo is off is thrown away
            shown.type(f"{answer}\n")
        assert shown.ended(60.0) == Exit.GOOD
        assert "at least 8" in shown.said()
        assert "encrypted file" in shown.said(), "what a vault is"
    assert Vault.open(site / "secrets.enc", "long enough").get("sudo") == "value"


def test_a_terminal_in_gbk_gets_json_in_utf8_and_signs_it_has(site: Path) -> None:
    words = [sys.executable, "-m", "rbdtui", "--lang", "zh", "check", str(site), "--only", "rules"]
    gbk = {**os.environ, "PYTHONIOENCODING": "gbk"}
    said = subprocess.run([*words, "--json"], capture_output=True, env=gbk, timeout=60, check=False).stdout
    findings = json.loads(said.decode("utf-8"))["findings"]
    assert any(re.search("[\u4e00-\u9fff]", finding["message"]) for finding in findings)
    shown = subprocess.run(words, capture_output=True, env=gbk, timeout=60, check=False).stdout.decode("gbk")
    assert "\\u" not in shown
    assert re.search("[\u4e00-\u9fff]", shown)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_know_the_program(shell: str) -> None:
    said = console.run("", "completion", shell)
    assert (said.status, "_RBDTUI_COMPLETE" in said.out) == (Exit.GOOD, True)


def test_a_reader_that_leaves_early_is_no_error(site: Path) -> None:
    command = f"{sys.executable} -m rbdtui schema run | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
