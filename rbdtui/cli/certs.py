"""``certs`` and ``renew``: until when the cluster's certificates are good, and new ones node by node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import Exit, answer, answer_json, styled, tell, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.session import Session
from rbdtui.words import T, Text
from rbdtui.workbench.upkeep.certificate_survey import CertificateLine, Certificates, find_certificates, renew_purpose


@click.command(
    cls=Command,
    help=str(T("certs.help")),
    shows=(*DRAWS, PASSPHRASE),
    examples=(
        "certs site-a",
        "certs site-a --json",
    ),
)
@site_argument()
@json_option()
def certs(site: Path, as_json: bool, common: Common) -> int:
    """The certificates of every node and of the kubeconfig here, the one that ends first on top."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    if session.site.vault_file.exists():
        session.unlock()
    tell_progress(T("certs.looking", count=len(session.spec.managed_cluster_nodes)))
    found, at = asyncio.run(find_certificates(session)), time.time()
    if as_json:
        answer_json(_as_json(found))
    else:
        for line in _lines(found, at):
            answer(line)
        for node, reason in found.silent.items():
            tell(T("certs.silent", node=node, reason=reason))
        if not found.lines and not found.silent:
            tell(T("certs.none"))
    well = found.lines and not found.silent and not any(line.is_soon(at) for line in found.lines)
    return Exit.GOOD if well else Exit.FINDINGS


def _lines(found: Certificates, at: float) -> Iterator[str]:
    for line in found.lines:
        where, kind = line.node or str(T("form.this_machine")), Text(f"certs.kind.{line.kind}")  # words: certs.kind.*
        text = f"{dated(line.end)}  {T('certs.days', count=line.days_left(at))!s:>10}  {where}  {kind}"
        yield styled(text, colour="yellow") if line.is_soon(at) else text


def dated(at: float) -> str:
    """A day, as it is told."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _as_json(found: Certificates) -> dict[str, object]:
    """In the shape of certs.schema.json."""
    listed = [_one(line) for line in found.lines]
    return {"certificates": listed, "silent": {node: str(reason) for node, reason in found.silent.items()}}


def _one(line: CertificateLine) -> dict[str, object]:
    return {
        "node": line.node or None,
        "kind": line.kind,
        "first": line.first,
        "count": line.count,
        "ends_at": line.end,
        "renewed_from": line.renewed_from,
    }


@click.command(
    cls=Command,
    help=str(T("renew.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "renew site-a --dry-run",
        "renew site-a",
        "renew site-a --node node2",
    ),
)
@site_argument()
@click.option("--node", "named", metavar="NODE", multiple=True, help=str(T("renew.option.node")))
@click.option("--dry-run", is_flag=True, help=str(T("renew.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("renew.option.yes")))
@json_option()
def renew(site: Path, named: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool, common: Common) -> int:
    """Have RKE2 make new certificates, one node at a time."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    purpose = renew_purpose(session, named)
    refuse_when_busy(session)
    if session.site.vault_file.exists():
        session.unlock()
    return carry_out(session, purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)
