"""The health command: one picture of the cluster, or a stream of changes."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import click

from rbdtui.cli.options import Command, Common, json_option, site_argument
from rbdtui.cli.output import CommandError, Exit, answer, answer_findings, answer_json, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.findings import has_errors
from rbdtui.probes.model import Health, HealthEvent, HealthSnapshot, ProbeState
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.session import Session
from rbdtui.words import T

_MARKS = {
    ProbeState.OK: ("✓", "ok", "green"),
    ProbeState.EXPECTED: ("–", "-", "cyan"),
    ProbeState.DEGRADED: ("!", "!", "yellow"),
    ProbeState.DOWN: ("✗", "x", "red"),
    ProbeState.UNKNOWN: ("?", "?", "yellow"),
}


@click.command(cls=Command, help=str(T("cli.help.health")))
@site_argument()
@json_option()
@click.option("--watch", is_flag=True, help=str(T("cli.option.watch")))
def health(site: Path, as_json: bool, watch: bool, common: Common) -> int:
    """Ask every part of the cluster how it is."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    findings = session.rule_findings()
    if has_errors(findings):
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose)
        return Exit.FINDINGS
    missing = session.missing_secret_findings()
    if missing:
        raise CommandError(missing[0].message, remedy=missing[0].remedy)
    snapshot = asyncio.run(_ask(session, watch=watch, as_json=as_json, common=common))
    return Exit.GOOD if snapshot.health is Health.OK else Exit.FINDINGS


async def _ask(session: Session, *, watch: bool, as_json: bool, common: Common) -> HealthSnapshot:
    kubeconfig = session.site.kubeconfig_file
    async with session.hosts() as hosts:
        monitor = HealthMonitor(session.spec, hosts, kubeconfig if kubeconfig.exists() else None)
        if not as_json:
            tell_progress(T("cli.health.asking"))
        snapshot = await monitor.once()
        if as_json:
            answer_json(snapshot.to_json())
        else:
            for line in health_lines(snapshot, ascii_only=common.ascii_only):
                answer(line)
        if watch:
            with suppress(asyncio.CancelledError):
                await _watch(monitor, as_json=as_json, ascii_only=common.ascii_only)
            snapshot = monitor.snapshot()
    return snapshot


async def _watch(monitor: HealthMonitor, *, as_json: bool, ascii_only: bool) -> None:
    events = monitor.events()
    asking = asyncio.create_task(monitor.run())
    try:
        async for event in events:
            if event.first:
                continue
            if as_json:
                answer_json(monitor.to_json())
            else:
                answer(event_line(event, ascii_only=ascii_only))
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking


def state_mark(state: ProbeState, *, ascii_only: bool) -> str:
    """Sign and word for a state, coloured."""
    fancy, plain, colour = _MARKS[state]
    word = T(f"health.state.{state.value}")  # words: health.state.*
    return click.style(f"{plain if ascii_only else fancy} {word}", fg=colour)


def health_lines(snapshot: HealthSnapshot, *, ascii_only: bool) -> list[str]:
    """The picture for reading: the verdict first, then every probe."""
    lines = [click.style(str(snapshot.headline), bold=True)]
    for status in snapshot.probes:
        latency = "" if status.latency_ms is None else f"{status.latency_ms:.0f} ms"
        mark = state_mark(status.state, ascii_only=ascii_only)
        lines.append(f"  {status.key.id:<24} {mark}  {latency:>7}  {status.detail}")
    return lines


def event_line(event: HealthEvent, *, ascii_only: bool) -> str:
    """A change with its time."""
    stamp = time.strftime("%H:%M:%S", time.localtime(event.at))
    return f"{stamp} {event.key.id:<24} {state_mark(event.new, ascii_only=ascii_only)}  {event.detail}"
