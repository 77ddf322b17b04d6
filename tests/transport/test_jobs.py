"""Long work that outlives the link and the program that asked for it.

Two small programs stand in for systemd here; the real one is tried in the lab.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.transport.base import JobLostError, JobStoppedError, RemoteTimeoutError
from rbdtui.transport.jobs import JobResult, run_job, stop_job, unit_name
from rbdtui.transport.scripts import Script, script
from rbdtui.transport.ssh import SshHost
from tests.transport.conftest import Connect, StartSshd
from tests.transport.follower import follow_and_be_killed
from tests.transport.openssh import RealSshd, is_alive
from tests.transport.wire import Wire, known_by
from tests.waiting import until

SYSTEMD_RUN = r"""#!/bin/sh
[ "$1" != --help ] || { echo "--collect"; exit 0; }
while :; do
  case $1 in
    --unit=*) unit=${1#--unit=} ;;
    --*) ;;
    *) break ;;
  esac
  shift
done
echo "$unit" >> "STATE/started"
setsid "$@" < /dev/null > /dev/null 2>&1 &
echo $! > "STATE/$unit.service"
"""
SYSTEMCTL = r"""#!/bin/sh
verb=$1 unit=$2
session=$(cat "STATE/$unit" 2> /dev/null || echo none)
members() {
  for stat in /proc/[0-9]*/stat; do
    read -r pid _ state _ _ sid _ 2> /dev/null < "$stat" || continue
    [ "$sid" != "$session" ] || [ "$state" = Z ] || echo "$pid"
  done
}
case $verb in
  is-active) if [ -n "$(members)" ]; then echo active; else echo inactive; exit 3; fi ;;
  stop) for pid in $(members); do kill -TERM "$pid" 2> /dev/null; done
    while [ -n "$(members)" ]; do sleep 0.05; done ;;
