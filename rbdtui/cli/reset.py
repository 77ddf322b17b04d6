"""``reset``: take an installation back, after it was shown what goes, what stays and what cannot be reached."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from rbdtui.cli.asking import confirm_by_name
from rbdtui.cli.follow import Follower
from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, Word, site_argument
from rbdtui.cli.output import CommandError, Exit, answer, evidence_lines, styled, tell, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.engine.client import RunClient
from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.engine.lock import SiteLockedError, refuse_when_held
from rbdtui.engine.state import StepStatus
from rbdtui.paths import as_typed
from rbdtui.plan.removal.ownership import Ownership
from rbdtui.plan.removal.residue import Residue, ResidueKind
from rbdtui.rook.objects import DATA_DIRECTORY
from rbdtui.session import Session
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import T, Text
from rbdtui.workbench.review.reset_survey import (
    HostSurvey,
    nodes_of_old_runs,
    preview_kubesphere,
    preview_rainbond,
    survey,
)

_RUNNING = (ResidueKind.PROCESS, ResidueKind.MOUNT, ResidueKind.LINK, ResidueKind.RULES)
"""Told by their number: a server has hundreds."""


@click.command(
    cls=Command,
    help=str(T("reset.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "reset site-a --dry-run",
        "reset site-a",
        "reset site-a --node node4",
        "reset site-a --only rainbond --keep-secrets",
        "reset site-a --only kubesphere",
    ),
)
@site_argument()
@click.option("--only", type=Word(("rainbond", "kubesphere")), help=str(T("reset.option.only")))
@click.option("--keep-secrets", is_flag=True, help=str(T("reset.option.keep_secrets")))
@click.option("--node", "named", metavar="NODE", multiple=True, help=str(T("reset.option.node")))
@click.option("--dry-run", is_flag=True, help=str(T("reset.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("reset.option.yes")))
def reset(
    site: Path,
    only: str | None,
    keep_secrets: bool,
    named: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    common: Common,
) -> int:
    """Remove what was installed, from whatever state it is in."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    nodes = _nodes(session, named)
    try:
        refuse_when_held(session.site)
    except SiteLockedError as error:
        raise CommandError(error.text, remedy=T("reset.stop_first", site=as_typed(site))) from error
    tell_progress(T("reset.looking", count=len(nodes)))
    if only == "kubesphere":
        return _only_kubesphere(session, dry_run=dry_run, yes=yes, common=common)
    if only is not None:
        return _only_rainbond(session, nodes, keep_secrets=keep_secrets, dry_run=dry_run, yes=yes, common=common)
    surveys = asyncio.run(survey(session, nodes))
    left_out = [each for each in surveys if not each.is_to_reset and not each.is_clean]
    for line in _lines(session, surveys):
        answer(line)
    chosen = [each.node for each in surveys if each.is_to_reset]
    if not chosen or dry_run:
        answer(T("reset.nothing") if not chosen and not left_out else T("reset.nothing_done"))
        return Exit.FINDINGS if left_out else Exit.GOOD
    _confirm(session, chosen, yes=yes)
    whole = len(chosen) + sum(each.is_clean for each in surveys) == len(session.spec.nodes)
    client = asyncio.run(session.start_reset(Purpose(PurposeKind.RESET, tuple(chosen), whole)))
    status = Follower(client, as_json=False, common=common).follow()
    if status in (Exit.GOOD, Exit.FAILED):
        status = max(status, _tell_what_remains(client, left_out))
    return status


def _only_rainbond(
    session: Session, nodes: Sequence[str], *, keep_secrets: bool, dry_run: bool, yes: bool, common: Common
) -> int:
    """Take back Rainbond and leave the cluster; the API has to answer."""
    seen = asyncio.run(preview_rainbond(session, nodes, keep_secrets=keep_secrets))
    chosen = [each.step.node for each in seen if each.step.node and each.changes]
    silent = [each for each in seen if each.unknown is not None]
    for each in seen:
        for change in each.changes:
            where = f"{each.step.node}: " if each.step.node else ""
            answer(f"  - {where}{change.title}")
    for each in silent:
        tell(each.unknown or "")
    if not any(each.step.node == "" and each.unknown is None for each in seen):
        return Exit.FINDINGS
    if not any(each.changes for each in seen):
        answer(T("reset.rainbond.nothing"))
        return Exit.FINDINGS if silent else Exit.GOOD
    answer(styled(T("reset.rainbond.loss"), bold=True))
    answer(T("reset.rainbond.stays"))
    answer(T("reset.rainbond.secrets_kept") if keep_secrets else T("reset.rainbond.secrets_lost"))
    if dry_run:
        answer(T("reset.nothing_done"))
        return Exit.FINDINGS if silent else Exit.GOOD
    _confirm(session, chosen, yes=yes, about=T("reset.rainbond.about_to", count=len(chosen)))
    purpose = Purpose(PurposeKind.RESET, tuple(chosen), only_rainbond=True, keep_secrets=keep_secrets)
    client = asyncio.run(session.start_reset(purpose))
    status = Follower(client, as_json=False, common=common).follow()
    if status in (Exit.GOOD, Exit.FAILED):
        _tell_failures(client)
    return max(status, Exit.FAILED) if silent and status == Exit.GOOD else status


