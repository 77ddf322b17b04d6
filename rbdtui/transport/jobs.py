"""Long remote work as a transient systemd unit: it outlives the link and this process, and is found again.

The unit keeps script, log and exit status under ``/var/lib/rbdtui/jobs/<unit>``. Whoever asks for the same work later
gets the running one's log from its start, or the result of one that ended meanwhile; a job whose host restarted under
it is started again, so scripts must be idempotent here too.
"""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rbdtui.transport.answers import parse_answer, whole_number
from rbdtui.transport.base import Host, JobLostError, JobStoppedError, RemoteTimeoutError
from rbdtui.transport.scripts import Script, script

_MOST_STARTS: Final = 3
_WAIT_S: Final = 20
"""How long the host waits for new lines before it answers that there are none."""
_PAUSE_S: Final = 0.7
"""Between two questions to a job that writes all the time."""
_GRACE_S: Final = 60.0
_TAIL_LINES: Final = 50
_TIMED_OUT: Final = 124
_UNIT_LENGTH: Final = 120
_MOST_LOG_BYTES: Final = 256 * 1024
"""Of a log in one answer; the script ``job-follow`` knows this number too."""
_MOST_TOLD_BYTES: Final = 16 * 1024 * 1024
"""Of a job's log that is told, in no more lines than follow; what it writes beyond that stays on the host."""
_MOST_TOLD_LINES: Final = 200_000
_LONGEST_LINE: Final = 64 * 1024
"""Characters; a longer line is told in pieces."""
_LONGEST_TAIL_LINE: Final = 1000
_BEYOND_BYTES: Final = 2**40
"""An offset behind the end of any log."""

_STATES: Final = frozenset({"running", "ended", "lost", "absent"})

OnLine = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class JobResult:
    """How long remote work ended."""

    exit_status: int
    tail: tuple[str, ...]
    """The last lines of its log, both streams; bytes that are not UTF-8 are replaced."""
    found: bool
    """Whether it had been started before, by this process or another one."""

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.exit_status == 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """What ``job-follow`` said."""

    state: str
    exit_status: int
    log: bytes


