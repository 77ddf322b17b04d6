"""A demo reaches nothing but its own servers, its site says what it is everywhere, and a killed one is cleared away."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rbdtui.checks import services
from rbdtui.checks.services import THIS_MACHINE
from rbdtui.cli import demo_directory
from rbdtui.cli.output import Exit
from rbdtui.engine.assembly import assemble_site
from rbdtui.engine.inputs import RunInputs, RunOptions
from rbdtui.findings import has_errors
from rbdtui.paths import asset
from rbdtui.session import Session
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.transport.base import SimulatedOnlyError
from rbdtui.words import LANGUAGES
from rbdtui.workbench.live.live import LiveState
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.workbench import Workbench
from tests.checks.test_services import PortOpen
from tests.cli import console
from tests.cli.hosts import FleetThread, fill_vault

ELSEWHERE = "127.88.7.9"
SAID = {"en": "SIMULATED", "zh": "模拟"}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[FleetThread, Site]]:
    """Four simulated servers and their site, as the demo makes it; keys are pinned."""
    with FleetThread(SimulatedFleet(4, speed=20.0)) as hosts:
        bundle = write_bundle(tmp_path / "bundle", images_bytes=4096)
        site = write_demo_site(tmp_path / "site", hosts.fleet, bundle=bundle)
        site.mark_simulated((str(each.machine.ip), each.sshd.port) for each in hosts.fleet.stations.values())
        site.known_hosts_file.touch(mode=0o600)
        site.known_hosts_file.write_text(hosts.fleet.known_hosts)
        yield hosts, site


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """A server that is none of the demo's, which notes who connects."""
    with socket.create_server((ELSEWHERE, 0)) as server:
        server.setblocking(False)
        yield server


def nobody_came(server: socket.socket) -> bool:
    """Whether no connection was made to it."""
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return True
    return False


def have_typed(site: Site, server: socket.socket, *, as_bastion: bool) -> None:
    """Put the other server into cluster.yaml, as the last node or as the bastion in front of all."""
    text, port = site.spec_file.read_text(), server.getsockname()[1]
    if as_bastion:
        text = text.replace("nodes:\n", f"  bastion: {{address: {ELSEWHERE}, port: {port}}}\nnodes:\n", 1)
    else:
        text = text.replace("127.77.0.14,", f"{ELSEWHERE}, ssh: {{port: {port}}},")
    assert ELSEWHERE in text
    site.spec_file.write_text(text)


@pytest.mark.parametrize("as_bastion", [False, True], ids=["node", "bastion"])
def test_no_other_server_is_reached_whatever_is_typed(
    demo: tuple[FleetThread, Site], elsewhere: socket.socket, as_bastion: bool
) -> None:
    _, site = demo
    have_typed(site, elsewhere, as_bastion=as_bastion)
    session = Session.open(site.path, HeldPassphrase())
    assert not has_errors(session.rule_findings())

    async def ask() -> None:
        keys = await session.scan_host_keys()
        assert any(isinstance(key.error, SimulatedOnlyError) for key in keys)
        inputs = RunInputs(site, site.run_dir("20260101-0000-aaaa"), session.spec, "0", {}, RunOptions())
        async with session.hosts() as hosts, assemble_site(inputs, lambda name: "") as run:
            for host in (hosts["node4"], run.hosts["node4"]):
                with pytest.raises(SimulatedOnlyError):
                    await host.connect()

    asyncio.run(ask())
    assert nobody_came(elsewhere)


def test_what_is_typed_in_the_demo_is_a_finding_that_says_where_one_is(
    demo: tuple[FleetThread, Site], elsewhere: socket.socket
) -> None:
    _, site = demo
    have_typed(site, elsewhere, as_bastion=False)
    workbench = Workbench.open(site.path, HeldPassphrase())
    try:
        workbench.start()
        deadline = asyncio.run(_until(lambda: not workbench.live.busy and len(workbench.live.nodes) == 4))
        assert deadline
        nodes = workbench.live.nodes
        assert [nodes[name].state for name in ("node1", "node4")] == [LiveState.OK, LiveState.FAILED]
        assert nodes["node4"].code == "RBD-SSH-020"
        assert "demo" in str(nodes["node4"].remedy)
    finally:
        workbench.close()
    assert nobody_came(elsewhere)


