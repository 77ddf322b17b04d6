"""What is to be typed next can be typed: the site stands in it, and a good check says what follows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.words import LANGUAGES, Text, say
from tests.cli import console
from tests.cli.hosts import FleetThread, refusing_port

COMMAND = re.compile(r"`(rbdtui [^`]*)`")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[tuple[FleetThread, Site]]:
    """Three servers and a site for them whose name means something to a shell."""
    with FleetThread(SimulatedFleet(3)) as hosts:
        bundle = write_bundle(tmp_path / "bundle", images_bytes=4096)
        yield hosts, write_demo_site(tmp_path / "my site", hosts.fleet, bundle=bundle)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_site_stands_in_what_is_to_be_typed(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "my site"
    console.say(capsys, "en", "init", site, "--example", "kubernetes-only")
    said = console.say(capsys, language, "check", site, "--ascii").check(Exit.FINDINGS)
    assert f"rbdtui secret set {shlex.quote(str(site))} sudo" in said.about("RBD-SECRET-001")
    assert "SITE" not in said.words


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_key_that_is_not_known_is_told_with_the_site(fleet: tuple[FleetThread, Site], language: str) -> None:
    _, site = fleet
    said = console.run(language, "check", site.path, "--ascii").check(Exit.FINDINGS)
    assert f"`rbdtui trust {shlex.quote(str(site.path))}`" in said.about("RBD-SSH-005", "node1")


def test_no_sentence_has_a_site_that_nobody_can_type() -> None:
    said = Context().run(say, Text("finding.RBD-SSH-005.remedy"))
    assert said.count("SITE") == 1, "what stands there while no site is known"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_good_check_says_what_comes_next(fleet: tuple[FleetThread, Site], language: str) -> None:
    hosts, site = fleet
    site.known_hosts_file.write_text(hosts.fleet.known_hosts)
    rules = console.run(language, "check", site.path, "--only", "rules").check(Exit.GOOD)
    assert COMMAND.findall(rules.err)[-1] == f"rbdtui check {shlex.quote(str(site.path))}"
    everything = console.run(language, "check", site.path).check(Exit.GOOD)
    assert [shlex.split(command)[1:] for command in COMMAND.findall(everything.err)] == [
        ["plan", str(site.path)], ["run", str(site.path)]
    ]  # fmt: skip
    assert COMMAND.findall(everything.out) == []
    assert console.run(language, "check", site.path, "--json").check(Exit.GOOD).err == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_check_with_errors_says_nothing_of_what_comes_next(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.say(capsys, "en", "init", tmp_path / "site", "--example", "kubernetes-only")
    said = console.say(capsys, language, "check", tmp_path / "site").check(Exit.FINDINGS)
    assert "rbdtui run" not in said.words


def _refusing_site(tmp_path: Path, count: int) -> Path:
    """A site of servers whose port refuses, on loopback."""
    site = Site.create(tmp_path / "site")
    nodes = "".join(
        f"  - {{name: {'w' * (1 + number)}, address: 127.77.9.{31 + number}, roles: [control-plane, etcd, worker],"
        f" ssh: {{port: {refusing_port(f'127.77.9.{31 + number}')}}}}}\n"
        for number in range(count)
    )
    site.spec_file.write_text(
        f"apiVersion: rbdtui/v1\nname: demo\nprofile: kubernetes-only\nbundle: /none\nnodes:\n{nodes}"
        "kubernetes: {distribution: rke2, api: {mode: first-server}}\ngateway: {mode: external, address: 127.77.9.9}\n"
    )
    return site.path


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_remedy_for_all_servers_that_have_the_same_fault(tmp_path: Path, language: str) -> None:
    site = _refusing_site(tmp_path, 5)
    said = console.run(language, "trust", site, "--yes").check(Exit.FINDINGS)
    rows = said.out.splitlines()
    assert len(rows) == 5
    assert {row.index("127.77.9.") for row in rows} == {rows[0].index("127.77.9.")}, "in columns"
    remedies = [line for line in said.err.splitlines() if line]
    assert len(remedies) == 1, said.err
    assert [name for name in ("w", "wwwww") if re.search(rf"\b{name}\b", remedies[0]) is None] == []


def test_after_an_interrupt_nothing_is_said_of_a_run_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console.say(capsys, "en", "init", tmp_path / "site")
    monkeypatch.setattr("rbdtui.cli.check.answer_findings", _interrupted)
    said = console.say(capsys, "en", "check", tmp_path / "site", "--only", "rules").check(Exit.INTERRUPTED)
    assert "attach" not in said.err


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
