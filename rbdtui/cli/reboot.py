"""``reboot``: servers started anew, one at a time, with the proof of the whole between them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.session import Session
from rbdtui.words import T
from rbdtui.workbench.upkeep.rebooting import reboot_purpose


@click.command(
    cls=Command,
    help=str(T("reboot.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "reboot site-a --dry-run",
        "reboot site-a --node node2",
        "reboot site-a",
    ),
)
@site_argument()
@click.option("--node", "named", metavar="NODE", multiple=True, help=str(T("reboot.option.node")))
@click.option("--dry-run", is_flag=True, help=str(T("reboot.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("reboot.option.yes")))
@json_option()
def reboot(site: Path, named: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool, common: Common) -> int:
    """Start servers anew, one at a time."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    refuse_when_busy(session)
    if session.site.vault_file.exists():
        session.unlock()
    purpose = asyncio.run(reboot_purpose(session, named))
    return carry_out(session, purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)
