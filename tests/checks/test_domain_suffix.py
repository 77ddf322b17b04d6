"""The check of the domain suffix: a resolver of this machine, real scripts, and what each answer gives rise to."""

from __future__ import annotations

import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from rbdtui.checks.services import THIS_MACHINE, Asking
from rbdtui.checks.services.asking import no_secret
from rbdtui.checks.services.domain_suffix import CHECK, SuffixAnswer, SuffixQuestion
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.profiles import KUBERNETES_ONLY
from rbdtui.transport.base import RemoteAnswerError
from rbdtui.transport.scripts import script
from tests.checks.scripted_host import ScriptedHost
from tests.checks.support import VIP, place, spec_of
from tests.transport.conftest import Connect, StartSshd, connect, start_sshd

__all__ = ["connect", "start_sshd"]

SPEC = spec_of()
CHOSEN = SuffixQuestion("apps.example", (IPv4Address(VIP),), (IPv4Address("10.0.0.11"), IPv4Address("10.0.0.12")))


def judged(asked: SuffixQuestion, answers: dict[str, SuffixAnswer]) -> list[Finding]:
    return list(CHECK.judge(asked, answers, ClusterView(SPEC, {}, place, SPEC.profile.limits)))


def to(*addresses: str) -> SuffixAnswer:
    return SuffixAnswer(tuple(IPv4Address(address) for address in addresses))


def test_what_is_asked_depends_on_suffix_and_gateway() -> None:
    nip = CHECK.question(SPEC)
    assert nip is not None
    assert (nip.suffix, nip.is_chosen) == (f"{VIP}.nip.io", False)
    external = spec_of(gateway={"mode": "external", "address": "10.0.0.90"})
    asked = CHECK.question(external)
    assert asked is not None
    assert asked.wanted == (IPv4Address("10.0.0.90"),)
    none = CHECK.question(spec_of(gateway={"mode": "none"}))
    assert none is not None
    assert len(none.wanted) == 3
    assert CHECK.question(spec_of(profile=KUBERNETES_ONLY)) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(to(VIP), [], id="right"),
        pytest.param(to(), ["RBD-DOMAIN-101"], id="nowhere"),
        pytest.param(to("203.0.113.80"), ["RBD-DOMAIN-102"], id="elsewhere"),
        pytest.param(to(VIP, "203.0.113.80"), ["RBD-DOMAIN-102"], id="there and elsewhere"),
        pytest.param(to("10.0.0.11"), ["RBD-DOMAIN-103"], id="one gateway"),
        pytest.param(to("10.0.0.11", "10.0.0.12"), ["RBD-DOMAIN-103"], id="the gateways themselves"),
        pytest.param(SuffixAnswer(could_ask=False), ["RBD-DOMAIN-105"], id="nobody can tell"),
    ],
)
def test_where_names_lead_is_told(answer: SuffixAnswer, expected: list[str]) -> None:
    assert [each.code for each in judged(CHOSEN, {"node1": answer})] == expected


def test_this_machine_counts_as_well_and_all_that_see_the_same_are_one_finding() -> None:
    findings = judged(CHOSEN, {"node1": to(VIP), "node2": to(), THIS_MACHINE: to(), "node3": to("10.0.0.9")})
    assert [(each.code, str(each.params["hosts"])) for each in findings] == [
        ("RBD-DOMAIN-101", "node2, this machine"),
        ("RBD-DOMAIN-102", "node3"),
    ]
    assert {each.severity for each in findings} == {Severity.WARNING}
    assert VIP in str(findings[0].remedy)


def test_a_public_suffix_that_the_site_does_not_reach_is_told_as_such() -> None:
    nip = CHECK.question(SPEC)
    assert nip is not None
    assert [each.code for each in judged(nip, {"node1": to(), "node2": to()})] == ["RBD-DOMAIN-104"]
    assert judged(nip, {"node1": to(VIP)}) == []


async def test_this_machine_looks_up_for_itself() -> None:
    # Every name below localhost leads to 127.0.0.1 for glibc (RFC 6761), as a wildcard would.
    answer = await CHECK.ask(SuffixQuestion("localhost", ()), Asking(no_secret))
    assert answer in (to("127.0.0.1"), to())
    assert await CHECK.ask(SuffixQuestion("no-such-zone.invalid", ()), Asking(no_secret)) == to()


async def test_a_node_looks_up_for_itself(start_sshd: StartSshd, connect: Connect) -> None:
    sshd = await start_sshd()
    node = connect(sshd.endpoint(), sshd.known_hosts())
    assert await CHECK.ask(SuffixQuestion("no-such-zone.invalid", ()), Asking(no_secret, node)) == to()


def test_the_script_names_addresses_once_each_and_says_when_it_cannot(tmp_path: Path) -> None:
    getent = tmp_path / "getent"
    getent.write_text("#!/bin/sh\necho '10.0.0.9  STREAM x'\necho '10.0.0.9  DGRAM'\necho '10.0.0.8  RAW'\n")
    getent.chmod(0o755)
    command = ["/bin/sh", "-c", script("resolve").text, "rbdtui/resolve", "x.apps.example"]
    there = subprocess.run(
        command, capture_output=True, text=True, timeout=20, check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}
    )
    assert there.stdout.split() == ["10.0.0.8", "10.0.0.9"]
    absent = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, env={"PATH": "/none"})
    assert absent.stdout.strip() == "getent absent"


async def test_a_hosts_odd_answer_is_its_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.checks.scripted_host.VIP", "not an address")
    with pytest.raises(RemoteAnswerError):
        await CHECK.ask(CHOSEN, Asking(no_secret, ScriptedHost("node1", {})))
