"""Confirming host keys: new ones by a word, changed ones by the server's name, and nothing that was not shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from rbdtui.cli.output import Exit
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.transport.hostkeys import KnownHosts, public_text
from rbdtui.words import LANGUAGES, T, say
from tests.cli import console
from tests.cli.hosts import FleetThread

OLD = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[tuple[FleetThread, Site]]:
    """Three servers, and a site in which nothing is pinned."""
    with FleetThread(SimulatedFleet(3)) as hosts:
        yield hosts, write_demo_site(tmp_path / "site", hosts.fleet)


def pinned(hosts: FleetThread, site: Site) -> dict[str, list[str]]:
    """The fingerprints that are trusted, by node."""
    known = KnownHosts(site.known_hosts_file)
    return {
        name: [key.get_fingerprint() for key in known.pinned_keys(str(machine.ip), hosts.fleet.port)]
        for name, machine in hosts.fleet.machines.items()
    }


def shown_by(hosts: FleetThread) -> dict[str, list[str]]:
    """The fingerprints of the keys that the servers have."""
    return {
        name: [asyncssh.import_public_key(" ".join(station.sshd.known_hosts_line.split()[1:])).get_fingerprint()]
        for name, station in hosts.fleet.stations.items()
    }


def pin_old_keys(hosts: FleetThread, site: Site, *nodes: str, form: str = "{host}") -> None:
    """Have other keys pinned for some nodes than those they show."""
    hosts_of = {name: f"[{hosts.fleet.machines[name].ip}]:{hosts.fleet.port}" for name in nodes}
    lines = [f"{form.format(host=host)} {public_text(OLD)}\n" for host in hosts_of.values()]
    site.known_hosts_file.touch(mode=0o600)
    site.known_hosts_file.write_text("".join(lines))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_changed_key_is_not_pinned_by_the_way(fleet: tuple[FleetThread, Site], language: str) -> None:
    hosts, site = fleet
    pin_old_keys(hosts, site, "node1", "node3")
    said = console.run(language, "trust", site.path, "--yes").check(Exit.FINDINGS)
    assert pinned(hosts, site) == {
        "node1": [OLD.get_fingerprint()], "node2": shown_by(hosts)["node2"], "node3": [OLD.get_fingerprint()]
    }  # fmt: skip
    assert say(T("cli.trust.changed_warning"), language) in said.err
    assert f"rbdtui trust {site.path} --replace node1 --replace node3" in said.err
    again = console.run(language, "trust", site.path, "--yes").check(Exit.FINDINGS)
    assert "--replace node1" in again.err
    assert pinned(hosts, site)["node1"] == [OLD.get_fingerprint()]


def test_what_it_advises_works_and_ends_the_trust_in_the_old_key(fleet: tuple[FleetThread, Site]) -> None:
    hosts, site = fleet
    pin_old_keys(hosts, site, "node1", "node3", form="other,{host}")
    console.run("en", "trust", site.path, "--yes", "--replace", "node1").check(Exit.FINDINGS)
    assert pinned(hosts, site)["node1"] == shown_by(hosts)["node1"]
    assert pinned(hosts, site)["node3"] == [OLD.get_fingerprint()]
    console.run("zh", "trust", site.path, "--yes", "--replace", "node3").check(Exit.GOOD)
    assert pinned(hosts, site) == shown_by(hosts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_there_means_no_key_and_a_name_that_is_none_is_told(
    fleet: tuple[FleetThread, Site], language: str
) -> None:
    hosts, site = fleet
    pin_old_keys(hosts, site, "node1")
    before = site.known_hosts_file.read_bytes()
    console.run(language, "trust", site.path, "--replace", "node1").check(Exit.USAGE)
    said = console.run(language, "trust", site.path, "--yes", "--replace", "node9").check(Exit.USAGE)
    assert "node9" in said.err
    assert "node1, node2, node3" in said.err
    assert site.known_hosts_file.read_bytes() == before


def test_a_no_pins_nothing(fleet: tuple[FleetThread, Site]) -> None:
    _, site = fleet
    console.run("en", "trust", site.path, stdin="n\n").check(Exit.FINDINGS)
    assert not site.known_hosts_file.exists()


def test_a_further_key_beside_a_pinned_one_is_told_and_not_pinned(fleet: tuple[FleetThread, Site]) -> None:
    """Whoever is in between may hand through the real key and show one of his own of another type."""
    hosts, site = fleet
    station = hosts.fleet.stations["node1"]
    address, port = str(station.machine.ip), 2299
    theirs = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    own = asyncssh.generate_private_key("ssh-ed25519")

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(address, port, server_host_keys=[own, theirs])

    listener = hosts.do(listen())
    try:
        text = site.spec_file.read_text().replace(f"address: {address},", f"address: {address}, ssh: {{port: {port}}},")
        site.spec_file.write_text(text)
        line = f"[{address}]:{port} {public_text(own)}\n"
        site.known_hosts_file.write_text(line)
        said = console.run("en", "trust", site.path, "--yes").check(Exit.GOOD)
        assert "not saved" in next(row for row in said.out.splitlines() if theirs.get_fingerprint() in row)
        assert public_text(theirs) not in site.known_hosts_file.read_text()
        assert line in site.known_hosts_file.read_text()
    finally:
        listener.close()
