"""P7, P8, P9, P16: the terminal UI as a real process in a real pseudo-terminal, with nodes that talk or are asked."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from benchmarks.chatter import NODES, make_site
from benchmarks.contenders.recipes import ROOT
from benchmarks.report import Section
from benchmarks.scene import BenchmarkError
from rbdtui.cli.demo import simulated_hosts
from rbdtui.words import T, say

SIZE: Final = (24, 80)
LIMIT_S: Final = 30.0
FIRST_PAINT_S: Final = 0.6
MEMORY_MIB: Final = 100
KEY_S: Final = 0.05
RUN_BYTES_PER_S: Final = 20_000
SLOW_BYTES_PER_S: Final = 3_000
LONG_LOG: Final = 100_000
_PREPARE: Final = say(T("step.os-prepare.title"), "en").encode()
PANES: Final = (say(T("run_screen.pane.timeline"), "en").encode(), b"that says")
"""What is on the screen after ``t`` has shown the timeline, and after it has shown the log again."""
ASKED_NODES: Final = 10
_LETTERS: Final = (b"Q", b"X", b"Z", b"J")
"""They stand nowhere else on the screen."""
_MYSQL: Final = "mysql: {mode: external, host: 10.9.9.9, username: rbd, password: 'secret:mysql'}\n"
_WINDOW_S: Final = 10.0
_SETTLED_S: Final = 3.0


class Terminal:
    """The program in a terminal of its own."""

    def __init__(self, *words: str) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        home = tempfile.mkdtemp(prefix="rbdbench-home-")
        environment = {**os.environ, "TERM": "xterm-256color", "HOME": home, "LANG": "C.UTF-8"}
        environment.pop("SSH_AUTH_SOCK", None)
        self.began_at = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rbdtui", *words], cwd=ROOT, env=environment, stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._master = master
        self.bytes_seen = 0
        self._tail = b""

    def read(self, limit_s: float) -> bytes:
        """What comes within a time; empty when nothing does."""
        ready, _, _ = select.select([self._master], [], [], limit_s)
        if not ready:
            return b""
        with suppress(OSError):
            data = os.read(self._master, 1 << 16)
            self.bytes_seen += len(data)
            return data
        raise BenchmarkError("the terminal UI has ended")

    def until(self, text: bytes) -> float:
        """When a text has been written since the last call, in seconds from the start of the program."""
        end, seen = time.monotonic() + LIMIT_S, b""
        while text not in seen:
            if time.monotonic() > end:
                raise BenchmarkError(f"{text!r} was not drawn; the last was {seen[-300:]!r}")
            seen += self.read(0.5)
        return time.monotonic() - self.began_at

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._master, key)

    def drain(self, for_s: float) -> int:
        """How many bytes come within a time."""
        end, before = time.monotonic() + for_s, self.bytes_seen
        while (left := end - time.monotonic()) > 0:
            self.read(left)
        return self.bytes_seen - before

    def memory_mib(self) -> float:
        """What the process holds in memory now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def close(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        os.close(self._master)


@contextmanager
def terminal(*words: str) -> Iterator[Terminal]:
    """The program, for the time of the block."""
    opened = Terminal(*words)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def talking(directory: Path, lines: int = 0) -> Iterator[Path]:
    """A site with fifty nodes that talk."""
    command = [sys.executable, "-m", "benchmarks.chatter", str(directory), str(lines)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise BenchmarkError("no run could be made for the screen")
        yield directory
    finally:
        process.terminate()
        process.wait(10)


def p7(directory: Path, runs: int) -> Section:
    """First picture and memory."""
    make_site(directory / "p7")
    firsts, wholes = [], []
    for _ in range(runs + 1):
        with terminal(str(directory / "p7")) as screen:
            firsts.append(screen.until(b"Opening"))
            wholes.append(screen.until(b"node1"))
    with talking(directory / "p7-long", LONG_LOG) as site, terminal(str(site)) as screen:
        screen.until(_PREPARE)
        for key in (b"\r", b"\x1b[5~" * 3, b"\x1b[1~", b"\x1b[4~"):
            screen.press(key)
            screen.drain(1.0)
        memory = screen.memory_mib()
    first, good = statistics.median(firsts[1:]), "Met"
    if first > FIRST_PAINT_S or memory > MEMORY_MIB:
        good = "Not met"
    section = Section(
        "P7", f"first picture, and memory with {NODES} nodes and {LONG_LOG} lines of log",
        f"at most {FIRST_PAINT_S} s and {MEMORY_MIB} MB", ("what", "median", "all"),
        verdict=f"{good}: {first:.2f} s, {memory:.0f} MiB",
    )  # fmt: skip
    for what, taken in (("first picture, s", firsts[1:]), ("all servers in their table, s", wholes[1:])):
        every = ", ".join(f"{each:.2f}" for each in taken)
        section.rows.append([what, f"{statistics.median(taken):.2f}", every])
        section.raw += [(what, number, each) for number, each in enumerate(taken)]
    section.rows.append(["memory, MiB", f"{memory:.0f}", f"{memory:.0f}"])
    return section


def p8(directory: Path, runs: int) -> Section:
    """From a key to its picture."""
    taken: list[float] = []
    with talking(directory / "p8") as site, terminal(str(site)) as screen:
        screen.until(PANES[1])
        screen.drain(_SETTLED_S)
        for number in range(max(20, runs * 10)):
            screen.drain(0.13)
            begun = time.monotonic()
            screen.press(b"t")
            screen.until(PANES[number % 2])
            taken.append(time.monotonic() - begun)
    slowest = statistics.quantiles(taken, n=20)[-1]
    section = Section(
        "P8", f"from a key to the other pane of the run, while {NODES} nodes write 10 lines a second each",
        f"p95 at most {KEY_S * 1000:.0f} ms", ("median ms", "p95 ms", "keys"),
        verdict=f"{'Met' if slowest <= KEY_S else 'Not met'}: p95 {slowest * 1000:.0f} ms",
    )  # fmt: skip
    section.rows.append([f"{statistics.median(taken) * 1000:.0f}", f"{slowest * 1000:.0f}", str(len(taken))])
    section.raw += [("key to picture", number, each) for number, each in enumerate(taken)]
    return section


def p9(directory: Path, runs: int) -> Section:
    """Bytes to the terminal."""
    make_site(directory / "p9-idle")
    with terminal(str(directory / "p9-idle")) as screen:
        screen.until(b"node1")
        screen.drain(_SETTLED_S * 2)
        idle = screen.drain(_WINDOW_S) / _WINDOW_S
    rates = {}
    for name, words in (("run", ()), ("run, --slow-link", ("--slow-link",))):
        with talking(directory / f"p9-{len(rates)}") as site, terminal(str(site), *words) as screen:
            screen.until(_PREPARE)
            screen.drain(_SETTLED_S)
            rates[name] = screen.drain(_WINDOW_S) / _WINDOW_S
    run, slow = rates.values()
    met = idle == 0 and run <= RUN_BYTES_PER_S and slow <= SLOW_BYTES_PER_S
    section = Section(
        "P9", f"bytes a second to the terminal at 80x24, {NODES} nodes writing 10 lines a second each",
        f"0 at rest, {RUN_BYTES_PER_S} on the run's screen, {SLOW_BYTES_PER_S} with --slow-link",
        ("screen", "bytes a second"), verdict="Met" if met else "Not met",
    )  # fmt: skip
    section.rows += [["servers, at rest", f"{idle:.0f}"], *([name, f"{rate:.0f}"] for name, rate in rates.items())]
    return section


def p16(directory: Path, runs: int) -> Section:
    """From a key to its picture while every key has ten servers asked anew."""
    taken: list[float] = []
    place = directory / "p16"
    place.mkdir()
    with simulated_hosts(place, ASKED_NODES) as fleet:
        spec = fleet.site / "cluster.yaml"
        spec.write_text(spec.read_text(encoding="utf-8") + _MYSQL, encoding="utf-8")
        with terminal(str(fleet.site)) as screen:
            screen.until(b"node1")
            screen.drain(_SETTLED_S)
            screen.press(b"7")
            screen.until(b"10.9.9.9")
            for key in (b"\x1b[B", b"\r", b"\x1b[F"):  # to the field, into it, to its end
                screen.press(key)
                screen.drain(0.3)
            for number in range(max(20, runs * 10)):
                letter = _LETTERS[number % len(_LETTERS)]
                screen.drain(0.13)
                begun = time.monotonic()
                screen.press(letter)
                screen.until(letter)
                taken.append(time.monotonic() - begun)
    slowest = statistics.quantiles(taken, n=20)[-1]
    section = Section(
        "P16", f"from a key to its picture, while each key has {ASKED_NODES} servers asked about MySQL",
        f"p95 at most {KEY_S * 1000:.0f} ms", ("median ms", "p95 ms", "keys"),
        verdict=f"{'Met' if slowest <= KEY_S else 'Not met'}: p95 {slowest * 1000:.0f} ms",
    )  # fmt: skip
    section.rows.append([f"{statistics.median(taken) * 1000:.0f}", f"{slowest * 1000:.0f}", str(len(taken))])
    section.raw += [("key to picture", number, each) for number, each in enumerate(taken)]
    return section
