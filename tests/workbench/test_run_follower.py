"""A run that is followed beside the screen, whatever becomes of its files."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rbdtui.engine.lock import hold_site, lock_file
from rbdtui.workbench.run.run_phase import RunPhase, phase_of
from tests.screens.conftest import bench, make_site
from tests.screens.journals import RUN_ID, Story, write_run
from tests.waiting import until


async def test_a_lock_that_cannot_be_opened_for_a_while_is_said_and_followed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path / "site")
    write_run(site, Story(3).records(20.0))
    with hold_site(site, RUN_ID):
        workbench = bench(site)
        run = workbench.run
        assert run is not None
        await until(lambda: run.caught_up and run.alive)
        lock = lock_file(site)
        aside = lock.rename(lock.with_suffix(".aside"))
        monkeypatch.chdir(lock.parent)
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.bind(lock.name)
        await until(lambda: run.error is not None)
        assert run.error is not None
        assert str(lock) in str(run.error)
        assert (phase_of(run), run.alive) == (RunPhase.BROKEN, True)
        aside.replace(lock)
        await until(lambda: run.error is None)
        assert phase_of(run) is RunPhase.RUNNING
