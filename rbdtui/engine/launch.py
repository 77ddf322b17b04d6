"""The runner's process: started when a run begins, or beforehand, so that a run need not wait for its loading."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from rbdtui.engine.inputs import RUNNER_LOG_NAME
from rbdtui.engine.lock import Holder, holder_of
from rbdtui.engine.protocol import LINE_LIMIT_BYTES
from rbdtui.paths import as_typed
from rbdtui.site import Site
from rbdtui.words import T, Text, current_language

RUNNER: Final = (sys.executable, "-P", "-X", "utf8", "-m", "rbdtui.engine.runner")
"""The runner's command line, to which the run directory is added; without one it waits to be told."""
START_LIMIT_S: Final = 60.0
"""After this a runner that is still starting is left alone: it reads a long journal, or its disk is slow."""


@dataclass(frozen=True, slots=True)
class Started:
    """What a runner says when it starts."""

    ok: bool
    error: Text | None = None
    holder: Holder | None = None


_STARTED: Final = TypeAdapter(Started)


class Standby:
    """A runner that has loaded all it needs and waits to be told which run to carry out.

    It ends by itself when whoever had it wait is gone. Whether there is one is a matter of speed only: without it, and
    when it has died, a runner is started as ever.
    """

    def __init__(self, command: Sequence[str] = RUNNER) -> None:
        self.command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Have one wait, unless one does; does nothing where no process can be started."""
        if self._process is None or self._process.poll() is not None:
            with contextlib.suppress(OSError):
                self._process = _spawn(self.command, subprocess.DEVNULL)

    def take(self) -> subprocess.Popen[bytes] | None:
        """The process that waits, once; None when there is none."""
        process, self._process = self._process, None
        if process is not None and process.poll() is not None:
            _let_go(process)
            return None
        return process

    def close(self) -> None:
        """Let the one that waits end."""
        if (process := self.take()) is not None:
            _let_go(process)


def launch(run_dir: Path, secrets: Mapping[str, str], runner: Sequence[str] | Standby) -> Started:
    """Have a run carried out by a process of its own, and hear what that says; our end is not its end."""
    log = run_dir / RUNNER_LOG_NAME
    if not isinstance(runner, Standby):
        return _started(run_dir, _fresh(runner, run_dir, log), b"", secrets) or _died(log)
    waiting = runner.take()
    told = json.dumps({"run_dir": str(run_dir), "language": current_language()}).encode() + b"\n"
    started = _started(run_dir, waiting, told, secrets) if waiting is not None else None
    return started or _started(run_dir, _fresh(runner.command, run_dir, log), b"", secrets) or _died(log)


def _fresh(command: Sequence[str], run_dir: Path, log: Path) -> subprocess.Popen[bytes]:
    with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log_stream:
        return _spawn([*command, str(run_dir)], log_stream.fileno())


def _spawn(command: Sequence[str], errors: int) -> subprocess.Popen[bytes]:
    """Start the process; it leaves our session, so that our end is not its end."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd="/",
        env={**os.environ, "RBDTUI_LANG": current_language()},
        start_new_session=True,
    )


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Close our ends of a process, and hear of its end beside."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    threading.Thread(target=process.wait, name="runner", daemon=True).start()


def _started(
    run_dir: Path, process: subprocess.Popen[bytes], told: bytes, secrets: Mapping[str, str]
) -> Started | None:
    """What a runner says to its run and secrets; None when it dies without a word."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdout as status:
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(told + json.dumps(dict(secrets)).encode())
        line = _first_line(status.fileno(), START_LIMIT_S)
    if line is None:
        _let_go(process)
        return _still_starting(run_dir)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)
    try:
        return _STARTED.validate_json(line)
    except ValidationError:
        return None


def _died(log: Path) -> Started:
    return Started(ok=False, error=T("run.start_failed", reason=_last_line(log), log=str(log)))


def _still_starting(run_dir: Path) -> Started:
    """What there is to say of a runner that has neither begun nor given up: whether it holds the site already."""
    site, holder = Site(run_dir.parent.parent), holder_of(Site(run_dir.parent.parent))
    if holder is not None and holder.run == run_dir.name:
        return Started(ok=True)
    error = T("run.start_slow", run=run_dir.name, limit_s=round(START_LIMIT_S), site=as_typed(site.path))
    return Started(ok=False, error=error)


def _first_line(descriptor: int, limit_s: float) -> bytes | None:
    """What comes up to the first line break or the end; None when that takes longer than the limit."""
    deadline = time.monotonic() + limit_s
    data = b""
    # Not select(), which knows no descriptor from 1024 on: a screen holds one and more for every server.
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    while not data.endswith(b"\n"):
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return None
        chunk = os.read(descriptor, LINE_LIMIT_BYTES)
        if not chunk:
            break
        data += chunk
    return data


def _last_line(log: Path) -> str:
    """The last words of a runner that died."""
    with contextlib.suppress(OSError):
        lines = log.read_bytes()[-4096:].decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""
