"""What HAProxy says of the servers behind it, by the table and from a real one that runs our own configuration."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from rbdtui.listening import listen
from rbdtui.paths import asset
from rbdtui.plan.steps.haproxy import configuration
from rbdtui.plan.steps.keepalived import Phase, _check_script
from rbdtui.probes.haproxy import judge_balancer
from rbdtui.probes.haproxy_page import ServerSeen, parse_page
from rbdtui.probes.model import ProbeState
from rbdtui.spec.balanced import Behind, Forwarded, forwarded_by_pair
from rbdtui.transport.base import CommandResult
from rbdtui.transport.scripts import script
from rbdtui.words import say
from tests.lab.servers.certificates import CertificateAuthority
from tests.lab.servers.haproxy import why_no_haproxy
from tests.lab.servers.process import find, free_port
from tests.spec.test_balancers import spec_of

SPEC = spec_of()
SERVERS = [each for each in forwarded_by_pair(SPEC) if each.behind is not Behind.GATEWAY]
real = pytest.mark.skipif(bool(why_no_haproxy()), reason=why_no_haproxy())


def seen(**down: str) -> list[ServerSeen]:
    """All up but for ``port_NAME="…"``."""
    found = []
    for each in forwarded_by_pair(SPEC):
        for node in each.nodes:
            status = down.get(f"p{each.port}_{node.name}", "UP")
            found.append(ServerSeen(f"port-{each.port}", node.name, status, "L7OK"))
    return found


@pytest.mark.parametrize(
    ("page", "wanted", "state", "says"),
    [
        (None, SERVERS, ProbeState.DOWN, "does not answer"),
        (seen(), SERVERS, ProbeState.OK, "6443, 9345 to all 3"),
        (seen(), forwarded_by_pair(SPEC), ProbeState.OK, "8443 to all 3"),
        (seen(p6443_n2="UP 1/2"), SERVERS, ProbeState.OK, "to all 3"),
        (seen(p6443_n2="DOWN", p9345_n2="DOWN 1/2"), SERVERS, ProbeState.DEGRADED, "n2 down behind 6443, 9345"),
        (seen(p443_n1="DOWN", p443_n2="DOWN"), forwarded_by_pair(SPEC), ProbeState.DOWN, "nobody up behind 443"),
        (seen(p443_n1="DOWN", p443_n2="DOWN"), SERVERS, ProbeState.OK, "to all 3"),
        ([], SERVERS, ProbeState.DOWN, "nobody up behind 6443, 9345"),
        (seen(p443_n1="DOWN"), [], ProbeState.OK, "nothing that it forwards to is installed yet"),
    ],
)  # fmt: skip
def test_how_a_balancer_stands(
    page: list[ServerSeen] | None, wanted: list[Forwarded], state: ProbeState, says: str
) -> None:
    answer = judge_balancer("lb1", page, wanted)
    assert answer.state is state
    assert says in say(answer.detail, "en")
    assert answer.key.id == "haproxy@lb1"


def test_lines_that_are_not_understood_are_left_out() -> None:
    text = "server port-443 n1 UP_1/2 L4OK\nserver port-443 n2 DOWN\nwhatever\nserver a b c d e\n"
    assert parse_page(result_of(text, 0)) == (ServerSeen("port-443", "n1", "UP 1/2", "L4OK"),)
    assert parse_page(result_of("", 3)) is None


def result_of(text: str, status: int) -> CommandResult:
    return CommandResult(status, text.encode(), b"", 0.0)


# With a real one


@asynccontextmanager
async def api_server(directory: Path, statuses: dict[str, int]) -> AsyncIterator[int]:
    """TLS that answers each path with a status; 404 where none is given."""
    pair = CertificateAuthority().issue("127.0.0.1")
    file = directory / "server.pem"
    file.write_bytes(pair.cert_pem + pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readline()).decode()
        path = request.split(" ")[1] if " " in request else ""
        writer.write(f"HTTP/1.1 {statuses.get(path, 404)} x\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await listen(answer, "127.0.0.1", 0, tls=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


@contextmanager
def running(directory: Path, ports: dict[str, int], status_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Our own configuration with other addresses; ``ports`` by what stands there in ours."""
    text = configuration(SPEC).shown
    lines = []
    for line in text.splitlines():
        if line.strip().startswith(("user ", "group ", "log /dev/log")):
            continue
        if line.strip().startswith("bind :"):
            line = f"    bind 127.0.0.1:{free_port()}"
        for ours, other in ports.items():
            line = line.replace(f" {ours} ", f" 127.0.0.1:{other} ")
        lines.append(line.replace("127.0.0.1:8404", f"127.0.0.1:{status_port}"))
    config = directory / "haproxy.cfg"
    config.write_text("\n".join(lines) + "\n")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([find("haproxy") or "haproxy", "-db", "-f", str(config)], stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def status(port: int) -> tuple[ServerSeen, ...] | None:
    text = script("haproxy-status").text
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", text, "haproxy-status", str(port), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    said, _ = await process.communicate()
    return parse_page(result_of(said.decode(), process.returncode or 0))


def passes(check: Path) -> bool:
    return subprocess.run([check], check=False, timeout=10).returncode == 0


@real
async def test_a_real_haproxy_takes_our_configuration_and_finds_servers_as_it_should(tmp_path: Path) -> None:
    status_port, shut = free_port(), free_port()
    async with (
        api_server(tmp_path, {"/readyz": 401, "/ping": 200}) as good,
        api_server(tmp_path, {"/readyz": 500, "/ping": 500}) as bad,
    ):
        ports = {f"10.0.0.1{n}:{port}": shut for n in (1, 2, 3) for port in (80, 443, 6060, 7070, 8443)}
        ports |= {f"10.0.0.11:{port}": good for port in (443, 6443, 9345)}
        ports |= {f"10.0.0.12:{port}": bad for port in (6443, 9345)}
        ports |= {f"10.0.0.13:{port}": shut for port in (6443, 9345)}
        with running(tmp_path, ports, status_port) as process:
            expected = {
                "port-6443 n1": "UP L7OK", "port-6443 n2": "DOWN L7STS", "port-6443 n3": "DOWN L4CON",
                "port-9345 n1": "UP L7OK", "port-9345 n2": "DOWN L7STS", "port-443 n1": "UP L4OK",
                "port-443 n2": "DOWN L4CON", "port-80 n1": "DOWN L4CON",
            }  # fmt: skip
            found: dict[str, str] = {}
            async with asyncio.timeout(30):
                while {key: found.get(key) for key in expected} != expected:
                    await asyncio.sleep(0.3)
                    assert process.poll() is None, (tmp_path / "log").read_text()
                    page = await status(status_port) or ()
                    found = {f"{each.proxy} {each.server}": f"{each.status} {each.check}" for each in page}
            check = tmp_path / "check.sh"
            check.write_text(
                _check_script(SPEC, SPEC.node("lb1"), Phase.HAPROXY).shown.replace("8404", str(status_port))
            )
            check.chmod(0o755)
            assert await asyncio.to_thread(passes, check)
            os.kill(process.pid, signal.SIGSTOP)
            assert not await asyncio.to_thread(passes, check), "one that hangs does not answer"
            os.kill(process.pid, signal.SIGCONT)
            process.kill()
            process.wait()
            assert not await asyncio.to_thread(passes, check)
            assert await status(status_port) is None


@real
def test_haproxy_judges_what_is_written_and_what_is_wrong(tmp_path: Path) -> None:
    def judged(config: str) -> int:
        text = asset("scripts", "haproxy-test.sh").read_text(encoding="utf-8").replace("/run/rbdtui", f"{tmp_path}/c")
        return subprocess.run(["sh", "-c", text], input=config.encode(), check=False, capture_output=True).returncode

    assert judged(configuration(SPEC).shown) == 0
    assert judged(configuration(SPEC).shown.replace("balance roundrobin", "ballance roundrobin")) == 3
