"""The disk that etcd will write to: the script on this machine, and what its times give rise to."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from rbdtui.checks.hosts.disk_speed import read_times, slow_disk
from rbdtui.checks.preflight import preflight
from rbdtui.findings import Place, Severity
from rbdtui.transport.answers import parse_answer
from rbdtui.transport.base import CommandResult, RemoteAnswerError
from rbdtui.transport.scripts import Script, script
from tests.checks.cases import KUBERNETES
from tests.checks.scripted_host import ScriptedHost
from tests.checks.support import place
from tests.checks.test_preflight import outputs

MS = 1_000_000


def told(*writes_ms: float, empty_ms: float = 1) -> list[str]:
    lines = "".join(f"{int(each * MS)} {int(empty_ms * MS)}\n" for each in writes_ms)
    speed = read_times("directory /var/lib\n" + lines)
    return [each.code for each in slow_disk("node1", speed, Place())] if speed is not None else []


def test_slow_disks_are_told_apart_from_hiccups() -> None:
    assert told(*[3.0] * 200) == []
    assert told(*[3.0] * 199, 500.0) == []
    assert told(*[3.0] * 190, *[30.0] * 10) == ["RBD-DISK-114"]
    assert told(*[13.0] * 200) == ["RBD-DISK-114"]
    assert told(*[40.0] * 50) == ["RBD-DISK-115"]
    assert told(*[40.0] * 50, empty_ms=39) == []
    assert told(*[900.0] * 3) == []


def run(directory: Path, *, limit_s: float = 20, path: str = "") -> subprocess.CompletedProcess[str]:
    command = ["timeout", f"{limit_s:g}", "sh", "-c", script("fsync-try").text, "rbdtui/fsync-try", str(directory)]
    env = {"PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)


def test_the_script_leaves_nothing_and_keeps_its_limits(tmp_path: Path) -> None:
    began_at = time.monotonic()
    done = run(tmp_path / "not" / "there" / "yet")
    assert time.monotonic() - began_at < 15
    assert done.returncode == 0
    head, *lines = done.stdout.splitlines()
    assert head == f"directory {tmp_path}"
    assert 1 <= len(lines) <= 200
    assert all(int(each) > 0 for line in lines for each in line.split())
    assert list(tmp_path.iterdir()) == []


def test_nothing_stays_when_it_is_ended(tmp_path: Path) -> None:
    there, programs = tmp_path / "there", tmp_path / "bin"
    there.mkdir()
    programs.mkdir()
    slow = programs / "dd"
    slow.write_text(f'#!/bin/sh\nsleep 1\nexec {shutil.which("dd")} "$@"\n')
    slow.chmod(0o755)
    done = run(there, limit_s=0.5, path=str(programs))
    assert done.returncode == 124
    assert list(there.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "directory /x\nnonsense\n", "directory /x\n1\n", f"directory /x\n{'9' * 5000} 1\n"]
)
def test_an_answer_that_is_none_is_the_hosts_own_fault(text: str) -> None:
    with pytest.raises(RemoteAnswerError):
        parse_answer("node1", "fsync-try", lambda: read_times(text))


async def test_a_preflight_times_the_disks_of_etcd_nodes() -> None:
    hosts = {f"node{i}": ScriptedHost(f"node{i}", outputs(i), write_ms=60 if i == 2 else 2) for i in (1, 2, 3)}
    result = await preflight(KUBERNETES, hosts, None, place)
    slow = [each for each in result.findings if each.code.startswith("RBD-DISK-11")]
    assert [(each.code, each.place.node, each.severity) for each in slow] == [("RBD-DISK-115", "node2", Severity.ERROR)]


class ReadOnlyHost(ScriptedHost):
    """A host on which nothing can be written where etcd would."""

    async def run(self, script: Script, *args: str, **more: Any) -> CommandResult:
        if script.name == "fsync-try":
            return CommandResult(3, b"", b"mktemp: failed to create file: Read-only file system\n", 0.01)
        return await super().run(script, *args, **more)


async def test_a_file_system_that_cannot_be_written_is_told_by_its_own_check_alone() -> None:
    hosts = {f"node{i}": (ReadOnlyHost if i == 1 else ScriptedHost)(f"node{i}", outputs(i)) for i in (1, 2, 3)}
    result = await preflight(KUBERNETES, hosts, None, place)
    assert not [each for each in result.findings if each.code.startswith(("RBD-HOST", "RBD-DISK-11"))]