class _Lines:
    """Cuts a growing log into lines, by bytes, so that nothing is lost or repeated between two answers.

    It holds one unfinished line and the tail at most, and tells a bounded part of a log without end.
    """

    def __init__(self, on_line: OnLine | None) -> None:
        self._on_line = on_line
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unfinished = ""
        self._told = 0
        self.offset_bytes = 0
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the log."""
        self.offset_bytes += len(data)
        *lines, last = (self._unfinished + self._decoder.decode(data)).split("\n")
        for line in lines[: max(0, _MOST_TOLD_LINES - self._told)]:
            self._tell(line)
        whole = len(last) - len(last) % _LONGEST_LINE
        if whole:
            self._tell(last[:whole])
        self._unfinished = last[whole:]
        if self.offset_bytes > _MOST_TOLD_BYTES or self._told >= _MOST_TOLD_LINES:
            self.finish()
            self._tell("[...]")
            self.offset_bytes = _BEYOND_BYTES

    def finish(self) -> None:
        """Take the log as ended."""
        last = self._unfinished + self._decoder.decode(b"", final=True)
        self._unfinished = ""
        if last:
            self._tell(last)

    def _tell(self, line: str) -> None:
        self._told += 1
        self.tail.append(line[:_LONGEST_TAIL_LINE])
        if self._on_line is not None:
            for start in range(0, max(1, len(line)), _LONGEST_LINE):
                self._on_line(line[start : start + _LONGEST_LINE])


async def run_job(
    host: Host, unit: str, work: Script, *args: str, timeout_s: float, on_line: OnLine | None = None
) -> JobResult:
    """Run a script as the unit ``rbdtui-<unit>`` and follow it to its end; finds it when it is there already.

    ``on_line`` gets every line of the log once, in order, both streams mixed as they were written. When this call is
    cancelled or the link is lost for good, the work goes on; `stop_job` ends it. Raises `RemoteTimeoutError` after
    ``timeout_s`` (the work is stopped), `JobLostError`, `JobStoppedError`, and other `TransportError`.
    """
    name = unit_name(unit)
    deadline = time.monotonic() + timeout_s + _GRACE_S
    found = False
    for _ in range(_MOST_STARTS):
        word = await _start(host, name, work, args, timeout_s)
        found = found or word != "started"
        lines = _Lines(on_line)
        answer = await _follow(host, name, lines, deadline)
        if answer is None:
            await stop_job(host, unit)
            raise RemoteTimeoutError(host.name, script=work.name, limit_s=round(timeout_s))
        if answer.state == "absent":
            raise JobStoppedError(host.name, unit=f"rbdtui-{name}")
        if answer.state == "ended":
            lines.finish()
            await host.must(script("job-end"), name, str(answer.exit_status))
            if answer.exit_status == _TIMED_OUT:
                raise RemoteTimeoutError(host.name, script=work.name, limit_s=round(timeout_s))
            return JobResult(answer.exit_status, tuple(lines.tail), found)
    raise JobLostError(host.name, unit=f"rbdtui-{name}", times=_MOST_STARTS)


async def job_is_open(host: Host, unit: str) -> bool:
    """Whether a job was started and nobody has taken its result yet. Raises `TransportError`."""
    return (await _ask(host, unit_name(unit), _BEYOND_BYTES, wait_s=0)).state != "absent"


async def stop_job(host: Host, unit: str) -> bool:
    """Stop a job and all it started; False when there was none. Raises `TransportError`."""
    result = await host.must(script("job-stop"), unit_name(unit), timeout_s=120)
    return result.text.strip() == "stopped"


def unit_name(unit: str) -> str:
    """A name that systemd and a shell take as it is; long or unusual ones get a digest so that they stay apart."""
    safe = re.sub(r"[^A-Za-z0-9_.-]", "-", unit)
    if safe == unit and len(unit) <= _UNIT_LENGTH:
        return unit
    return f"{safe[: _UNIT_LENGTH - 9]}-{hashlib.sha256(unit.encode()).hexdigest()[:8]}"


async def _start(host: Host, name: str, work: Script, args: tuple[str, ...], timeout_s: float) -> str:
    text = work.file_text()
    digest = hashlib.sha256(text).hexdigest() + hashlib.sha256("\0".join(args).encode()).hexdigest()
    result = await host.must(
        script("job-start"), name, f"{timeout_s:g}", digest, work.name, *args, payload=text, timeout_s=120
    )
    return result.text.strip()


async def _follow(host: Host, name: str, lines: _Lines, deadline: float) -> _Answer | None:
    """The answer with which a job is over, ended, lost or absent; None when the deadline came first."""
    while time.monotonic() < deadline:
        answer = await _ask(host, name, lines.offset_bytes)
        lines.feed(answer.log)
        if answer.state == "running":
            await asyncio.sleep(_PAUSE_S if answer.log else 0)
        elif not answer.log:
            return answer
    return None


async def _ask(host: Host, name: str, offset_bytes: int, *, wait_s: int = _WAIT_S) -> _Answer:
    result = await host.must(
        script("job-follow"), name, str(offset_bytes), str(wait_s), timeout_s=wait_s + 30,
        output_limit_bytes=2 * _MOST_LOG_BYTES,
    )  # fmt: skip
    return parse_answer(host.name, "job-follow", lambda: _answer(result.stdout))


def _answer(stdout: bytes) -> _Answer:
    header, _, log = stdout.partition(b"\n")
    state, status, count = header[:200].decode("ascii").split()
    if state not in _STATES or len(log) != whole_number(count):
        raise ValueError(header[:200])
    return _Answer(state, whole_number(status, most=255) if state == "ended" else -1, log)
