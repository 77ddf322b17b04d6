"""Completion at the prompt: names from the site's files, quickly, without a word on errors, asking nobody."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rbdtui.cli.completing import complete
from rbdtui.cli.completion_table import text
from rbdtui.cli.output import Exit
from rbdtui.paths import asset
from tests.cli import console

RUNS = ("20261127-2301-aa01", "20261128-0228-05b8")
STEPS = ("claim@server1", "claim@server2", "rke2-server@server2", "kubeconfig")


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A directory with two sites, one of which has two runs, and with a directory that is none."""
    for name in ("site-a", "site-b"):
        console.say(capsys, "en", "init", tmp_path / name)
    (tmp_path / "letters").mkdir()
    for run in RUNS:
        journal = tmp_path / "site-a" / "runs" / run / "events.jsonl"
        journal.parent.mkdir(parents=True)
        steps = [{"id": step, "name": step.partition("@")[0], "node": step.partition("@")[2]} for step in STEPS]
        journal.write_text(json.dumps({"schema": 1, "type": "run-created", "run_id": run, "steps": steps}) + "\n")
    return tmp_path


def offered(place: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the last word of a command line may become; an empty one where it ends with a blank."""
    monkeypatch.chdir(place)
    *words, incomplete = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
    return [offer.value or f"<{offer.kind}>" for offer in complete(words, incomplete)]


SERVERS = ["server1", "server2", "server3", "agent1"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ch", ["check"]),
        ("site", ["site-a", "site-b"]),
        ("--lang z", ["zh"]),
        ("--lang zh che", ["check"]),
        ("secret ", ["set", "list", "forget"]),
        ("bundle v", ["verify"]),
        ("check ", ["site-a", "site-b"]),
        ("check ./", ["./site-a", "./site-b"]),
        ("check let", ["<dir>"]),
        ("init ", ["<dir>"]),
        ("plan --d", ["--diff"]),
        ("pause --asc", []),
        ("check site-a --passphrase-file ", ["<file>"]),
        ("trust site-a --replace ", SERVERS),
        ("trust site-a --replace server1 --replace ag", ["agent1"]),
        ("trust --replace=ag", []),
        ("logs site-a --node server", SERVERS[:3]),
        ("secret set site-a ", ["sudo"]),
        ("secret forget site-a s", ["sudo"]),
        ("check site-a --only ", ["rules", "services", "preflight"]),
        ("check site-a --only rules,", ["rules,services", "rules,preflight"]),
        ("check --only=pre", ["--only=preflight"]),
        ("run site-a --on-failure s", ["stop"]),
        ("run site-a --accept RBD-SECRET-001,RBD-SECRET-0", []),
        ("run site-a --accept RBD-LOCAL-005,RBD-HW-102", ["RBD-LOCAL-005,RBD-HW-102"]),
        ("retry site-a --step r", ["rke2-server", "rke2-server@server2"]),
        ("retry site-a --step claim@", ["claim@server1", "claim@server2"]),
        ("retry site-b --step ", []),
        ("logs site-a --run ", [*RUNS[::-1], "05b8", "aa01"]),
        ("logs site-a --run 05", ["05b8"]),
        ("logs --run 05", []),
        ("schema he", ["health"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("demo --nodes ", []),
        ("nonsense nonsense ", []),
    ],
)
def test_what_is_offered(line: str, expected: list[str], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(place, line, monkeypatch) == expected


def test_in_a_site_its_own_names_are_offered(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(place / "site-a", "logs --node ag", monkeypatch) == ["agent1"]
    assert offered(place / "site-a", "retry --step kube", monkeypatch) == ["kubeconfig"]


def test_the_table_is_what_the_commands_take() -> None:
    assert asset("completion.json").read_text(encoding="utf-8") == text(), "python -m rbdtui.cli.completion_table"


def in_bash(place: Path, words: list[str], *, before: str = "") -> list[str]:
    """What a real bash gets for the last word from the script that ``rbdtui completion bash`` prints."""
    program = place / "bin" / "rbdtui"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m rbdtui "$@"\n')
    program.chmod(0o755)
    script = place / "completion.bash"
    script.write_text(console.run("en", "completion", "bash").check(Exit.GOOD).out)
    asked = (
        f"{before}\n. {shlex.quote(str(script))}\ncomplete -p rbdtui >&2 || exit 1\nCOMP_WORDS=({shlex.join(words)})\n"
        f'COMP_CWORD={len(words) - 1}\ncompopt() {{ COMPREPLY=("<$2>"); }}\n_rbdtui_completion rbdtui\n'
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", asked], cwd=place, capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.stderr == "complete -o nosort -F _rbdtui_completion rbdtui\n"
    return [line for line in done.stdout.splitlines() if line]


def test_a_real_bash_gets_the_names(place: Path) -> None:
    assert in_bash(place, ["rbdtui", "check", "site"]) == ["site-a", "site-b"]
    assert in_bash(place, ["rbdtui", "check", "let"]) == ["<dirnames>"]
    assert in_bash(place, ["rbdtui", "trust", "site-a", "--replace", "ag"]) == ["agent1"]
    assert in_bash(place, ["rbdtui", "check", "--only", "=", "pre"]) == ["preflight"], "bash splits there"
    assert in_bash(place, ["rbdtui", "retry", "site-a", "--step", "claim", "@", "server1"]) == ["server1"]
    assert in_bash(place, ["rbdtui", "retry", "site-a", "--step", "claim", "@"]) == ["server1", "server2"]


@pytest.mark.parametrize("damage", ["broken yaml", "binary", "a directory", "a pipe", "nothing", "unreadable runs"])
def test_whatever_a_site_holds_no_error_is_shown(damage: str, place: Path) -> None:
    spec = place / "site-a" / "cluster.yaml"
    spec.unlink()
    if damage == "broken yaml":
        spec.write_text("nodes: [{name: server1}, {name: '\x00$(reboot)'}, {\n")
    elif damage == "binary":
        spec.write_bytes(bytes(range(256)) * 64)
    elif damage == "a directory":
        spec.mkdir()
    elif damage == "a pipe":
        os.mkfifo(spec)
    elif damage == "unreadable runs":
        for run in RUNS:
            (place / "site-a" / "runs" / run / "events.jsonl").write_bytes(b"\xff{")
    found = in_bash(place, ["rbdtui", "trust", "site-a", "--replace", ""])
    assert found == (["server1"] if damage == "broken yaml" else [])
    assert in_bash(place, ["rbdtui", "retry", "site-a", "--step", "cl"], before="set -u")[:1] in ([], ["claim"])


def test_nothing_heavy_is_loaded_for_it(place: Path) -> None:
    program = (
        "import os, sys\nfrom rbdtui.__main__ import main\nmain()\n"
        "heavy = {'pydantic', 'asyncssh', 'cryptography', 'textual', 'rich', 'yaml', 'asyncio', 'rbdtui.session'}\n"
        "print('loaded', sorted(heavy & set(sys.modules)))\n"
    )
    asked = {
        "_RBDTUI_COMPLETE": "bash_complete",
        "COMP_WORDS": "rbdtui\ntrust\nsite-a\n--replace\nag",
        "COMP_CWORD": "4",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=place, capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **asked},
    )  # fmt: skip
    assert done.stdout.splitlines() == ["plain,agent1", "loaded []"]
    assert done.stderr == ""
