"""Scripts on a host: what goes in and comes out, time limits, lost links, and what login shells do around them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rbdtui.transport.base import (
    ConnectionLostError,
    ConnectRefusedError,
    OutputTooLargeError,
    RemoteScriptError,
    RemoteTimeoutError,
    ShellUnusableError,
)
from rbdtui.transport.exchange import Exchange
from rbdtui.transport.scripts import OUTPUT_MARK, Script
from rbdtui.transport.ssh import SshHost
from tests.transport.conftest import QUICK, Connect, StartSshd
from tests.transport.inprocess import InProcessSshd
from tests.transport.openssh import RealSshd, is_alive
from tests.transport.wire import Wire, known_by
from tests.waiting import until

SHOW = Script("show", 'printf "%s\\0" "$@"; cat\n')


async def test_a_script_gets_arguments_and_payload_and_leaves_status_and_both_outputs(host: SshHost) -> None:
    work = Script("work", 'echo "$0 $# $2"; cat; echo trouble >&2; exit 7\n')
    result = await host.run(work, "one", "two words", payload=b"\x00\xff\xfe\n")
    assert result.exit_status == 7
    assert result.stdout == b"rbdtui/work 2 two words\n\x00\xff\xfe\n"
    assert result.stderr == b"trouble\n"
    assert not result.ok


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    args=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=4),
    payload=st.binary(max_size=3000),
)
def test_no_character_of_an_argument_means_anything_to_the_shell(args: list[str], payload: bytes) -> None:
    command = SHOW.command(tuple(args), limit_s=10)
    done = subprocess.run(
        ["sh", "-c", command], input=SHOW.wire_text() + payload, capture_output=True, check=True, timeout=20
    )
    written = "".join(arg + "\0" for arg in args).encode() or b"\0"
    assert done.stdout.partition(b"rbdtui\x1e\n")[2] == written + payload


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_nothing_of_a_script_runs_when_its_link_breaks_while_it_is_sent(tmp_path: Path, share: float) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    work = Script("work", 'rm -f "$1"\n' + 'rm -f "$1"; :\n' * 40)
    wire = work.wire_text()
    done = subprocess.run(
        ["sh", "-c", work.command((str(victim),), limit_s=10)],
        input=wire[: int(len(wire) * share)],
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert done.stdout == b""
    assert victim.exists()


async def test_lines_come_while_the_script_runs_and_without_what_is_no_utf8(host: SshHost) -> None:
    seen: list[tuple[str, float]] = []
    work = Script("work", "echo one; sleep 1; printf 'caf\\351\\r\\nlast'\n")
    result = await host.run(work, on_line=lambda line: seen.append((line, time.monotonic())))
    assert [line for line, _ in seen] == ["one", "caf\ufffd", "last"]
    assert seen[1][1] - seen[0][1] > 0.7
    assert result.text == "one\ncaf\ufffd\r\nlast"


async def test_what_goes_wrong_with_a_line_is_raised_here_and_spares_the_connection(host: SshHost) -> None:
    def refuse(line: str) -> None:
        raise KeyError(line)

    with pytest.raises(KeyError, match="one"):
        await host.run(Script("work", "echo one; sleep 5; echo two\n"), on_line=refuse)
    assert (await host.run(Script("work", "echo $PPID\n"))).ok


async def test_the_time_limit_ends_a_script_on_the_host_with_all_it_started(host: SshHost, workplace: Path) -> None:
    pid_file = workplace / "pid"
    work = Script("work", 'sleep 60 & echo $! > "$1"; wait\n')
    with pytest.raises(RemoteTimeoutError) as caught:
        await host.run(work, str(pid_file), timeout_s=0.5)
    assert caught.value.params["limit_s"] == 0.5
    assert not is_alive(int(pid_file.read_text()))


async def test_the_time_limit_ends_a_script_that_does_not_listen(host: SshHost) -> None:
    began_at = time.monotonic()
    with pytest.raises(RemoteTimeoutError):
        await host.run(Script("work", "trap '' TERM; while :; do sleep 0.1; done\n"), timeout_s=0.5)
    assert time.monotonic() - began_at < 12


async def test_a_script_killed_by_a_signal_is_told_from_one_that_was_lost(host: SshHost) -> None:
    result = await host.run(Script("work", "kill -KILL $$\n"))
    assert result.exit_status == -1


async def test_output_without_end_is_an_error_and_not_our_memory(sshd: RealSshd, connect: Connect) -> None:
    host = connect(sshd.endpoint(), sshd.known_hosts(), replace(QUICK, output_bytes=1024 * 1024))
    with pytest.raises(OutputTooLargeError) as caught:
        await host.run(Script("work", "cat /dev/zero\n"))
    assert caught.value.params["limit_mib"] == 1
    assert (await host.run(Script("work", "echo fine\n"))).text == "fine\n"


async def test_a_script_may_write_256_kib_and_more_only_where_more_is_asked_for(host: SshHost) -> None:
    work = Script("work", 'head -c "$1" /dev/zero\n')
    assert len((await host.run(work, "262100")).stdout) == 262100
    for run in (host.run, host.must):
        with pytest.raises(OutputTooLargeError) as caught:
            await run(work, "300000")
        assert str(caught.value) == "n1: work printed more than 0.25 MiB."
        assert len((await run(work, "300000", output_limit_bytes=400_000)).stdout) == 300_000


async def test_a_line_without_end_costs_no_more_than_its_bytes() -> None:
    lines: list[str] = []
    exchange = Exchange(output_limit_bytes=1 << 20, on_line=lines.append)
    exchange._out = searched = CountedSearch()
    exchange.data_received(OUTPUT_MARK, None)
    for _ in range(2000):
        exchange.data_received(b"x" * 100, None)
    exchange.data_received(b"\ny\n", None)
    assert lines == ["x" * 200_000, "y"]
    assert searched.looked_at_bytes < 3 * 200_000


class CountedSearch(bytearray):
    """Bytes that count how many of them were looked at by `find`."""

    looked_at_bytes = 0

    def find(self, *args: object) -> int:
        place = super().find(*args)  # type: ignore[arg-type]
        self.looked_at_bytes += (len(self) if place < 0 else place) - int(str(args[1]))
        return place


async def test_must_raises_with_the_last_word_of_the_script(host: SshHost) -> None:
    with pytest.raises(RemoteScriptError) as caught:
        await host.must(Script("work", "echo first >&2; echo 'the reason' >&2; exit 3\n"))
    assert caught.value.params == {"node": "n1", "script": "work", "status": 3, "detail": "the reason"}
    assert str(caught.value) == "n1: work failed (exit status 3): the reason"


@pytest.mark.parametrize("most_sessions", [1, 3, 10])
async def test_many_scripts_at_once_fit_into_what_sshd_allows(
    start_sshd: StartSshd, connect: Connect, most_sessions: int
) -> None:
    sshd = await start_sshd(config=f"MaxSessions {most_sessions}")
    host = connect(sshd.endpoint(), sshd.known_hosts())
    results = await asyncio.gather(
        *(host.run(Script("work", "sleep 0.05; echo $1\n"), str(number)) for number in range(20))
    )
    assert [int(result.text) for result in results] == list(range(20))
    assert sshd.log.count("Accepted publickey") == 1


NOISY_SHELL = r"""ForceCommand printf 'Welcome \351\n\036half a mark'; echo noise >&2; eval "$SSH_ORIGINAL_COMMAND" """


async def test_what_a_login_shell_prints_is_cut_off(start_sshd: StartSshd, connect: Connect) -> None:
    sshd = await start_sshd(config=NOISY_SHELL)
    host = connect(sshd.endpoint(), sshd.known_hosts())
    lines: list[str] = []
    result = await host.run(Script("work", "echo out; echo err >&2; exit 4\n"), on_line=lines.append)
    assert (result.exit_status, result.stdout, result.stderr, lines) == (4, b"out\n", b"err\n", ["out"])


async def test_a_banner_and_a_message_of_the_day_disturb_nothing(start_sshd: StartSshd, connect: Connect) -> None:
    sshd = await start_sshd(config="Banner /etc/os-release")
    host = connect(sshd.endpoint(), sshd.known_hosts())
    assert (await host.run(Script("work", "echo out\n"))).stdout == b"out\n"


@pytest.mark.parametrize(
    "shell",
    ["echo This account is currently not available.; exit 1", "true", "exec /bin/false"],
)
async def test_an_account_that_cannot_run_commands_is_named_as_such(
    start_sshd: StartSshd, connect: Connect, shell: str
) -> None:
    sshd = await start_sshd(config=f"ForceCommand {shell}")
    host = connect(sshd.endpoint(), sshd.known_hosts())
    with pytest.raises(ShellUnusableError) as caught:
        await host.run(Script("work", "echo out\n"))
    assert caught.value.params["user"] == "root"


async def test_scripts_speak_english_whatever_the_host_speaks(start_sshd: StartSshd, connect: Connect) -> None:
    sshd = await start_sshd(config="SetEnv LC_ALL=zh_CN.UTF-8 LANGUAGE=zh_CN")
    host = connect(sshd.endpoint(), sshd.known_hosts())
    result = await host.run(Script("work", "echo $LC_ALL; cat /nonexistent\n"))
    assert result.text == "C\n"
    assert "No such file or directory" in result.error_text


async def test_the_locale_c_on_our_side_changes_no_byte(sshd: RealSshd) -> None:
    known = sshd.directory / "known_hosts"
    sshd.known_hosts()
    text, argument, payload = ascii('echo "$1"; echo "中文"; cat'), ascii("节点"), "数据".encode()
    program = f"""
