"""The runner as a process: it outlives its terminal and its own death, and never repeats what is finished."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import resource
import signal
import subprocess
import sys
import termios
from contextlib import ExitStack
from pathlib import Path

import pytest

from rbdtui.engine.client import (
    CommandError,
    RunClient,
    RunStartError,
    can_resume,
    find_active,
    latest_run,
    resume_run,
    start_run,
)
from rbdtui.engine.events import (
    Choice,
    FailurePolicy,
    ProbeChanged,
    Record,
    RunFinished,
    RunnerStarted,
    RunOutcome,
)
from rbdtui.engine.inputs import RunInputError, RunOptions, create_run_dir, read_inputs, spec_digest
from rbdtui.engine.journal import read_journal
from rbdtui.engine.lock import SiteLockedError, holder_of
from rbdtui.engine.protocol import socket_address
from rbdtui.engine.state import StepStatus
from rbdtui.site import Site
from rbdtui.words import use_language
from tests.engine.disk_runs import (
    FACTS,
    LIMIT_S,
    ROOT,
    SECRET,
    SECRETS,
    applied,
    assert_whole,
    ended,
    finished,
    runner,
    start,
    until,
)
from tests.engine.support import SPEC_TEXT


async def test_a_run_from_start_to_end(site: Site) -> None:
    client = await start(site)
    seen = [record async for record in client.records()]
    assert (await ended(client)).outcome is RunOutcome.DONE
    assert_whole(client, site)
    assert [record.seq for record in seen] == list(range(1, client.state().seq + 1))
    assert latest_run(site) is not None
    assert find_active(site) is None
    modes = {file.name: file.stat().st_mode & 0o777 for file in client.run_dir.rglob("*")}
    assert all(mode & 0o077 == 0 for mode in modes.values()), modes
    assert client.run_dir.stat().st_mode & 0o777 == 0o700
    assert read_inputs(client.run_dir).facts == FACTS


async def test_killed_again_and_again_at_journal_lines(site: Site) -> None:
    """Each runner gets a few lines further; between them they stop behind every kind of line."""
    client, seed = None, random.Random(7)
    for _ in range(30):
        option = f"--kill-after={seed.randint(5, 14)}"
        before = len(applied(site))
        known: set[str] = finished(client) if client is not None else set()
        try:
            if client is None:
                client = await start(site, option)
            else:
                await resume_run(client.run_dir, secrets=SECRETS, runner=runner(option))
        except RunStartError:
            client = client or latest_run(site)
        assert client is not None
        await until(lambda: holder_of(site) is None)
        assert known.isdisjoint(applied(site)[before:]), "a finished step was repeated"
        if client.state().outcome is RunOutcome.DONE:
            break
    assert client is not None
    assert client.state().outcome is RunOutcome.DONE
    assert_whole(client, site)


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_random_times(site: Site, seed: int) -> None:
    times = random.Random(seed)
    client = await start(site, "--pace=0.05")
    for _ in range(6):
        await asyncio.sleep(times.uniform(0.0, 0.2))
        holder = holder_of(site)
        if holder is not None:
            os.kill(holder.pid, signal.SIGKILL)
            await until(lambda: holder_of(site) is None)
        if client.state().outcome is not None:
            break
        known, before = finished(client), len(applied(site))
        await resume_run(client.run_dir, secrets=SECRETS, runner=runner("--pace=0.05"))
        assert known.isdisjoint(applied(site)[before:])
    assert (await ended(client)).outcome is RunOutcome.DONE
    assert_whole(client, site)


def _in_a_terminal() -> None:
    """As a login does; whoever started the tests may have had hang-ups ignored (nohup)."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


async def test_it_outlives_the_terminal_it_was_started_from(site: Site, tmp_path: Path) -> None:
    starter = tmp_path / "starter.py"
    starter.write_text(
        "import asyncio, sys, time\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from rbdtui.engine.client import start_run\n"
        "from rbdtui.site import Site\n"
        f"asyncio.run(start_run(Site(Path({str(site.path)!r})), spec_text={SPEC_TEXT.encode()!r}, facts={{}},\n"
        f"    secrets={SECRETS!r}, runner={runner('--pace=0.3')!r}))\n"
        "time.sleep(60)\n",
        encoding="utf-8",
    )
    terminal, inside = os.openpty()
    process = subprocess.Popen(
        [sys.executable, str(starter)],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
        preexec_fn=_in_a_terminal,
    )
    os.close(inside)
    try:
        await until(lambda: find_active(site) is not None and applied(site))
        os.close(terminal)
        assert process.wait(timeout=20) == -signal.SIGHUP, "the one who started it is gone with the terminal"
    finally:
        process.kill()
        process.wait()
    client = find_active(site)
    assert client is not None
    holder = holder_of(site)
    assert holder is not None
    assert os.getsid(holder.pid) == holder.pid, "a session of its own"
    os.kill(holder.pid, signal.SIGHUP)
    assert (await ended(client)).outcome is RunOutcome.DONE
    assert_whole(client, site)


