"""``drill``: stop something on purpose, measure what users would notice, and put everything back."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from rbdtui.cli.asking import confirm_by_name
from rbdtui.cli.health import worth_telling
from rbdtui.cli.options import DRAWS, PASSPHRASE, Command, Common, Word, json_option, site_argument
from rbdtui.cli.output import CommandError, Exit, answer, answer_json, styled, tell
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.drill.conduct import Drill, refuse_unsafe, start_again
from rbdtui.drill.record import Outcome, Part, PartResult, Record, new_record, records, save
from rbdtui.engine.lock import SiteLockedError, hold_site, refuse_when_held, user_name
from rbdtui.paths import as_typed
from rbdtui.probes.model import Health
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.verdict import gone_servers
from rbdtui.session import Session
from rbdtui.words import T, Text

_DEFAULT = (Part.HOLDER,)


@click.command(
    cls=Command,
    help=str(T("drill.help")),
    shows=(*DRAWS, PASSPHRASE),
    examples=(
        "drill site-a",
        "drill site-a --part server --node node2",
        "drill site-a --restore",
    ),
)
@site_argument()
@click.option("--part", "parts", type=Word(tuple(Part)), multiple=True, help=str(T("drill.option.part")))
@click.option("--node", "node", metavar="NODE", help=str(T("drill.option.node")))
@click.option("--restore", is_flag=True, help=str(T("drill.option.restore")))
@click.option("--yes", is_flag=True, help=str(T("drill.option.yes")))
@json_option()
def drill(
    site: Path, parts: tuple[str, ...], node: str | None, restore: bool, yes: bool, as_json: bool, common: Common
) -> int:
    """Prove that the site survives; nothing is stopped before it was agreed to."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    if not session.spec.has_vip:
        raise CommandError(T("drill.no_vip"))
    if node is not None and node not in {each.name for each in session.spec.nodes}:
        raise CommandError(T("reset.no_such_node", given=node, known=", ".join(n.name for n in session.spec.nodes)))
    try:
        refuse_when_held(session.site)
        record = new_record(session.spec.name, user_name())
        with hold_site(session.site, f"drill-{record.drill}"):
            chosen = tuple(map(Part, parts)) or _DEFAULT
            command = _Conducted(session, record, chosen, node or "", yes=yes, as_json=as_json)
            try:
                return asyncio.run(command.restore() if restore else command.run())
            except (asyncio.CancelledError, KeyboardInterrupt):
                command.tell_what_is_stopped()
                return Exit.INTERRUPTED
    except SiteLockedError as error:
        raise CommandError(error.text, remedy=T("drill.stop_first", site=as_typed(site))) from error


