"""Services that a site uses from outside, right or with one fault, by their names: beside the hosts of a lab.

They need what the project needs, unlike the lab itself.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.layout import squatter_name
from tests.lab.servers.authority import Authority
from tests.lab.servers.certificates import CertificateAuthority
from tests.lab.servers.databases import database
from tests.lab.servers.etcd import etcd_cluster
from tests.lab.servers.haproxy import Frontend, haproxy
from tests.lab.servers.nfs import Share, nfs_server
from tests.lab.servers.registry import registry
from tests.lab.servers.vrrp import announcing

USER, PASSWORD = "rbd", "Lab password 1"
"""Of every service that wants a login."""
_PORTS = (80, 443, 6060, 7070, 8443, 6443, 9345)
Told = dict[str, object]
"""What a person has to know to use it."""
Service = Callable[[Lab, Path], AbstractContextManager[Told]]


@contextmanager
def _mysql(series: str, lab: Lab, _: Path) -> Iterator[Told]:
    with database(series, address=lab.jump_address) as server:
        password = PASSWORD.replace("'", "''")
        server.root(
            f"CREATE USER {USER}@'%' IDENTIFIED BY '{password}'",
            *(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci" for name in _DATABASES),
            *(f"GRANT ALL ON {name}.* TO {USER}@'%'" for name in _DATABASES),
        )
        yield {"host": server.address, "port": server.port, "username": USER, "password": PASSWORD}


_DATABASES = ("console", "region")


@contextmanager
def _registry(lab: Lab, directory: Path, *, tls: bool = True, end_days: float = 365) -> Iterator[Told]:
    authority, ca = Authority() if tls else None, directory / "ca.pem"
    user, password = (USER, PASSWORD) if tls else ("", "")
    if authority is not None:
        ca.write_bytes(authority.pem)
    begin_days = -2 if end_days < 0 else -1
    with registry(
        address=lab.jump_address, authority=authority, begin_days=begin_days, end_days=end_days,
        user=user, password=password,
    ) as server:  # fmt: skip
        login = {"user": user, "password": password, "ca": str(ca)} if tls else {}
        yield {"domain": f"{server.address}:{server.port}", **login}


class _Page(http.server.BaseHTTPRequestHandler):
    """A proxy's page for whatever is asked."""

    def do_GET(self) -> None:
        page = b"<!DOCTYPE html><html><body>Sign in to the network</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@contextmanager
def _html(lab: Lab, _: Path) -> Iterator[Told]:
    with http.server.ThreadingHTTPServer((lab.jump_address, 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield {"domain": f"{lab.jump_address}:{server.server_port}"}
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _etcd(lab: Lab, directory: Path, *, ended: int = 0) -> Iterator[Told]:
    authority = CertificateAuthority()
    client = authority.issue()
    files = {"ca": authority.pem, "cert": client.cert_pem, "key": client.key_pem}
    for name, data in files.items():
        (directory / f"{name}.pem").write_bytes(data)
    with etcd_cluster(directory / "etcd", authority, members=3, address=lab.jump_address) as cluster:
        for index in range(ended):
            cluster.end(index)
        yield {"endpoints": list(cluster.endpoints), **{name: str(directory / f"{name}.pem") for name in files}}


@contextmanager
def _nfs(lab: Lab, directory: Path, *, squash: str = "No_Root_Squash") -> Iterator[Told]:
    address = lab.vips[-1]
    lab.squat(address)
    try:
        within = ("ip", "netns", "exec", squatter_name(lab.name, address))
        with nfs_server(directory, [Share("/srv/nfs", squash=squash)], within=within):
            yield {"server": address, "path": "/srv/nfs"}
    finally:
        lab.unsquat(address)


@contextmanager
def _balancer(
    lab: Lab, directory: Path, *, missing: int = 0, idle_s: int = 3600, ends_tls: bool = False
) -> Iterator[Told]:
    hosts = [host.address for host in lab.hosts.values()][missing:]
    ends = frozenset({443, 8443} if ends_tls else ())
    doors = [
        Frontend(port, tuple(f"{host}:{port}" for host in hosts), idle_s=idle_s, ends_tls=port in ends)
        for port in _PORTS
    ]
    with haproxy(directory, doors, address=lab.jump_address):
        yield {"address": lab.jump_address, "ports": list(_PORTS)}


@contextmanager
def _virtual_router(lab: Lab, _: Path) -> Iterator[Told]:
    with announcing(lab.jump_address, router_id=51, address=lab.vips[-2]):
        yield {"router_id": 51, "address": lab.vips[-2]}


SERVICES: Mapping[str, Service] = {
    "mysql-8.0": partial(_mysql, "8.0"),
    "mysql-5.7": partial(_mysql, "5.7"),
    "mariadb": partial(_mysql, "mariadb"),
    "registry": _registry,
    "registry-plain": partial(_registry, tls=False),
    "registry-expired": partial(_registry, end_days=-1),
    "registry-html": _html,
    "etcd": _etcd,
    "etcd-member-down": partial(_etcd, ended=1),
    "nfs": _nfs,
    "nfs-root-squash": partial(_nfs, squash="Root_Squash"),
    "balancer": _balancer,
    "balancer-one-missing": partial(_balancer, missing=1),
    "balancer-5s-idle": partial(_balancer, idle_s=5),
    "balancer-ends-tls": partial(_balancer, ends_tls=True),
    "virtual-router": _virtual_router,
}
