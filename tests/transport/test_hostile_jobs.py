"""Jobs on a host that answers as it pleases: logs without an end, without line ends, and answers that are none."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from rbdtui.transport import jobs
from rbdtui.transport.answers import UNREADABLE
from rbdtui.transport.base import CommandResult, RemoteAnswerError, RemoteTimeoutError
from rbdtui.transport.files import file_states
from rbdtui.transport.jobs import run_job
from rbdtui.transport.scripts import Script
from rbdtui.transport.upload import parse_remainder
from tests.stand_in import StandInHost

WORK = Script("work", "true\n")
BLOCK = 256 * 1024


class Following(StandInHost):
    """A host on which a job runs whose log is made up answer by answer."""

    name = "n1"

    def __init__(self, follow: Callable[[int], bytes]) -> None:
        self._follow = follow
        self.asked: list[int] = []
        self.stopped = False

    async def run(self, script: Script, *args: str, **_: Any) -> CommandResult:
        text = {"job-start": b"started\n", "job-stop": b"stopped\n", "job-end": b""}.get(script.name, b"")
        if script.name == "job-follow":
            self.asked.append(int(args[1]))
            text = self._follow(int(args[1]))
        self.stopped = self.stopped or script.name == "job-stop"
        return CommandResult(0, text, b"", 0.01)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_PAUSE_S", 0)


@pytest.mark.parametrize("byte", [b"A", b"\n", b"\xff", b"\r"], ids=["line", "line ends", "no utf-8", "returns"])
async def test_a_log_without_end_costs_neither_memory_nor_the_job(byte: bytes) -> None:
    total = 80 << 20
    block = b"running - %d\n" % BLOCK + byte * BLOCK

    def follow(offset: int) -> bytes:
        if offset > 1 << 39 or offset >= total:
            return b"ended 7 0\n"
        return block

    told: list[int] = [0, 0]

    def take(line: str) -> None:
        told[0] += len(line) + 1
        told[1] = max(told[1], len(line))

    host = Following(follow)
    tracemalloc.start()
    try:
        result = await run_job(host, "unit", WORK, timeout_s=100, on_line=take)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.exit_status == 7
    assert sum(map(len, result.tail)) <= 50 * 1000
    assert told[1] <= 64 * 1024
    assert told[0] < (17 << 20) + len(host.asked) * 2
    assert peak < 40 << 20
    assert host.asked[-1] > 1 << 39, "what is beyond the limit is not fetched"


async def test_a_long_line_is_told_in_pieces_and_nothing_of_it_is_lost() -> None:
    log = b"a" * 200_000 + b"\n" + "\u00e9".encode() * 100_000 + b"\nlast"

    def follow(offset: int) -> bytes:
        part = log[offset : offset + 70_001]
        return (b"running - " if part else b"ended 0 ") + b"%d\n" % len(part) + part

    lines: list[str] = []
    result = await run_job(Following(follow), "unit", WORK, timeout_s=100, on_line=lines.append)
    assert "".join(lines) == log.decode().replace("\n", "")
    assert max(map(len, lines)) == 64 * 1024
    assert result.tail[-1] == "last"


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\n", b"what?\n", b"running\n", b"running - 5\nabc", b"ended - 0\n", b"ended 999999 0\n", b"going - 0\n",
        b"running - " + b"9" * 5000 + b"\n", b"ended " + b"9" * 5000 + b" 0\n", b"running - -1\n", b"\xff \xff \xff\n",
        b"[" * 100_000,
    ],
    ids=lambda answer: repr(answer[:20]),
)  # fmt: skip
async def test_an_answer_that_is_none_names_the_host(answer: bytes) -> None:
    with pytest.raises(RemoteAnswerError) as caught:
        await run_job(Following(lambda _: answer), "unit", WORK, timeout_s=100)
    assert caught.value.params["node"] == "n1"
    assert len(str(caught.value)) < 500


async def test_a_job_that_says_nothing_for_ever_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_GRACE_S", 0)
    host = Following(lambda _: b"running - 0\n")
    with pytest.raises(RemoteTimeoutError):
        await run_job(host, "unit", WORK, timeout_s=0.05)
    assert host.stopped


@pytest.mark.parametrize(
    "line", ["what?", "a b c", f"{'0' * 64} 644 root:root {'9' * 5000}", "x 9 y 1", "x 77777 y 1", "", "absent\nabsent"]
)
async def test_a_state_that_is_none_names_the_host(line: str) -> None:
    class Odd(StandInHost):
        name = "n1"

        async def run(self, script: Script, *args: str, **_: Any) -> CommandResult:
            return CommandResult(0, line.encode(), b"", 0.01)

    with pytest.raises(RemoteAnswerError, match="file-state"):
        await file_states(Odd(), ["/etc/hosts"])


@pytest.mark.parametrize("text", ["", "part", "part 1 x", "part 9" + "9" * 5000 + " x 1", "other 1 x 1", "part -1 x 1"])
def test_a_remainder_that_is_none_is_no_remainder(text: str) -> None:
    with pytest.raises(UNREADABLE):
        parse_remainder(text)
