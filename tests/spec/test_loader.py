"""The loader: every mistake has a code, a field, a place and both languages; nothing makes it raise."""

from __future__ import annotations

import json
import os
import string
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rbdtui.findings import Finding
from rbdtui.spec import tree
from rbdtui.spec.loader import MAX_FINDINGS, MAX_SIZE_BYTES, LoadedSpec, load_spec, parse_spec, parse_values
from rbdtui.spec.model import Bastion, Role
from rbdtui.words import LANGUAGES, say
from tests.spec.samples import GOOD, changed


def only(text: str | bytes) -> Finding:
    loaded = parse_spec(text)
    assert loaded.spec is None
    assert len(loaded.findings) == 1, [(finding.code, finding.place) for finding in loaded.findings]
    assert_speaks(loaded)
    return loaded.findings[0]


def assert_speaks(loaded: LoadedSpec) -> None:
    """Every finding has a full sentence in every language, and no terminal would act on any part of it."""
    for finding in loaded.findings:
        for language in LANGUAGES:
            for text in (finding.message, finding.remedy):
                sentence = say(text, language)
                assert not sentence.startswith("finding."), finding.code
                assert sentence.isprintable(), sentence
        assert finding.evidence.isprintable()
        assert str(finding.place).isprintable()


def where(finding: Finding) -> tuple[str, int, int]:
    return finding.place.field, finding.place.line, finding.place.column


def test_a_good_file_is_loaded_whole() -> None:
    loaded = parse_spec(GOOD)
    assert loaded.findings == ()
    spec = loaded.spec
    assert spec is not None
    assert [node.name for node in spec.nodes] == ["node1", "node2", "node3"]
    assert [str(node.address) for node in spec.gateways] == ["10.0.0.11", "10.0.0.12"]
    assert spec.nodes[2].roles == [Role.CONTROL_PLANE, Role.ETCD, Role.WORKER]
    assert str(spec.gateway.vip) == "10.0.0.100/24"
    assert str(spec.api_address) == "10.0.0.100"
    assert spec.ssh.sudo_password == "secret:sudo"


def test_places_of_fields_written_and_not_written() -> None:
    loaded = parse_spec(GOOD)
    place = loaded.place("nodes[1].address")
    assert (place.line, place.column, place.node) == (14, 14, "node2")
    assert (loaded.place("nodes[1].ssh.port").line, loaded.place("nodes[1].ssh.port").node) == (13, "node2")
    assert loaded.place("nodes").line == 9
    assert loaded.place("gateway.interface").line == 23
    assert loaded.place("storage").line == 1
    assert loaded.place("nodes[99].name").node == ""


@pytest.mark.parametrize(
    "plain", [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode(), GOOD + "...\n"]
)
def test_byte_order_mark_and_line_ends_are_fine(plain: str | bytes) -> None:
    loaded = parse_spec(plain)
    assert loaded.spec == parse_spec(GOOD).spec
    assert loaded.place("nodes[1].address").line == 14


def test_one_bastion_or_several() -> None:
    one = parse_spec(changed(("  port: 22\n", "  bastion: {address: 10.9.0.1, user: jump}\n"))).spec
    many = parse_spec(changed(("  port: 22\n", "  bastion: [{address: jump.lan}, {address: 10.9.0.2}]\n"))).spec
    assert one is not None
    assert many is not None
    assert isinstance(one.ssh.bastion, Bastion)
    assert [bastion.address for bastion in many.ssh.bastions or []] == ["jump.lan", "10.9.0.2"]


