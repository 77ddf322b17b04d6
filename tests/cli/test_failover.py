"""``failover`` from the terminal: what it refuses, shows and wants before anything is done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.spec.loader import load_spec
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


COPIED = "storage: {mode: nfs-server, node: node2, copy_node: node3, path: /data/rainbond}\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_storage_the_commands_are_told_for_this_site_and_nothing_is_done(site: Site, language: str) -> None:
    refused = say(site, "--of", "storage", language=language)
    assert refused.status != Exit.GOOD
    assert "storage.copy_node" in refused.err
    site.spec_file.write_text(f"{site.spec_file.read_text()}{COPIED}")
    told = say(site, "--of", "storage", language=language)
    assert told.status == Exit.GOOD, told.err
    spec = load_spec(site.spec_file).spec
    assert spec is not None
    old, new = (spec.node(name).cluster_address for name in ("node2", "node3"))
    assert f"s/^    server: {old}$/    server: {new}/" in told.out
    assert f"become source {spec.name}" in told.out
    assert "{" not in told.out.partition("jsonpath")[0], "every place is filled"
    assert site.run_ids() == []
    answer = json.loads(say(site, "--of", "storage", "--json", language=language).out)
    assert [bool(step["commands"]) for step in answer["steps"]] == [True] * 7