class _Conducted:
    """A drill from the terminal."""

    def __init__(
        self, session: Session, record: Record, parts: Sequence[Part], node: str, *, yes: bool, as_json: bool
    ) -> None:
        self._session = session
        self._record = record
        self._parts = parts
        self._node = node
        self._yes = yes
        self._as_json = as_json

    async def restore(self) -> int:
        """Start again whatever earlier drills left stopped."""
        return Exit.GOOD if await self._put_back_earlier() else Exit.FAILED

    async def run(self) -> int:
        """Look, ask, and carry the parts out one after the other; the first that fails is the last."""
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        if not await self._put_back_earlier():
            return Exit.FAILED
        session, site = self._session, self._session.site
        async with session.hosts() as hosts:
            monitor = session.health_monitor(hosts)

            async def is_normal() -> bool:
                return (await monitor.once()).health is Health.OK

            straight = site.simulated_servers is None and not session.spec.api_address.is_loopback
            conducted = Drill(session.spec, hosts, site.path, self._record, tell, is_normal, straight)
            tell(T("drill.looking"))
            await self._refuse_sick(monitor)
            planned = [(part, await conducted.node_for(part, self._node)) for part in self._parts]
            self._confirm(planned)
            await self._carry_out(conducted)
        self._record.ended_at = time.time()
        save(site.path, self._record)
        return self._answer()

    async def _carry_out(self, conducted: Drill) -> None:
        for part in self._parts:
            node = await conducted.node_for(part, self._node)
            tell(T(f"drill.begins.{part.value}", node=node))  # words: drill.begins.*
            result = await conducted.carry_out(part, node)
            if not self._as_json:
                _answer_part(result)
            if result.outcome is not Outcome.PASSED:
                return

    async def _refuse_sick(self, monitor: HealthMonitor) -> None:
        snapshot = await monitor.once()
        if snapshot.health is Health.OK:
            return
        for status in worth_telling(snapshot.probes, gone_servers(snapshot.probes)):
            if not status.state.good:
                tell(f"  {status.key.id}: {status.detail}")
        raise CommandError(T("drill.not_healthy"), Exit.FINDINGS, remedy=T("drill.not_healthy_remedy"))

    def _confirm(self, planned: Sequence[tuple[Part, str]]) -> None:
        """Say what stops and have the site's name typed."""
        for part, node in planned:
            refuse_unsafe(self._session.spec, part, node)
            tell(T(f"drill.stops.{part.value}", node=node))  # words: drill.stops.*
        tell(T("drill.comes_back"))
        powers = any(part is Part.POWER for part, _ in planned)
        if powers and not sys.stdin.isatty():
            raise CommandError(T("drill.power_needs_operator"))
        if self._yes:
            return
        name = self._session.spec.name
        question, refusal = T("drill.type_name", name=name), T("reset.not_confirmed")
        confirm_by_name(name, question, instead=T("drill.needs_yes"), refusal=refusal)

    async def _put_back_earlier(self) -> bool:
        """Start again what drills that were cut off left stopped; whether nothing is stopped any more."""
        site = self._session.site
        found = [each for each in records(site.path) if each.stopped]
        if not found:
            return True
        async with self._session.hosts() as hosts:
            for each in found:
                for stopped in list(each.stopped):
                    host = hosts.get(stopped.node)
                    if host is not None and await start_again(host, stopped):
                        each.stopped.remove(stopped)
                        tell(T("drill.put_back", node=stopped.node, unit=stopped.unit))
                    else:
                        tell(T("drill.not_put_back", node=stopped.node, unit=stopped.unit))
                save(site.path, each)
        return not any(each.stopped for each in found)

    def tell_what_is_stopped(self) -> None:
        """Of a drill that was interrupted: that all is put back, or what is not."""
        if not self._record.stopped:
            tell(T("drill.interrupted"))
        for stopped in self._record.stopped:
            tell(T("drill.not_put_back", node=stopped.node, unit=stopped.unit))

    def _answer(self) -> int:
        if self._as_json:
            answer_json(asdict(self._record))
        for stopped in self._record.stopped:
            tell(T("drill.not_put_back", node=stopped.node, unit=stopped.unit))
        return Exit.GOOD if self._record.passed and not self._record.stopped else Exit.FAILED


def _answer_part(result: PartResult) -> None:
    """What was measured."""
    answer(styled(T(f"drill.outcome.{result.outcome.value}", node=result.node, part=_title(result.part)), bold=True))
    for gap in result.gaps:  # words: drill.outcome.*
        where = f"{gap.address}:{gap.port}"
        if gap.gap_s is None:
            answer(f"  {T('drill.gap.never', where=where)}")
        else:
            answer(f"  {T('drill.gap.measured', where=where, gap_s=f'{gap.gap_s:.1f}', probes=gap.probes)}")
    if result.took_over:
        answer(f"  {T('drill.took_over', before=result.holder_before, after=result.took_over)}")
    if result.normal_after_s is not None:
        answer(f"  {T('drill.normal', after_s=round(result.normal_after_s))}")
    if result.reason:
        answer(f"  {result.reason}")


def _title(part: Part) -> Text:
    return T(f"drill.part.{part.value}")  # words: drill.part.*