TRAPS = [
    ("unicast: true", "unicast: yes", "RBD-YAML-020", ("gateway.unicast", 27, 12)),
    ("unicast: true", "unicast: Off", "RBD-YAML-020", ("gateway.unicast", 27, 12)),
    ("name: node2", "name: n", "RBD-YAML-020", ("nodes[1].name", 13, 11)),
    ("port: 22", "port: 0022", "RBD-YAML-021", ("ssh.port", 7, 9)),
    ("port: 22", "port: 0o26", "RBD-YAML-024", ("ssh.port", 7, 9)),
    ("port: 22", "port: 0x16", "RBD-YAML-024", ("ssh.port", 7, 9)),
    ("port: 22", "port: 0b10110", "RBD-YAML-024", ("ssh.port", 7, 9)),
    ("port: 22", "port: 2_2", "RBD-YAML-024", ("ssh.port", 7, 9)),
    ("port: 22", "port: 22e0", "RBD-YAML-024", ("ssh.port", 7, 9)),
    ("port: 22", "port: 0:22", "RBD-YAML-022", ("ssh.port", 7, 9)),
    ("port: 22", "port: 1:30:00", "RBD-YAML-022", ("ssh.port", 7, 9)),
    ("name: site-a", "name: 2024-01-31", "RBD-YAML-023", ("name", 2, 7)),
    ("port: 22", "port: .inf", "RBD-YAML-025", ("ssh.port", 7, 9)),
    ("port: 22", "port: -.INF", "RBD-YAML-025", ("ssh.port", 7, 9)),
    ("port: 22", "port: .NaN", "RBD-YAML-025", ("ssh.port", 7, 9)),
    ("port: 22", "port: ~", "RBD-YAML-026", ("ssh.port", 7, 3)),
    ("port: 22", "port: null", "RBD-YAML-026", ("ssh.port", 7, 3)),
    ("port: 22", "port:", "RBD-YAML-026", ("ssh.port", 7, 3)),
    ("port: 22", "port: " + "9" * 30, "RBD-YAML-027", ("ssh.port", 7, 9)),
    ("user: ops", "user: =", "RBD-YAML-024", ("ssh.user", 6, 9)),
]


@pytest.mark.parametrize(("old", "new", "code", "place"), TRAPS, ids=[trap[1] for trap in TRAPS])
def test_yaml_traps_are_refused_once_and_at_their_place(
    old: str, new: str, code: str, place: tuple[str, int, int]
) -> None:
    finding = only(changed((old, new)))
    assert finding.code == code
    assert where(finding) == place


@pytest.mark.parametrize("text", ["yes", "0022", "1:30", "2024-01-31", ".inf", "~", "null", "true", "22", "1_0", "="])
def test_a_trap_in_quotes_is_text(text: str) -> None:
    loaded = parse_spec(changed(("user: ops", f"user: '{text}'")))
    assert loaded.spec is not None
    assert loaded.spec.ssh.user == text


@given(st.text(string.ascii_letters + string.digits + "_.:-+~=", min_size=1, max_size=12))
@settings(max_examples=400, deadline=None)
@example("09")
@example("1e3")
@example("+12")
@example("-0")
@example("12e03")
@example("._1")
def test_what_is_taken_means_the_same_to_yaml_1_1(word: str) -> None:
    """PyYAML reads YAML 1.1: a plain word that we take must be the same value to it."""
    loaded = parse_spec(f"a: {word}\n")
    if loaded.data is None or isinstance(loaded.data.get("a"), str | int | float) is False:
        return
    theirs = yaml.safe_load(f"a: {word}\n")["a"]
    assert (type(theirs), theirs) == (type(loaded.data["a"]), loaded.data["a"])