esac
exit 0
"""
LOCK = "/run/rbdtui-job-u.lock"
COUNT = Script("count", 'i=0; while [ $i -lt "$1" ]; do i=$((i + 1)); echo "line $i"; sleep "$2"; done\n')


@dataclass
class Box:
    """A host with a disk of its own under ``disk`` and our stand-in for systemd."""

    sshd: RealSshd
    disk: Path

    @property
    def jobs(self) -> Path:
        """Where jobs are kept."""
        return self.disk / "lib" / "rbdtui" / "jobs"

    @property
    def starts(self) -> list[str]:
        """Units started so far."""
        file = self.disk / "systemd" / "started"
        return file.read_text().split() if file.exists() else []

    def kill_units(self) -> None:
        """What a power cut does to every unit."""
        for file in (self.disk / "systemd").glob("*.service"):
            session = int(file.read_text())
            for stat in Path("/proc").glob("[0-9]*/stat"):
                try:
                    fields = stat.read_text().rpartition(")")[2].split()
                    if int(fields[3]) == session:
                        os.kill(int(stat.parent.name), signal.SIGKILL)
                except OSError:
                    continue


@pytest.fixture
async def box(start_sshd: StartSshd, workplace: Path) -> AsyncIterator[Box]:
    for name in ("lib", "systemd", "programs"):
        (workplace / name).mkdir()
    for name, text in (("systemd-run", SYSTEMD_RUN), ("systemctl", SYSTEMCTL)):
        file = workplace / "programs" / name
        file.write_text(text.replace("STATE", str(workplace / "systemd")))
        file.chmod(0o755)
    sshd = await start_sshd(
        config=f"SetEnv PATH={workplace}/programs:/usr/bin:/bin",
        mounts=(
            f"mount --bind {workplace}/lib /var/lib",
            "mount -t tmpfs tmpfs /run",
            "mkdir -m 0755 /run/sshd",
        ),
    )
    box = Box(sshd, workplace)
    yield box
    box.kill_units()


@pytest.fixture
def job_host(box: Box, connect: Connect) -> SshHost:
    return connect(box.sshd.endpoint(), box.sshd.known_hosts())


async def test_a_job_runs_as_a_unit_and_leaves_nothing_behind(box: Box, job_host: SshHost) -> None:
    work = Script("work", 'printf "%s|" "$@"; echo; echo "to stderr" >&2; echo "$HOME $PWD $LC_ALL"; cat\n')
    lines: list[str] = []
    args = ("it's", "", "a  b\n c", "$x `y` \\")
    result = await run_job(job_host, "r1-step", work, *args, timeout_s=30, on_line=lines.append)
    assert lines == ["it's||a  b", " c|$x `y` \\|", "to stderr", "/root / C"]
    assert result == JobResult(0, tuple(lines), found=False)
    assert box.starts == ["rbdtui-r1-step"]
    assert list(box.jobs.iterdir()) == []
    assert (box.disk / "lib" / "rbdtui").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "holder",
    [
        pytest.param("", id="killed before it signed"),
        pytest.param("1 5", id="its number is another process's now"),
        pytest.param("4194303 77", id="no such process"),
        pytest.param("x/../1 1", id="nonsense"),
    ],
)
async def test_a_lock_whose_holder_is_gone_holds_nobody_up(box: Box, job_host: SshHost, holder: str) -> None:
    await job_host.must(Script("lock", 'mkdir "$1"; printf "%s\\n" "$2" > "$1/holder"\n'), LOCK, holder)
    assert (await run_job(job_host, "u", Script("work", "echo done\n"), timeout_s=30)).tail == ("done",)


async def test_a_lock_whose_holder_lives_is_waited_for(box: Box, job_host: SshHost) -> None:
    """Another start of the same unit has it, and is not done yet."""
    hold = Script(
        "hold",
        'mkdir "$1"; read -r line < /proc/$$/stat; set -- "$1" ${line##*) }; shift 20\n'
        'echo "$$ $1" > "LOCK/holder"; sleep 2; rm -r LOCK\n'.replace("LOCK", LOCK),
    )
    holding = asyncio.create_task(job_host.must(hold, LOCK))
    await asyncio.sleep(0.5)
    began_at = time.monotonic()
    assert (await run_job(job_host, "u", Script("work", "echo done\n"), timeout_s=30)).ok
    assert time.monotonic() - began_at > 1.0
    await holding


async def test_a_job_that_fails_says_so_and_can_be_started_anew(box: Box, job_host: SshHost) -> None:
    work = Script("work", 'echo "why"; [ -e "$1" ] || exit 5\n')
    flag = box.disk / "flag"
    first = await run_job(job_host, "u", work, str(flag), timeout_s=30)
    assert (first.exit_status, first.ok, first.tail) == (5, False, ("why",))
    assert [job.name for job in box.jobs.iterdir()] == ["u.failed"]
    flag.touch()
    assert (await run_job(job_host, "u", work, str(flag), timeout_s=30)).ok
    assert list(box.jobs.iterdir()) == []


async def test_bytes_that_are_no_utf8_and_long_logs_come_whole(job_host: SshHost) -> None:
    work = Script("work", "printf 'caf\\351 \\344\\270'; sleep 1; printf '\\255\\n'; seq 1 120000; printf end\n")
    lines: list[str] = []
    await run_job(job_host, "u", work, timeout_s=60, on_line=lines.append)
    assert lines == ["caf\ufffd 中", *(str(number) for number in range(1, 120001)), "end"]


async def test_a_link_that_breaks_costs_no_line_and_repeats_none(box: Box, connect: Connect) -> None:
    async with Wire(box.sshd.port) as wire:
        host = connect(box.sshd.endpoint(port=wire.port), known_by(wire, box.sshd))
        lines: list[str] = []
        following = asyncio.create_task(run_job(host, "u", COUNT, "40", "0.1", timeout_s=60, on_line=lines.append))
        for at in (3, 15, 28):
            await until(lambda at=at: len(lines) > at)  # type: ignore[misc]
            wire.break_connections()
        result = await following
    assert lines == [f"line {number}" for number in range(1, 41)]
    assert result.ok
    assert len(box.starts) == 1


async def test_a_job_whose_follower_was_killed_is_found_running(box: Box, job_host: SshHost) -> None:
    known = box.sshd.directory / "known_hosts"
    assert await follow_and_be_killed(box.sshd.endpoint(), known, "u", COUNT, "30", "0.1") == "line 1"
    lines: list[str] = []
    result = await run_job(job_host, "u", COUNT, "30", "0.1", timeout_s=60, on_line=lines.append)
    assert result.found
    assert lines == [f"line {number}" for number in range(1, 31)]
    assert len(box.starts) == 1


async def test_a_job_that_ended_while_nobody_looked_gives_its_result(box: Box, job_host: SshHost) -> None:
    work = Script("work", 'echo x >> "$1"; echo done; exit 3\n')
    ran = box.disk / "ran"
    first = asyncio.create_task(run_job(job_host, "u", work, str(ran), timeout_s=60))
    await until((box.jobs / "u" / "log").exists)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await until((box.jobs / "u" / "exit").exists)
    result = await run_job(job_host, "u", work, str(ran), timeout_s=60)
    assert (result.exit_status, result.tail, result.found) == (3, ("done",), True)
    assert ran.read_text() == "x\n"


async def test_a_host_that_restarts_under_a_job_gets_it_again(box: Box, connect: Connect) -> None:
    work = Script("work", 'echo x >> "$1"; [ "$(wc -l < "$1")" -gt 1 ] || sleep 60; echo whole\n')
    ran = box.disk / "ran"
    host = connect(box.sshd.endpoint(), box.sshd.known_hosts())
    following = asyncio.create_task(run_job(host, "u", work, str(ran), timeout_s=120))
    await until(ran.exists)
    box.sshd.stop()
    box.kill_units()
    await box.sshd.start()
    result = await following
    assert (result.exit_status, result.tail, result.found) == (0, ("whole",), True)
    assert len(box.starts) == 2


async def test_a_job_that_dies_every_time_is_given_up(box: Box, job_host: SshHost) -> None:
    work = Script("work", 'read -r _ _ _ up _ < /proc/$PPID/stat; kill -KILL "$up" $PPID $$\n')
    with pytest.raises(JobLostError) as caught:
        await run_job(job_host, "u", work, timeout_s=60)
    assert caught.value.params["unit"] == "rbdtui-u"
    assert len(box.starts) == 3


async def test_a_job_has_a_time_limit_of_its_own(box: Box, job_host: SshHost) -> None:
    pid_file = box.disk / "pid"
    work = Script("work", 'sleep 60 & echo $! > "$1"; wait\n')
    with pytest.raises(RemoteTimeoutError):
        await run_job(job_host, "u", work, str(pid_file), timeout_s=1)
    assert not is_alive(int(pid_file.read_text()))


async def test_a_job_is_stopped_by_name_with_all_it_started(box: Box, job_host: SshHost) -> None:
    pid_file = box.disk / "pid"
    work = Script("work", 'sleep 60 & echo $! > "$1"; wait\n')
    following = asyncio.create_task(run_job(job_host, "u", work, str(pid_file), timeout_s=60))
    await until(lambda: pid_file.exists() and pid_file.read_text() != "")
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert await stop_job(job_host, "u")
    assert not is_alive(int(pid_file.read_text()))
    assert not await stop_job(job_host, "u")
    assert list(box.jobs.iterdir()) == []


async def test_other_work_under_the_same_name_replaces_it(box: Box, job_host: SshHost) -> None:
    first = asyncio.create_task(run_job(job_host, "u", COUNT, "600", "0.1", timeout_s=90))
    await until((box.jobs / "u" / "log").exists)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    result = await run_job(job_host, "u", COUNT, "1", "0", timeout_s=60)
    assert (result.tail, result.found) == (("line 1",), False)


async def test_two_who_ask_at_once_start_it_once(box: Box, job_host: SshHost) -> None:
    ran = box.disk / "ran"
    work = Script("work", 'echo x >> "$1"; sleep 2\n')
    outcomes = await asyncio.gather(
        *(run_job(job_host, "u", work, str(ran), timeout_s=60) for _ in range(2)), return_exceptions=True
    )
    assert ran.read_text() == "x\n"
    assert any(isinstance(outcome, JobResult) and outcome.ok for outcome in outcomes)
    assert [outcome for outcome in outcomes if not isinstance(outcome, JobResult | JobStoppedError)] == []


@pytest.mark.parametrize("log", ["", "line 1\n"])
async def test_a_job_put_away_while_another_one_looks_is_absent(box: Box, job_host: SshHost, log: str) -> None:
    job = box.jobs / "u"
    job.mkdir(parents=True)
    (job / "exit").write_text("0\n")
    (job / "log").write_text(log)
    stat = box.disk / "programs" / "stat"
    stat.write_text('#!/bin/sh\n/usr/bin/stat "$@"\nrm -rf /var/lib/rbdtui/jobs/u\n')
    stat.chmod(0o755)
    answer = await job_host.run(script("job-follow"), "u", "0", "1")
    assert (answer.exit_status, answer.text, answer.error_text) == (0, "absent - 0\n", "")


async def test_a_script_that_arrived_in_part_is_not_started(box: Box, job_host: SshHost) -> None:
    whole = Script("work", "echo one; echo two\n").file_text()
    digest = hashlib.sha256(whole).hexdigest()
    start = script("job-start")
    result = await job_host.run(start, "u", "30", digest, "work", payload=whole[:-9])
    assert result.exit_status == 6
    assert box.starts == []
    again = await job_host.run(start, "u", "30", digest, "work", payload=whole)
    assert again.text == "started\n"


async def test_a_follower_does_not_start_again_what_another_one_stopped(box: Box, job_host: SshHost) -> None:
    following = asyncio.create_task(run_job(job_host, "u", COUNT, "600", "0.1", timeout_s=90))
    await until((box.jobs / "u" / "log").exists)
    assert await stop_job(job_host, "u")
    with pytest.raises(JobStoppedError):
        await following
    assert len(box.starts) == 1


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), st.text(max_size=200))
def test_every_name_becomes_one_that_systemd_takes_and_stays_apart(first: str, second: str) -> None:
    name = unit_name(first)
    assert len(name) <= 120
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
    if first != second:
        assert unit_name(second.encode("utf-8", "replace").decode()) != name or unit_name(second) != name
