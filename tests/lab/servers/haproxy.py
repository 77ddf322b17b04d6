"""A real haproxy before listeners: right, or with a fault on each port."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.lab.servers.certificates import CertificateAuthority
from tests.lab.servers.process import find
from tests.lab.shell import LabError


def why_no_haproxy() -> str:
    """Why it cannot run here; empty when it can."""
    return "" if find("haproxy") else "haproxy is missing: install haproxy"


@dataclass(frozen=True, slots=True)
class Frontend:
    """A port, and the servers behind it."""

    port: int
    servers: tuple[str, ...]
    """As ``ADDRESS:PORT``."""
    idle_s: int = 3600
    ends_tls: bool = False
    proxy_protocol: bool = False
    balance: str = "roundrobin"
    http: bool = False

    def lines(self, certificate: Path, address: str) -> str:
        """As it stands in haproxy's configuration."""
        tls = f" ssl crt {certificate}" if self.ends_tls else ""
        extra = " send-proxy" if self.proxy_protocol else ""
        servers = "".join(
            f"  server s{number} {server} check inter 3s fastinter 700ms downinter 700ms rise 1{extra}\n"
            for number, server in enumerate(self.servers)
        )
        return (
            f"listen p{self.port}\n  bind {address}:{self.port}{tls}\n  mode {'http' if self.http else 'tcp'}\n"
            f"  balance {self.balance}\n"
            f"  timeout client {self.idle_s}s\n  timeout server {self.idle_s}s\n{servers}"
        )


@contextmanager
def haproxy(
    directory: Path, frontends: Sequence[Frontend], *, address: str = "127.0.0.1", within: Sequence[str] = ()
) -> Iterator[None]:
    """It serves these ports for the time of the block; ``within`` is what starts it in a network of its own."""
    config, certificate, log = directory / "haproxy.cfg", directory / "balancer.pem", directory / "haproxy.log"
    pair = CertificateAuthority().issue("balancer.example")
    certificate.write_bytes(pair.cert_pem + pair.key_pem)
    config.write_text(
        "defaults\n  timeout connect 2s\n" + "".join(each.lines(certificate, address) for each in frontends)
    )
    program = find("haproxy") or "haproxy"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*within, program, "-db", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        end = time.monotonic() + 10
        while not _listens(process.pid, {each.port for each in frontends}):
            if process.poll() is not None or time.monotonic() > end:
                raise LabError(f"haproxy does not listen: {log.read_text(errors='replace')[-1500:]}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        if process.poll() is None:
            process.kill()
            process.wait(5)


def _listens(pid: int, ports: set[int]) -> bool:
    """Whether all ports are listened on in the network of a process."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
        return ports <= {int(line.split()[1].split(":")[1], 16) for line in lines if line.split()[3] == "0A"}
    return False