def test_this_machine_asks_no_service_in_a_demo(
    demo: tuple[FleetThread, Site], elsewhere: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, site = demo
    check = PortOpen(also_here=True)
    check.asked = (ELSEWHERE, elsewhere.getsockname()[1])
    monkeypatch.setattr(services, "SERVICE_CHECKS", (check,))
    workbench = Workbench.open(site.path, HeldPassphrase())
    try:
        workbench.start()
        assert asyncio.run(_until(lambda: len(workbench.live.service("trial").answers) == 3))
        assert THIS_MACHINE not in workbench.live.service("trial").answers
    finally:
        workbench.close()
    asyncio.run(check_servers(site))
    assert nobody_came(elsewhere)
    site.simulation_file.unlink()
    asyncio.run(check_servers(site))
    assert not nobody_came(elsewhere), "the trial is one that asks from here"


async def check_servers(site: Site) -> None:
    """Every server is asked everything, as before a run."""
    session = Session.open(site.path, HeldPassphrase())
    async with session.hosts() as hosts:
        await session.preflight(hosts)


async def _until(holds: object) -> bool:
    assert callable(holds)
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)
    return True


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_on_a_demos_site_says_that_it_is_simulated(demo: tuple[FleetThread, Site], language: str) -> None:
    _, site = demo
    vault = ["--passphrase-file", str(fill_vault(site.path, {}))]
    for command, status in (("check", Exit.GOOD), ("plan", Exit.GOOD), ("health", Exit.FINDINGS), ("runs", Exit.GOOD)):
        said = console.run(language, command, site.path, *vault).check(status)
        assert SAID[language] in said.err.splitlines()[0], command
        as_json = console.run(language, command, site.path, "--json", *vault)
        found = json.loads(as_json.out)
        assert found["simulated"] is True, command
        Draft202012Validator(json.loads(asset("schemas", f"{command}.schema.json").read_text())).validate(found)
        assert SAID[language] in as_json.err.splitlines()[0], command
    assert SAID[language] in console.run(language, "run", site.path, *vault).err.splitlines()[0]


def test_a_site_of_real_servers_says_nothing_of_it(demo: tuple[FleetThread, Site]) -> None:
    _, site = demo
    site.simulation_file.unlink()
    said = console.run("en", "check", site.path, "--json").check(Exit.GOOD)
    assert "simulated" not in json.loads(said.out)
    assert SAID["en"] not in said.err


@pytest.mark.parametrize("content", ["", "{", "[]", '{"servers": 7}', '{"servers": [["127.0.0.1", "x"]]}', "\xff"])
def test_a_mark_that_cannot_be_read_opens_no_way(demo: tuple[FleetThread, Site], content: str) -> None:
    _, site = demo
    site.simulation_file.write_text(content, encoding="latin-1")
    assert site.simulated_servers == frozenset()


def dead_demo(place: Path) -> Path:
    """The directory of a demo that was killed with ``kill -9``."""
    program = (
        "import time\nfrom rbdtui.cli.demo_directory import demo_directory\n"
        "with demo_directory() as made:\n    print(made, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(place)}
    ) as process:
        assert process.stdout is not None
        made = Path(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
    (made / "site").mkdir(mode=0o700)
    (made / "site" / "demo-key").touch(mode=0o600)
    return made


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of temporary files."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_what_a_killed_demo_left_goes_with_the_next_start(temporary: Path) -> None:
    left = dead_demo(temporary)
    assert (left / "site" / "demo-key").exists()
    with demo_directory.demo_directory() as living:
        assert not left.exists()
        demo_directory.remove_leftovers()
        assert living.is_dir()
    assert list(temporary.iterdir()) == []


def test_only_marked_directories_of_demos_that_are_gone_are_removed(temporary: Path, tmp_path: Path) -> None:
    marked = dead_demo(temporary)
    unmarked, opened, linked = (temporary / f"rbdtui-demo-{name}" for name in ("unmarked", "opened", "linked"))
    for directory in (unmarked, opened):
        directory.mkdir(mode=0o700)
    (opened / "demo.json").write_text((marked / "demo.json").read_text())
    opened.chmod(0o755)
    linked.symlink_to(marked)
    other = tmp_path / "elsewhere"
    marked.rename(other)
    away = temporary / "rbdtui-demo-away"
    away.symlink_to(other)
    demo_directory.remove_leftovers()
    assert all(path.exists() for path in (unmarked, opened, other / "demo.json", away))


def test_a_run_that_still_works_on_a_killed_demos_site_ends_with_it(temporary: Path) -> None:
    left = dead_demo(temporary)
    (left / "site" / "cluster.yaml").touch(mode=0o600)
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom rbdtui.engine.lock import hold_site\n"
        "from rbdtui.site import Site\nwith hold_site(Site(Path(sys.argv[1])), 'run-1'):\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(left / "site")], stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        runner.stdout.readline()
        demo_directory.remove_leftovers()
        assert runner.wait(timeout=10) == -signal.SIGTERM
    assert not left.exists()
