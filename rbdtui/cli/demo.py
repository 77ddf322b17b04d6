"""The demo: the whole way from a plan to a healthy cluster, on simulated servers behind real SSH."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from rbdtui.cli.demo_directory import SITE_NAME, demo_directory, end_run
from rbdtui.cli.follow import Follower
from rbdtui.cli.health import health_lines
from rbdtui.cli.options import FINDINGS, SLOW_LINK, Command, Common, json_option, mouse_option
from rbdtui.cli.output import CommandError, Exit, answer, answer_findings, tell
from rbdtui.cli.screen import refuse_without_terminal, show_screen
from rbdtui.engine.client import RunClient
from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import RunOptions
from rbdtui.findings import has_errors
from rbdtui.probes.model import Health, HealthSnapshot
from rbdtui.profiles import proposed
from rbdtui.session import Session
from rbdtui.site import Site
from rbdtui.words import T
from rbdtui.workbench.faults import FaultLine
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.workbench import Workbench


class OwnPassphrase:
    """The demo's vault has a passphrase that nobody needs to know."""

    def __init__(self) -> None:
        self._passphrase = secrets.token_urlsafe(24)

    def existing(self) -> str:
        """The passphrase."""
        return self._passphrase

    def new(self) -> str:
        """The passphrase."""
        return self._passphrase


@click.command(
    cls=Command,
    help=str(T("cli.help.demo")),
    shows=(*FINDINGS, SLOW_LINK),
    examples=(
        "demo",
        "demo --nodes 50",
        "demo --headless",
    ),
)
@click.option("--nodes", type=click.IntRange(3, 60), default=4, metavar="N", help=str(T("cli.option.demo_nodes")))
@click.option("--empty", is_flag=True, help=str(T("cli.option.demo_empty")))
@click.option("--headless", is_flag=True, help=str(T("cli.option.headless")))
@mouse_option()
@json_option()
def demo(nodes: int, empty: bool, headless: bool, mouse: bool, as_json: bool, common: Common) -> int:
    """Plan, install and look at a simulated cluster, on the screen or without."""
    on_screen = not headless and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    if on_screen:
        refuse_without_terminal(common)
    with (
        demo_directory() as directory,
        ExitStack() as ending,
    ):
        hosts = simulated_hosts(directory, nodes, empty=empty and on_screen)
        if on_screen:
            opener = partial(open_on_screen, hosts, ending)
            opening = T("cli.demo.opening", nodes=nodes)
            return show_screen(None, mouse=mouse, common=common, opener=opener, opening=opening)
        site = ending.enter_context(hosts).site
        ending.callback(end_run, Site(site))
        return _run_headless(site, nodes, as_json=as_json, common=common)


def open_on_screen(hosts: AbstractContextManager[SimulatedHosts], ending: ExitStack) -> Workbench:
    """Start the servers and open their site; a run under way ends with the servers that it works on."""
    fleet = ending.enter_context(hosts)
    ending.callback(end_run, Site(fleet.site))
    return Workbench.open(fleet.site, HeldPassphrase(OwnPassphrase()), simulated=True, faults=fleet.faults)


def _run_headless(site: Path, nodes: int, *, as_json: bool, common: Common) -> int:
    tell(T("cli.demo.started", nodes=nodes))
    session = Session.open(site, OwnPassphrase())
    client = asyncio.run(_start(session, common))
    if client is None:
        return Exit.FINDINGS
    status = Follower(client, as_json=as_json, common=common).follow()
    if status != Exit.GOOD or as_json:
        return status
    snapshot = asyncio.run(_health(session))
    for line in health_lines(snapshot, ascii_only=common.ascii_only):
        answer(line)
    answer(T("cli.demo.ended"))
    return Exit.GOOD if snapshot.health is Health.OK else Exit.FINDINGS


@dataclass(frozen=True, slots=True)
class SimulatedHosts:
    """A fleet of simulated servers in a process of its own."""

    site: Path
    """The site directory that was made for it."""
    faults: FaultLine


@contextmanager
def simulated_hosts(
    directory: Path, nodes: int, *, empty: bool = False, speed: float = 1.0, profile: str = ""
) -> Iterator[SimulatedHosts]:
    """A fleet with a site for it, for the time of the block; with ``empty`` the nodes are left to the operator.

    With a ``speed`` above 1 its time goes that much faster than ours. What is installed is what a new site is
    offered, unless ``profile`` says otherwise.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        "rbdtui.simulator",
        "--nodes",
        str(nodes),
        "--dir",
        str(directory / SITE_NAME),
    ]
    command += ["--speed", str(speed), "--profile", profile or proposed().name, *(["--empty"] if empty else [])]
    log = directory / "simulator.log"
    with open(log, "wb") as errors:
        fleet = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd="/", env=dict(os.environ),
            start_new_session=True,
        )  # fmt: skip
    assert fleet.stdin is not None
    assert fleet.stdout is not None
    try:
        line = fleet.stdout.readline()
        if not line:
            raise CommandError(T("cli.demo.no_hosts", log=_last_line(log)), Exit.FAILED)
        ready = json.loads(line)
        addresses = tuple(str(node["address"]) for node in ready["nodes"].values())
        faults = FaultLine(
            tuple(ready["nodes"]), fleet.stdin, fleet.stdout, addresses=addresses, free_address=str(ready["vip"])
        )
        yield SimulatedHosts(Path(ready["site"]), faults)
    finally:
        with suppress(BrokenPipeError):
            fleet.stdin.close()
        try:
            fleet.wait(timeout=10)
        except subprocess.TimeoutExpired:
            fleet.kill()
            fleet.wait()
        fleet.stdout.close()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


async def _start(session: Session, common: Common) -> RunClient | None:
    """Pin the simulated hosts' keys, look at them, and start; None when findings forbid it."""
    session.unlock(create=True)
    session.known_hosts.pin(key for key in await session.scan_host_keys() if key.error is None)
    async with session.hosts() as hosts:
        result = await session.preflight(hosts)
    findings = [*session.rule_findings(), *result.findings]
    if has_errors(findings):
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose)
        return None
    return await session.start(result.facts, RunOptions(policy=FailurePolicy.ASK))


async def _health(session: Session) -> HealthSnapshot:
    async with session.hosts() as hosts:
        return await session.health_monitor(hosts).once()
