"""The check of an external etcd against real members with one fault each, hostile ones, and files that do not fit."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from rbdtui.checks.services import THIS_MACHINE, Asking, etcd_findings
from rbdtui.checks.services.asking import no_secret
from rbdtui.checks.services.etcd import CHECK, EtcdAnswer, EtcdQuestion
from rbdtui.checks.services.etcd_certificates import Material, flaws
from rbdtui.checks.services.etcd_client import Member, read_answers
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.transport.answers import UNREADABLE
from rbdtui.transport.base import Reach, ReachResult
from tests.checks.support import place, spec_of
from tests.lab.servers.certificates import DER, CertificateAuthority, Pair
from tests.lab.servers.etcd import EtcdCluster, etcd_cluster, why_no_etcd
from tests.probes.targets import full_listener, serve
from tests.transport.conftest import Connect, StartSshd, connect, start_sshd

__all__ = ["connect", "start_sshd"]

SPEC = spec_of()
LAB = CertificateAuthority("lab authority")
OTHER = CertificateAuthority("another authority")

needs_etcd = pytest.mark.skipif(bool(why_no_etcd()), reason=f"NOT TESTED AGAINST A REAL ETCD: {why_no_etcd()}")


def judged(question: EtcdQuestion, answers: dict[str, EtcdAnswer]) -> list[Finding]:
    return list(CHECK.judge(question, answers, ClusterView(SPEC, {}, place, SPEC.profile.limits)))


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def question(
    directory: Path, *endpoints: str, client: Pair | None = None, ca: bytes = LAB.pem, **contents: bytes
) -> EtcdQuestion:
    """Endpoints and three files, each as given or good."""
    pair = client or LAB.issue()
    written = {"ca": ca, "cert": pair.cert_pem, "key": pair.key_pem, **contents}
    for name, data in written.items():
        (directory / f"client-{name}").write_bytes(data)
    return EtcdQuestion(endpoints, *(str(directory / f"client-{name}") for name in ("ca", "cert", "key")))


async def found(asked: EtcdQuestion) -> list[Finding]:
    """What a node that sees what this machine sees would tell."""
    return judged(asked, {"node1": await CHECK.ask(asked, Asking(no_secret))})


@pytest.fixture(autouse=True)
def _real_members_may_be_slow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How quick a real etcd answers here is this machine's matter; slow answers have a test without a cluster."""
    if "slow_answer" not in request.node.name:
        monkeypatch.setattr(etcd_findings, "_SLOW_MS", 60_000.0)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdCluster]:
    with etcd_cluster(tmp_path_factory.mktemp("etcd"), LAB, members=3) as cluster:
        yield cluster


@needs_etcd
async def test_a_good_cluster_has_no_findings_and_tells_itself(three: EtcdCluster, tmp_path: Path) -> None:
    asked = question(tmp_path, *three.endpoints)
    answer = await CHECK.ask(asked, Asking(no_secret))
    assert judged(asked, {"node1": answer}) == []
    assert len({member.cluster for member in answer.members}) == 1
    assert sum(member.leader == member.member for member in answer.members) == 1
    assert [name for name, _ in answer.members[0].members] == ["m0", "m1", "m2"] or len(answer.members[0].members) == 3
    assert all(member.version and member.size_bytes > 0 for member in answer.members)


@needs_etcd
async def test_members_that_are_not_listed_are_told(three: EtcdCluster, tmp_path: Path) -> None:
    findings = await found(question(tmp_path, three.endpoints[0]))
    assert [(each.code, each.params["members"]) for each in findings] == [("RBD-ETCD-111", 3)]
    assert three.endpoints[2] in findings[0].evidence


@needs_etcd
async def test_the_same_member_under_two_names_is_told(three: EtcdCluster, tmp_path: Path) -> None:
    twice = three.endpoints[0].replace("127.0.0.1", "localhost")
    assert codes(await found(question(tmp_path, *three.endpoints[:2], twice))) == ["RBD-ETCD-115"]


@needs_etcd
async def test_a_name_that_the_certificate_does_not_have_is_told(three: EtcdCluster, tmp_path: Path) -> None:
    elsewhere = three.endpoints[0].replace("127.0.0.1", "127.1")
    findings = await found(question(tmp_path, elsewhere, *three.endpoints[1:]))
    assert "RBD-ETCD-107" in codes(findings)
    assert "127.1" in str(findings[0].message)


