"""``drill`` on the command line: what it refuses, whom it asks, what it measures, and that it puts things back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.drill.record import Stopped, new_record, records, save
from rbdtui.engine.lock import hold_site
from rbdtui.paths import asset
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Place:
    """An installed site of three servers with a VIP."""

    site: Site
    hosts: FleetThread
    passphrase: Path

    def run(self, *words: str) -> console.Said:
        verb, *rest = words
        return console.run("en", verb, self.site.path, *rest, "--passphrase-file", self.passphrase, limit_s=200)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("drill")
    with FleetThread(SimulatedFleet(3, speed=20.0)) as hosts:
        bundle = write_bundle(directory / "bundle", images_bytes=4096)
        site = write_demo_site(directory / "site", hosts.fleet, bundle=bundle)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        yield Place(site, hosts, fill_vault(site.path, {}))


def test_nothing_is_stopped_on_a_site_that_is_not_healthy_or_has_a_run(place: Place) -> None:
    assert "not healthy" in place.run("drill", "--yes").check(Exit.FINDINGS).err
    with hold_site(place.site, "another"):
        assert "rbdtui stop" in place.run("drill", "--yes").check(Exit.USAGE).err
    assert list(records(place.site.path)) == []


def test_a_drill_says_what_stops_measures_it_and_is_kept(place: Place) -> None:
    place.run("run", "--yes").check(Exit.GOOD)
    assert "--yes" in place.run("drill").check(Exit.USAGE).err
    said = place.run("drill", "--yes", "--json").check(Exit.GOOD)
    assert "Stops: keepalived on" in said.err
    found = json.loads(said.out)
    (part,) = found["parts"]
    assert part["outcome"] == "passed"
    assert part["took_over"] != part["holder_before"]
    assert all(gap["gap_s"] is not None for gap in part["gaps"])
    (kept,) = records(place.site.path)
    assert kept.passed
    assert set(found) >= set(json.loads(asset("schemas", "drill.schema.json").read_text())["required"])


def test_what_a_killed_drill_left_stopped_is_started_by_the_next(place: Place) -> None:
    machine = place.hosts.fleet.machines["node3"]
    place.hosts.do(machine.systemd.stop("keepalived"))
    record = new_record("demo", "ops")
    record.drill = "19990101-000000"
    record.stopped.append(Stopped("node3", "keepalived.service"))
    save(place.site.path, record)
    said = place.run("drill", "--restore").check(Exit.GOOD)
    assert "node3: keepalived.service was left stopped" in said.err
    assert machine.systemd.unit("keepalived").active.value == "active"
    assert [each.stopped for each in records(place.site.path)] == [[], []]
