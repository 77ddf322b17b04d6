"""``restore`` and ``remove`` on simulated hosts: what they refuse, whom they ask, and what is so afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from rbdtui.cli.output import Exit
from rbdtui.engine.inputs import read_purpose
from rbdtui.plan.snapshots import copies_in
from rbdtui.session import Session
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.kubernetes.cluster import Cluster, cluster_of
from rbdtui.spec.loader import load_spec
from rbdtui.words import LANGUAGES, T, say
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.upkeep.upkeep import Upkeep, look
from tests.cli.hosts import FleetThread, fill_vault
from tests.cli.test_reset import Place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("two")
    with FleetThread(SimulatedFleet(4, speed=40.0)) as hosts:
        bundle = write_bundle(directory / "bundle", images_bytes=4096)
        site = write_demo_site(directory / "site", hosts.fleet, bundle=bundle)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        made = Place(site, hosts, fill_vault(site.path, {}))
        made.run("run", "--yes").check(Exit.GOOD)
        made.run("snapshot", "--yes").check(Exit.GOOD)
        yield made


def cluster(place: Place) -> Cluster:
    found = cluster_of(place.hosts.fleet.machines["node1"])
    assert found is not None
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_restored_before_the_name_was_typed(place: Place, language: str) -> None:
    (copy,) = copies_in(place.site.path)
    runs = place.site.run_ids()
    dry = place.run("restore", copy.name, "--dry-run", language=language).check(Exit.GOOD)
    assert "--cluster-reset-restore-path" in dry.out
    refused = place.run("restore", copy.name, language=language)
    assert refused.status == Exit.USAGE
    assert say(T("recipe.needs_yes"), language) in refused.err
    unknown = place.run("restore", "etcd-snapshot-nobody-1700000000", "--yes", language=language)
    assert unknown.status == Exit.FINDINGS
    assert copy.name in unknown.err
    assert place.run("restore", copy.name, "--without", "nobody", "--yes").status == Exit.USAGE
    assert place.site.run_ids() == runs


def test_it_is_restored_and_journalled(place: Place) -> None:
    (copy,) = copies_in(place.site.path)
    store = cluster(place).store
    store.create(store.kind("", "configmaps"), "default", {"metadata": {"name": "after"}})
    place.run("restore", copy.name, "--yes").check(Exit.GOOD)
    assert store.find(store.kind("", "configmaps"), "default", "after") is None
    purpose = read_purpose(place.site.run_dir(place.site.run_ids()[-1]))
    assert purpose.name == "restore"
    assert purpose.arguments["digest"] == copy.digest


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reboot_is_shown_and_refused_where_nobody_agrees_or_a_server_is_silent(place: Place, language: str) -> None:
    runs = place.site.run_ids()
    dry = place.run("reboot", "--node", "node2", "--dry-run", language=language).check(Exit.GOOD)
    for line in ("kubectl drain node2", "systemctl reboot"):
        assert line in dry.out
    assert "node3" not in dry.out
    refused = place.run("reboot", "--node", "node2", language=language)
    assert refused.status == Exit.USAGE
    assert "--yes" in refused.err
    assert place.run("reboot", "--node", "nobody", "--yes", language=language).status == Exit.USAGE
    assert place.site.run_ids() == runs


def test_a_server_is_rebooted_and_takes_pods_again(place: Place) -> None:
    machine = place.hosts.fleet.machines["node2"]
    before = machine.booted_at
    place.run("reboot", "--node", "node2", "--yes").check(Exit.GOOD)
    assert machine.booted_at > before
    assert not cluster(place).nodes["node2"].spec.get("unschedulable")
    assert read_purpose(place.site.run_dir(place.site.run_ids()[-1])).name == "reboot"


def on_screen(place: Place) -> Upkeep:
    held = HeldPassphrase()
    held.give(place.passphrase.read_text())
    return asyncio.run(look(Session.open(place.site.path, held)))


def test_the_screen_lists_what_the_verb_lists_and_refuses_what_it_refuses(place: Place) -> None:
    listed = json.loads(place.run("snapshots", "--json").out)["snapshots"]
    seen = on_screen(place)
    assert {(line.name, place) for line in seen.snapshots for place in line.places} == {
        (each["name"], each["server"] or "") for each in listed
    }
    assert [line.node for line in seen.servers] == ["node1", "node2", "node3", "node4"]
    assert (seen.late, dict(seen.unasked), seen.silent) == ((), {}, ())
    assert all(line.is_well and line.stays is None for line in seen.servers)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_quorum_and_the_last_of_a_role_stay(place: Place, language: str) -> None:
    known = cluster(place)
    place.hosts.do(place.hosts.fleet.machines["node2"].systemd.stop("rke2-server"))
    runs = place.site.run_ids()
    said = place.run("remove", "node3", "--yes", language=language)
    assert said.status != Exit.GOOD
    assert "2" in said.err
    assert len(known.members) == 3
    assert place.run("remove", "nobody", "--yes", language=language).status == Exit.USAGE
    assert place.site.run_ids() == runs
    seen = on_screen(place)
    stays = {line.node: line.stays for line in seen.servers}
    assert say(stays["node3"] or T("recipe.nothing"), language) in said.err, "the screen says it as the verb does"
    assert stays["node2"] is None, "it is the one that is not well"
    assert {line.node: line.is_well for line in seen.servers}["node2"] is False

    async def begin() -> None:
        place.hosts.fleet.machines["node2"].systemd.begin("rke2-server.service")

    place.hosts.do(begin())


def test_a_node_leaves_the_cluster_and_the_file_which_keeps_its_comments(place: Place) -> None:
    file = place.site.spec_file
    file.write_text("# mine\n" + file.read_text())
    place.run("remove", "node4").check(Exit.USAGE)
    said = place.run("remove", "node4", "--yes").check(Exit.GOOD)
    assert "node4" in said.err
    spec = load_spec(file).spec
    assert spec is not None
    assert "node4" not in {node.name for node in spec.nodes}
    assert file.read_text().startswith("# mine\n")
    assert "node4" in file.with_name("cluster.yaml.bak").read_text()
    assert "node4" not in cluster(place).nodes
    runs = json.loads(place.run("runs", "--json").check(Exit.GOOD).out)["runs"]
    assert [run["purpose"] for run in runs] == ["install", "snapshot", "restore", "reboot", "remove"]