@needs_etcd
@pytest.mark.parametrize(
    ("pair", "ca", "expected"),
    [
        pytest.param(OTHER.issue(), LAB.pem + OTHER.pem, "RBD-ETCD-108", id="a client of another authority"),
        pytest.param(OTHER.issue(), OTHER.pem, "RBD-ETCD-107", id="a server of another authority"),
    ],
)
async def test_who_does_not_believe_whom_is_told(
    three: EtcdCluster, tmp_path: Path, pair: Pair, ca: bytes, expected: str
) -> None:
    findings = await found(question(tmp_path, *three.endpoints, client=pair, ca=ca))
    assert codes(findings) == [expected] * 3
    assert [each.place.field for each in findings] == [f"etcd.endpoints[{index}]" for index in range(3)]


@needs_etcd
async def test_an_expired_server_is_told(tmp_path: Path) -> None:
    expired = LAB.issue("127.0.0.1", days=(-10, -1))
    with etcd_cluster(tmp_path / "etcd", LAB, server=expired) as cluster:
        findings = await found(question(tmp_path, *cluster.endpoints))
    assert codes(findings) == ["RBD-ETCD-107"]
    assert "expired" in str(findings[0].message)


@needs_etcd
async def test_one_member_down_and_then_the_quorum(tmp_path: Path) -> None:
    with etcd_cluster(tmp_path / "etcd", LAB, members=3) as cluster:
        asked = question(tmp_path, *cluster.endpoints)
        cluster.end(2)
        # The member that ended may have led: the two that are left have no leader until they choose one.
        async with asyncio.timeout(30):
            while (seen := codes(await found(asked))) != ["RBD-ETCD-102"]:
                assert set(seen) == {"RBD-ETCD-102", "RBD-ETCD-109"}
                await asyncio.sleep(0.3)
        cluster.end(1)
        async with asyncio.timeout(30):
            while "RBD-ETCD-109" not in codes(await found(asked)):
                await asyncio.sleep(0.3)
        assert codes(await found(asked)) == ["RBD-ETCD-109", "RBD-ETCD-102", "RBD-ETCD-102"]


@needs_etcd
async def test_two_clusters_are_told(three: EtcdCluster, tmp_path: Path) -> None:
    with etcd_cluster(tmp_path / "etcd", LAB) as stranger:
        findings = await found(question(tmp_path, *three.endpoints[:2], *stranger.endpoints))
    assert codes(findings) == ["RBD-ETCD-112"]


@needs_etcd
async def test_an_even_number_of_members_is_told(tmp_path: Path) -> None:
    with etcd_cluster(tmp_path / "etcd", LAB, members=2) as cluster:
        assert codes(await found(question(tmp_path, *cluster.endpoints))) == ["RBD-ETCD-116"]


@needs_etcd
async def test_an_alarm_is_told(tmp_path: Path) -> None:
    with etcd_cluster(tmp_path / "etcd", LAB, options=("--quota-backend-bytes", "65536")) as cluster:
        asked = question(tmp_path, *cluster.endpoints)
        await fill(cluster.endpoints[0], asked)
        assert "RBD-ETCD-110" in codes(await found(asked))


async def fill(endpoint: str, asked: EtcdQuestion) -> None:
    """Write until the quota is exceeded, which raises the alarm; etcd counts what it has committed, every 100 ms."""
    import base64
    import urllib.error
    import urllib.request

    context = ssl.create_default_context(cafile=asked.ca)
    context.load_cert_chain(asked.cert, asked.key)
    value = base64.b64encode(bytes(30_000)).decode()

    def put(number: int) -> bool:
        body = json.dumps({"key": base64.b64encode(b"k%d" % number).decode(), "value": value}).encode()
        try:
            urllib.request.urlopen(f"https://{endpoint}/v3/kv/put", body, 30, context=context).close()
        except urllib.error.HTTPError as refused:
            return b"space exceeded" in refused.read()
        return False

    for number in range(600):
        if await asyncio.to_thread(put, number):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the quota was never exceeded")


