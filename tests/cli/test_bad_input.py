"""A cluster.yaml that is wrong in any way: where and what is allowed, in both languages, and nothing is changed."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.words import LANGUAGES
from tests.cli import console
from tests.spec.samples import GOOD, changed

MEBIBYTE = 1024 * 1024
LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))


def named(name: str) -> str:
    """GOOD with another name for the second node."""
    return changed(("name: node2", f"name: {name}"))


def at(address: str) -> str:
    """GOOD with another address for the second node."""
    return changed(("10.0.0.12", address))


BAD_FILES = {
    # --- what is no YAML, or no text at all
    "empty": ("", "RBD-YAML-006", "cluster.yaml:1:1", "rbdtui init"),
    "bracket left open": (changed(("{mode: vip}", "{mode: vip")), "RBD-YAML-044", "cluster.yaml:20:8", "]"),
    "quote left open": (changed(("name: node2", "name: 'node2")), "RBD-YAML-041", "cluster.yaml:13:11", "\\"),
    "crooked indent": (changed(("name: node2", "name: node2\n   x: 1")), "RBD-YAML-043", "cluster.yaml:14:4", ""),
    "tab": (changed(("  user: ops", "\tuser: ops")), "RBD-YAML-015", "cluster.yaml:6:1", ""),
    "not UTF-8": (GOOD.encode().replace(b"node2", b"node\xff2"), "RBD-YAML-003", "cluster.yaml:13:15", "UTF-8"),
    "GBK": (GOOD.encode() + "# 节点\n".encode("gbk"), "RBD-YAML-003", "cluster.yaml:28:3", "UTF-8"),
    "UTF-16": (GOOD.encode("utf-16"), "RBD-YAML-003", "cluster.yaml:1:1", "UTF-8"),
    "control character": (named("node\x1b[31m2"), "RBD-YAML-005", "cluster.yaml:13:15", "U+001B"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(4096), "RBD-YAML-003", "cluster.yaml:1:1", "UTF-8"),
    # --- hostile
    "10 MB": (GOOD + "# " + "x" * 10 * MEBIBYTE, "RBD-YAML-002", "", "512 KiB"),
    "10 MB of noise": (random.Random(2).randbytes(10 * MEBIBYTE), "RBD-YAML-002", "", "512 KiB"),
    "an alias": (changed(("name: node2", "name: *x")), "RBD-YAML-009", "cluster.yaml:13:11", "&"),
    "deep nesting": (GOOD + "x: " + "[" * 50_000, "RBD-YAML-010", "cluster.yaml:28:27", "24"),
    "a tag": (GOOD.replace("ops", "!!python/object/apply:os.system [id]"), "RBD-YAML-011", "cluster.yaml:6:9", ""),
    "a huge number": (changed(("port: 22", f"port: {'9' * 5000}")), "RBD-YAML-027", "cluster.yaml:7:9", ""),
    "a merge key": (GOOD + "<<: {a: 1}\n", "RBD-YAML-013", "cluster.yaml:28:1", "<<"),
    "a second document": (GOOD + "---\na: 1\n", "RBD-YAML-007", "cluster.yaml:28:1", ""),
    # --- keys
    "unknown key": (changed(("unicast: true", "unicats: true")), "RBD-SPEC-001", "cluster.yaml:27:3", "`unicast`"),
    "unknown section": (GOOD + "stroage: {mode: nfs}\n", "RBD-SPEC-001", "cluster.yaml:28:1", "kubernetes"),
    "duplicate key": (changed(("port: 22", "port: 22\n  user: me")), "RBD-YAML-012", "cluster.yaml:8:3", "6"),
    "a trap of YAML": (changed(("unicast: true", "unicast: yes")), "RBD-YAML-020", "cluster.yaml:27:12", "true"),
    # --- names of nodes
    "name with a quote": (named('"it\'s"'), "RBD-SPEC-012", "cluster.yaml:13:11", "63"),
    "name with double quotes": (named("'\"a\"'"), "RBD-SPEC-012", "cluster.yaml:13:11", "63"),
    "name with a space": (named("'node 2'"), "RBD-SPEC-012", "cluster.yaml:13:11", "`node-2`"),
    "name with a shell's command": (named("$(reboot)"), "RBD-SPEC-012", "cluster.yaml:13:11", "63"),
    "name with shell characters": (named("'a;b|c&d>e`f`'"), "RBD-SPEC-012", "cluster.yaml:13:11", "63"),
    "name with a line break": (named('"node2\\nrm"'), "RBD-SPEC-012", "cluster.yaml:13:11", "63"),
    "name with an escape": (named('"node\\e[2J2"'), "RBD-SPEC-012", "cluster.yaml:13:11", "63"),
    "name that turns the line around": (named('"a\\u202Eb"'), "RBD-SPEC-012", "cluster.yaml:13:11", "a-z"),
    "name of a path": (named("../etc"), "RBD-SPEC-012", "cluster.yaml:13:11", "63"),
    "name of Unicode": (named("nœud"), "RBD-SPEC-012", "cluster.yaml:13:11", "a-z"),
    "Chinese name": (named("节点二"), "RBD-SPEC-011", "cluster.yaml:13:11", "a-z"),
    "capital letters": (named("Node2"), "RBD-SPEC-012", "cluster.yaml:13:11", "`node2`"),
    "name that is too long": (named("a" * 64), "RBD-SPEC-012", "cluster.yaml:13:11", "63"),
    # --- addresses
    "address that is a name": (at("node2.lan"), "RBD-SPEC-021", "cluster.yaml:14:14", "10.0.0.11"),
    "address of four wrong numbers": (at("10.0.0.300"), "RBD-SPEC-020", "cluster.yaml:14:14", "10.0.0.11"),
    "IPv6 address of a node": (at("fd00::12"), "RBD-SPEC-022", "cluster.yaml:14:14", "IPv4"),
    "IPv6 address as VIP": (changed(("10.0.0.100/24", "fd00::9/64")), "RBD-SPEC-022", "cluster.yaml:25:8", "IPv4"),
    "IPv6 network of pods": (changed(("10.42.0.0/16", "fd00:42::/56")), "RBD-SPEC-022", "cluster.yaml:21:13", "IPv4"),
}  # fmt: skip
"""By what is wrong: the file, the finding's code and place, and a piece of what is allowed."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site"
    path.mkdir(mode=0o700)
    return path