async def test_two_starts_at_once(site: Site) -> None:
    results = await asyncio.gather(start(site, "--pace=3"), start(site, "--pace=3"), return_exceptions=True)
    (client,) = [result for result in results if isinstance(result, RunClient)]
    (refusal,) = [result for result in results if isinstance(result, SiteLockedError)]
    assert refusal.holder.run == client.run_id
    assert client.run_id in str(refusal)
    assert os.listdir(site.runs_dir) == [client.run_id], "the second leaves nothing behind"
    with pytest.raises(SiteLockedError):
        await start(site)
    with pytest.raises(SiteLockedError):
        await resume_run(client.run_dir, secrets=SECRETS, runner=runner())
    await client.stop()
    assert (await ended(client)).outcome is RunOutcome.STOPPED


async def test_a_screen_with_a_thousand_connections_starts_a_run(site: Site) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with ExitStack() as held:
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            held.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        client = await start(site)
        assert (await ended(client)).outcome is RunOutcome.DONE


async def test_two_clients_see_the_same_and_one_answer_settles(site: Site) -> None:
    first = await start(site, "--fail=b@n2")
    second = RunClient(first.run_dir)

    async def collect(client: RunClient) -> list[Record]:
        return [record async for record in client.records()]

    streams = [asyncio.create_task(collect(client)) for client in (first, second)]
    await until(lambda: first.state().questions and second.state().questions)
    (question,) = second.state().questions.values()
    assert question.step == "b@n2"
    (site.path / "repaired").touch()
    answers = await asyncio.gather(
        first.answer(question.question, Choice.RETRY),
        second.answer(question.question, Choice.RETRY),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers if answer is not None] == [CommandError]
    assert (await ended(first)).outcome is RunOutcome.DONE
    async with asyncio.timeout(LIMIT_S):
        seen = await asyncio.gather(*streams)
    assert seen[0] == seen[1] == read_journal(first.run_dir / "events.jsonl")


async def test_commands_from_outside(site: Site) -> None:
    client = await start(site, "--pace=0.2")
    await client.ping()
    await client.pause()
    assert client.state().paused_by is not None, "answered when it is in the journal"
    await until(lambda: not client.state().counts()[StepStatus.RUNNING])
    with pytest.raises(CommandError):
        await client.retry()
    await client.resume()
    await client.stop()
    state = await ended(client)
    assert state.outcome is RunOutcome.STOPPED
    with pytest.raises(CommandError) as gone:
        await client.ping()
    assert gone.value.text.key == "command.no_runner"
    assert can_resume(client.run_dir, spec_digest(SPEC_TEXT.encode()))
    options = RunOptions(FailurePolicy.STOP)
    await resume_run(client.run_dir, secrets=SECRETS, options=options, runner=runner())
    assert (await ended(client)).outcome is RunOutcome.DONE
    assert_whole(client, site)
    policies = [r.event.policy async for r in client.records() if isinstance(r.event, RunnerStarted)]
    assert policies == [FailurePolicy.ASK, FailurePolicy.STOP]


@pytest.mark.parametrize(
    "line",
    [b"nonsense\n", b"{}\n", b'{"command": "explode"}\n', b"x" * 200_000 + b"\n"],
    ids=["words", "nothing", "unknown", "endless"],
)
async def test_nonsense_on_the_socket_does_no_harm(site: Site, line: bytes) -> None:
    client = await start(site, "--pace=0.1")
    with socket_address(client.run_dir) as address:
        reader, writer = await asyncio.open_unix_connection(address)
    writer.write(line)
    assert b'"ok": false' in await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    await client.ping()
    assert (await ended(client)).outcome is RunOutcome.DONE


async def test_sigterm_stops_at_a_safe_point(site: Site) -> None:
    client = await start(site, "--pace=0.2")
    await until(lambda: client.state().counts()[StepStatus.RUNNING])
    holder = holder_of(site)
    assert holder is not None
    os.kill(holder.pid, signal.SIGTERM)
    state = await ended(client)
    assert state.outcome is RunOutcome.STOPPED
    assert not state.counts()[StepStatus.RUNNING]


async def test_no_secret_is_anywhere(site: Site) -> None:
    client = await start(site, "--fail=a@n1", "--pace=0.1", policy=FailurePolicy.ASK)
    holder = holder_of(site)
    assert holder is not None
    for name in ("cmdline", "environ"):
        assert SECRET.encode() not in Path(f"/proc/{holder.pid}/{name}").read_bytes()
    await until(lambda: client.state().questions)
    await client.stop()
    await ended(client)
    log = (client.run_dir / "runner.log").read_text()
    assert "a defect that shows ******" in log, "the traceback is there"
    assert "Traceback" in log
    files = [file for file in site.path.rglob("*") if file.is_file()]
    assert len(files) > 8
    for file in files:
        assert SECRET.encode() not in file.read_bytes(), file
    assert "the password is ******" in client.log_file("a@n1").read_text()


