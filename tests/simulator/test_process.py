"""A fleet in a process of its own: it says where it is, takes faults, and ends when it shall."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import LIMIT_S


@contextmanager
def fleet_process(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", "rbdtui.simulator", "--dir", str(directory / "site"), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    answer = json.loads(process.stdout.readline())
    assert isinstance(answer, dict)
    return answer


def ask(process: subprocess.Popen[str], line: str) -> dict[str, object]:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return said(process)


def test_it_says_where_it_is_and_ends_with_its_standard_input(tmp_path: Path) -> None:
    with fleet_process(tmp_path, "--nodes", "2", "--speed", "50") as process:
        ready = said(process)
        assert set(ready) == {"site", "vip", "known_hosts", "nodes"}
        assert str(ready["known_hosts"]).count("ssh-ed25519") == 2
        assert (tmp_path / "site" / "cluster.yaml").is_file()
        assert (tmp_path / "site").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "site" / "demo-key").stat().st_mode & 0o777 == 0o600
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(LIMIT_S) == 0


def test_it_ends_on_sigterm(tmp_path: Path) -> None:
    with fleet_process(tmp_path, "--nodes", "1") as process:
        said(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize("line", ["nonsense", "[]", "{}", '{"do": "no such fault"}', '{"do": "cut", "node": "nobody"}'])
def test_nonsense_is_answered_and_harms_nothing(tmp_path: Path, line: str) -> None:
    with fleet_process(tmp_path, "--nodes", "1", "--speed", "50") as process:
        said(process)
        assert ask(process, line)["ok"] is False
        assert ask(process, '{"do": "slow", "node": "node1", "delay_ms": 5}') == {"ok": True}


def test_faults_are_done(tmp_path: Path) -> None:
    with fleet_process(tmp_path, "--nodes", "2", "--speed", "50") as process:
        said(process)
        assert ask(process, '{"do": "power_off", "node": "node2"}') == {"ok": True}
        assert ask(process, '{"do": "power_on", "node": "node2"}') == {"ok": True}
        assert ask(process, '{"do": "fail_next", "node": "node1", "script": "clock", "message": "no"}') == {"ok": True}
        state = ask(process, '{"do": "state"}')["answer"]
        assert isinstance(state, dict)
        assert set(state["machines"]) == {"node1", "node2"}


def test_it_lives_on_where_there_is_nobody_to_tell_it_anything(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "rbdtui.simulator",
        "--dir",
        str(tmp_path / "site"),
        "--nodes",
        "1",
        "--empty",
    ]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert "known_hosts" in json.loads(process.stdout.readline())
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=LIMIT_S)
    assert "Traceback" not in said


def test_a_taken_place_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "something").touch()
    command = [sys.executable, "-P", "-m", "rbdtui.simulator", "--dir", str(tmp_path / "site")]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S)
    assert ended.returncode == 1
    assert "is not empty" in ended.stderr
    assert "Traceback" not in ended.stderr
