"""Certificates told by place and kind: the soonest first, what renews them, and what nobody could be asked about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rbdtui.engine.inputs import Purpose
from rbdtui.plan.certificates import NodeCertificate
from rbdtui.plan.recipes.renew import NODES, SINCE
from rbdtui.session import Session
from rbdtui.site import Site, SiteError
from rbdtui.transport.base import ConnectRefusedError, Host
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.upkeep import certificate_survey
from rbdtui.workbench.upkeep.certificate_survey import CertificateLine, find_certificates, renew_purpose
from tests.probes.standin import StandIn
from tests.screens.conftest import make_site

AT = 1_790_000_000.0
DAY = 86400.0


def of_node(**ends: float) -> tuple[NodeCertificate, ...]:
    """Certificates by their files, with the days that they are good for."""
    paths = {"admin": "server/tls/client-admin.crt", "peer": "server/tls/etcd/peer-server-client.crt",
             "kubelet": "agent/client-kubelet.crt", "ca": "server/tls/client-ca.crt"}  # fmt: skip
    return tuple(
        NodeCertificate(paths[name], AT - DAY, AT + days * DAY, 60.0, is_authority=name == "ca")
        for name, days in ends.items()
    )


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session.open(make_site(tmp_path / "site").path, HeldPassphrase())


def answering(
    session: Session, monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, tuple[NodeCertificate, ...] | None]
) -> None:
    """Have nodes answer this; those that are not named do not answer at all."""
    names = [node.name for node in session.spec.managed_cluster_nodes]

    @asynccontextmanager
    async def hosts(_: Session) -> AsyncIterator[Mapping[str, object]]:
        yield {name: StandIn(name) for name in names}

    async def ask(host: Host) -> tuple[NodeCertificate, ...]:
        found = answers.get(host.name)
        if found is None:
            raise ConnectRefusedError(host.name, address="127.88.0.1", port=22)
        return found

    monkeypatch.setattr(Session, "hosts", hosts)
    monkeypatch.setattr(certificate_survey, "certificates_on", ask)


def test_each_kind_once_by_place_and_the_soonest_first(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, *others = [node.name for node in session.spec.managed_cluster_nodes]
    answers = {first: of_node(admin=200, peer=20, kubelet=200, ca=3000), second: of_node(admin=-1, peer=300)}
    answering(session, monkeypatch, answers)
    found = asyncio.run(find_certificates(session))
    assert [(line.node, line.kind) for line in found.lines] == [
        (second, "server"), (first, "etcd"), (first, "agent"), (first, "server"), (second, "etcd"),
        (first, "authority"),
    ]  # fmt: skip
    assert [line.days_left(AT) for line in found.lines] == [-1, 20, 200, 200, 300, 3000]
    assert [line.is_soon(AT) for line in found.lines] == [True, True, False, False, False, False]
    assert found.lines[1].renewed_from == AT + (20 - 90) * DAY
    assert found.lines[-1].renewed_from is None, "nothing renews an authority by itself"
    assert set(found.silent) == set(others)


def test_a_kubeconfig_that_is_none_of_ours_is_left_out(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(session, monkeypatch, {})
    Site(session.site.path).kubeconfig_file.write_text("clusters: nonsense\n", encoding="utf-8")
    assert asyncio.run(find_certificates(session)).lines == ()


def test_whose_certificates_are_renewed(session: Session) -> None:
    known = [node.name for node in session.spec.managed_cluster_nodes]

    def arguments(purpose: Purpose) -> str:
        assert float(purpose.arguments[SINCE]) > 0
        return purpose.arguments[NODES]

    assert arguments(renew_purpose(session)) == ""
    assert arguments(renew_purpose(session, known[:1])) == known[0]
    with pytest.raises(SiteError) as raised:
        renew_purpose(session, ["nobody"])
    assert known[0] in str(raised.value)


def test_days_are_whole_ones() -> None:
    line = CertificateLine("", "kubeconfig", "kubeconfig", 1, AT + 30 * DAY - 1)
    assert line.days_left(AT) == 29
    assert line.is_soon(AT)
