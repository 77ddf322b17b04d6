"""A network of its own for servers whose ports are fixed, and for the thread that talks to them."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_NEW_NETWORK: Final = 0x40000000
"""CLONE_NEWNET (setns(2))."""


def why_no_enclosure(*programs: tuple[str, str]) -> str:
    """Why there can be no such network here, given programs and their packages; empty when there can."""
    if os.geteuid() != 0:
        return "a network namespace needs root"
    for program, package in (("unshare", "util-linux"), ("ip", "iproute2"), *programs):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            return f"{program} is missing: install {package}"
    return ""


class Enclosure:
    """Processes in network and mount namespaces of their own, with an empty /run; all end together."""

    def __init__(self, directory: Path, setup: str, command: Sequence[str], *, within: Sequence[str] = ()) -> None:
        """``within`` is what starts them in a network that is there already, instead of one of their own."""
        self.log_file = directory / "enclosure.log"
        script = f'set -e; ip link set lo up; mount -t tmpfs tmpfs /run; {setup}\nexec "$@"'
        alone = ("--mount", "--pid", "--fork", "--kill-child")
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*within, "unshare", *([] if within else ["--net"]), *alone, "sh", "-c", script, "sh", *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait_until(self, ready: Callable[[], bool], timeout_s: float = 30) -> None:
        """Wait for something inside; raises `AssertionError` with the log when it does not come to be."""
        until = time.monotonic() + timeout_s
        while not ready():
            assert self._process.poll() is None, f"it ended: {self.log}"
            assert time.monotonic() < until, f"not ready after {timeout_s:g} s: {self.log}"
            time.sleep(0.05)

    @property
    def log(self) -> str:
        """The last that the processes wrote."""
        return self.log_file.read_text("utf-8", "replace")[-3000:]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread's new sockets, and processes it starts, are in the network for the time of the block."""
        there = os.open(f"/proc/{self._first}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            yield
        finally:
            _enter(home)
            os.close(there)
            os.close(home)

    def run(self, command: str) -> None:
        """Run something in a shell inside, as it must succeed."""
        subprocess.run(["nsenter", "-t", self._first, "-n", "-m", "-p", "sh", "-c", command], check=True, timeout=20)

    @property
    def _first(self) -> str:
        return Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()[0]

    def stop(self) -> None:
        """End all of them."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")