import asyncio, pathlib
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from rbdtui.transport.exchange import Exchange
from rbdtui.transport.scripts import OUTPUT_MARK, Script

async def main():
    endpoint = Endpoint("n1", "127.0.0.1", {sshd.port}, key=pathlib.Path({str(sshd.key)!r}), agent=False)
    async with HostPool({{"n1": endpoint}}, KnownHosts(pathlib.Path({str(known)!r})), str) as pool:
        result = await pool["n1"].run(Script("work", {text}), {argument}, payload={payload!r})
        print(ascii(result.text))

asyncio.run(main())
"""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.decode().strip() == ascii("节点\n中文\n数据"), done.stderr.decode()


async def test_a_script_whose_link_is_lost_runs_again(sshd: RealSshd, connect: Connect, workplace: Path) -> None:
    ran = workplace / "ran"
    work = Script("work", 'echo x >> "$1"; read -r word; sleep 1; echo "$word"\n')
    async with Wire(sshd.port) as wire:
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        running = asyncio.create_task(host.run(work, str(ran), payload=b"word\n"))
        await until(ran.exists)
        wire.break_connections()
        assert (await running).text == "word\n"
    assert ran.read_text() == "x\nx\n"


async def test_a_link_that_goes_silent_is_found_out_and_made_anew(
    sshd: RealSshd, connect: Connect, workplace: Path
) -> None:
    ran = workplace / "ran"
    async with Wire(sshd.port) as wire:
        limits = replace(QUICK, keepalive_interval_s=0.5, keepalive_count=2)
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd), limits)
        running = asyncio.create_task(host.run(Script("work", 'echo x >> "$1"; sleep 3; echo ok\n'), str(ran)))
        await until(ran.exists)
        wire.freeze()
        await asyncio.sleep(2.5)
        wire.break_connections()
        await wire.mend()
        assert (await running).text == "ok\n"


async def test_a_host_that_stays_away_is_given_up_after_the_window(sshd: RealSshd, connect: Connect) -> None:
    async with Wire(sshd.port) as wire:
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd), replace(QUICK, reconnect_window_s=1.5))
        await host.connect()
        wire.cut()
        began_at = time.monotonic()
        with pytest.raises(ConnectRefusedError):
            await host.run(Script("work", "echo ok\n"))
        assert 1.4 < time.monotonic() - began_at < 10
        await wire.mend()
        assert (await host.run(Script("work", "echo ok\n"))).ok


async def test_a_host_that_was_never_reached_is_not_waited_for(sshd: RealSshd, connect: Connect) -> None:
    sshd.stop()
    host = connect(sshd.endpoint(), sshd.known_hosts(), replace(QUICK, reconnect_window_s=60))
    began_at = time.monotonic()
    with pytest.raises(ConnectRefusedError):
        await host.run(Script("work", "echo ok\n"))
    assert time.monotonic() - began_at < 5


async def test_a_script_that_breaks_its_own_link_is_not_repeated_for_ever(
    sshd: RealSshd, connect: Connect, workplace: Path
) -> None:
    ran = workplace / "ran"
    host = connect(sshd.endpoint(), sshd.known_hosts(), replace(QUICK, repeats=2))
    # The parent of the shell's own parent chain is the session's sshd.
    work = Script("work", 'echo x >> "$1"; read -r _ _ _ up _ < /proc/$PPID/stat; kill -KILL "$up"; sleep 5\n')
    with pytest.raises(ConnectionLostError):
        await host.run(work, str(ran))
    assert ran.read_text() == "x\nx\nx\n"


async def test_logins_that_are_dropped_at_random_are_tried_again(server: InProcessSshd, connect: Connect) -> None:
    server.drop_at_login = 2
    host = connect(server.endpoint(), server.known_hosts(), login="right")
    assert (await host.run(Script("work", "echo ok\n"))).text == "ok\n"
