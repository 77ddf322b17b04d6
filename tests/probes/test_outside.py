"""What the cluster needs from outside, and must not show there: MySQL, the image registry, the gateways' own port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rbdtui.probes import admin_port, image_registry, mysql
from rbdtui.probes.model import Answer, ProbeState
from rbdtui.probes.mysql_login import Login
from rbdtui.probes.question import ProbeContext, Question
from rbdtui.probes.routes import Limits, ProbeRoutes, Readiness
from rbdtui.probes.settings import Settings
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import ConnectTimeoutError, Reach
from tests.checks.test_mysql_hostile import after_login, error, packet, says, served
from tests.probes import targets
from tests.probes.standin import Network, StandIn, spec_of
from tests.probes.targets import Authority, serve

OK, EXPECTED, DEGRADED = ProbeState.OK, ProbeState.EXPECTED, ProbeState.DEGRADED
DOWN, UNKNOWN = ProbeState.DOWN, ProbeState.UNKNOWN
LIMITS = Limits(connect_s=2.0, answer_s=2.0, script_s=5.0)
PASSWORD = "s3cret-of-the-vault"
WELCOME = packet(2, b"\0\0\0\x02\0\0\0")
DENIED = error(1045, "Access denied for user 'x'@'10.0.0.1' (using password: YES)", 2, b"#28000")


def field(name: str) -> bytes:
    parts = (b"def", b"", b"", b"", name.encode(), b"")
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\x0c\x2d\x00\x40\0\0\0\xfd\0\0\0\0\0"


def row(*values: str) -> bytes:
    return b"".join(bytes([len(value)]) + value.encode() for value in values)


def answers_with(version: str, read_only: str) -> bytes:
    """A result of two columns and one row, as the server sends it after one statement."""
    end = b"\xfe\0\0\x02\0"
    pieces = (b"\x02", field("version"), field("read_only"), end, row(version, read_only), end)
    return b"".join(packet(number, piece) for number, piece in enumerate(pieces, start=1))


def mysql_server(version: str = "8.0.36", read_only: str = "0") -> targets.Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await after_login(WELCOME)(reader, writer)
        while request := await reader.read(4096):
            if request[4:5] == b"\x01":
                return
            wanted = b"@@version" in request
            writer.write(answers_with(version, read_only) if wanted else packet(1, b"\0\0\0\x02\0\0\0"))

    return handler


def around(spec: ClusterSpec, network: Network, **known: str) -> ProbeContext:
    hosts = {node.name: StandIn(node.name, network) for node in spec.nodes}
    readiness = Readiness()
    settings = Settings(limits=LIMITS)
    ways = ProbeRoutes(hosts, readiness, LIMITS, straight=False)
    made = ProbeContext(spec, hosts, settings, ways, readiness, None, spec.gateways, spec.vip_nodes, installing=False)
    made.secret = known.get
    return made


async def asked(question: Question) -> list[Answer]:
    answers: list[Answer] = []
    await question.ask(answers.append)
    return answers


def with_mysql() -> ClusterSpec:
    return spec_of(
        mysql={"mode": "external", "host": "db.corp", "port": 3306, "username": "rbd", "password": "secret:mysql"}
    )


@asynccontextmanager
async def mysql_question(handler: targets.Handler, **known: str) -> AsyncIterator[mysql.MysqlQuestion]:
    async with served(handler) as server:
        yield mysql.MysqlQuestion(around(with_mysql(), {("db.corp", 3306): server.port}, **known))


@pytest.mark.parametrize(
    ("handler", "password", "state", "words"),
    [
        pytest.param(mysql_server(), PASSWORD, OK, "Login OK, version 8.0.36", id="well"),
        pytest.param(mysql_server(read_only="1"), PASSWORD, DOWN, "read-only", id="replica"),
        pytest.param(after_login(DENIED, hold_s=1), None, OK, "login not checked", id="vault closed"),
        pytest.param(after_login(DENIED, hold_s=1), PASSWORD, DOWN, "(1045): Access denied", id="wrong password"),
        pytest.param(says(error(1040, "Too many connections"), hold_s=1), PASSWORD, DOWN, "(1040)", id="full"),
        pytest.param(says(error(1129, "Host is blocked"), hold_s=1), None, DOWN, "(1129)", id="blocked"),
        pytest.param(says(b"SSH-2.0-OpenSSH_9.2\r\n", hold_s=1), PASSWORD, DOWN, "", id="another service"),
        pytest.param(says(), PASSWORD, DOWN, "", id="closes"),
        pytest.param(says(hold_s=30), PASSWORD, DOWN, "does not reply", id="silent"),
    ],
)
async def test_mysql(handler: targets.Handler, password: str | None, state: ProbeState, words: str) -> None:
    known = {"mysql": password} if password else {}
    async with mysql_question(handler, **known) as question:
        (answer,) = await asked(question)
    assert answer.state is state
    assert words in str(answer.detail)
    assert "checked from node1" in str(answer.detail)
    assert PASSWORD not in repr(answer) + repr(Login("rbd", PASSWORD))


async def test_a_closed_port_is_down_and_no_node_is_unknown() -> None:
    spec = with_mysql()
    (closed,) = await asked(mysql.MysqlQuestion(around(spec, {("db.corp", 3306): Reach.REFUSED})))
    assert (closed.state, "Closed" in str(closed.detail)) == (DOWN, True)
    cut_off = around(spec, {})
    for host in cut_off.hosts.values():
        assert isinstance(host, StandIn)
        host.broken = ConnectTimeoutError(host.name)
    (unknown,) = await asked(mysql.MysqlQuestion(cut_off))
    assert unknown.state is UNKNOWN


async def test_a_refused_password_is_not_tried_again_and_again() -> None:
    tried: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await after_login(DENIED, hold_s=0.2)(Noting(reader), writer)  # type: ignore[arg-type]

        class Noting:
            def __init__(self, inner: asyncio.StreamReader) -> None:
                self._inner = inner

            async def read(self, limit: int) -> bytes:
                tried.append(await self._inner.read(limit))
                return tried[-1]

        await noted(reader, writer)

    async with mysql_question(handler, mysql=PASSWORD) as question:
        answers = [await asked(question) for _ in range(4)]
    assert [one.state for answer in answers for one in answer] == [DOWN]
    assert sum(b"rbd\0" in login for login in tried) == 1
    assert sum(mysql.NOBODY.encode() in login for login in tried) == 3


REGISTRY = {"mode": "external", "domain": "hub.corp:5000", "namespace": "rainbond"}


@pytest.mark.parametrize(("status", "state"), [(200, OK), (401, OK), (403, DEGRADED), (404, DEGRADED), (503, DOWN)])
async def test_registry_over_http(status: int, state: ProbeState) -> None:
    spec = spec_of(registry={**REGISTRY, "scheme": "http"})
    async with serve(targets.http({"/v2/": (status, b"{}")})) as port:
        (answer,) = await asked(image_registry.RegistryQuestion(around(spec, {("hub.corp", 5000): port})))
    assert (answer.key.id, answer.state) == ("registry", state)
    assert str(status) in str(answer.detail)


async def test_registry_over_https_must_have_its_certificate(authority: Authority, tmp_path: Path) -> None:
    ca = tmp_path / "hub-ca.pem"
    ca.write_bytes(authority.pem)
    spec = spec_of(registry={**REGISTRY, "ca": str(ca)})
    for name, state in (("hub.corp", OK), ("other.corp", DOWN)):
        async with serve(targets.http({"/v2/": (401, b"{}")}), authority.server(name)) as port:
            (answer,) = await asked(image_registry.RegistryQuestion(around(spec, {("hub.corp", 5000): port})))
        assert answer.state is state


@pytest.mark.parametrize(
    ("network", "accepted", "state", "words"),
    [
        ({}, (), OK, "Not reachable"),
        ({("198.51.100.11", 9180): Reach.TIMED_OUT}, (), OK, "Not reachable"),
        ({("198.51.100.11", 9180): 0}, (), OK, "change every route"),
        ({("198.51.100.11", 9180): 0}, ("node1",), OK, "accepted in cluster.yaml: trial"),
        ({("198.51.100.11", 9180): 0}, ("node2",), OK, "change every route"),
    ],
)
async def test_admin_port(network: Network, accepted: tuple[str, ...], state: ProbeState, words: str) -> None:
    reasons = [{"code": admin_port.CODE, "node": node, "reason": "trial"} for node in accepted]
    spec = spec_of(acknowledged=reasons)
    async with serve(targets.http(401)) as port:
        network = {key: port if there == 0 else there for key, there in network.items()}
        made = around(spec, network)
        made.rainbond, made.kubeconfig = True, Path(__file__)
        (answer,) = await asked(admin_port.AdminPortQuestion(made, spec.node("node1")))
    assert answer.state is state
    assert words in str(answer.detail)
    assert answer.notice is ("change every route" in words)


async def test_where_every_node_is_a_gateway_nobody_can_tell() -> None:
    roles = ["control-plane", "etcd", "worker", "gateway"]
    nodes = [{"name": f"node{n}", "address": f"198.51.100.1{n}", "roles": roles} for n in (1, 2, 3)]
    spec = spec_of(nodes=nodes)
    made = around(spec, {})
    made.rainbond, made.kubeconfig = True, Path(__file__)
    (answer,) = await asked(admin_port.AdminPortQuestion(made, spec.node("node1")))
    assert answer.state is EXPECTED


@pytest.mark.parametrize("profile", ["kubernetes-only", "rainbond-6"])
def test_what_a_site_does_not_use_is_not_asked(profile: str) -> None:
    def ids(spec: ClusterSpec) -> Iterator[str]:
        made = around(spec, {})
        for probe in (mysql.PROBE, image_registry.PROBE, admin_port.PROBE):
            yield from (key.id for question in probe.questions(made) for key in question.keys)

    expected = [] if profile == "kubernetes-only" else ["admin-port@node1", "admin-port@node2"]
    assert list(ids(spec_of(profile))) == expected
