"""KubeSphere by the command line: refused without its packages, installed, watched, and taken back alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Place:
    """A site of one server, whose plan has KubeSphere, and where its passphrase is."""

    site: Site
    bundle: Path
    passphrase: Path

    def run(self, *words: str, language: str = "en") -> console.Said:
        verb, *rest = words
        return console.run(language, verb, self.site.path, *rest, "--passphrase-file", self.passphrase, limit_s=250)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("sphere")
    with FleetThread(SimulatedFleet(1, speed=40.0)) as hosts:
        bundle = write_bundle(directory / "bundle", images_bytes=4096)
        site = write_demo_site(directory / "site", hosts.fleet, bundle=bundle)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        site.spec_file.write_text(f"{site.spec_file.read_text()}kubesphere: {{install: true}}\n")
        yield Place(site, bundle, fill_vault(site.path, {}))


def test_without_its_packages_nothing_begins(place: Place) -> None:
    said = place.run("run", "--yes").check(Exit.FINDINGS)
    assert "ks-core*.tgz" in said.out + said.err
    assert "kubesphere-images-amd64" in said.out + said.err
    assert place.site.run_ids() == []


def test_with_them_it_is_installed_and_its_console_is_named(place: Place) -> None:
    shutil.rmtree(place.bundle)
    write_bundle(place.bundle, images_bytes=4096, kubesphere=True)
    said = place.run("run", "--yes").check(Exit.GOOD)
    assert ":30880" in said.out + said.err
    assert "P@88w0rd" in said.out + said.err
    report = place.site.path / "handed.html"
    place.run("report", "-o", str(report)).check(Exit.GOOD)
    assert "KubeSphere" in report.read_text()
    told = json.loads(place.run("health", "--json").out)["probes"]
    assert {each["state"] for each in told if each["id"].startswith("kubesphere")} == {"ok"}


def test_it_is_taken_back_alone_after_it_was_shown(place: Place) -> None:
    said = place.run("reset", "--only", "kubesphere", "--dry-run").check(Exit.GOOD)
    for words in ("namespaces/kubesphere-system", "users.iam.kubesphere.io", "namespaces/default", "What stays"):
        assert words in said.out
    assert "--yes" in place.run("reset", "--only", "kubesphere").check(Exit.USAGE).err
    place.run("reset", "--only", "kubesphere", "--yes").check(Exit.GOOD)
    again = place.run("reset", "--only", "kubesphere", "--yes", language="zh").check(Exit.GOOD)
    assert "没有 KubeSphere 的遗留" in again.out
    told = json.loads(place.run("health", "--json").out)["probes"]
    assert {each["state"] for each in told if each["id"].startswith("kubesphere")} == {"ok"}, "not missed any more"
