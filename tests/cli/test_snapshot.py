"""``snapshot`` and ``snapshots`` on simulated hosts: taken, copied, listed, and what is wrong is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rbdtui.cli.output import Exit
from rbdtui.engine.inputs import read_purpose
from rbdtui.paths import as_typed, asset
from rbdtui.plan.snapshots import COPIES, KEY_SECRET
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.kubernetes.snapshots import DIRECTORY
from rbdtui.vault import Vault, generate_token
from rbdtui.words import LANGUAGES, T, say
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault
from tests.cli.test_reset import Place
from tests.screens.conftest import make_site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("snapshot")
    with FleetThread(SimulatedFleet(1, speed=40.0)) as hosts:
        bundle = write_bundle(directory / "bundle", images_bytes=4096)
        site = write_demo_site(directory / "site", hosts.fleet, bundle=bundle)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        yield Place(site, hosts, fill_vault(site.path, {}))


def test_without_a_cluster_nobody_can_take_one(place: Place) -> None:
    said = place.run("snapshot", "--yes")
    assert said.status == Exit.FINDINGS
    assert "node1" in said.err
    said = place.run("snapshots").check(Exit.FINDINGS)
    assert say(T("snapshots.none", site=as_typed(place.site.path)), "en") in said.err
    assert place.site.run_ids() == []


def test_without_a_vault_it_is_the_snapshot_that_is_missed(place: Place, tmp_path: Path) -> None:
    vault = place.site.vault_file.rename(tmp_path / "vault")
    try:
        said = place.run("restore", "etcd-snapshot-nobody-1700000000", "--yes").check(Exit.FINDINGS)
    finally:
        vault.rename(place.site.vault_file)
    assert "etcd-snapshot-nobody-1700000000" in said.err
    assert "vault" not in said.err


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_is_taken_copied_and_listed(place: Place, language: str) -> None:
    if not place.site.run_ids():
        place.run("run", "--yes").check(Exit.GOOD)
    runs = place.site.run_ids()
    dry = place.run("snapshot", "--dry-run", language=language).check(Exit.GOOD)
    assert "rke2 etcd-snapshot save --name rbdtui-RUN" in dry.out
    told = say(T("plan.change.snapshot_to_be", path="/var/lib/rancher/rke2/server/db/snapshots", run="RUN"), language)
    assert told in " ".join(dry.out.split())
    assert say(T("recipe.snapshot.weighs"), language) in dry.out
    assert place.site.run_ids() == runs

    place.run("snapshot", "--yes", language=language).check(Exit.GOOD)
    run_id = place.site.run_ids()[-1]
    assert read_purpose(place.site.run_dir(run_id)).name == "snapshot"
    listed = json.loads(place.run("snapshots", "--json").check(Exit.GOOD).out)
    Draft202012Validator(json.loads(asset("schemas", "snapshots.schema.json").read_text())).validate(listed)
    own = [each for each in listed["snapshots"] if run_id in each["name"]]
    assert [each["server"] for each in own] == [None, "node1"]
    assert len({each["digest"] for each in own}) == 1
    assert {each["state"] for each in own} == {"whole"}
    assert (listed["silent"], listed["late"]) == ({}, [])
    shown = place.run("snapshots", language=language).check(Exit.GOOD).out
    assert shown.count(own[0]["name"]) == 2


def test_what_is_not_whole_is_told(place: Place, tmp_path: Path) -> None:
    files = place.hosts.fleet.machines["node1"].files
    files.put(f"{DIRECTORY}/etcd-snapshot-node1-1700000000", b"x" * 1000)
    files.put(f"{DIRECTORY}/etcd-snapshot-node1-1700000001.part", b"x")
    copy = next((place.site.path / COPIES).iterdir())
    content = copy.read_bytes()
    copy.write_bytes(content[:-1])
    said = place.run("snapshots").check(Exit.FINDINGS)
    assert said.out.count(say(T("snapshots.state.cut"), "en")) == 2
    assert said.out.count(say(T("snapshots.state.part"), "en")) == 1
    copy.write_bytes(content)
    files.remove(f"{DIRECTORY}/etcd-snapshot-node1-1700000000")
    files.remove(f"{DIRECTORY}/etcd-snapshot-node1-1700000001.part")
    place.run("snapshots").check(Exit.GOOD)


@pytest.mark.parametrize("language", LANGUAGES)
def test_copies_are_read_back_to_their_end(place: Place, language: str) -> None:
    place.run("snapshots", "--prove", language=language).check(Exit.GOOD)
    copy = next((place.site.path / COPIES).iterdir())
    content = copy.read_bytes()
    copy.write_bytes(content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:])
    place.run("snapshots", language=language).check(Exit.GOOD)
    said = place.run("snapshots", "--prove", language=language).check(Exit.FINDINGS)
    assert say(T("snapshots.state.damaged"), language) in said.out
    listed = json.loads(place.run("snapshots", "--prove", "--json").check(Exit.FINDINGS).out)
    assert [each["state"] for each in listed["snapshots"] if each["server"] is None].count("damaged") == 1
    copy.write_bytes(content)


def test_copies_that_the_key_in_the_vault_does_not_open_are_told(place: Place) -> None:
    vault = Vault.open(place.site.vault_file, place.passphrase.read_text().rstrip("\n"))
    key = vault.get(KEY_SECRET)
    vault.set(KEY_SECRET, generate_token())
    said = place.run("snapshots", "--prove").check(Exit.FINDINGS)
    assert say(T("snapshots.state.damaged"), "en") in said.out
    vault.forget(KEY_SECRET)
    said = place.run("snapshots", "--prove").check(Exit.USAGE)
    assert say(T("snapshots.no_key"), "en") in said.err
    vault.set(KEY_SECRET, key)
    place.run("snapshots", "--prove").check(Exit.GOOD)


def test_one_that_rke2_should_have_saved_since_is_missed(place: Place) -> None:
    files = place.hosts.fleet.machines["node1"].files
    kept = {name: files.read(f"{DIRECTORY}/{name}") for name in files.listdir(DIRECTORY)}
    for name in kept:
        files.remove(f"{DIRECTORY}/{name}")
    files.put(f"{DIRECTORY}/etcd-snapshot-node1-1600000000", next(iter(kept.values())))
    said = place.run("snapshots").check(Exit.FINDINGS)
    assert "journalctl -u rke2-server" in said.err
    files.remove(f"{DIRECTORY}/etcd-snapshot-node1-1600000000")
    for name, content in kept.items():
        files.put(f"{DIRECTORY}/{name}", content)
    place.run("snapshots").check(Exit.GOOD)


def test_a_node_that_has_no_etcd_is_named_with_those_that_have(place: Place) -> None:
    said = place.run("snapshot", "--node", "nobody", "--yes")
    assert said.status == Exit.USAGE
    assert "node1" in said.err


def test_a_copy_that_is_a_link_is_refused(place: Place, tmp_path: Path) -> None:
    link = place.site.path / COPIES / "elsewhere.sealed"
    link.symlink_to(tmp_path)
    assert place.run("snapshots").status == Exit.USAGE
    link.unlink()


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_silent_servers_nothing_is_denied(tmp_path: Path, language: str) -> None:
    site = make_site(tmp_path / "site a")
    said = console.run(language, "restore", site.path, "nightly", "--yes").check(Exit.FINDINGS)
    assert "nightly" in said.err
    assert "server1, server2, server3" in said.err
    assert ": -" not in said.err
    listed = console.run(language, "snapshots", site.path).check(Exit.FINDINGS)
    assert f"`rbdtui snapshot '{site.path}'`" in listed.err, "it can be copied into a shell"
    certificates = console.run(language, "certs", site.path).check(Exit.FINDINGS)
    assert say(T("certs.none"), language) not in certificates.err, "nobody has answered"