SHAPES = [
    ("unicast: true", "unicats: true", "RBD-SPEC-001", ("gateway.unicats", 27, 3)),
    ("apiVersion: rbdtui/v1\n", "", "RBD-SPEC-002", ("apiVersion", 1, 1)),
    ("    address: 10.0.0.12\n", "", "RBD-SPEC-002", ("nodes[1].address", 13, 5)),
    ("name: node2", "name: 12", "RBD-SPEC-003", ("nodes[1].name", 13, 11)),
    ("name: node2", "name: 1.5", "RBD-SPEC-003", ("nodes[1].name", 13, 11)),
    ("name: node2", "name: true", "RBD-SPEC-003", ("nodes[1].name", 13, 11)),
    ("port: 22", "port: '22'", "RBD-SPEC-004", ("ssh.port", 7, 9)),
    ("port: 22", "port: 22.0", "RBD-SPEC-004", ("ssh.port", 7, 9)),
    ("port: 22", "port: true", "RBD-SPEC-004", ("ssh.port", 7, 9)),
    ("unicast: true", "unicast: 1", "RBD-SPEC-005", ("gateway.unicast", 27, 12)),
    ("unicast: true", "unicast: 'true'", "RBD-SPEC-005", ("gateway.unicast", 27, 12)),
    ("mode: keepalived", "mode: keepalive", "RBD-SPEC-006", ("gateway.mode", 24, 9)),
    ("profile: kubernetes-only", "profile: rainbond-5", "RBD-SPEC-006", ("profile", 3, 10)),
    ("rbdtui/v1", "rbdtui/v2", "RBD-SPEC-006", ("apiVersion", 1, 13)),
    ("port: 22", "port: 0", "RBD-SPEC-007", ("ssh.port", 7, 9)),
    ("port: 22", "port: 65536", "RBD-SPEC-007", ("ssh.port", 7, 9)),
    ("router_id: 87", "router_id: 256", "RBD-SPEC-007", ("gateway.virtual_router_id", 26, 22)),
    ("router_id: 87", "router_id: -1", "RBD-SPEC-007", ("gateway.virtual_router_id", 26, 22)),
    ("[control-plane, etcd, worker]", "etcd", "RBD-SPEC-008", ("nodes[2].roles", 18, 12)),
    ("api: {mode: vip}", "api: vip", "RBD-SPEC-009", ("kubernetes.api", 20, 8)),
    ("[control-plane, etcd, worker]", "[]", "RBD-SPEC-010", ("nodes[2].roles", 18, 5)),
    ("name: node2", "name: 节点", "RBD-SPEC-011", ("nodes[1].name", 13, 11)),
    ("name: node2", "name: 'node 2'", "RBD-SPEC-012", ("nodes[1].name", 13, 11)),
    ("name: node2", "name: Node2", "RBD-SPEC-012", ("nodes[1].name", 13, 11)),
    ("name: node2", 'name: "it\'s"', "RBD-SPEC-012", ("nodes[1].name", 13, 11)),
    ("name: node2", "name: $(reboot)", "RBD-SPEC-012", ("nodes[1].name", 13, 11)),
    ("name: node2", 'name: "node2\\n"', "RBD-SPEC-012", ("nodes[1].name", 13, 11)),
    ("name: node2", "name: node2.lan", "RBD-SPEC-012", ("nodes[1].name", 13, 11)),
    ("name: node2", "name: " + "a" * 64, "RBD-SPEC-012", ("nodes[1].name", 13, 11)),
    ("{mode: vip}", "{domain: API.lan}", "RBD-SPEC-013", ("kubernetes.api.domain", 20, 17)),
    ("{mode: vip}", "{domain: 10.0.0.1}", "RBD-SPEC-013", ("kubernetes.api.domain", 20, 17)),
    ("user: ops", "bastion: {address: a b}", "RBD-SPEC-014", ("ssh.bastion.address", 6, 22)),
    ("user: ops", "bastion: [{address: 300.1.1.1}]", "RBD-SPEC-014", ("ssh.bastion[0].address", 6, 23)),
    ("user: ops", "user: ''", "RBD-SPEC-015", ("ssh.user", 6, 9)),
    ("user: ops", 'user: "a\\nb"', "RBD-SPEC-015", ("ssh.user", 6, 9)),
    ("unicast: true", "interface: eth0/1", "RBD-SPEC-016", ("gateway.interface", 27, 14)),
    ("user: ops", "key: id_rsa", "RBD-SPEC-017", ("ssh.key", 6, 8)),
    ("10.0.0.12", "10.0.0.300", "RBD-SPEC-020", ("nodes[1].address", 14, 14)),
    ("10.0.0.12", "10.0.012", "RBD-SPEC-020", ("nodes[1].address", 14, 14)),
    ("10.0.0.12", "10.12", "RBD-SPEC-020", ("nodes[1].address", 14, 14)),
    ("10.0.0.12", "167772171", "RBD-SPEC-020", ("nodes[1].address", 14, 14)),
    ("10.0.0.12", "node2.lan", "RBD-SPEC-021", ("nodes[1].address", 14, 14)),
    ("10.0.0.12", "fd00::12", "RBD-SPEC-022", ("nodes[1].address", 14, 14)),
    ("10.0.0.100/24", "fd00::100/64", "RBD-SPEC-022", ("gateway.vip", 25, 8)),
    ("10.42.0.0/16", "fd00::/56", "RBD-SPEC-022", ("kubernetes.pod_cidr", 21, 13)),
    ("10.0.0.12", "10.0.0.12/24", "RBD-SPEC-023", ("nodes[1].address", 14, 14)),
    ("10.0.0.100/24", "10.0.0.100", "RBD-SPEC-024", ("gateway.vip", 25, 8)),
    ("10.0.0.100/24", "10.0.0.100/33", "RBD-SPEC-025", ("gateway.vip", 25, 8)),
    ("10.0.0.100/24", "10.0.0.100/255.255.255.0", "RBD-SPEC-025", ("gateway.vip", 25, 8)),
    ("10.42.0.0/16", "10.42.0.0", "RBD-SPEC-026", ("kubernetes.pod_cidr", 21, 13)),
    ("10.42.0.0/16", "pods", "RBD-SPEC-026", ("kubernetes.pod_cidr", 21, 13)),
    ("10.42.0.0/16", "10.42.7.0/16", "RBD-SPEC-027", ("kubernetes.pod_cidr", 21, 13)),
    ("secret:sudo", "secret:Bad Name", "RBD-SPEC-031", ("ssh.sudo_password", 8, 18)),
    ("  pod_cidr: 10.42.0.0/16", "  settings: {a: 1.5}", "RBD-SPEC-032", ("kubernetes.settings.a", 21, 17)),
    ("  pod_cidr: 10.42.0.0/16", "  settings: {a: [1]}", "RBD-SPEC-033", ("kubernetes.settings.a", 21, 14)),
]


