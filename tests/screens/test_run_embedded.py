"""The run screen before real runs: a runner killed under it and taken up by a key, and silence on a real terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from rbdtui.engine.lock import holder_of
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import SimulatedFleet
from screens.dialogs.passphrase import PassphraseDialog
from screens.run.run import RunScreen
from tests.e2e.embedded import SPEED, embedded_site
from tests.screens.conftest import Opened, bench, make_site
from tests.screens.journals import Story, open_ports, spec_text, write_run
from tests.screens.run_seen import banner, status, title, told
from tests.screens.waiting import show_run, until
from tests.waiting import LIMIT_S

RUN_LIMIT_S = 90.0
QUIET_S = 3.0


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_runner_killed_under_the_screen_is_taken_up_by_a_key(tmp_path: Path, opened: Opened) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    async with SimulatedFleet(3, speed=SPEED) as fleet, embedded_site(fleet, tmp_path / "site", bundle) as site:
        await site.start()
        holder = holder_of(site.session.site)
        assert holder is not None
        async with opened(bench(site.session.site)) as pilot:
            await show_run(pilot)
            await until(pilot, lambda: "RKE2 server" in title(pilot), RUN_LIMIT_S)
            os.kill(holder.pid, signal.SIGKILL)
            await until(pilot, lambda: "interrupted" in status(pilot))
            assert "press p" in banner(pilot)
            await pilot.press("p")
            await until(pilot, lambda: isinstance(pilot.app.screen, PassphraseDialog))
            await pilot.press(*"test", "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
            await until(pilot, lambda: "✓ done" in status(pilot), RUN_LIMIT_S)
            assert "the cluster is verified" in banner(pilot)
            assert "went wrong" not in told(pilot)


def read_until_quiet(terminal: int, quiet_s: float, limit_s: float) -> bytes:
    """What is written to a terminal until nothing comes for a while."""
    data, end = b"", time.monotonic() + limit_s
    while time.monotonic() < end and select.select([terminal], [], [], quiet_s)[0]:
        data += os.read(terminal, 65536)
    return data


def read_until(terminal: int, word: bytes) -> None:
    """Read until a word was written, and then nothing for a moment."""
    written, end = b"", time.monotonic() + LIMIT_S
    while word not in written:
        assert time.monotonic() < end, written[-2000:]
        written += read_until_quiet(terminal, 1.5, 30.0)


@pytest.mark.slow
def test_an_ended_run_writes_nothing_to_a_real_terminal(home: Path) -> None:
    site = make_site(home / "site-a", spec_text(4))
    extra = [(190.0, event) for event in open_ports()]
    write_run(site, Story(4, extra=extra).records())
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parents[2])}
    program = subprocess.Popen(
        [sys.executable, "-m", "rbdtui", "--lang", "en", str(site.path)],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        read_until(ours, b"Review")  # of the rail: the line that says what is being opened takes no keys
        os.write(ours, b"r")
        read_until(ours, b"50 of 50")
        read_until_quiet(ours, 4.0, 60.0)
        assert read_until_quiet(ours, QUIET_S, QUIET_S + 1) == b""
    finally:
        program.kill()
        program.wait()
        os.close(ours)
        os.close(theirs)
