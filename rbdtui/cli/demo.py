"""The demo: the whole way from a plan to a healthy cluster, on simulated servers behind real SSH."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from rbdtui.cli.follow import Follower
from rbdtui.cli.health import health_lines
from rbdtui.cli.options import Command, Common, json_option
from rbdtui.cli.output import CommandError, Exit, answer, answer_findings, tell
from rbdtui.engine.client import RunClient
from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import RunOptions
from rbdtui.findings import has_errors
from rbdtui.probes.model import Health, HealthSnapshot
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.session import Session
from rbdtui.words import T


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


@click.command(cls=Command, help=str(T("cli.help.demo")))
@click.option("--nodes", type=click.IntRange(3, 60), default=4, show_default=True, help=str(T("cli.option.demo_nodes")))
@json_option()
def demo(nodes: int, as_json: bool, common: Common) -> int:
    """Install and look at a simulated cluster."""
    with (
        tempfile.TemporaryDirectory(prefix="rbdtui-demo-") as directory,
        simulated_hosts(Path(directory), nodes) as site,
    ):
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


@contextmanager
def simulated_hosts(directory: Path, nodes: int) -> Iterator[Path]:
    """A fleet of simulated servers with a site for them, for the time of the block; yields the site directory."""
    command = [sys.executable, "-P", "-m", "rbdtui.simulator", "--nodes", str(nodes), "--dir", str(directory / "site")]
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
        yield Path(json.loads(line)["site"])
    finally:
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
        return await HealthMonitor(session.spec, hosts, session.site.kubeconfig_file).once()