@pytest.mark.parametrize(("old", "new", "code", "place"), SHAPES, ids=[shape[1][:30] for shape in SHAPES])
def test_a_wrong_shape_is_one_finding_at_its_place(old: str, new: str, code: str, place: tuple[str, int, int]) -> None:
    finding = only(changed((old, new)))
    assert finding.code == code
    assert where(finding) == place


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("unicast: true", "unicats: true", "`unicast`"),
        ("mode: keepalived", "mode: keepalive", "`keepalived`"),
        ("[control-plane, etcd, worker]", "[control_plane]", "`control-plane`"),
        ("profile: kubernetes-only", "profile: xyz", "rainbond-6, rainbond-5.17, kubernetes-only"),
        ("10.42.0.0/16", "10.42.7.0/16", "10.42.0.0/16"),
        ("10.0.0.100/24", "10.0.0.100", "10.0.0.100/24"),
        ("name: node2", "name: Node_2", "`node-2`"),
        ("10.0.0.12", "10.0.0.12/24", "10.0.0.12"),
        ("port: 22", "port: 99999", "1 to 65535"),
    ],
)
def test_the_remedy_says_what_is_allowed(old: str, new: str, hint: str) -> None:
    assert hint in str(only(changed((old, new))).remedy)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = changed(
        ("name: site-a", "name: Site A"),
        ("port: 22", "port: 0022"),
        ("10.0.0.12", "node2.lan"),
        ("unicast: true", "unicast: no\nstorage: {mode: builtin}\nname: twice"),
    )
    loaded = parse_spec(text)
    assert [finding.code for finding in loaded.findings] == [
        "RBD-SPEC-012",
        "RBD-YAML-021",
        "RBD-SPEC-021",
        "RBD-YAML-020",
        "RBD-SPEC-040",
        "RBD-YAML-012",
    ]
    assert loaded.findings[2].place.node == "node2"
    assert_speaks(loaded)


