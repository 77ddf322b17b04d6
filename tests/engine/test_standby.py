"""A runner that waits: it takes one run over, is nobody's business otherwise, and is never needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rbdtui.engine.client import RunStartError, start_run
from rbdtui.engine.events import RunOutcome
from rbdtui.engine.launch import Standby
from rbdtui.site import Site
from rbdtui.words import use_language
from tests.engine.disk_runs import FACTS, ROOT, SECRET, SECRETS, assert_whole, ended, runner, until
from tests.engine.support import SPEC_TEXT


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def waiting_of(standby: Standby) -> int:
    """The process that waits."""
    process = standby._process
    assert process is not None
    return process.pid


async def started(site: Site, standby: Standby) -> None:
    client = await start_run(site, spec_text=SPEC_TEXT.encode(), facts=FACTS, secrets=SECRETS, runner=standby)
    assert (await ended(client)).outcome is RunOutcome.DONE
    assert_whole(client, site)


async def test_the_one_that_waits_takes_the_run_in_the_language_of_its_start(site: Site) -> None:
    standby = Standby(runner())
    standby.prepare()
    pid = waiting_of(standby)
    standby.prepare()
    assert waiting_of(standby) == pid, "one is enough"
    use_language("zh")
    client = await start_run(site, spec_text=SPEC_TEXT.encode(), facts=FACTS, secrets=SECRETS, runner=standby)
    assert not is_there(pid), "it has gone over to a session of its own"
    assert (await ended(client)).outcome is RunOutcome.DONE
    assert_whole(client, site)
    assert "第 1 次尝试" in client.log_file("a@n1").read_text(encoding="utf-8")
    assert standby.take() is None


async def test_one_that_has_died_is_not_missed(site: Site) -> None:
    standby = Standby(runner())
    standby.prepare()
    os.kill(waiting_of(standby), signal.SIGKILL)
    await started(site, standby)


async def test_one_that_dies_when_it_is_told_is_not_missed(site: Site) -> None:
    at_word = 'case "$*" in */runs/*) exec "$0" "$@" ;; *) read -r told; exit 3 ;; esac'
    standby = Standby(("/bin/sh", "-c", at_word, *runner()))
    standby.prepare()
    await started(site, standby)


async def test_where_none_can_be_had_a_run_that_cannot_start_says_why(site: Site) -> None:
    standby = Standby(("/nowhere/at/all",))
    standby.prepare()
    assert standby.take() is None
    dying = Standby(("/bin/sh", "-c", "echo 'boom: no such thing' >&2; exit 3"))
    dying.prepare()
    with pytest.raises(RunStartError, match="boom: no such thing"):
        await start_run(site, spec_text=SPEC_TEXT.encode(), facts={}, secrets={}, runner=dying)


async def test_it_ends_when_it_is_let_go(site: Site) -> None:
    standby = Standby(runner())
    standby.prepare()
    pid = waiting_of(standby)
    standby.close()
    await until(lambda: not is_there(pid))
    assert not site.runs_dir.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_it_ends_with_whoever_had_it_wait(number: signal.Signals) -> None:
    text = (
        "import time\n"
        "from rbdtui.engine.launch import Standby\n"
        f"standby = Standby({runner()!r})\n"
        "standby.prepare()\n"
        "print(standby._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, cwd=ROOT)
    assert owner.stdout is not None
    with owner.stdout:
        pid = int(owner.stdout.readline())
    assert is_there(pid)
    owner.send_signal(number)
    owner.wait(10)
    await until(lambda: not is_there(pid))


async def test_nothing_secret_is_told_while_it_waits(site: Site) -> None:
    standby = Standby(runner())
    standby.prepare()
    pid = waiting_of(standby)
    seen = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    assert SECRET.encode() not in seen
    await started(site, standby)
