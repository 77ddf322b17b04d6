"""A process that holds secrets leaves no core dump, and its own ways through /proc stay open to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rbdtui.site import Site
from tests.engine.disk_runs import ROOT, SECRET, SECRETS, runner
from tests.engine.support import SPEC_TEXT

NOBODY = 65534
CRASH = f"""
import asyncio, ctypes, os, resource, signal, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from rbdtui.engine.client import start_run
from rbdtui.engine.lock import holder_of
from rbdtui.site import Site

resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: the runner's end is told to us
if not (crashed := os.fork()):
    os.kill(os.getpid(), signal.SIGSEGV)
print("others dump", os.WCOREDUMP(os.waitpid(crashed, 0)[1]))
site = Site(Path(sys.argv[1]))
asyncio.run(start_run(site, spec_text={SPEC_TEXT.encode()!r}, facts={{}}, secrets={SECRETS!r},
                      runner={runner("--pace=30")!r}))
pid = holder_of(site).pid
os.kill(pid, signal.SIGSEGV)
status = os.waitpid(pid, 0)[1]
print("ended by", os.WTERMSIG(status), "dumped", os.WCOREDUMP(status))
"""


def cores(*places: Path) -> set[Path]:
    return {file for place in places for file in place.glob("core*") if file.is_file()}


def test_a_runner_that_crashes_leaves_no_core(site: Site, tmp_path: Path) -> None:
    before = cores(Path("/"))
    said = subprocess.run(
        [sys.executable, "-c", CRASH, str(site.path)], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    if "others dump True" not in said:
        pytest.skip("programs dump no core here, whatever their limits")
    assert f"ended by {int(signal.SIGSEGV)} dumped False" in said
    assert cores(Path("/"), site.path, *site.runs_dir.iterdir()) == before
    (log,) = site.runs_dir.glob("*/runner.log")
    assert "Fatal Python error: Segmentation fault" in log.read_text(), "where it crashed is known all the same"
    assert SECRET not in log.read_text()


def test_a_command_that_crashes_leaves_no_core(site: Site, tmp_path: Path) -> None:
    shell = 'ulimit -c unlimited && cd "$1" && exec "$2" -m rbdtui secret set "$3" sudo --passphrase-file "$4"'
    (tmp_path / "passphrase").write_text(SECRET)
    words = [str(tmp_path), sys.executable, str(site.path), str(tmp_path / "passphrase")]
    process = subprocess.Popen(
        ["bash", "-c", shell, "-", *words], stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    deadline = time.monotonic() + 60
    limits = Path(f"/proc/{process.pid}/limits")
    while "Max core file size        0 " not in limits.read_text():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGSEGV)
    assert process.wait(timeout=60) == -signal.SIGSEGV
    assert process.stdin is not None
    process.stdin.close()
    assert cores(tmp_path) == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_without_being_root_the_way_to_the_control_socket_stays_open(tmp_path: Path) -> None:
    """Of a process that may not be dumped, /proc belongs to root; what is its own it may still use."""
    script = (
        "import os, socket, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from rbdtui.engine.protocol import socket_address\n"
        "from rbdtui.process import keep_memory_private\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "keep_memory_private()\n"
        "assert os.stat('/proc/self/environ').st_uid == 0, 'it may be dumped'\n"
        "with socket_address(Path(sys.argv[1])) as address, socket.socket(socket.AF_UNIX) as listener:\n"
        "    listener.bind(address)\n"
        "    listener.listen()\n"
        "    with socket.socket(socket.AF_UNIX) as caller:\n"
        "        caller.connect(address)\n"
        "print('answered')\n"
    )
    place = tmp_path / "run"
    place.mkdir()
    os.chown(place, NOBODY, NOBODY)
    for directory in (place, *place.parents[: len(place.parents) - 1]):
        if directory != Path("/tmp"):
            directory.chmod(0o755)
    said = subprocess.run([sys.executable, "-c", script, str(place)], capture_output=True, text=True, check=False)
    assert said.stdout == "answered\n", said.stderr