@pytest.mark.parametrize("section", ["storage", "etcd", "registry", "mysql", "rainbond"])
def test_a_section_that_the_profile_has_no_use_for_is_refused_with_those_that_have(section: str) -> None:
    finding = only(GOOD + f"{section}: {{mode: strange}}\n")
    assert (finding.code, finding.place.line) == ("RBD-SPEC-040", 28)
    assert section in str(finding.message)
    assert "rainbond-5.17" in str(finding.remedy)
    assert ("rainbond-6" in str(finding.remedy)) == (section != "etcd")
    with_it = parse_spec(changed(("profile: kubernetes-only", "profile: rainbond-5.17")) + f"{section}: {{}}\n")
    assert with_it.findings == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sudo_password", "hunter2-CANARY"),
        ("sudo_password", "'CANARY: with colon'"),
        ("password", "0644"),
        ("password", "12345"),
        ("password", "yes"),
        ("passphrase", "[CANARY, x]"),
        ("passphrase", "secret:CANARY not a name"),
        ("password", "{CANARY: 1}"),
    ],
)
def test_a_secret_in_clear_is_refused_and_never_shown(key: str, value: str) -> None:
    loaded = parse_spec(changed(("  sudo_password: secret:sudo\n", f"  {key}: {value}\n")))
    (finding,) = loaded.findings
    assert finding.code in ("RBD-SPEC-030", "RBD-SPEC-031")
    shown = "".join([repr(finding), str(finding.message), str(finding.remedy), str(finding.to_json())])
    assert "rbdtui secret set SITE" in str(finding.remedy) or finding.code == "RBD-SPEC-031"
    for piece in ("CANARY", "0644", "12345", "yes"):
        assert piece not in shown


SYNTAX = [
    ("a: [1, 2\nb: 3\n", "RBD-YAML-044", (1, 4)),
    ("a: {b: 1\nc: 2\n", "RBD-YAML-044", (1, 4)),
    ("a: 'x\nb: 1\n", "RBD-YAML-041", (1, 4)),
    ('a: "\\q"\n', "RBD-YAML-041", (1, 4)),
    ("a: b: c\n", "RBD-YAML-042", (1, 5)),
    ("a:1\nb: 2\n", "RBD-YAML-042", (2, 2)),
    ("a:\n  b: 1\n c: 2\n", "RBD-YAML-043", (3, 2)),
    ("a: - b\n", "RBD-YAML-043", (1, 4)),
    ("a: 'b' c\n", "RBD-YAML-043", (1, 8)),
    ("a: @x\n", "RBD-YAML-045", (1, 4)),
    ("a: `x`\n", "RBD-YAML-045", (1, 4)),
    ("a:\n\tb: 1\n", "RBD-YAML-015", (2, 1)),
    ("a: 1\n\tb: 2\n", "RBD-YAML-015", (2, 1)),
    ("a: !x!y 1\n", "RBD-YAML-011", (1, 4)),
    ("%YAML 3.0\n---\na: 1\n", "RBD-YAML-004", (1, 1)),
    ("a: |x\n b\n", "RBD-YAML-004", (1, 5)),
]


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(("text", "code", "place"), SYNTAX, ids=[repr(row[0]) for row in SYNTAX])
def test_broken_yaml_says_what_is_broken_with_either_parser(
    monkeypatch: pytest.MonkeyPatch, loader: str, text: str, code: str, place: tuple[int, int]
) -> None:
    monkeypatch.setattr(tree, "_LOADER", getattr(yaml, loader))
    finding = only(text)
    assert finding.code == code
    assert finding.place.line == place[0]
    assert loader == "SafeLoader" or finding.place.column == place[1]