def _only_kubesphere(session: Session, *, dry_run: bool, yes: bool, common: Common) -> int:
    """Take back KubeSphere and leave the cluster; the API has to answer."""
    (seen,) = asyncio.run(preview_kubesphere(session))
    if seen.unknown is not None:
        tell(seen.unknown)
        return Exit.FINDINGS
    for change in seen.changes:
        answer(f"  - {change.title}")
    if not seen.changes:
        answer(T("reset.kubesphere.nothing"))
        return Exit.GOOD
    answer(styled(T("reset.kubesphere.loss"), bold=True))
    answer(T("reset.kubesphere.stays"))
    if dry_run:
        answer(T("reset.nothing_done"))
        return Exit.GOOD
    _confirm(session, (), yes=yes, about=T("reset.kubesphere.about_to"))
    client = asyncio.run(session.start_reset(Purpose(PurposeKind.RESET, only_kubesphere=True)))
    status = Follower(client, as_json=False, common=common).follow()
    if status in (Exit.GOOD, Exit.FAILED):
        _tell_failures(client)
    return status


def _nodes(session: Session, named: Sequence[str]) -> list[str]:
    """The nodes that are meant; raises `CommandError` for a name that cluster.yaml does not have."""
    known = [node.name for node in session.spec.nodes]
    if unknown := [name for name in named if name not in known]:
        raise CommandError(T("reset.no_such_node", given=", ".join(unknown), known=", ".join(known)))
    return [name for name in known if name in named] if named else known


def _confirm(session: Session, chosen: Sequence[str], *, yes: bool, about: Text | None = None) -> None:
    """Have the operator type the cluster's name, unless ``--yes`` was given."""
    name = session.spec.name
    tell(about or T("reset.about_to", count=len(chosen), nodes=", ".join(chosen)))
    if yes:
        return
    question, refusal = T("reset.type_name", name=name), T("reset.not_confirmed")
    confirm_by_name(name, question, instead=T("reset.needs_yes"), refusal=refusal)


def _lines(session: Session, surveys: Sequence[HostSurvey]) -> Iterator[str]:
    """Everything that the operator must know before saying yes."""
    for each in surveys:
        yield styled(f"{each.node}: {_verdict(each, session.spec.name)}", bold=True)
        if each.is_to_reset:
            yield from _host_lines(each)
    resets = [each for each in surveys if each.is_to_reset]
    if resets:
        yield ""
        yield styled(T("reset.loss"), bold=True)
        yield str(T("reset.stays"))
        yield from ceph_lines(session.spec, [each.node for each in resets])
        if len(resets) < len(session.spec.nodes):
            yield str(T("reset.others_go_on"))
    if old := nodes_of_old_runs(session):
        yield str(T("reset.old_nodes", nodes=", ".join(old)))


def ceph_lines(spec: ClusterSpec, nodes: Sequence[str]) -> Iterator[str]:
    """What stays on disks of Ceph, and with which commands it goes: nothing of it is done here."""
    own = [disk for disk in spec.ceph_disks if disk.node in nodes]
    if not own:
        return
    yield str(T("reset.ceph_stays", count=len(own), directory=DATA_DIRECTORY))
    for node in dict.fromkeys(disk.node for disk in own):
        devices = " ".join(shlex.quote(disk.device) for disk in own if disk.node == node)
        yield f"  {node}: wipefs --all {devices} && rm -rf {DATA_DIRECTORY}"


def _verdict(each: HostSurvey, site: str) -> Text:
    if each.error is not None:
        return T("reset.host.silent", reason=each.error)
    assert each.left is not None
    if each.ownership is Ownership.OTHERS:
        return T("reset.host.others", site=each.left.claim.site if each.left.claim is not None else "?")
    if each.is_clean:
        return T("reset.host.clean")
    if each.ownership is Ownership.UNMARKED:
        return T("reset.host.unmarked", site=site, what=_first_words(each.left.items))
    return T("reset.host.to_reset")


def _first_words(items: Sequence[Residue]) -> str:
    first = [item.what for item in items if item.kind not in _RUNNING][:3] or [items[0].what]
    return ", ".join(first)


def _host_lines(each: HostSurvey) -> Iterator[str]:
    """What goes on one host, and what others use there, too."""
    assert each.left is not None
    for item in each.left.items:
        if item.kind not in _RUNNING:
            size = "" if item.size_mib is None else f" ({item.size_mib} MiB)"
            yield f"  - {item.title}{size}"
    for kind in _RUNNING:
        if found := each.left.of(kind):
            yield f"  - {T(f'reset.many.{kind.value}', count=len(found))}"  # words: reset.many.*
    for path, units in each.left.stays:
        yield f"  = {T('reset.host.shared', path=path, units=units)}"


def _tell_failures(client: RunClient) -> bool:
    """Tell what failed, with what was seen and what to do; whether anything did."""
    state = client.state()
    failures = [step.failure for step in state.steps.values() if step.failure is not None and not step.status.settled]
    failures += [
        step.failure
        for step in state.steps.values()
        if step.failure is not None and step.status is StepStatus.QUARANTINED
    ]
    for failure in failures:
        tell(failure.text)
        for line in evidence_lines(failure.evidence, most=100, indent=2):
            tell(line)
        tell(failure.remedy)
    return bool(failures)


def _tell_what_remains(client: RunClient, left_out: Sequence[HostSurvey]) -> Exit:
    """Name what could not be removed, with what removes it, and the hosts that were not touched."""
    failed = _tell_failures(client)
    for each in left_out:
        tell(T("reset.left_out", node=each.node))
    if failed or left_out:
        return Exit.FAILED
    answer(T("reset.done"))
    return Exit.GOOD
