"""The report command: what was installed and how it went, as files to hand over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from rbdtui.checks.preflight import Part
from rbdtui.cli.options import PASSPHRASE, Command, Common, site_argument
from rbdtui.cli.output import CommandError, Exit, answer, tell, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.findings import has_errors
from rbdtui.paths import as_typed
from rbdtui.report.build import Asked
from rbdtui.report.collecting import images_in_use
from rbdtui.report.writing import WRITERS, write_report
from rbdtui.session import Session
from rbdtui.site import SiteError
from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.vault import VaultError
from rbdtui.words import T


@click.command(
    cls=Command,
    help=str(T("cli.help.report")),
    shows=(PASSPHRASE,),
    examples=(
        "report site-a",
        "report site-a --lang zh -o handover.html",
        "report site-a --no-health",
    ),
)
@site_argument()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help=str(T("cli.option.report_output"))
)
@click.option("--no-health", is_flag=True, help=str(T("cli.option.no_health")))
def report(site: Path, output: Path | None, no_health: bool, common: Common) -> int:
    """Write the report of a site, and print where it is."""
    if output is not None and output.suffix.lower() not in WRITERS:
        raise CommandError(T("cli.report.unknown_ending", file=as_typed(output), known=" ".join(WRITERS)))
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    if common.passphrase_file is not None and session.site.vault_file.exists():
        session.unlock()
    asked = Asked(why_not=T("report.health.not_asked")) if no_health else ask_cluster(session)
    for file in write_report(session, asked, output):
        answer(str(file))
    if asked.why_not is not None and not no_health:
        tell(asked.why_not)
    return Exit.GOOD


def ask_cluster(session: Session) -> Asked:
    """What servers answer now; whatever keeps them from being asked is a sentence in the report, never its end."""
    if session.loaded.spec is None:
        return Asked(why_not=T("report.health.no_spec"))
    try:
        if has_errors(session.missing_secret_findings()):
            return Asked(why_not=T("report.health.locked", reason=T("cli.check.secrets_first")))
        return asyncio.run(_ask(session))
    except (SiteError, VaultError) as error:
        return Asked(why_not=T("report.health.locked", reason=error.text))
    except TransportError as error:
        return Asked(why_not=T("report.health.unreachable", reason=error.text))


async def _ask(session: Session) -> Asked:
    tell_progress(T("cli.health.asking"))
    async with session.hosts() as hosts:
        straight = session.site.simulated_servers is None
        health, found, images = await together(
            session.health_monitor(hosts).once(),
            session.preflight(hosts, parts=Part.HOSTS | Part.SERVICES),
            images_in_use(session.spec, session.site, hosts, straight=straight),
        )
    return Asked(health=health, findings=tuple(found.findings), facts=found.facts, images=images)
