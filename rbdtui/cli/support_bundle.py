"""The support-bundle command: logs and facts of every server in one file, without what is secret."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from rbdtui import __version__
from rbdtui.cli.options import PASSPHRASE, Command, Common, site_argument
from rbdtui.cli.output import Exit, answer, findings_json, tell, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.report import ask_cluster
from rbdtui.report.build import Asked, build_report
from rbdtui.report.collecting import Collector
from rbdtui.report.html import html_report
from rbdtui.report.support_bundle import collect_site, top_name, write_bundle
from rbdtui.report.writing import known_secrets
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.terminal_text import to_json_text
from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.vault import VaultError
from rbdtui.words import T, Text


@click.command(
    name="support-bundle",
    cls=Command,
    help=str(T("cli.help.support_bundle")),
    shows=(PASSPHRASE,),
    examples=(
        "support-bundle site-a",
        "support-bundle site-a -o /mnt/usb/site-a.tar.gz",
        "support-bundle site-a --offline",
    ),
)
@site_argument()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help=str(T("cli.option.bundle_output"))
)
@click.option("--offline", is_flag=True, help=str(T("cli.option.offline")))
def support_bundle(site: Path, output: Path | None, offline: bool, common: Common) -> int:
    """Gather everything that helps to find a fault, and print where it is."""
    session, now = Session.open(site, PromptOrFile(common.passphrase_file)), time.time()
    if common.passphrase_file is not None and session.site.vault_file.exists():
        session.unlock()
    asked = Asked(why_not=T("support.offline")) if offline else ask_cluster(session)
    collector = Collector(known_secrets(session))
    collect_site(collector, session.site)
    reason = _collect_servers(session, collector) if not offline and session.loaded.spec is not None else None
    if reason is not None:
        collector.miss("nodes", reason)
    _keep_results(session, collector, asked, now)
    top = top_name(session.site, now)
    file = output if output is not None else session.site.path / f"{top}.tar.gz"
    write_bundle(file, top, collector.collected, now=now, known_secrets=session.unlocked)
    answer(str(file))
    for path in sorted(path for path in collector.collected.missing if path.count("/") <= 1):
        tell(T("support.lacks", path=path, reason=collector.collected.missing[path]))
    return Exit.GOOD


def _collect_servers(session: Session, collector: Collector) -> Text | None:
    """Ask servers and the cluster; why nobody could be asked, or None."""
    try:
        asyncio.run(_ask(session, collector))
    except (SiteError, VaultError, TransportError) as error:
        return error.text
    return None


async def _ask(session: Session, collector: Collector) -> None:
    total, done = len(session.spec.nodes), 0

    def tell_done(node: str) -> None:
        nonlocal done
        done += 1
        tell_progress(T("cli.check.answered", node=node, answered=done, total=total))

    straight = session.site.simulated_servers is None
    async with session.hosts() as hosts:
        await together(
            collector.nodes(hosts, tell_done),
            collector.cluster(session.spec, session.site, hosts, straight=straight),
        )


def _keep_results(session: Session, collector: Collector, asked: Asked, now: float) -> None:
    """Findings, health, the report, and who wrote it all."""
    report = build_report(session, asked, now=now, redactor=collector.redactor)
    findings = [*report.findings, *report.acknowledged]
    collector.keep("findings.json", to_json_text(findings_json(findings), indent=1))
    if asked.health is not None:
        collector.keep("health.json", to_json_text(asked.health.to_json(), indent=1))
    elif asked.why_not is not None:
        collector.miss("health.json", asked.why_not)
    collector.collected.files["report.html"] = html_report(report)
    collector.keep("version.txt", f"rbdtui {__version__}\n")