def write(site: Path, text: str | bytes) -> Path:
    spec = site / "cluster.yaml"
    spec.write_bytes(text.encode() if isinstance(text, str) else text)
    return spec


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("text", "code", "place", "allowed"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_told_with_place_and_remedy(
    site: Path,
    language: str,
    text: str | bytes,
    code: str,
    place: str,
    allowed: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(site, text)
    before = console.contents(site)
    began_at = time.monotonic()
    said = console.say(capsys, language, "check", site, "--only", "rules", "--ascii").check(Exit.FINDINGS)
    assert time.monotonic() - began_at < 10
    assert allowed in said.about(code, place)
    assert len(said.words) < 20_000
    assert console.contents(site) == before


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_billion_laughs_are_not_laughed(site: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(site, LAUGHS + GOOD)
    said = console.say(capsys, language, "check", site, "--only", "rules", "--ascii").check(Exit.FINDINGS)
    assert "RBD-YAML-009 cluster.yaml:1:5" in said.out
    assert len(said.findings()) <= 201


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["a directory", "a pipe", "a link to nowhere"])
def test_what_is_no_file_is_not_waited_for(
    site: Path, language: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = site / "cluster.yaml"
    if kind == "a directory":
        spec.mkdir()
    elif kind == "a pipe":
        os.mkfifo(spec)
    else:
        spec.symlink_to("nowhere")
    said = console.say(capsys, language, "check", site, "--only", "rules")
    said.check(Exit.USAGE if kind == "a link to nowhere" else Exit.FINDINGS)
    assert "cluster.yaml" in said.words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "command",
    [
        "check", "check --json", "plan", "plan --json", "run --yes", "run --yes --json", "trust --yes",
        "health", "health --json", "bundle verify", "bundle verify --json",
    ],
)  # fmt: skip
def test_no_command_begins_anything_with_a_bad_file_and_all_say_the_same(
    site: Path, language: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site, at("node2.lan"))
    before = console.contents(site)
    said = console.say(capsys, language, *command.split(), site).check(Exit.FINDINGS)
    assert "RBD-SPEC-021" in said.out
    assert console.contents(site) == before


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_mistakes_come_at_once(site: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(site, changed(("name: node2", "name: Node 2"), ("10.0.0.13", "node3.lan"), ("unicast", "unicats")))
    said = console.say(capsys, language, "check", site, "--only", "rules", "--ascii").check(Exit.FINDINGS)
    assert {block.split()[2] for block in said.findings()} == {"RBD-SPEC-012", "RBD-SPEC-021", "RBD-SPEC-001"}
    assert "node3" in said.about("RBD-SPEC-021", "cluster.yaml:17:14").splitlines()[0]


# --- the site directory and the locale


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o704])
@pytest.mark.parametrize("command", ["check", "run --yes", "secret list", "trust", "attach", "health"])
def test_a_site_that_others_can_use_is_refused(
    site: Path, language: str, mode: int, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site, GOOD)
    site.chmod(mode)
    said = console.say(capsys, language, *command.split(), site).check(Exit.USAGE)
    assert said.out == ""
    assert f"{mode:04o}" in said.err
    assert f"chmod 700 {site}" in said.err
    assert site.stat().st_mode & 0o777 == mode


LOCALES = [
    ("C", {}),
    ("POSIX", {}),
    ("C", {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
    ("C", {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}),
    ("nonsense", {}),
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("locale", "more"), LOCALES)
def test_the_locale_changes_neither_reading_nor_the_status(
    site: Path, language: str, locale: str, more: dict[str, str]
) -> None:
    write(site, named("节点二"))
    before = console.contents(site)
    environment = {"LC_ALL": locale, **more}
    said = console.run(language, "check", site, "--only", "rules", "--ascii", environment=environment)
    assert said.status == Exit.FINDINGS, said.words
    assert "Traceback" not in said.words
    assert "RBD-SPEC-011" in said.out
    assert "cluster.yaml:13:11" in said.out
    assert "节点二" in said.out
    assert console.contents(site) == before
