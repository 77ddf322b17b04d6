"""Programs of this machine: started from argument lists, always with a time limit, with the reason in the error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Progress = Callable[[str], None]


class LabError(RuntimeError):
    """The lab cannot do what it was asked; the text says why."""


def to_stderr(line: str) -> None:
    """The default for progress: one line on standard error."""
    print(f"lab: {line}", file=sys.stderr, flush=True)


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    timeout_s: float = 60,
    check: bool = True,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and give its output; `LabError` when it is late or, with `check`, when it fails."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            cwd=cwd,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{_short(words)}: no end within {timeout_s:g} s") from late
    except FileNotFoundError as missing:
        raise LabError(
            f"{words[0]}: no such program; `python -m tests.lab base` installs what the lab needs"
        ) from missing
    if check and done.returncode != 0:
        raise LabError(f"{_short(words)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done


def run_long(
    argv: Sequence[str | Path],
    *,
    log: Path,
    label: str,
    progress: Progress,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a program of minutes with its output in `log`, and a line of progress every 30 s."""
    words = [str(word) for word in argv]
    begin = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
    try:
        while (code := _wait(process, 30)) is None:
            spent_s = time.monotonic() - begin
            progress(f"{label}: {spent_s:.0f} s")
            if spent_s > timeout_s:
                raise LabError(f"{label}: no end within {timeout_s:g} s, see {log}")
    finally:
        if process.poll() is None:  # whatever it has started must not go on writing
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code != 0:
        raise LabError(f"{label}: exit {code}: {log.read_text(errors='replace')[-1500:]}")


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> int | None:
    try:
        return process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return None


def wait_for(what: str, ready: Callable[[], bool], *, timeout_s: float, pause_s: float = 0.1) -> None:
    """Ask `ready` until it says yes; `LabError` naming `what` after the time limit."""
    end = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout_s:g} s")
        time.sleep(pause_s)


def _short(words: Sequence[str]) -> str:
    line = " ".join(words)
    return line if len(line) <= 200 else line[:200] + "…"
