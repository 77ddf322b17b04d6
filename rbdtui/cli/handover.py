"""Commands that take over what other tools know of a cluster, and hand over what a site knows: import, export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from rbdtui.cli.asking import agreed
from rbdtui.cli.options import FINDINGS, PASSPHRASE, Command, Common, Word, json_option, site_argument
from rbdtui.cli.output import (
    CommandError,
    Exit,
    answer,
    answer_findings,
    answer_json,
    findings_json,
    styled,
    tell,
)
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.exporters import FORMATS as EXPORT_FORMATS
from rbdtui.exporters import exporter_named, left_out
from rbdtui.findings import Finding, has_errors
from rbdtui.importers import FORMATS, Imported, importer_named, recognised
from rbdtui.importers.decoding import read_text
from rbdtui.importers.imported import Hidden, Remark, Setting
from rbdtui.importers.tables import IMPORTER as LISTS
from rbdtui.paths import as_typed
from rbdtui.session import Session
from rbdtui.spec.edit import save
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.values import SECRET_PREFIX
from rbdtui.words import T
from rbdtui.workbench.importing import Proposal, propose
from rbdtui.workbench.pasting.adding import secrets_of
from rbdtui.workbench.pasting.taken import Pasted


@click.command(
    name="import",
    cls=Command,
    help=str(T("cli.help.import")),
    shows=(*FINDINGS, PASSPHRASE),
    examples=(
        "import site-a servers.csv",
        "import site-a hosts.ini --yes",
    ),
)
@site_argument(required=True)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "named",
    type=Word(FORMATS),
    metavar="FORMAT",
    help=str(T("cli.option.import_format", formats=", ".join(FORMATS))),
)
@click.option("--yes", is_flag=True, help=str(T("cli.option.import_yes")))
@json_option()
def import_(site: Path, file: Path, named: str | None, yes: bool, as_json: bool, common: Common) -> int:
    """Show what a file of another tool says, and bring it into cluster.yaml once that is agreed to."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    if session.loaded.data is None:
        answer_findings(session.loaded.findings, ascii_only=common.ascii_only, verbose=common.verbose, as_json=as_json)
        return Exit.FINDINGS
    imported = _read(file, named)
    if not as_json:
        tell(T("cli.import.format", file=as_typed(file), format=imported.format))
    proposal = propose(session.loaded, imported, _vault_of(session, imported))
    findings = replace(session, loaded=parse_spec(proposal.text)).rule_findings()
    if not as_json:
        for line in _lines(proposal):
            answer(line)
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose)
    written = _write(session, proposal, yes=yes, asks=not as_json)
    if as_json:
        answer_json(_as_json(proposal, findings, written=written))
    elif written:
        tell(T("cli.import.written", file=str(session.site.spec_file)))
    if proposal.secrets and (written or not proposal.diff):
        tell(T("cli.import.delete_file", file=as_typed(file), count=len(proposal.secrets)))
    if not proposal.pasted.nodes and not proposal.pasted.settings:
        raise CommandError(T("cli.import.nothing", file=as_typed(file), format=imported.format))
    return Exit.FINDINGS if has_errors(findings) or (proposal.diff and not written and not as_json) else Exit.GOOD


def _read(file: Path, named: str | None) -> Imported:
    """What the file says; raises `NotTextError`, or `CommandError` when nobody knows its format."""
    text = read_text(file)
    importer = importer_named(named) if named is not None else recognised(text)
    if importer is None:
        raise CommandError(T("cli.import.unrecognised", file=as_typed(file), formats=", ".join(FORMATS)))
    return importer.read(text)


def _vault_of(session: Session, imported: Imported) -> Mapping[str, str]:
    """What is in the vault, looked at only when there are secrets to put beside it."""
    secrets = [node.password or node.sudo_password for node in imported.nodes] + [
        bastion.password for node in imported.nodes for bastion in node.bastions
    ]
    hidden = any(secrets) or any(isinstance(value, Hidden) for value in imported.settings.values())
    if not hidden or not session.site.vault_file.exists():
        return {}
    vault = session.unlock()
    return {name: vault.get(name) for name in vault.names()}


def _write(session: Session, proposal: Proposal, *, yes: bool, asks: bool) -> bool:
    """Write secrets first, then what names them; False when there is nothing to write, or nobody agreed."""
    has_vault = bool(proposal.secrets) and session.site.vault_file.exists()
    known = session.unlock().names() if has_vault else ()
    new = {name: secret.value for secret, name in proposal.secrets.items() if name not in known}
    if not proposal.diff and not new:
        if asks and proposal.pasted.nodes:
            tell(T("cli.import.up_to_date"))
        return False
    if not yes and (not asks or not agreed(T("cli.import.confirm"), instead=T("cli.import.needs_yes"))):
        if asks:
            tell(T("cli.import.nothing_written"))
        return False
    for name, value in new.items():
        session.unlock(create=True).set(name, value)
    if proposal.diff:
        save(session.site.spec_file, proposal.text, loaded=session.loaded.text)
    return True