LOOKALIKES = [
    ("name: site-a", "name：site-a", "：", ":"),
    ("name: site-a", "name： site-a", "：", ":"),
    ("name: site-a", "“name”: site-a", "“", '"'),
    ("name: site-a", "\u00a0name: site-a", "\u00a0", ""),
    ("name: site-a", "name:\u3000site-a", "\u3000", ""),
    ("name: site-a", "name: site-a\u200b", "\u200b", ""),
    ("name: site-a", "ｎame: site-a", "ｎ", "n"),
    ("mode: vip", "mode：vip", "：", ":"),
    ("{mode: vip}", "｛mode: vip}", "｛", "{"),
    ("{mode: vip}", "{mode: vip】", "】", "]"),
    ("etcd, worker]\nkub", "etcd，worker]\nkub", "，", ","),
    ("10.0.0.12", "10。0.0.12", "。", "."),
    ("port: 22", "port: ２2", "２", "2"),
]


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(("right", "wrong", "letter", "meant"), LOOKALIKES, ids=[row[1] for row in LOOKALIKES])
def test_a_character_that_only_looks_right_is_named_with_its_place(
    monkeypatch: pytest.MonkeyPatch, loader: str, right: str, wrong: str, letter: str, meant: str
) -> None:
    monkeypatch.setattr(tree, "_LOADER", getattr(yaml, loader))
    text = changed((right, wrong))
    finding = next(found for found in parse_spec(text).findings if found.code in ("RBD-YAML-046", "RBD-YAML-047"))
    assert finding.code == ("RBD-YAML-046" if meant else "RBD-YAML-047")
    assert finding.params["codepoint"] == f"U+{ord(letter):04X}"
    assert str(finding.params["meant"]).strip() == meant
    at = text.index(wrong) + wrong.index(letter)
    assert finding.place.line == text.count("\n", 0, at) + 1
    assert finding.place.column == at - text.rfind("\n", 0, at)


@pytest.mark.parametrize("text", ["# 说明：见下\na: b: c\n", "x: '说明：见下'\na: b: c\n", "a: b: c  # 冒号：两个\n"])
def test_what_stands_in_quotes_or_comments_is_meant_so(text: str) -> None:
    assert only(text).code == "RBD-YAML-042"


REFUSED = [
    ("a: &x [b]\n", "RBD-YAML-009"),
    ("a: *x\n", "RBD-YAML-009"),
    ("a: !!python/object/apply:os.system [id]\n", "RBD-YAML-011"),
    ("a: ! x\n", "RBD-YAML-011"),
    ("<<: {a: 1}\n", "RBD-YAML-013"),
    ("? [a]\n: b\n", "RBD-YAML-014"),
    ("1: b\n", "RBD-YAML-014"),
    ("yes: b\n", "RBD-YAML-014"),
    ("~: b\n", "RBD-YAML-014"),
    ("a: 1\n---\nb: 2\n", "RBD-YAML-007"),
    ("- a\n", "RBD-YAML-008"),
    ("a\n", "RBD-YAML-008"),
    ("'a'\n", "RBD-YAML-008"),
    ("", "RBD-YAML-006"),
    ("# nothing\n\n", "RBD-YAML-006"),
    ("---\n", "RBD-YAML-006"),
    ("a: x\x07\n", "RBD-YAML-005"),
    ("a: x\x00\n", "RBD-YAML-005"),
    ("a: x\x1b[2J\n", "RBD-YAML-005"),
    ("a: x\u2028b: 1\n", "RBD-YAML-005"),
    ("a: \ufffe\n", "RBD-YAML-005"),
    (b"\xff\xfea\x00:\x00", "RBD-YAML-003"),
    (b"\xfe\xff\x00a\x00:", "RBD-YAML-003"),
    ("a: 站点".encode("gbk"), "RBD-YAML-003"),
    (b"a: \xed\xa0\x80\n", "RBD-YAML-003"),
    ("a: \ud800\n", "RBD-YAML-003"),
    ("[" * 10_000, "RBD-YAML-010"),
    ("{a: " * 10_000, "RBD-YAML-010"),
    ("\n".join(" " * depth + "a:" for depth in range(300)), "RBD-YAML-010"),
    ("- " * 5_000, "RBD-YAML-010"),
    ("x" * (MAX_SIZE_BYTES + 1), "RBD-YAML-002"),
    (b"\xff" * (10 * MAX_SIZE_BYTES), "RBD-YAML-002"),
]


@pytest.mark.parametrize(("text", "code"), REFUSED, ids=[repr(row[0])[:30] for row in REFUSED])
def test_hostile_text_is_refused(text: str | bytes, code: str) -> None:
    loaded = parse_spec(text)
    assert loaded.spec is None
    assert code in [finding.code for finding in loaded.findings]
    assert_speaks(loaded)


