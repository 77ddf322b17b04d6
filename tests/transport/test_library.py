"""asyncssh comes without starting programs, and still has the libraries that are there."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rbdtui.transport.library import find_library

STARTED = """
import sys
started = []
sys.addaudithook(lambda event, values: started.append((event, values[:2])) if event in EVENTS else None)
import ctypes.util
searching = ctypes.util.find_library
import rbdtui.simulator.fleet, rbdtui.transport.pool, rbdtui.transport.scan
assert "asyncssh" in sys.modules
assert ctypes.util.find_library is searching
print(started)
"""
EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system"}


def test_no_program_is_started_whatever_is_first_on_the_path(tmp_path: Path) -> None:
    for name in ("gcc", "cc", "ldconfig", "ld", "objdump"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {name} >> {tmp_path}/started\n")
        program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    code = f"EVENTS = {EVENTS!r}\n{STARTED}"
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert said.stdout.strip() == "[]"
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("name", ["c", "m", "pthread"])
def test_what_the_loader_has_is_found_and_can_be_loaded(name: str) -> None:
    found = find_library(name)
    assert found is not None
    ctypes.CDLL(found)


def test_what_is_no_library_of_this_machine_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libm.so").write_text("GROUP ( /lib/libm.so.6 )\n")
    (tmp_path / "librbdtui-absent.so").write_bytes(b"\x7fELF\x00")
    monkeypatch.setenv("LD_LIBRARY_PATH", f":{tmp_path}/no-such:{tmp_path}")
    found = find_library("m")
    assert found is not None
    assert not found.startswith(str(tmp_path))
    assert find_library("rbdtui-absent") is None
