"""``move-storage`` from the terminal: what it refuses before anybody is asked anything."""

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

pytestmark = [pytest.mark.timeout(120)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with FleetThread(SimulatedFleet(3, speed=20.0)) as hosts:
        bundle = write_bundle(tmp_path / "bundle", images_bytes=4096)
        site = write_demo_site(tmp_path / "site", hosts.fleet, bundle=bundle, profile="rainbond-6")
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        fill_vault(site.path, {})
        yield site


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_must_be_a_place_and_something_to_move(site: Site, language: str) -> None:
    def say(*words: str) -> str:
        told = console.run(language, "move-storage", site.path, *words, "--passphrase-file", site.path / "passphrase")
        assert told.status != Exit.GOOD
        assert "Traceback" not in told.err
        return told.err

    assert "--to CLASS" in say("--dry-run")
    assert "`rbdtui run`" in say("--to", "elsewhere", "--dry-run")
    for bad in ("A_B", "-a", "a/b", "x" * 254):
        assert bad in (refused := say("--to", bad, "--dry-run"))
        assert "`kubectl get storageclass`" in refused
    assert "--drop-old" in say("--drop-old", "--to", "elsewhere")
    assert "--to-node" in say("--to-node", "node2", "--to", "elsewhere")
    assert "node1, node2, node3" in say("--to-node", "nobody")
    assert site.run_ids() == []
