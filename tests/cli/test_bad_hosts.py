"""Hosts that cannot be used, as `check` and `run` tell of them: all at once, each by name, with what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from rbdtui.cli.output import Exit
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.simulator.machine import Sudo
from rbdtui.site import Site
from rbdtui.words import LANGUAGES, T, say
from tests.cli import console
from tests.cli.hosts import FleetThread, closing_port, dropping_port, fill_vault, refusing_port, silent_port

PASSWORD = 'right\u5bc6 "one" $x'
WRONG = "wrong-canary"
GREETING = """\
*** \x1b[31mAuthorized users only\x1b[0m ***
No space left on device, sudo: a password is required
Last login: Fri Nov 20 from 10.0.0.1
"""
KEY = "key: KEY"
"""Stands for the fleet's key, wherever that is."""
SERVER = "control-plane, etcd, worker, gateway"


class Case(NamedTuple):
    """A host of the fleet, how the plan logs in to it, and what is told of it."""

    login: str
    code: str
    pieces: tuple[str, ...]
    build: Build = Build()
    roles: str = "worker"


def user(sudo: Sudo) -> Build:
    return Build(user="ops", password=PASSWORD, sudo=sudo)


HOSTS: Mapping[str, Case] = MappingProxyType({
    "greets": Case(KEY, "", (), roles=SERVER),
    "read-only-tmp": Case(KEY, "RBD-DISK-106", ("/tmp",), roles=SERVER),
    "disk-full": Case(KEY, "RBD-DISK-104", ("100 %",), roles=SERVER),
    "wrong-password": Case(
        "user: ops, password: secret:bad, agent: false", "RBD-SSH-004", ("ops", "password", "ssh.password"),
        user(Sudo.PASSWORD),
    ),
    "wrong-sudo": Case(
        f"user: ops, {KEY}, sudo_password: secret:bad", "RBD-SSH-011", ("ops", "rbdtui secret set /"),
        user(Sudo.PASSWORD),
    ),
    "no-sudo-password": Case(
        f"user: ops, {KEY}", "RBD-SSH-013", ("ops", "`ssh.sudo_password`", "secret:NAME"), user(Sudo.PASSWORD)
    ),
    "sudo-wants-tty": Case(
        f"user: ops, {KEY}, sudo_password: secret:good", "RBD-SSH-014", ("Defaults:ops !requiretty",), user(Sudo.TTY)
    ),
    "no-sudoer": Case(
        f"user: ops, {KEY}, sudo_password: secret:good", "RBD-SSH-012", ("ops", "sudoers"), user(Sudo.NONE)
    ),
    "no-sudo": Case(f"user: ops, {KEY}, sudo_password: secret:good", "RBD-SSH-015", ("ops",), user(Sudo.ABSENT)),
    "key-changed": Case(KEY, "RBD-SSH-006", ("SHA256:", "rbdtui trust /")),
    "key-unknown": Case(KEY, "RBD-SSH-005", ("SHA256:", "rbdtui trust /")),
    "port-taken": Case(KEY, "RBD-PORT-101", ("10250/tcp", "haproxy")),
})  # fmt: skip
PORTS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType({
    "refuses": ("RBD-SSH-001", ("127.77.0.201", "ssh.port")),
    "hangs-up": ("RBD-SSH-007", ("MaxStartups",)),
    "drops-packets": ("RBD-SSH-002", ("127.77.0.",)),
    "says-nothing": ("RBD-SSH-002", ("127.77.0.",)),
})  # fmt: skip
"""Ports where no simulated host answers: the finding's code, and pieces of its sentences."""
COMMANDS = ("check", "run --yes", "trust")


def node_line(name: str, address: str, port: int, login: str, roles: str) -> str:
    return f"  - {{name: {name}, address: {address}, roles: [{roles}], ssh: {{port: {port}, {login}}}}}\n"


def write_site(directory: Path, fleet: SimulatedFleet, ports: Mapping[str, tuple[str, int]]) -> Site:
    """A site with all of them; every key is pinned but the one that shall not be."""
    site = Site.create(directory)
    bundle = write_bundle(site.path / "bundle", images_bytes=65536)
    site.demo_key_file.touch(mode=0o600)
    site.demo_key_file.write_bytes(fleet.client_key.export_private_key())
    stations = dict(zip(HOSTS, fleet.stations.values(), strict=True))
    lines = [
        node_line(name, str(station.machine.ip), station.sshd.port, HOSTS[name].login, HOSTS[name].roles)
        for name, station in stations.items()
    ]
    lines += [node_line(name, address, port, KEY, "worker") for name, (address, port) in ports.items()]
    nodes = "".join(lines).replace(KEY, f"key: {site.demo_key_file}")
    site.spec_file.write_text(
        f"apiVersion: rbdtui/v1\nname: demo\nprofile: kubernetes-only\nbundle: {bundle}\nnodes:\n{nodes}"
        f"kubernetes: {{distribution: rke2, api: {{mode: vip, address: {fleet.vip.ip}}}}}\n"
        f"gateway: {{mode: keepalived, vip: {fleet.vip}, virtual_router_id: 87}}\n"
    )
    pinned = [station.sshd.known_hosts_line for name, station in stations.items() if name != "key-unknown"]
    site.known_hosts_file.write_text("\n".join(pinned) + "\n")
    return site


def spoil(fleet: SimulatedFleet) -> None:
    """What is wrong with the hosts behind their logins."""
    node = dict(zip(HOSTS, fleet.stations, strict=True))
    fleet.greet(node["greets"], GREETING)
    fleet.read_only(node["read-only-tmp"], "/tmp")
    fleet.full_disk(node["disk-full"])
    fleet.change_host_key(node["key-changed"])
    fleet.machines[node["port-taken"]].listen(10250, "haproxy")


class Seen(NamedTuple):
    """What was said, by command and language, and the site before and after."""

    said: Mapping[tuple[str, str], console.Said]
    before: Mapping[str, tuple[int, bytes]]
    after: Mapping[str, tuple[int, bytes]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """All commands in both languages at once: most of their time they wait for the host that says nothing."""
    builds = [case.build for case in HOSTS.values()]
    with ExitStack() as stack:
        thread = stack.enter_context(FleetThread(SimulatedFleet(len(HOSTS), speed=20.0, builds=builds)))
        openers = (closing_port, dropping_port, silent_port)
        ports = {"refuses": ("127.77.0.201", refusing_port("127.77.0.201"))}
        for number, (name, opener) in enumerate(zip(list(PORTS)[1:], openers, strict=True), start=202):
            ports[name] = (f"127.77.0.{number}", stack.enter_context(opener(f"127.77.0.{number}")))
        site = write_site(tmp_path_factory.mktemp("bad") / "site", thread.fleet, ports)
        vault = fill_vault(site.path, {"good": PASSWORD, "bad": WRONG})
        spoil(thread.fleet)
        before = console.contents(site.path)
        options = ("--ascii", "--passphrase-file", vault)
        started = {
            (command, language): console.start(language, *command.split(), site.path, *options)
            for command in COMMANDS
            for language in LANGUAGES
        }
        said = {key: console.finish(process, key[1], limit_s=110) for key, process in started.items()}
        yield Seen(said, before, console.contents(site.path))


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [name for name, case in HOSTS.items() if case.code])
def test_a_bad_host_is_told_by_name_with_what_to_do(seen: Seen, language: str, name: str) -> None:
    case = HOSTS[name]
    told = seen.said["check", language].check(Exit.FINDINGS).about(case.code, name)
    assert [piece for piece in case.pieces if piece not in told] == []


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PORTS)
def test_a_bad_port_is_told_by_name_and_address(seen: Seen, language: str, name: str) -> None:
    code, pieces = PORTS[name]
    told = seen.said["check", language].check(Exit.FINDINGS).about(code, name)
    assert [piece for piece in pieces if piece not in told] == []


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_greeting_hides_nothing_and_is_not_taken_for_an_answer(seen: Seen, language: str) -> None:
    said = seen.said["check", language].check(Exit.FINDINGS)
    own = [block for block in said.findings() if "greets" in block.splitlines()[0].split()]
    assert [block for block in own if block.startswith("x ") and "RBD-NET" not in block] == []
    assert "Authorized" not in said.words


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_run_tells_the_same_and_starts_nothing(seen: Seen, language: str) -> None:
    said = seen.said["run --yes", language].check(Exit.FINDINGS)
    for name, case in HOSTS.items():
        if case.code:
            said.about(case.code, name)
    assert "--accept" in said.err
    added = {file.split("/")[0] for file in seen.after.keys() - seen.before.keys()}
    assert added <= {"facts", "bundle-hashes.json", "secrets.enc.lock"}
    assert {file: seen.after[file] for file in seen.before} == seen.before


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_trust_shows_what_changed_and_pins_nothing_unasked(seen: Seen, language: str) -> None:
    said = seen.said["trust", language].check(Exit.USAGE)
    lines = {line.split()[0]: line for line in said.out.splitlines()}
    assert lines.keys() == HOSTS.keys() | PORTS.keys()
    assert (lines["key-changed"].count("SHA256:"), lines["key-unknown"].count("SHA256:")) == (2, 1)
    assert all(lines[name].count("SHA256:") == 0 for name in PORTS)
    assert "--yes" in said.err
    assert say(T("cli.trust.changed_warning"), language) in said.err


@pytest.mark.slow
def test_no_password_is_shown(seen: Seen) -> None:
    for said in seen.said.values():
        assert WRONG not in said.words
        assert PASSWORD not in said.words
