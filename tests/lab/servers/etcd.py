"""Real members of etcd with TLS, on loopback ports or at an address of this machine."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.servers.certificates import CertificateAuthority, Pair


def why_no_etcd() -> str:
    """Why etcd cannot run here; empty when it can."""
    return "" if shutil.which("etcd") else "etcd is missing: install etcd-server"


@dataclass(slots=True)
class EtcdCluster:
    """Members that are up; each can be ended by its index."""

    ports: list[int]
    address: str = "127.0.0.1"
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Where clients connect to."""
        return tuple(f"{self.address}:{port}" for port in self.ports)

    def end(self, index: int) -> None:
        """Kill a member."""
        self.processes[index].send_signal(signal.SIGKILL)
        self.processes[index].wait(10)


@contextmanager
def etcd_cluster(
    directory: Path,
    authority: CertificateAuthority,
    *,
    members: int = 1,
    address: str = "127.0.0.1",
    server: Pair | None = None,
    trusted: CertificateAuthority | None = None,
    options: Sequence[str] = (),
) -> Iterator[EtcdCluster]:
    """A cluster that takes clients of ``trusted`` (the same authority unless given); ended at the end of the block."""
    directory.mkdir(exist_ok=True)
    pair = server or authority.issue(address, "localhost")
    files = {"cert": pair.cert_pem, "key": pair.key_pem, "trusted": (trusted or authority).pem}
    for name, data in files.items():
        (directory / f"{name}.pem").write_bytes(data)
    ports = free_ports(2 * members)
    cluster = EtcdCluster(ports[:members], address)
    peers = ",".join(f"m{index}=http://127.0.0.1:{port}" for index, port in enumerate(ports[members:]))
    try:
        for index, (port, peer) in enumerate(zip(ports[:members], ports[members:], strict=True)):
            client_url, peer_url = f"https://{address}:{port}", f"http://127.0.0.1:{peer}"
            command = [
                *("etcd", "--name", f"m{index}", "--data-dir", str(directory / f"data{index}")),
                *("--listen-client-urls", client_url, "--advertise-client-urls", client_url),
                *("--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url),
                *("--initial-cluster", peers, "--initial-cluster-token", str(directory)),
                *("--cert-file", str(directory / "cert.pem"), "--key-file", str(directory / "key.pem")),
                *("--client-cert-auth", "--trusted-ca-file", str(directory / "trusted.pem"), *options),
            ]
            with (directory / f"log{index}").open("wb") as log:
                cluster.processes.append(
                    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
                )
        _wait(cluster, (trusted or authority).issue(), directory)
        yield cluster
    finally:
        for index in range(len(cluster.processes)):
            cluster.end(index)


def _wait(cluster: EtcdCluster, client: Pair, directory: Path, timeout_s: float = 30) -> None:
    """Until each member is healthy."""
    file = directory / "waiting.pem"
    file.write_bytes(client.cert_pem + client.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(file)
    until = time.monotonic() + timeout_s
    for endpoint in cluster.endpoints:
        while True:
            try:
                with urllib.request.urlopen(f"https://{endpoint}/health", timeout=2, context=context) as answer:
                    if json.loads(answer.read())["health"] == "true":
                        break
            except (OSError, ValueError):
                pass
            assert time.monotonic() < until, (directory / "log0").read_text()[-2000:]
            time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses at the moment."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    found = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return found