@needs_etcd
async def test_it_is_asked_from_a_worker_by_its_sshd(
    three: EtcdCluster, tmp_path: Path, start_sshd: StartSshd, connect: Connect
) -> None:
    sshd = await start_sshd()
    worker = connect(sshd.endpoint(), sshd.known_hosts())
    asked = question(tmp_path, *three.endpoints)
    answer = await CHECK.ask(asked, Asking(no_secret, worker))
    assert judged(asked, {"n1": answer, "node1": answer}) == []
    assert all(member.told for member in answer.members)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def speaks_html(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>welcome</html>")
    await writer.drain()


async def sends_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(1600):
        writer.write(bytes(65536))
        await writer.drain()


def tls(mutual: bool = False) -> ssl.SSLContext:
    pair = LAB.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(pair.cert_pem + pair.key_pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


@pytest.mark.parametrize(
    ("handler", "secured", "expected"),
    [
        pytest.param(hangs_up, False, ["RBD-ETCD-106"], id="hangs up"),
        pytest.param(speaks_html, False, ["RBD-ETCD-106"], id="plain HTTP"),
        pytest.param(hangs_up, True, ["RBD-ETCD-106"], id="hangs up after TLS"),
        pytest.param(speaks_html, True, ["RBD-ETCD-109"], id="HTML over TLS"),
        pytest.param(sends_without_end, True, ["RBD-ETCD-109"], id="100 MB"),
    ],
)
async def test_what_is_no_etcd_is_told(handler: Handler, secured: bool, expected: list[str], tmp_path: Path) -> None:
    async with serve(handler, tls() if secured else None) as port, asyncio.timeout(20):
        assert codes(await found(question(tmp_path, f"127.0.0.1:{port}"))) == expected


async def test_what_keeps_a_connection_away_is_told_apart(tmp_path: Path) -> None:
    with full_listener() as deaf:
        asked = question(tmp_path, "127.0.0.1:1", f"127.0.0.1:{deaf}", "etcd.invalid:2379")
        assert codes(await found(asked)) == ["RBD-ETCD-102", "RBD-ETCD-103", "RBD-ETCD-101"]
    forbidden = Member("e", ReachResult(Reach.FORBIDDEN, 1.0))
    no_route = Member("e", ReachResult(Reach.UNREACHABLE, 1.0, "Network is unreachable"))
    two = EtcdQuestion(("a:2379", "b:2379"), "", "", "")
    findings = judged(two, {"node1": EtcdAnswer((), (forbidden, no_route))})
    assert [(each.code, each.severity) for each in findings] == [
        ("RBD-ETCD-105", Severity.WARNING),
        ("RBD-ETCD-104", Severity.ERROR),
    ]


def test_a_large_database_and_a_slow_answer_are_warnings() -> None:
    member = Member("a:2379", ReachResult(Reach.OPEN, 1.0), evidence="{}", healthy=True, latency_ms=900.0)
    asked = EtcdQuestion(("a:2379",), "", "", "")
    large = replace(member, size_bytes=1900 << 20)
    findings = judged(asked, {"node1": EtcdAnswer((), (large,)), THIS_MACHINE: EtcdAnswer((), (member,))})
    assert [(each.code, each.severity) for each in findings] == [
        ("RBD-ETCD-114", Severity.WARNING),
        ("RBD-ETCD-113", Severity.WARNING),
    ]


PAIR = LAB.issue()
INNER = CertificateAuthority("inner authority", above=LAB)
BELOW = INNER.issue()
GOOD = Material(LAB.pem, PAIR.cert_pem, PAIR.key_pem)
ENCRYPTED = PAIR.key_bytes(passphrase=b"a passphrase")
OLD_STYLE = (
    b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n"
    b"-----END RSA PRIVATE KEY-----\n"
)
FILES = [
    pytest.param(GOOD, [], id="all well"),
    pytest.param(replace(GOOD, ca=OTHER.pem + LAB.pem), [], id="several authorities"),
    pytest.param(replace(GOOD, cert=b"Bag Attributes\n  localKeyID: 01\n" + GOOD.cert), [], id="words in front"),
    pytest.param(Material(LAB.pem, BELOW.cert_pem + INNER.pem, BELOW.key_pem), [], id="an authority in between"),
    pytest.param(Material(LAB.pem, BELOW.cert_pem, BELOW.key_pem), [("RBD-ETCD-125", "cert")], id="a gap"),
    pytest.param(
        Material(LAB.pem, INNER.pem + BELOW.cert_pem, BELOW.key_pem), [("RBD-ETCD-129", "cert")], id="wrong order"
    ),
    pytest.param(
        replace(GOOD, cert=PAIR.certificate.public_bytes(DER)), [("RBD-ETCD-121", "cert")], id="DER certificate"
    ),
    pytest.param(replace(GOOD, ca=LAB.certificate.public_bytes(DER)), [("RBD-ETCD-121", "ca")], id="DER authority"),
    pytest.param(replace(GOOD, key=PAIR.key_bytes(DER)), [("RBD-ETCD-121", "key")], id="DER key"),
    pytest.param(replace(GOOD, cert=GOOD.key), [("RBD-ETCD-122", "cert")], id="a key for a certificate"),
    pytest.param(replace(GOOD, key=GOOD.cert), [("RBD-ETCD-122", "key")], id="a certificate for a key"),
    pytest.param(replace(GOOD, cert=b""), [("RBD-ETCD-122", "cert")], id="empty"),
    pytest.param(replace(GOOD, cert=bytes(range(256)) * 4), [("RBD-ETCD-122", "cert")], id="noise"),
    pytest.param(
        replace(GOOD, cert=b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        [("RBD-ETCD-122", "cert")], id="a broken block",
    ),
    pytest.param(replace(GOOD, key=ENCRYPTED), [("RBD-ETCD-123", "key")], id="encrypted key"),
    pytest.param(replace(GOOD, key=OLD_STYLE), [("RBD-ETCD-123", "key")], id="encrypted key of the old style"),
    pytest.param(
        replace(GOOD, key=PAIR.key_bytes(DER, b"x y z")), [("RBD-ETCD-123", "key")], id="encrypted key in DER"
    ),
    pytest.param(replace(GOOD, key=LAB.issue().key_pem), [("RBD-ETCD-124", "key")], id="another key"),
    pytest.param(replace(GOOD, ca=OTHER.pem), [("RBD-ETCD-125", "cert")], id="another authority"),
]  # fmt: skip
DATES = [
    pytest.param((-9, -1), ["RBD-ETCD-126"], id="expired"),
    pytest.param((1, 9), ["RBD-ETCD-127"], id="not yet"),
    pytest.param((-9, 9), ["RBD-ETCD-128"], id="soon"),
    pytest.param((-9, 99), [], id="in time"),
]


@pytest.mark.parametrize(("material", "expected"), FILES)
def test_files_that_do_not_fit_are_told(material: Material, expected: list[tuple[str, str]]) -> None:
    assert [(flaw.code, flaw.role) for flaw in flaws(material)] == expected


@pytest.mark.parametrize(("days", "expected"), DATES)
def test_dates_are_told(days: tuple[float, float], expected: list[str]) -> None:
    pair = LAB.issue(days=days)
    assert [flaw.code for flaw in flaws(Material(LAB.pem, pair.cert_pem, pair.key_pem))] == expected


def test_a_certificate_for_servers_is_none_for_clients() -> None:
    pair = LAB.issue(usages=(ExtendedKeyUsageOID.SERVER_AUTH,))
    assert [flaw.code for flaw in flaws(Material(LAB.pem, pair.cert_pem, pair.key_pem))] == ["RBD-ETCD-130"]


async def test_flaws_of_files_are_told_once_and_nobody_is_asked_with_them(tmp_path: Path) -> None:
    asked = question(tmp_path, "127.0.0.1:1", key=ENCRYPTED)
    answer = await CHECK.ask(asked, Asking(no_secret))
    findings = judged(asked, {"node1": answer, "node2": answer, THIS_MACHINE: answer})
    assert [(each.code, each.place.field) for each in findings] == [
        ("RBD-ETCD-123", "etcd.key"),
        ("RBD-ETCD-102", "etcd.endpoints[0]"),
    ]
    missing = EtcdQuestion(("127.0.0.1:1",), str(tmp_path / "none"), asked.cert, asked.key)
    assert codes(judged(missing, {"node1": await CHECK.ask(missing, Asking(no_secret))})) == ["RBD-ETCD-102"]


@pytest.mark.parametrize(
    "listed",
    [{}, {"header": {}}, {"header": {"cluster_id": 1, "member_id": 2}, "members": 7}, {"header": [], "members": []}],
)
def test_answers_that_are_none_are_not_understood(listed: dict[str, object]) -> None:
    with pytest.raises(UNREADABLE):
        read_answers(Member("a:1", ReachResult(Reach.OPEN, 1.0)), listed, {"dbSize": "1"}, {})
