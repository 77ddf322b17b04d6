"""Processes of the command line that need not import it first: one has done so, and splits off each of them.

To import is nine tenths of what a command costs. What is split off is a process as any other, with its own arguments,
environment, directory and streams, and comes to its end as any other does.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LOCALE: Final = "C.UTF-8"
IMPORTED: Final = (
    "click", "rich.live", "rich.table", "rbdtui.session", "rbdtui.drill.conduct", "rbdtui.importers",
    "rbdtui.exporters", "rbdtui.audit.audit", "rbdtui.report.build", "rbdtui.report.support_bundle",
    "rbdtui.workbench.workbench", "rbdtui.workbench.pasting.adding",
)  # fmt: skip
"""What most commands import, without `rbdtui.cli`: its help is in the language that holds when it is imported."""
_LONGEST_ORDER: Final = 1 << 17
_FILES: Final = 4
"""stdin, stdout, stderr, and where its process id and exit status are told, a line each."""


class WarmProcess:
    """A command at work; has what the tests use of `subprocess.Popen`."""

    def __init__(self, words: Sequence[str]) -> None:
        pipes = [os.pipe() for _ in range(_FILES)]
        theirs = [pipes[0][0], *(write for _, write in pipes[1:])]
        order = {"words": list(words), "directory": str(Path.cwd()), "environment": {**os.environ, "LC_ALL": LOCALE}}
        try:
            socket.send_fds(_source(), [json.dumps(order).encode()], theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self._stdin = pipes[0][1]
        self._stdout, self._stderr, self._told = (os.fdopen(read, "rb") for read, _ in pipes[1:])
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def communicate(self, data: bytes, timeout: float) -> tuple[bytes, bytes]:
        """Give it its input, and what it said once all have let go of its streams; raises `TimeoutExpired`."""
        end, said = time.monotonic() + timeout, [b"", b""]

        def write() -> None:
            with os.fdopen(self._stdin, "wb") as stream:
                try:
                    stream.write(data)
                    stream.flush()
                except BrokenPipeError:
                    pass

        def read(number: int, stream: io.BufferedReader) -> None:
            with stream:
                said[number] = stream.read()

        threads = [Thread(target=write, daemon=True)]
        threads += [Thread(target=read, args=each, daemon=True) for each in enumerate((self._stdout, self._stderr))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        if any(thread.is_alive() for thread in threads) or not self._ended(max(0.0, end - time.monotonic())):
            raise subprocess.TimeoutExpired("rbdtui", timeout, *said)
        return said[0], said[1]

    def kill(self) -> None:
        """End it if it is there still."""
        if not self._ended(0.0):
            os.kill(self.pid, signal.SIGKILL)
            self._ended(None)
        self._told.close()

    def _ended(self, timeout_s: float | None) -> bool:
        if self.returncode is None and select.select([self._told], [], [], timeout_s)[0]:
            self.returncode = int(self._told.readline())
        return self.returncode is not None


@cache
def _source() -> socket.socket:
    """Where orders go; the process behind it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        words = [sys.executable, "-m", "tests.cli.warm"]
        process = subprocess.Popen(words, stdin=theirs.fileno(), cwd=ROOT, env={**os.environ, "LC_ALL": LOCALE})

    def stop() -> None:
        ours.close()
        process.wait()

    atexit.register(stop)
    return ours


def serve() -> None:
    """Take orders until nobody gives any; returns in each process that was split off, made ready for its command."""
    for module in IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as orders:
        while True:
            data, files, _, _ = socket.recv_fds(orders, _LONGEST_ORDER, _FILES)
            if not data:
                os._exit(0)
            if os.fork() == 0:
                break
            for descriptor in files:
                os.close(descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (child := os.fork()) != 0:
        _tell_end(child, files)
    _become(json.loads(data), files)


def _tell_end(child: int, files: Sequence[int]) -> None:
    """Wait for a command on behalf of the test, which is not its parent."""
    for descriptor in (0, 1, 2, *files[:3]):
        os.close(descriptor)
    os.write(files[3], f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    os.write(files[3], f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(order: dict[str, object], files: Sequence[int]) -> None:
    words, directory, environment = order["words"], order["directory"], order["environment"]
    assert isinstance(words, list)
    assert isinstance(directory, str)
    assert isinstance(environment, dict)
    for number in range(3):
        os.dup2(files[number], number)
    for descriptor in files:
        os.close(descriptor)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # As Python opens them in this locale.
    sys.stdin = os.fdopen(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = [str(ROOT / "rbdtui" / "__main__.py"), *words]


if __name__ == "__main__":
    serve()
    importlib.import_module("rbdtui.__main__").main()
