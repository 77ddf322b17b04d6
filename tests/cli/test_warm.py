"""A command that is split off is told from one that is started from nothing by its speed alone."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from tests.cli import console
from tests.cli.warm import WarmProcess


@pytest.mark.parametrize("words", [("--version",), ("no-such-verb",), ("schema", "run"), ("check", "nowhere"), ("-h",)])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_says_and_ends_the_same(
    language: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert console.run(language, *words) == console.run(language, *words, environment={})


def test_directory_and_environment_are_those_of_the_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    console.run("en", "init", "here").check(Exit.GOOD)
    assert (tmp_path / "here" / "cluster.yaml").exists()
    monkeypatch.setenv("RBDTUI_LANG", "zh")
    assert "站点" in console.run("", "check", "nowhere").words


def test_it_is_a_process_that_can_be_killed_and_waited_for() -> None:
    process = WarmProcess(["import", "-"])
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(b"", timeout=60)
    process.kill()
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_one_that_does_not_end_is_given_up() -> None:
    process = WarmProcess(["import", "-"])
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(b"", timeout=0.1)
    process.kill()
    assert process.returncode == -signal.SIGKILL
