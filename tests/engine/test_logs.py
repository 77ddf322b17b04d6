"""Logs of steps: every line with its time, bounded, without secrets, and never in the way of the run."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path

import pytest

from rbdtui.engine import logs as logs_module
from rbdtui.engine.logs import LINE_LIMIT_CHARS, StepLogs, log_file
from rbdtui.redact import Redactor
from tests.hostile import POISONS, leaked


async def written(run_dir: Path, lines: list[str], limit_bytes: int = 1 << 20, secret: str = "") -> list[str]:
    logs = StepLogs(run_dir, Redactor([secret]), limit_bytes)
    for line in lines:
        logs.line("a@n1", line)
    await logs.close()
    return text_of(run_dir).splitlines()


def text_of(run_dir: Path) -> str:
    return log_file(run_dir, "a@n1").read_text(encoding="utf-8")


async def test_a_line_has_its_time(tmp_path: Path) -> None:
    (line,) = await written(tmp_path, ["hello 中文\r\n"])
    stamp, _, text = line.partition(" ")
    assert text == "hello 中文"
    assert abs(datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S%z").timestamp() - time.time()) < 60
    assert log_file(tmp_path, "a@n1").stat().st_mode & 0o777 == 0o600


async def test_lines_stay_lines(tmp_path: Path) -> None:
    assert len(await written(tmp_path, ["one\ntwo", "\udc80 half a character", ""])) == 3


async def test_an_endless_line_is_cut_behind_the_redaction(tmp_path: Path) -> None:
    secret = "hunter22"
    (line,) = await written(tmp_path, ["x" * (LINE_LIMIT_CHARS - 4) + secret + "y" * 1000], secret=secret)
    assert "hunt" not in line
    assert len(line) < LINE_LIMIT_CHARS + 100
    assert line.endswith("]")


@pytest.mark.parametrize("poison", POISONS)
async def test_nothing_in_a_log_acts_on_the_terminal_of_its_reader(tmp_path: Path, poison: str) -> None:
    (line,) = await written(tmp_path, [f"begin {POISONS[poison]} end"])
    assert leaked(line) == []
    assert line.endswith(" end")


async def test_a_secret_in_two_pieces_does_not_become_whole_by_cleaning(tmp_path: Path) -> None:
    assert (
        "hunter22"
        not in (await written(tmp_path, ["is hun\x1b[0mter22 or hunt\x1b]0;x\x07er22"], secret="hunter22"))[0]
    )


async def test_a_progress_bar_leaves_its_last_state(tmp_path: Path) -> None:
    (line,) = await written(tmp_path, ["reading 1%\rreading 50%\rreading 100%\r\n"])
    assert line.partition(" ")[2] == "reading 100%"


async def test_a_log_is_bounded_and_says_so_once(tmp_path: Path) -> None:
    lines = [f"line {number} {'x' * 80}" for number in range(1000)]
    kept = await written(tmp_path, lines, limit_bytes=20_000)
    assert log_file(tmp_path, "a@n1").stat().st_size < 20_200
    assert "19 KiB" in kept[-1]
    assert [line.split(" ")[2] for line in kept[:-2]] == [str(number) for number in range(len(kept) - 2)]
    assert await written(tmp_path, lines, limit_bytes=20_000) == kept, "also for a later runner"


async def test_lines_are_on_the_disk_soon_without_being_asked_for(tmp_path: Path) -> None:
    logs = StepLogs(tmp_path, Redactor())
    logs.line("a@n1", "first")
    async with asyncio.timeout(10):
        while not log_file(tmp_path, "a@n1").exists():
            await asyncio.sleep(0.01)
    assert text_of(tmp_path).endswith(" first\n")
    await logs.close()


async def test_attempts_are_told_apart(tmp_path: Path) -> None:
    logs = StepLogs(tmp_path, Redactor())
    logs.attempt("a@n1", 1)
    logs.line("a@n1", "x")
    logs.attempt("a@n1", 2)
    await logs.close()
    assert [line[:13] for line in text_of(tmp_path).splitlines() if line.startswith("-")] == [
        "--- attempt 1",
        "--- attempt 2",
    ]


async def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    logs = StepLogs(tmp_path, Redactor())
    log_file(tmp_path, "a@n1").mkdir()
    logs.line("a@n1", "lost")
    logs.line("b@n1", "kept")
    await logs.close()
    assert log_file(tmp_path, "b@n1").read_text().endswith(" kept\n")


async def test_a_flood_costs_bounded_memory(tmp_path: Path) -> None:
    logs = StepLogs(tmp_path, Redactor())
    line = "x" * 10_000
    for _ in range(2000):  # 20 MB before the event loop gets a chance to write
        logs.line("a@n1", line)
    buffered = sum(buffer.pending_chars for buffer in logs._buffers.values())
    assert buffered <= logs_module.BUFFER_LIMIT_CHARS + 2 * len(line)
    await logs.close()
    assert "lines came faster" in text_of(tmp_path).splitlines()[-1]
