"""``convert`` on simulated hosts of a Rainbond 3.6: shown, refused, carried out by its own run, and then nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rbdtui.audit.rows.entrance import COMPOSE
from rbdtui.audit.target import target_of
from rbdtui.cli.output import Exit
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.old_site import OldSite, install
from rbdtui.simulator.rainbond_3_6 import before
from rbdtui.site import Site
from rbdtui.spec.loader import parse_spec
from rbdtui.words import LANGUAGES
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault
from tests.screens.terminal import terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NAMES = ("manage01", "compute01", "compute02")
ROLES = ("control-plane, etcd", "worker, gateway", "worker, gateway")


class Convertible:
    """A site of three simulated servers with a Rainbond 3.6 that does something."""

    def __init__(self, thread: FleetThread, site: Site) -> None:
        fleet: SimulatedFleet = thread.fleet
        self.site = site
        machines = list(fleet.machines.values())
        head = site.spec_file.read_text().partition("nodes:\n")[0]
        nodes = "".join(
            f"  - {{name: {name}, address: {machine.ip}, roles: [{roles}]}}\n"
            for name, machine, roles in zip(NAMES, machines, ROLES, strict=True)
        )
        text = (
            f"{head.replace('profile: kubernetes-only', 'profile: rainbond-3.6')}nodes:\n{nodes}"
            f"gateway: {{mode: keepalived, vip: {fleet.vip}, virtual_router_id: 87}}\n"
            "glusterfs: {mode: replica-2, brick: /data/glusterfs, volume: data}\n"
        )
        site.spec_file.write_text(text)
        keys = fleet.known_hosts
        for number, name in enumerate(NAMES, 1):
            keys = keys.replace(f"node{number} ", f"{name} ")
        site.known_hosts_file.write_text(keys)
        spec = parse_spec(text).spec
        assert spec is not None
        hosts = before(target_of(spec))
        for host in hosts.values():
            host.programs |= {"glusterd", "mount.glusterfs", "keepalived"}
        self.old: OldSite = install(target_of(spec), hosts, dict(zip(NAMES, machines, strict=True)))
        thread.do(self._start())

    async def _start(self) -> None:
        for machine in self.old.machines.values():
            machine.start_unit("docker")
            machine.start_unit("kubelet")

    def say(self, verb: str, *words: str, language: str = "en") -> console.Said:
        """A command about it."""
        file = self.site.path / "passphrase"
        return console.run(language, verb, self.site.path, *words, "--passphrase-file", file)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Convertible]:
    with FleetThread(SimulatedFleet(3, speed=50.0)) as hosts:
        site = write_demo_site(tmp_path / "site", hosts.fleet)
        fill_vault(site.path, {})
        yield Convertible(hosts, site)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_dry_run_shows_every_step_with_the_differences_of_its_files(old: Convertible, language: str) -> None:
    said = old.say("convert", "--dry-run", language=language).check(Exit.GOOD)
    for shown in (
        "+DNS_SERVERS=127.77.0.12,127.77.0.13",
        "-DNS_SERVERS=127.77.0.11",
        "+    - --plugin-opts=urls=http://127.77.0.12:10002-http://127.77.0.13:10002",
        "gluster --mode=script volume create data replica 2 compute01:/data/glusterfs compute02:/data/glusterfs force",
        "mv /opt/rainbond/compose/lb.yaml /opt/rainbond/compose/lb.yaml.bak",
        "secret:vrrp-password",
    ):
        assert shown in said.out, shown
    assert {"en": "split-brain", "zh": "脑裂"}[language] in said.err
    assert old.site.run_ids() == []


def test_it_is_carried_out_to_level_2_and_then_nothing_is_left_to_do(old: Convertible) -> None:
    said = old.say("convert", "--yes").check(Exit.GOOD)
    assert "Level of high availability: 2 now" in said.out
    assert json.loads(old.say("audit", "--json").out)["level"] == {"now": 2, "certain": True, "after": 2}
    assert old.old.on_volume == old.old.data
    again = old.say("convert", "--yes").check(Exit.GOOD)
    assert "there is nothing to do" in again.out
    assert len(old.site.run_ids()) == 1


def test_one_group_leaves_the_others(old: Convertible) -> None:
    old.say("convert", "--yes", "--group", "volume").check(Exit.FINDINGS)
    assert old.old.started
    assert not any("glusterfs" in line for host in old.old.hosts.values() for line in host.mounts)
    assert "rbd-lb" in old.old.hosts["manage01"].containers


def test_a_broken_compose_file_is_told_with_its_line_and_nothing_is_changed(old: Convertible) -> None:
    files = old.old.machines["manage01"].files
    text = files.text(f"{COMPOSE}/plugin.yaml")
    files.put(f"{COMPOSE}/plugin.yaml", text.replace("    command:\n", "    command\n", 1))
    said = old.say("convert", "--yes").check(Exit.FINDINGS)
    assert "C21" in said.err
    assert "plugin.yaml line" in said.err
    assert "Nothing was changed" in said.err
    assert old.site.run_ids() == []


def test_a_server_that_is_away_keeps_everything_as_it_is(old: Convertible) -> None:
    keys = old.site.known_hosts_file.read_text().splitlines(keepends=True)
    old.site.known_hosts_file.write_text("".join(keys[:2]))
    said = old.say("convert", "--yes").check(Exit.FINDINGS)
    assert "compute02" in said.err
    assert old.site.run_ids() == []


def test_nobody_is_asked_without_a_terminal_and_another_profile_is_refused(old: Convertible) -> None:
    assert "--yes" in old.say("convert").check(Exit.USAGE).err
    assert old.site.run_ids() == []
    text = old.site.spec_file.read_text().partition("glusterfs:")[0].replace("rainbond-3.6", "kubernetes-only")
    old.site.spec_file.write_text(text)
    assert "kubernetes-only" in old.say("convert").check(Exit.USAGE).err


def test_each_group_is_agreed_to_by_the_sites_name(old: Convertible, tmp_path: Path) -> None:
    """Two groups are asked for; the first is agreed to, the second is not: what was agreed to is done."""
    words = ("convert", old.site.path, "--group", "volume", "--group", "entrance")
    name = next(line.split()[1] for line in old.site.spec_file.read_text().splitlines() if line.startswith("name: "))
    question = f"the name of the site, {name}"
    with terminal(*words, "--passphrase-file", old.site.path / "passphrase", home=tmp_path) as shown:
        shown.wait_for(lambda _: question in shown.said(), 60.0)
        assert not old.old.started
        shown.type(f"{name}\n")
        shown.wait_for(lambda _: shown.said().count(question) > 1, 120.0)
        assert old.old.started
        shown.type("no\n")
        assert shown.ended(60.0) == Exit.USAGE
        assert "The groups before it are done" in shown.said()
    assert "rbd-lb" not in old.old.hosts["compute01"].containers
