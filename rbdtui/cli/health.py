"""The health command: one picture of the cluster, or a stream of changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

import click
from rich.cells import cell_len

from rbdtui.cli.options import FINDINGS, PASSPHRASE, Command, Common, json_option, site_argument
from rbdtui.cli.output import Exit, Styled, answer, answer_findings, answer_json, pad, styled, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.findings import has_errors
from rbdtui.probes.model import (
    Health,
    HealthEvent,
    HealthSnapshot,
    ProbeKey,
    ProbeKind,
    ProbeState,
    ProbeStatus,
)
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.session import Session
from rbdtui.words import T

_HOST_KINDS = (
    ProbeKind.SSH, ProbeKind.DISK, ProbeKind.CLOCK, ProbeKind.RKE2, ProbeKind.KEEPALIVED, ProbeKind.API, ProbeKind.ETCD,
    ProbeKind.NODE,
)  # fmt: skip
_TOLD_KINDS = (ProbeKind.VIP_HOLDER, ProbeKind.ETCD_QUORUM)
_MARKS = {
    ProbeState.OK: ("✓", "ok", "green"),
    ProbeState.EXPECTED: ("–", "-", "cyan"),
    ProbeState.DEGRADED: ("!", "!", "yellow"),
    ProbeState.DOWN: ("✗", "x", "red"),
    ProbeState.UNKNOWN: ("?", "?", "yellow"),
}


@click.command(
    cls=Command,
    help=str(T("cli.help.health")),
    shows=(*FINDINGS, PASSPHRASE),
    examples=(
        "health site-a",
        "health site-a --watch",
    ),
)
@site_argument()
@json_option()
@click.option("--watch", is_flag=True, help=str(T("cli.option.watch")))
def health(site: Path, as_json: bool, watch: bool, common: Common) -> int:
    """Ask every part of the cluster how it is."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    findings = session.loaded.findings if session.loaded.spec is None else session.missing_secret_findings()
    if has_errors(findings):
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose, as_json=as_json)
        return Exit.FINDINGS
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
            for line in health_lines(snapshot, ascii_only=common.ascii_only, verbose=common.verbose):
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


def state_mark(state: ProbeState, *, ascii_only: bool) -> Styled:
    """Sign and word for a state, coloured."""
    fancy, plain, colour = _MARKS[state]
    word = T(f"health.state.{state.value}")  # words: health.state.*
    return styled(f"{plain if ascii_only else fancy} {word}", colour=colour)


def health_lines(snapshot: HealthSnapshot, *, ascii_only: bool, verbose: bool = False) -> list[Styled]:
    """The picture for reading: the verdict, a line for each host, a line for each way to the gateway ports, the rest.

    What is not good is told in full below; ``verbose`` tells everything in full.
    """
    lines = [styled(snapshot.headline, bold=True)]
    per_host = _table(snapshot, _HOST_KINDS, lambda key: key.kind.value, ascii_only=ascii_only)
    gateways = _table(snapshot, (ProbeKind.GATEWAY,), lambda key: str(key.port), ascii_only=ascii_only)
    for table in (per_host, gateways):
        lines += [styled(), *table] if table else []
    told = [s for s in snapshot.probes if verbose or not s.state.good or s.key.kind in _TOLD_KINDS]
    lines += [styled()] if told else []
    for status in told:
        mark = state_mark(status.state, ascii_only=ascii_only)
        lines.append(pad(styled(status.key.id), 18) + " " + mark + f"  {status.detail}")
    return lines


def _table(
    snapshot: HealthSnapshot, kinds: Collection[ProbeKind], column: Callable[[ProbeKey], str], *, ascii_only: bool
) -> list[Styled]:
    """Targets as rows, questions as columns, a sign and the latency in each cell."""
    chosen = [status for status in snapshot.probes if status.key.kind in kinds]
    columns = list(dict.fromkeys(column(status.key) for status in chosen))
    rows = list(dict.fromkeys(status.key.target for status in chosen))
    cells = {(s.key.target, column(s.key)): _cell(s, ascii_only=ascii_only) for s in chosen}
    grid = [list(map(styled, ["", *columns]))]
    grid += [[styled(row), *(cells.get((row, name), styled()) for name in columns)] for row in rows]
    widths = [max(cell_len(click.unstyle(line[index])) for line in grid) + 2 for index in range(len(columns) + 1)]
    return [_row(line, widths) for line in grid] if rows else []


def _row(cells: Sequence[Styled], widths: Sequence[int]) -> Styled:
    last = max((index for index, cell in enumerate(cells) if cell), default=0)
    line = styled()
    for cell, width in zip(cells[:last], widths, strict=False):
        line += pad(cell, width)
    return line + cells[last]


def _cell(status: ProbeStatus, *, ascii_only: bool) -> Styled:
    latency = "" if status.latency_ms is None or not status.state.good else f" {status.latency_ms:.0f}ms"
    return state_mark(status.state, ascii_only=ascii_only) + latency


def event_line(event: HealthEvent, *, ascii_only: bool) -> Styled:
    """A change with its time."""
    stamp = time.strftime("%H:%M:%S", time.localtime(event.at))
    mark = state_mark(event.new, ascii_only=ascii_only)
    return styled(f"{stamp} ") + pad(styled(event.key.id), 18) + " " + mark + f"  {event.detail}"
