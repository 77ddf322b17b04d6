"""``failover`` from the terminal: what it refuses, shows and wants before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.words import LANGUAGES
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault
from tests.plan.test_mysql_pair import OWN

pytestmark = [pytest.mark.timeout(120)]
PAIR = "mysql: {mode: pair, source: node1, replica: node2, username: rainbond, password: secret:mysql}\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with FleetThread(SimulatedFleet(3, speed=20.0)) as hosts:
        bundle = write_bundle(tmp_path / "bundle", images_bytes=4096)
        site = write_demo_site(tmp_path / "site", hosts.fleet, bundle=bundle, profile="rainbond-6")
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        fill_vault(site.path, OWN)
        yield site


def say(site: Site, *words: str, language: str = "en") -> console.Said:
    return console.run(language, "failover", site.path, *words, "--passphrase-file", site.path / "passphrase")


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_must_be_a_pair_and_a_replica_that_answers(site: Site, language: str) -> None:
    refused = say(site, "--dry-run", language=language)
    assert refused.status != Exit.GOOD
    assert "mysql.mode: pair" in refused.err
    site.spec_file.write_text(site.spec_file.read_text() + PAIR)
    refused = say(site, "--dry-run", language=language)
    assert refused.status != Exit.GOOD
    assert "node2" in refused.err
    assert "/var/backups/rbdtui-mysql" in refused.err
    assert site.run_ids() == []
