"""The rules on MySQL and the registry, each on a plan with one mistake; the CA file as this machine has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.paths import assets_dir
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.references import check_local
from rbdtui.words import LANGUAGES, say
from tests.spec.samples import judged

V5, V6 = ((assets_dir() / "examples" / f"{name}.yaml").read_text() for name in ("rainbond-5.17", "three-node"))
ACCOUNT = "username: rbd, password: secret:mysql"
HUB = "username: u, password: secret:hub"


def plan(text: str, **sections: str) -> str:
    """An example with sections of its own in place of those that it has."""
    kept, skipping = [], False
    for line in text.splitlines():
        if not line.startswith((" ", "#")) and line.strip():
            skipping = line.split(":")[0] in sections
        if not skipping:
            kept.append(line)
    return "\n".join([*kept, *(f"{name}: {section}" for name, section in sections.items())]) + "\n"


def found(text: str) -> list[tuple[str, str, str]]:
    rooms = ("RBD-MYSQL-", "RBD-REG-", "RBD-SPEC-")
    findings = [finding for finding in judged(text) if finding.code.startswith(rooms)]
    for finding in findings:
        for language in LANGUAGES:
            assert "{" not in say(finding.message, language) + say(finding.remedy, language)
    return [(finding.code, str(finding.severity), finding.place.field) for finding in findings]


@pytest.mark.parametrize("text", [V5, V6], ids=["5.17", "6"])
def test_good_plans_have_nothing_to_complain_of(text: str) -> None:
    good = {
        "mysql": f"{{mode: external, host: db.corp, {ACCOUNT}}}",
        "registry": f"{{mode: external, domain: 'hub.corp:5000', namespace: rbd, {HUB}, ca: /etc/ca.pem}}",
    }
    assert found(plan(text, **good)) == []
    assert found(plan(text, registry="{mode: external, domain: hub.corp}")) == []
    assert found(plan(text, registry="{mode: builtin}", mysql="{mode: builtin}")) == []


def test_a_password_in_clear_is_to_be_kept_under_its_sections_name() -> None:
    text = plan(V6, mysql="{mode: external, host: db.corp, username: rbd, password: Plain123}")
    (finding,) = (each for each in parse_spec(text).findings if each.code == "RBD-SPEC-030")
    assert finding.params["secret"] == "mysql", "whoever follows this would write over the password of SSH"
    assert "Plain123" not in str(finding.message) + finding.evidence


MISTAKES = [
    (
        "mysql",
        "{mode: external, host: db.corp, username: 'a:b', password: secret:mysql}",
        ("RBD-MYSQL-002", "error", "mysql.username"),
    ),
    ("mysql", f"{{mode: external, host: localhost, {ACCOUNT}}}", ("RBD-MYSQL-003", "error", "mysql.host")),
    ("mysql", f"{{mode: external, host: 127.0.0.1, {ACCOUNT}}}", ("RBD-MYSQL-003", "error", "mysql.host")),
    ("mysql", f"{{mode: external, host: node1, {ACCOUNT}}}", ("RBD-MYSQL-004", "warning", "mysql.host")),
    ("mysql", f"{{mode: external, host: 'root@db', {ACCOUNT}}}", ("RBD-SPEC-014", "error", "mysql.host")),
    ("mysql", f"{{mode: external, host: 'tcp://db', {ACCOUNT}}}", ("RBD-SPEC-014", "error", "mysql.host")),
    ("mysql", f"{{mode: external, host: db, port: 0, {ACCOUNT}}}", ("RBD-SPEC-007", "error", "mysql.port")),
    ("mysql", f"{{mode: external, host: db, port: 65536, {ACCOUNT}}}", ("RBD-SPEC-007", "error", "mysql.port")),
    ("registry", "{mode: external, domain: hub.corp, username: u}", ("RBD-REG-003", "error", "registry.username")),
    (
        "registry",
        "{mode: external, domain: hub.corp, password: secret:hub}",
        ("RBD-REG-004", "error", "registry.password"),
    ),
    (
        "registry",
        "{mode: external, domain: hub.corp, insecure_skip_verify: true}",
        ("RBD-REG-006", "warning", "registry.insecure_skip_verify"),
    ),
    (
        "registry",
        "{mode: external, domain: 'hub.corp:80', scheme: http}",
        ("RBD-REG-007", "warning", "registry.scheme"),
    ),
    ("registry", "{mode: external, domain: 'localhost:5000'}", ("RBD-REG-008", "error", "registry.domain")),
    ("registry", "{mode: external, domain: 'goodrain.me:443'}", ("RBD-REG-009", "error", "registry.domain")),
    ("registry", "{mode: external, domain: hub}", ("RBD-REG-010", "error", "registry.domain")),
    ("registry", "{mode: external, domain: 'https://hub.corp'}", ("RBD-SPEC-053", "error", "registry.domain")),
    ("registry", "{mode: external, domain: hub.corp/rbd}", ("RBD-SPEC-053", "error", "registry.domain")),
    ("registry", "{mode: external, domain: Hub.corp}", ("RBD-SPEC-054", "error", "registry.domain")),
    ("registry", "{mode: external, domain: 'hub.corp:0'}", ("RBD-SPEC-055", "error", "registry.domain")),
    ("registry", "{mode: external, domain: 'hub.corp:65536'}", ("RBD-SPEC-055", "error", "registry.domain")),
]


@pytest.mark.parametrize(("section", "written", "expected"), MISTAKES, ids=[written for _, written, _ in MISTAKES])
def test_each_mistake_is_named(section: str, written: str, expected: tuple[str, str, str]) -> None:
    assert found(plan(V6, **{section: written})) == [expected]


def test_what_makes_no_sense_with_http() -> None:
    written = "{mode: external, domain: hub.corp, scheme: http, ca: /x, insecure_skip_verify: true}"
    assert {code for code, *_ in found(plan(V6, registry=written))} == {"RBD-REG-002", "RBD-REG-005", "RBD-REG-007"}


def test_the_registrys_ca_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("# office\n-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "directory").mkdir()
    for name, codes in (
        ("good", []),
        ("directory", ["RBD-LOCAL-010"]),
        ("none", ["RBD-LOCAL-009"]),
    ):
        loaded = parse_spec(plan(V6, registry=f"{{mode: external, domain: hub.corp, ca: {tmp_path / name}}}"))
        assert loaded.spec is not None
        findings = [
            each for each in check_local(loaded.spec, tmp_path, loaded.place) if each.place.field == "registry.ca"
        ]
        assert [each.code for each in findings] == codes
        for each in findings:
            assert all("{" not in say(each.message, lang) + say(each.remedy, lang) for lang in LANGUAGES)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("source: node1, replica: node2, username: rbd", set()),
        ("source: node1, replica: node2, username: 'a:b'", {("RBD-MYSQL-002", "error", "mysql.username")}),
        ("source: node1, replica: node1, username: rbd", {("RBD-MYSQL-005", "error", "mysql.replica")}),
        ("source: node1, replica: node2, username: rbdtui-replica", {("RBD-MYSQL-006", "error", "mysql.username")}),
        ("source: node1, replica: node2, username: Root", {("RBD-MYSQL-006", "error", "mysql.username")}),
        ('source: node1, replica: node2, username: "rain\'bond"', {("RBD-MYSQL-006", "error", "mysql.username")}),
        ("source: node1, replica: node2, username: 'a b'", {("RBD-MYSQL-006", "error", "mysql.username")}),
        ("source: node1, replica: node2, username: 用户", {("RBD-MYSQL-006", "error", "mysql.username")}),
        (f"source: node1, replica: node2, username: {'r' * 33}", {("RBD-MYSQL-006", "error", "mysql.username")}),
        ("source: node1, replica: node2, username: rbd, port: 22", {("RBD-MYSQL-007", "error", "mysql.port")}),
    ],
)
def test_a_pair_is_two_servers_and_an_account_of_its_own(pair: str, expected: set[tuple[str, str, str]]) -> None:
    keys = ("source", "replica") if "replica: node2" in pair else ("source",)
    on_nodes = {("RBD-MYSQL-004", "warning", f"mysql.{key}") for key in keys}
    assert set(found(plan(V6, mysql=f"{{mode: pair, {pair}, password: secret:mysql}}"))) == expected | on_nodes