async def test_hosts_that_do_not_let_go_keep_nobody_from_the_site(site: Site) -> None:
    client = await start(site, "--hang")
    assert (await ended(client)).outcome is RunOutcome.DONE
    assert "did not let go" in (client.run_dir / "runner.log").read_text()


async def test_a_deep_directory(tmp_path: Path) -> None:
    """The address of a unix socket has 108 bytes."""
    path = tmp_path.joinpath(*["a-directory-with-a-long-name"] * 6)
    path.mkdir(parents=True, mode=0o700)
    (path / "cluster.yaml").write_text(SPEC_TEXT, encoding="utf-8")
    site = Site.open(path)
    client = await start(site, "--pace=0.1")
    assert len(str(client.run_dir)) > 200
    await client.ping()
    await client.stop()
    assert (await ended(client)).outcome is RunOutcome.STOPPED


def test_the_name_of_a_new_run_is_on_the_disk_before_its_journal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def noted(file: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{file}"))
        real(file)

    monkeypatch.setattr(os, "fsync", noted)
    create_run_dir(site, SPEC_TEXT.encode(), FACTS, RunOptions())
    directories = [name for name in synced if Path(name).is_dir()]
    assert directories[:2] == [str(site.path), str(site.runs_dir)]


async def test_a_runner_that_gives_up_says_why(site: Site) -> None:
    with pytest.raises(RunStartError) as refused:
        await start(site, "--absent")
    assert refused.value.text.key == "error.step_not_proven.message"
    assert latest_run(site) is None
    assert holder_of(site) is None


async def test_a_runner_that_dies_is_quoted(site: Site) -> None:
    dying = ("/bin/sh", "-c", "echo first >&2; echo 'boom: no such thing' >&2; exit 3")
    with pytest.raises(RunStartError) as died:
        await start_run(site, spec_text=SPEC_TEXT.encode(), facts={}, secrets={}, runner=dying)
    assert "boom: no such thing" in str(died.value)
    assert "runner.log" in str(died.value)


async def test_words_are_in_the_operators_language(site: Site) -> None:
    use_language("zh")
    client = await start(site)
    await ended(client)
    assert "第 1 次尝试" in client.log_file("a@n1").read_text(encoding="utf-8")


async def test_what_cannot_be_taken_up(site: Site) -> None:
    client = await start(site)
    await ended(client)
    digest = spec_digest(SPEC_TEXT.encode())
    assert not can_resume(client.run_dir, digest), "nothing is left to do"
    with pytest.raises(RunStartError) as over:
        await resume_run(client.run_dir, secrets=SECRETS, runner=runner())
    assert over.value.text.key == "run_dir.finished"
    second = await start(site, "--kill-after=6")
    await until(lambda: holder_of(site) is None)
    assert can_resume(second.run_dir, digest)
    assert not can_resume(second.run_dir, "another spec")
    assert client.run_id < second.run_id
    journal = second.run_dir / "events.jsonl"
    journal.write_text(journal.read_text().replace('"id":"a@n1"', '"id":"z@n1"'))
    with pytest.raises(RunStartError) as other:
        await resume_run(second.run_dir, secrets=SECRETS, runner=runner())
    assert other.value.text.key == "run_dir.other_plan"
    (second.run_dir / "facts.json").write_text("{broken")
    with pytest.raises(RunInputError) as broken:
        read_inputs(second.run_dir)
    assert broken.value.text.key == "run_dir.unreadable"


async def test_reading_a_run_whose_runner_was_killed(site: Site) -> None:
    client = await start(site, "--pace=0.5")
    await until(lambda: client.state().counts()[StepStatus.RUNNING])
    stream = asyncio.create_task(_last(client))
    holder = holder_of(site)
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        last = await stream
    assert not isinstance(last.event, RunFinished)
    assert client.state().outcome is None
    assert not client.alive()


async def _last(client: RunClient) -> Record:
    last = None
    async for record in client.records():
        last = record
    assert last is not None
    return last


async def test_health_is_journalled_and_its_defects_disturb_nothing(site: Site) -> None:
    client = await start(site, "--health", "--pace=0.1")
    state = await ended(client)
    assert state.outcome is RunOutcome.DONE
    probes = [r.event.state async for r in client.records(follow=False) if isinstance(r.event, ProbeChanged)]
    assert probes == ["expected", "ok"]
    assert state.probes["api@VIP"].event.latency_ms == 1.5
    assert "a probe that breaks" in (client.run_dir / "runner.log").read_text()


async def test_who_started_it_is_recorded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CLIENT", "192.0.2.7 50000 22")
    client = await start(site)
    await ended(client)
    event = read_journal(client.run_dir / "events.jsonl")[1].event
    assert isinstance(event, RunnerStarted)
    assert event.ssh_client == "192.0.2.7 50000 22"
    assert event.pid != os.getpid()


async def test_the_real_runner_says_what_it_lacks(site: Site) -> None:
    with pytest.raises(RunStartError) as refused:
        await start_run(site, spec_text=SPEC_TEXT.encode(), facts={}, secrets={})
    assert refused.value.text.key == "error.bundle_absent.message"
    assert "/nowhere" in str(refused.value)
