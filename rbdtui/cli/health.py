"""The health command: one picture of the cluster, or a stream of changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import click
from rich.cells import cell_len

from rbdtui.cli.health_files import MetricsFile, show_history, state_mark, status_mark
from rbdtui.cli.options import FINDINGS, PASSPHRASE, Command, Common, json_option, site_argument
from rbdtui.cli.output import (
    CommandError,
    Exit,
    Styled,
    answer,
    answer_findings,
    answer_json,
    pad,
    styled,
    tell,
    tell_progress,
)
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.findings import has_errors
from rbdtui.paths import as_typed
from rbdtui.probes.history import HealthHistory
from rbdtui.probes.hosts import SSH
from rbdtui.probes.model import (
    BALANCER,
    CLUSTER,
    VIP,
    Health,
    HealthEvent,
    HealthSnapshot,
    ProbeStatus,
)
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.verdict import gone_servers
from rbdtui.session import Session
from rbdtui.words import T, Text
from rbdtui.workbench.health.health_table import HealthRow, health_table


@click.command(
    cls=Command,
    help=str(T("cli.help.health")),
    shows=(*FINDINGS, PASSPHRASE),
    examples=(
        "health site-a",
        "health site-a --watch",
        "health site-a --history",
        "health site-a --watch --prometheus /var/lib/node_exporter/site-a.prom",
    ),
)
@site_argument()
@json_option()
@click.option("--watch", is_flag=True, help=str(T("cli.option.watch")))
@click.option("--history", "past", is_flag=True, help=str(T("cli.option.history")))
@click.option(
    "--prometheus", "prometheus", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help=str(T("cli.option.prometheus")),
)  # fmt: skip
def health(site: Path, as_json: bool, watch: bool, past: bool, prometheus: Path | None, common: Common) -> int:
    """Ask every part of the cluster how it is, or tell how it was."""
    if past:
        if watch or prometheus is not None:
            raise CommandError(T("cli.health.history_alone"))
        return show_history(site, as_json=as_json, ascii_only=common.ascii_only, verbose=common.verbose)
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    findings = session.loaded.findings if session.loaded.spec is None else session.missing_secret_findings()
    if has_errors(findings):
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose, as_json=as_json)
        return Exit.FINDINGS
    metrics_file = MetricsFile(prometheus, session.spec.name) if prometheus is not None else None
    snapshot = asyncio.run(_ask(session, watch=watch, as_json=as_json, common=common, metrics_file=metrics_file))
    if (half_done := session.half_done) is not None:
        tell(half_done)
    if snapshot.health is Health.OK and session.site.kubeconfig_file.is_file() and not as_json:
        tell(T("cli.health.use", file=as_typed(session.site.kubeconfig_file)))
    return Exit.GOOD if snapshot.health is Health.OK else Exit.FINDINGS


async def _ask(
    session: Session, *, watch: bool, as_json: bool, common: Common, metrics_file: MetricsFile | None
) -> HealthSnapshot:
    async with session.hosts() as hosts:
        monitor = session.health_monitor(hosts, HealthHistory(session.site.health_dir))
        if not as_json:
            tell_progress(T("cli.health.asking"))
        snapshot = await monitor.once()
        if metrics_file is not None:
            metrics_file.write(snapshot)
        if as_json:
            answer_json(snapshot.to_json())
        else:
            for line in health_lines(snapshot, ascii_only=common.ascii_only, verbose=common.verbose):
                answer(line)
        if watch:
            with suppress(asyncio.CancelledError):
                async with metrics_file.kept(monitor) if metrics_file is not None else nullcontext():
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


def health_lines(snapshot: HealthSnapshot, *, ascii_only: bool, verbose: bool = False) -> list[Styled]:
    """The picture for reading: the verdict, the table of the screen, below it that of the gateway ports, the rest.

    What is not good is told in full below, of a server that cannot be reached once for all that is asked of it;
    ``verbose`` tells everything in full.
    """
    lines = [styled(snapshot.headline, bold=True)]
    table = health_table(snapshot)
    for ports in (False, True):
        columns = [column for column in table.columns if column.isdigit() is ports]
        shown = _grid(table.rows, columns, ascii_only=ascii_only)
        lines += [styled(), *shown] if shown else []
    gone = () if verbose else gone_servers(snapshot.probes)
    told = list(snapshot.probes if verbose else worth_telling(snapshot.probes, gone))
    lines += [styled()] if told else []
    for status in told:
        mark = status_mark(status, ascii_only=ascii_only)
        lines.append(pad(styled(status.key.id), 18) + " " + mark + f"  {status.detail}")
        if status.key.target in gone:
            others = sum(one.key.target == status.key.target and not one.state.good for one in snapshot.probes) - 1
            lines.append(pad(styled(), 19) + str(T("cli.health.with_it", node=status.key.target, count=others)))
    return lines


def worth_telling(probes: Sequence[ProbeStatus], gone: Collection[str]) -> Iterator[ProbeStatus]:
    """What is not good, servers that are gone first and without what else is asked of them."""
    yield from (status for status in probes if status.key.target in gone and status.key.kind is SSH)
    for status in probes:
        notice = status.newest is not None and status.newest.notice
        if (not status.state.good and status.key.target not in gone) or status.key.kind.is_shared or notice:
            yield status


def _grid(rows: Sequence[HealthRow], columns: Sequence[str], *, ascii_only: bool) -> list[Styled]:
    """Targets as rows, questions as columns, a sign and the latency in each cell."""
    shown = [row for row in rows if any(column in row.cells for column in columns)]
    heads = [column if column.isdigit() else T(f"health_screen.column.{column}") for column in columns]
    grid = [[styled(), *map(styled, heads)]]  # words: health_screen.column.*
    for row in shown:
        cells = (row.cells.get(column) for column in columns)
        grid.append([styled(_name(row.target)), *(_cell(s, ascii_only=ascii_only) if s else styled() for s in cells)])
    widths = [max(cell_len(click.unstyle(line[index])) for line in grid) + 2 for index in range(len(columns) + 1)]
    return [_row(line, widths) for line in grid] if shown else []


def _name(target: str) -> Text | str:
    shared = target in (VIP, BALANCER, CLUSTER)
    return T(f"health_screen.target.{target}") if shared else target  # words: health_screen.target.*


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
