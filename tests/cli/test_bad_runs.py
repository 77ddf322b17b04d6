"""Trouble while a run is under way: each is told by step and host in both languages, and the run goes on after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.engine.client import latest_run
from rbdtui.engine.events import Event, RunCreated, StepFinished, StepStarted
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.words import LANGUAGES
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault

SPEED = 20.0
RATE_BYTES_PER_S = 50_000.0
"""Of simulated seconds: slow enough for the bundle to disappear while it is sent."""
CONFIG = "/etc/rancher/rke2/config.yaml"
LIMIT_S = 90.0


@dataclass(frozen=True, slots=True)
class Place:
    """A site with its hosts and its bundle."""

    site: Site
    hosts: FleetThread
    bundle: Path
    passphrase_file: Path

    def start(self) -> console.Process:
        return console.start("en", *self._run_words())

    def run(self, language: str) -> console.Said:
        return console.run(language, *self._run_words(), limit_s=LIMIT_S)

    def _run_words(self) -> tuple[str | Path, ...]:
        options = ("--yes", "--on-failure", "stop", "--ascii")
        return ("run", self.site.path, *options, "--passphrase-file", self.passphrase_file)

    def events(self) -> list[Event]:
        newest = latest_run(self.site)
        if newest is None:
            return []

        async def read() -> list[Event]:
            return [record.event async for record in newest.records(follow=False)]

        return asyncio.run(read())

    def wait_for(self, kind: type[StepStarted] | type[StepFinished], step: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not any(isinstance(event, kind) and event.step == step for event in self.events()):
            assert time.monotonic() < deadline, f"{step} was never reached"
            time.sleep(0.05)

    def each_host(self, do: Callable[[str], None]) -> None:
        async def each() -> None:
            for name in self.hosts.fleet.stations:
                do(name)

        self.hosts.do(each())

    def told_afterwards(self, *pieces: str) -> None:
        """`attach` tells of a run that has failed, in each language."""
        for language in LANGUAGES:
            said = console.run(language, "attach", self.site.path, "--ascii").check(Exit.FAILED)
            assert [piece for piece in pieces if piece not in said.out] == [], said.words


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    bundle = write_bundle(tmp_path / "bundle", images_bytes=2 * 1024**2)
    with FleetThread(SimulatedFleet(4, speed=SPEED, rate_bytes_per_s=RATE_BYTES_PER_S)) as hosts:
        site = write_demo_site(tmp_path / "site", hosts.fleet, bundle=bundle)
        yield Place(site, hosts, bundle, fill_vault(site.path, {}))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_run_meets_trouble_again_and_again_and_ends_well(place: Place) -> None:
    keys_are_trusted(place)
    the_bundle_disappears_while_a_second_runner_is_refused(place)
    a_disk_is_full(place)
    a_token_does_not_match(place)
    assert "Traceback" not in console.run("zh", "attach", place.site.path).check(Exit.FAILED).words
    place.run("en").check(Exit.GOOD)
    assert sum(isinstance(event, RunCreated) for event in place.events()) == 1
    finished = [event.step for event in place.events() if isinstance(event, StepFinished)]
    assert len(finished) == len(set(finished)), "no finished step is repeated"


def keys_are_trusted(place: Place) -> None:
    """Nobody is asked where nobody is; what is pinned stays as it is."""
    file = place.site.known_hosts_file
    for language in LANGUAGES:
        said = console.run(language, "trust", place.site.path).check(Exit.USAGE)
        assert (said.out.count("SHA256:"), "--yes" in said.err, file.exists()) == (4, True, False)
    console.run("en", "trust", place.site.path, "--yes").check(Exit.GOOD)
    pinned = file.read_bytes()
    console.run("zh", "trust", place.site.path, "--yes").check(Exit.GOOD)
    assert file.read_bytes() == pinned


def the_bundle_disappears_while_a_second_runner_is_refused(place: Place) -> None:
    first = place.start()
    place.wait_for(StepStarted, "ship-bundle@node1")
    place.each_host(place.hosts.fleet.hang)
    (run,) = place.site.run_ids()
    for language in LANGUAGES:
        said = place.run(language).check(Exit.USAGE)
        assert run in said.err
        assert "rbdtui attach" in said.err
    gone = place.bundle.rename(place.bundle.with_name("unplugged"))
    place.each_host(place.hosts.fleet.wake)
    said = console.finish(first, "en", limit_s=LIMIT_S).check(Exit.FAILED)
    assert "bundle_absent" in said.out, said.words
    place.told_afterwards("ship-bundle@node", "bundle_absent", str(place.bundle), "cluster.yaml")
    for language in LANGUAGES:
        place.run(language).check(Exit.FINDINGS).about("RBD-LOCAL-005", "cluster.yaml:5:9")
    assert place.site.run_ids() == [run]
    gone.rename(place.bundle)


def a_disk_is_full(place: Place) -> None:
    """Of a host that the bundle has not reached yet."""
    shipped = {event.step for event in place.events() if isinstance(event, StepFinished)}
    late = next(node for node in place.hosts.fleet.stations if f"ship-bundle@{node}" not in shipped)
    place.hosts.fleet.full_disk(late)
    place.run("en").check(Exit.FAILED)
    place.told_afterwards(f"@{late}", "RBD-HOST-003")
    place.hosts.fleet.free_disk(late)


def a_token_does_not_match(place: Place) -> None:
    """Somebody else's token stands in the agent's file by the time it joins."""
    files = place.hosts.fleet.machines["node4"].files
    going_on = place.start()
    place.wait_for(StepFinished, "rke2-config@node4")
    right = files.text(CONFIG)
    (line,) = (line for line in right.splitlines() if line.startswith("token:"))
    files.write(CONFIG, right.replace(line, "token: of-another-cluster").encode())
    console.finish(going_on, "en", limit_s=LIMIT_S).check(Exit.FAILED)
    place.told_afterwards("rke2-agent@node4", "rke2_token", "node4")
    files.write(CONFIG, right.encode())