def test_a_billion_laughs_costs_nothing() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    started = time.monotonic()
    loaded = parse_spec("\n".join(lines))
    assert time.monotonic() - started < 5
    assert {"RBD-YAML-009"} <= {finding.code for finding in loaded.findings}


@pytest.mark.parametrize("line", ["k{n}: 1", "nodes{n}: [a, b]", "a: {n}", "x{n}: 0{n}", "k{n}：x: 1"])
def test_a_file_full_of_mistakes_is_judged_in_time_and_told_in_short(line: str) -> None:
    count = MAX_SIZE_BYTES // (len(line.encode()) + 8)
    text = "".join(line.replace("{n}", str(number)) + "\n" for number in range(count))
    started = time.monotonic()
    loaded = parse_spec(text)
    assert time.monotonic() - started < 60
    assert loaded.findings
    assert len(loaded.findings) <= MAX_FINDINGS + 1
    assert_speaks(loaded)


@given(st.one_of(st.text(), st.binary(), st.text("abn:-[]{}&*!|>'\"%@`#, \n\t?~<=.01", max_size=60)))
@settings(max_examples=500, deadline=None)
def test_no_text_makes_it_raise(text: str | bytes) -> None:
    loaded = parse_spec(text)
    assert loaded.spec is None
    assert loaded.findings
    assert_speaks(loaded)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_no_mutation_of_a_good_file_makes_it_raise(data: st.DataObject) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        inserted = data.draw(
            st.sampled_from(["", "\t", " ", "\n", ": ", "- ", "{", "]", "'", '"', "&a", "*a", "\0", "é"])
        )
        text = text[:start] + inserted + text[end:]
    loaded = parse_spec(text)
    assert (loaded.spec is None) == bool(loaded.findings)
    assert_speaks(loaded)
    for finding in loaded.findings:
        assert finding.place.line <= text.count("\n") + 2


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["apiVersion", "name", "profile", "bundle", "ssh", "nodes", "kubernetes", "gateway"])
        | st.text(),
        values | st.lists(st.dictionaries(st.sampled_from(["name", "address", "roles", "ssh"]), values), max_size=2),
    )
)
@settings(max_examples=300, deadline=None)
def test_no_tree_of_values_makes_it_raise(document: dict[str, object]) -> None:
    loaded = parse_spec(yaml.safe_dump(document, allow_unicode=True))
    assert loaded.findings
    assert_speaks(loaded)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert [f.code for f in load_spec(tmp_path / "pipe").findings] == ["RBD-YAML-016"]
    assert [f.code for f in load_spec(tmp_path).findings] == ["RBD-YAML-016"]
    assert [f.code for f in load_spec(tmp_path / "none").findings] == ["RBD-YAML-001"]
    (tmp_path / "loop").symlink_to("loop")
    assert [f.code for f in load_spec(tmp_path / "loop").findings] == ["RBD-YAML-001"]


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(10**10)
    loaded = load_spec(tmp_path / "huge.yaml")
    assert [finding.code for finding in loaded.findings] == ["RBD-YAML-002"]
    assert "huge.yaml" in str(loaded.findings[0].message)


def test_a_file_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(GOOD, encoding="utf-8")
    loaded = load_spec(tmp_path / "cluster.yaml")
    assert loaded.spec is not None
    assert loaded.text == GOOD


@given(
    st.recursive(
        st.booleans() | st.integers(-(10**6), 10**6) | st.sampled_from(["10.0.0.11", "node1", "No", "", "ops"]),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(
                st.sampled_from(["name", "address", "roles", "ssh", "user", "password", "bastion"]), below
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["name", "nodes", "ssh", "kubernetes", "gateway", "storage", "profile", "unheard-of"]),
)
@settings(deadline=None, max_examples=150)
def test_values_are_judged_like_the_text_that_says_the_same(value: object, key: str) -> None:
    data = {**yaml.safe_load(GOOD), key: value}
    values, text = parse_values(data), parse_spec(json.dumps(data))
    assert values.spec == text.spec
    assert sorted((f.code, f.place.field, f.evidence) for f in values.findings) == sorted(
        (f.code, f.place.field, f.evidence) for f in text.findings
    )
    assert_speaks(values)
