"""A server program for the time of a block: unprivileged, in its own directory, dead with who began it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.lab.shell import LabError, run

USER: Final = "nobody"
_GROUP: Final = "nogroup"
_STOP_S: Final = 10.0


def missing(*programs: str) -> str | None:
    """The first of these programs that this machine lacks."""
    return next((program for program in programs if find(program) is None), None)


def find(program: str) -> str | None:
    """Where a program is, those for administrators included."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


@contextmanager
def directory(kind: str) -> Iterator[Path]:
    """An empty directory that the unprivileged user owns; removed at the end."""
    place = Path(tempfile.mkdtemp(prefix=f"rbdtui-{kind}-"))
    try:
        hand_over(place)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def hand_over(place: Path) -> None:
    """Give a directory and all in it to the user that servers run as."""
    run(["chown", "-R", f"{USER}:{_GROUP}", place])


def as_nobody(argv: Sequence[str | Path]) -> list[str]:
    """The command line that starts a program unprivileged; the kernel kills it when the thread that began it ends."""
    who = ["--reuid", USER, "--regid", _GROUP, "--clear-groups", "--pdeathsig", "KILL"]
    return ["setpriv", *who, "--", *map(str, argv)]


class Program:
    """A server program that can be ended and begun anew, with the same command line."""

    def __init__(
        self, argv: Sequence[str | Path], *, log: Path, ready: Callable[[], bool], timeout_s: float = 60
    ) -> None:
        self._argv, self._log, self._ready, self._timeout_s = argv, log, ready, timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin it and wait until it is ready; `LabError` with its last words when it does not become so."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                as_nobody(self._argv), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self._log.parent
            )
        end = time.monotonic() + self._timeout_s
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > end:
                words, status = self._log.read_text(errors="replace")[-1500:], self._process.poll()
                raise LabError(f"{self._argv[0]}: not ready within {self._timeout_s:g} s (exit {status}): {words}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it; harmless when it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        if process.poll() is None:
            process.kill()
            process.wait(_STOP_S)


@contextmanager
def running(
    argv: Sequence[str | Path], *, log: Path, ready: Callable[[], bool], timeout_s: float = 60
) -> Iterator[Program]:
    """Run a server from the moment it is ready to the end of the block; `LabError` with its last words otherwise."""
    program = Program(argv, log=log, ready=ready, timeout_s=timeout_s)
    try:
        program.start()
        yield program
    finally:
        program.stop()


def accepts(address: str, port: int) -> bool:
    """Whether somebody takes a connection there."""
    with suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False