def _lines(proposal: Proposal) -> Iterator[str]:
    """What is taken, what is not and why, and the difference."""
    pasted = proposal.pasted
    yield str(T("cli.import.taken", count=len(pasted.nodes)))
    if pasted.replaces_example:
        yield f"  {T('cli.import.example_goes')}"
    for node in pasted.nodes:
        words = [node.name, node.address or str(T("nodes.no_address")), ",".join(node.roles)]
        if node.name in pasted.updated:
            words.append(str(T("cli.import.updates", node=pasted.updated[node.name])))
        if node.renamed_from:
            words.append(str(T("paste.renamed", before=node.renamed_from)))
        yield styled(f"  {'  '.join(filter(None, words))}")
    for path, value in pasted.settings.items():
        yield styled(f"  {path}: {_shown(value, proposal)}")
    for name, owners in _owners(proposal).items():
        yield styled(f"  {T('cli.import.secret', name=name, owners=_first(owners))}")
    yield from _remarks("cli.import.refused", _refusals(pasted), pasted.refused)
    yield from _remarks("cli.import.remarked", pasted.remarks, pasted.remarked)
    for line in proposal.diff.splitlines():
        colour = {"+": "green", "-": "red"}.get(line[:1])
        yield styled(line, colour=colour)


def _refusals(pasted: Pasted) -> list[Remark]:
    """Lines of a list that nobody understood are not repeated: any word of them may be a password."""
    is_list = pasted.format == LISTS.name
    return [replace(remark, text="") if is_list else remark for remark in pasted.refusals]


_MOST_OWNERS = 4


def _first(owners: Sequence[str]) -> str:
    shown = ", ".join(owners[:_MOST_OWNERS])
    return f"{shown}, …" if len(owners) > _MOST_OWNERS else shown


def _remarks(key: str, remarks: Iterable[Remark], count: int) -> Iterator[str]:
    if not count:
        return
    yield str(T(key, count=count))  # words: cli.import.*
    shown = 0
    for remark in remarks:
        shown += 1
        where = f"{T('paste.line', line=remark.line)}  " if remark.line else ""
        yield styled(f"  {where}{remark.text + ': ' if remark.text else ''}{remark.why}")
    if count > shown:
        yield f"  {T('paste.more_lines', count=count - shown)}"


def _owners(proposal: Proposal) -> dict[str, list[str]]:
    """Whom each secret is for."""
    owners: dict[str, list[str]] = {}
    for _, owner, secret in secrets_of(proposal.pasted):
        owners.setdefault(proposal.secrets[secret], []).append(owner)
    return {name: list(dict.fromkeys(whose)) for name, whose in owners.items()}


def _shown(value: Setting, proposal: Proposal) -> str:
    if isinstance(value, Hidden):
        return f"{SECRET_PREFIX}{proposal.secrets[value]}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _as_json(proposal: Proposal, findings: Iterable[Finding], *, written: bool) -> dict[str, object]:
    """The published form, ``import.schema.json``."""
    pasted = proposal.pasted
    nodes = [
        {
            "name": n.name,
            "address": n.address,
            "roles": list(n.roles),
            "updates": pasted.updated.get(n.name, ""),
            "line": n.line,
        }
        for n in pasted.nodes
    ]
    return {
        "format": pasted.format,
        "nodes": nodes,
        "settings": {path: _shown(value, proposal) for path, value in pasted.settings.items()},
        "secrets": sorted(set(proposal.secrets.values())),
        "not_taken": [_remark_json(remark, whole=True) for remark in _refusals(pasted)]
        + [_remark_json(remark, whole=False) for remark in pasted.remarks],
        "not_taken_count": pasted.refused + pasted.remarked,
        "diff": proposal.diff,
        "written": written,
        **findings_json(findings),
    }


def _remark_json(remark: Remark, *, whole: bool) -> dict[str, object]:
    return {"line": remark.line, "text": remark.text, "reason": str(remark.why), "whole_line": whole}


@click.command(
    cls=Command,
    help=str(T("cli.help.export")),
    shows=FINDINGS,
    examples=(
        "export site-a --format ansible",
        "export site-a --format csv",
    ),
)
@site_argument(required=True)
@click.option("--format", "named", type=Word(EXPORT_FORMATS), required=True, help=str(T("cli.option.export_format")))
def export(site: Path, named: str, common: Common) -> int:
    """Print a site as a file of another tool; what that has no place for is said beside it."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    if session.loaded.spec is None:
        answer_findings(session.loaded.findings, ascii_only=common.ascii_only, verbose=common.verbose)
        return Exit.FINDINGS
    exporter = exporter_named(named)
    answer(exporter.write(session.spec).rstrip("\n"))
    lost = left_out(exporter, session.spec)
    if lost.fields:
        tell(T("cli.export.no_place", format=named, fields=", ".join(lost.fields)))
    for role, nodes in lost.roles.items():
        tell(T("cli.export.no_role", format=named, role=role.value, nodes=_first(nodes)))
    if lost.secrets:
        tell(T("cli.export.secrets", fields=", ".join(lost.secrets)))
    return Exit.GOOD
