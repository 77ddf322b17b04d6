"""``reset``: what it shows, whom it asks, what it refuses, and that a run starts afresh after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.engine.client import can_resume, latest_run, unfinished_reset
from rbdtui.engine.inputs import spec_digest
from rbdtui.engine.lock import hold_site
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.words import LANGUAGES, T, say
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Place:
    """A site of two servers, one of them an agent, and where its passphrase is."""

    site: Site
    hosts: FleetThread
    passphrase: Path

    def run(self, *words: str, language: str = "en") -> console.Said:
        verb, *rest = words
        return console.run(language, verb, self.site.path, *rest, "--passphrase-file", self.passphrase, limit_s=200)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("reset")
    with FleetThread(SimulatedFleet(2, speed=40.0)) as hosts:
        bundle = write_bundle(directory / "bundle", images_bytes=4096)
        site = write_demo_site(directory / "site", hosts.fleet, bundle=bundle)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        yield Place(site, hosts, fill_vault(site.path, {}))


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_nothing_is_left_that_is_said_and_no_run_is_made(place: Place, language: str) -> None:
    said = place.run("reset", "--yes", language=language).check(Exit.GOOD)
    assert say(T("reset.nothing"), language) in said.out
    assert latest_run(place.site) is None


def test_what_would_go_is_shown_and_nobody_is_taken_at_no_word(place: Place) -> None:
    place.run("run", "--yes").check(Exit.GOOD)
    runs = place.site.run_ids()
    said = place.run("reset", "--dry-run").check(Exit.GOOD)
    for words in (
        "node1: will be reset",
        "Delete /var/lib/rancher/rke2",
        "All data of the cluster is lost",
        "What stays",
    ):
        assert words in said.out
    assert "--yes" in place.run("reset").check(Exit.USAGE).err
    assert "node9" in place.run("reset", "--node", "node9").check(Exit.USAGE).err
    with hold_site(place.site, "another"):
        assert "rbdtui stop" in place.run("reset", "--yes").check(Exit.USAGE).err
    assert place.site.run_ids() == runs


def test_a_host_of_another_site_and_one_that_does_not_answer_are_left_alone(place: Place) -> None:
    machine = place.hosts.fleet.machines["node2"]
    claim = machine.files.read("/var/lib/rbdtui/claim.json")
    machine.files.write("/var/lib/rbdtui/claim.json", json.dumps({**json.loads(claim), "site": "next-door"}).encode())
    said = place.run("reset", "--dry-run").check(Exit.FINDINGS)
    assert "node2: is marked as belonging to site next-door" in said.out
    machine.files.write("/var/lib/rbdtui/claim.json", claim)


def test_after_a_reset_nothing_is_left_its_run_is_readable_and_the_next_starts_afresh(place: Place) -> None:
    said = place.run("reset", "--yes").check(Exit.GOOD)
    assert str(T("reset.done")) in said.out
    for machine in place.hosts.fleet.machines.values():
        assert not machine.files.exists("/var/lib/rbdtui")
        assert not machine.files.exists("/var/lib/rancher/rke2")
    shown = place.run("runs").check(Exit.GOOD).out.splitlines()
    assert [len(shown), "finished" in shown[0]] == [2, "finished" in shown[1]]
    assert len(place.site.run_ids()) == 2
    assert str(T("reset.nothing")) in place.run("reset", "--yes").check(Exit.GOOD).out
    assert len(place.site.run_ids()) == 2
    newest = latest_run(place.site)
    assert newest is not None
    assert not can_resume(newest.run_dir, spec_digest(place.site.spec_file.read_bytes()))

    place.run("run", "--yes").check(Exit.GOOD)
    assert len(place.site.run_ids()) == 3


def test_a_reset_that_was_cut_off_lets_no_run_begin_and_a_second_one_finishes(place: Place) -> None:
    place.run("reset", "--yes", "--node", "node1").check(Exit.GOOD)
    cut_off = latest_run(place.site)
    assert cut_off is not None
    journal = cut_off.run_dir / "events.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-3]))
    assert unfinished_reset(place.site) is not None

    refused = place.run("run", "--yes").check(Exit.USAGE)
    assert "rbdtui reset" in refused.err
    assert len(place.site.run_ids()) == 4
    place.run("reset", "--yes").check(Exit.GOOD)
    assert unfinished_reset(place.site) is None
    assert not place.hosts.fleet.machines["node2"].files.exists("/var/lib/rbdtui")
