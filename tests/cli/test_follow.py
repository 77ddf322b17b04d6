"""What is said to whoever follows a run at the command line while nothing comes from it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from rbdtui.cli.follow import Follower
from rbdtui.cli.options import Common
from rbdtui.cli.output import Exit
from rbdtui.engine import client
from rbdtui.engine.client import RunClient
from rbdtui.engine.lock import hold_site, holder_of
from rbdtui.site import Site
from tests.engine.disk_runs import start
from tests.engine.support import SPEC_TEXT
from tests.screens.conftest import make_site
from tests.screens.fake_runner import hanging
from tests.screens.journals import RUN_ID, Story, write_run
from tests.waiting import until


async def test_a_runner_halted_from_outside_is_said_once_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "site"
    directory.mkdir(mode=0o700)
    (directory / "cluster.yaml").write_text(SPEC_TEXT, encoding="utf-8")
    site, said = Site.open(directory), ""
    client = await start(site, "--pace=0.5")
    holder = holder_of(site)
    assert holder is not None
    os.kill(holder.pid, signal.SIGSTOP)
    common = Common(ascii_only=True, slow_link=False, color=False, passphrase_file=None, verbose=False)
    follower = Follower(client, as_json=False, common=common)
    following = asyncio.create_task(asyncio.to_thread(follower.follow))

    def is_told() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return f"`kill -CONT {holder.pid}`" in said

    try:
        await until(is_told)
    finally:
        os.kill(holder.pid, signal.SIGCONT)
    assert await following == Exit.GOOD
    assert (said + capsys.readouterr().err).count("kill -CONT") == 1


async def test_a_runner_that_answers_nothing_is_said_once_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ASK_EVERY_S", 0.1)
    monkeypatch.setattr(client, "ANSWER_LIMIT_S", 0.2)
    site, said = make_site(tmp_path / "site"), ""
    run_dir = write_run(site, Story(3).records(20.0))
    common = Common(ascii_only=True, slow_link=False, color=False, passphrase_file=None, verbose=False)

    def is_told() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return f"`kill -9 {os.getpid()}`" in said

    with hanging(run_dir), hold_site(site, RUN_ID):
        following = asyncio.create_task(
            asyncio.to_thread(Follower(RunClient(run_dir), as_json=False, common=common).follow)
        )
        await until(is_told)
        await asyncio.sleep(1)
    assert await following != Exit.GOOD
    assert (said + capsys.readouterr().err).count("`kill -9 ") == 1
