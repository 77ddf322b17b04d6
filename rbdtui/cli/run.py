"""Commands on runs: start or take one up, follow it from any terminal, and steer it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from rbdtui.cli.asking import confirm_by_name
from rbdtui.cli.follow import Follower
from rbdtui.cli.options import DRAWS, FINDINGS, PASSPHRASE, SLOW_LINK, Command, Common, Word, json_option, site_argument
from rbdtui.cli.output import (
    CommandError,
    Exit,
    answer,
    answer_findings,
    answer_json,
    finding_lines,
    tell,
    tell_progress,
)
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.past import current_run_of
from rbdtui.engine.client import RunClient
from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import RunOptions
from rbdtui.engine.lock import SiteLockedError, refuse_when_held
from rbdtui.facts.model import NodeFacts
from rbdtui.facts.store import save_facts
from rbdtui.findings import Finding, has_errors
from rbdtui.paths import as_typed
from rbdtui.session import Session
from rbdtui.words import T, catalogue, current_language

POLICIES = tuple(policy.value for policy in FailurePolicy)


@click.command(
    cls=Command,
    help=str(T("cli.help.run")),
    shows=(*FINDINGS, SLOW_LINK, PASSPHRASE),
    examples=(
        "run site-a",
        "run site-a --yes --detach",
        "run site-a --accept RBD-HW-102",
    ),
)
@site_argument()
@click.option("--yes", is_flag=True, help=str(T("cli.option.run_yes")))
@click.option("--new", "anew", is_flag=True, help=str(T("cli.option.run_new")))
@json_option()
@click.option("--detach", is_flag=True, help=str(T("cli.option.detach")))
@click.option("--on-failure", type=Word(POLICIES), help=str(T("cli.option.on_failure")))
@click.option("--accept", metavar="CODE,…", help=str(T("cli.option.accept")))
def run(
    site: Path,
    yes: bool,
    anew: bool,
    as_json: bool,
    detach: bool,
    on_failure: str | None,
    accept: str | None,
    common: Common,
) -> int:
    """Install, or go on where an earlier run was interrupted."""
    accepted = _codes(accept or "")
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    findings = session.rule_findings()
    if has_errors(findings):
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose, as_json=as_json)
        return Exit.FINDINGS
    try:
        refuse_when_held(session.site)
    except SiteLockedError as error:
        raise CommandError(error.text, remedy=T("cli.run.attach_instead", site=as_typed(site))) from error
    session.refuse_half_done()
    findings += session.missing_secret_findings()
    if has_errors(findings):
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose, as_json=as_json)
        return Exit.FINDINGS
    session.unlock(create=True)
    interactive = sys.stdin.isatty() and sys.stderr.isatty()
    policy = FailurePolicy(on_failure) if on_failure else FailurePolicy.ASK if interactive else FailurePolicy.STOP
    starter = _Starter(session, policy, accepted, yes=yes, anew=anew, as_json=as_json, common=common)
    session.prepare_runner()
    try:
        client = asyncio.run(starter.start())
    finally:
        session.dismiss_runner()
    if client is None:
        return Exit.FINDINGS
    if detach:
        answer_json({"run": client.run_id}) if as_json else answer(
            T("cli.run.detached", run=client.run_id, site=as_typed(site))
        )
        return Exit.GOOD
    return Follower(client, as_json=as_json, common=common).follow()


def _codes(written: str) -> tuple[str, ...]:
    """Codes of findings, separated by commas; raises `CommandError` for one that no finding has."""
    codes = tuple(code.strip() for code in written.split(",") if code.strip())
    known = catalogue(current_language())
    if unknown := [code for code in codes if f"finding.{code}.message" not in known]:
        raise CommandError(T("cli.run.no_such_code", given=", ".join(unknown)))
    return codes


class _Starter:
    """Everything between the wish to run and a runner at work."""

    def __init__(
        self,
        session: Session,
        policy: FailurePolicy,
        accepted: tuple[str, ...],
        *,
        yes: bool,
        anew: bool,
        as_json: bool,
        common: Common,
    ) -> None:
        self._session = session
        self._policy = policy
        self._accepted = accepted
        self._yes = yes
        self._anew = anew
        self._as_json = as_json
        self._common = common

    async def start(self) -> RunClient | None:
        """A run at work; None when findings forbid it (they have been shown)."""
        if not self._anew and (interrupted := self._session.interrupted_run()) is not None:
            state = interrupted.state()
            left = sum(not step.status.settled for step in state.steps.values())
            for finding in self._session.jump_host_findings():
                for line in finding_lines(finding, ascii_only=self._common.ascii_only):
                    tell(line)
            tell(T("cli.run.takes_up", run=interrupted.run_id, left=left, steps=len(state.steps)))
            return await self._session.take_up(interrupted, RunOptions(policy=self._policy))
        findings, facts = await self._preflight()
        standing = [finding for finding in findings if finding.code not in self._accepted]
        if has_errors(standing):
            self._answer(findings, as_json=self._as_json)
            tell(T("cli.run.refused"))
            return None
        if not self._as_json:
            self._answer(findings)
        self._confirm(facts)
        return await self._session.start(facts, RunOptions(policy=self._policy))

    def _answer(self, findings: list[Finding], *, as_json: bool = False) -> None:
        common = self._common
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose, as_json=as_json)

    async def _preflight(self) -> tuple[list[Finding], dict[str, NodeFacts]]:
        session = self._session
        tell_progress(T("cli.run.preflight", count=len(session.spec.nodes)))
        async with session.hosts() as hosts:
            result = await session.preflight(hosts)
        for facts in result.facts.values():
            save_facts(session.site.facts_dir, facts)
        return result.findings, result.facts

    def _confirm(self, facts: dict[str, NodeFacts]) -> None:
        """Have the operator type the cluster's name, unless ``--yes`` was given."""
        spec = self._session.spec
        steps = len(self._session.plan(facts).steps)
        tell(T("cli.run.about_to", name=spec.name, nodes=len(spec.nodes), steps=steps))
        if self._yes:
            return
        question, refusal = T("cli.run.type_name", name=spec.name), T("cli.run.not_confirmed")
        confirm_by_name(spec.name, question, instead=T("cli.run.needs_yes"), refusal=refusal)


@click.command(
    cls=Command,
    help=str(T("cli.help.attach")),
    shows=(*DRAWS, SLOW_LINK),
    examples=("attach site-a",),
)
@site_argument()
@json_option()
def attach(site: Path, as_json: bool, common: Common) -> int:
    """Follow the run under way, else the newest, from any terminal."""
    return Follower(current_run_of(site), as_json=as_json, common=common).follow()


def _steer(path: Path, command: Callable[[RunClient], Awaitable[None]], done: str) -> int:
    client = current_run_of(path)
    asyncio.run(_await(command(client)))
    tell(T(f"cli.steered.{done}", run=client.run_id))  # words: cli.steered.*
    return Exit.GOOD


async def _await(command: Awaitable[None]) -> None:
    await command


@click.command(
    cls=Command,
    help=str(T("cli.help.pause")),
    examples=("pause site-a",),
)
@site_argument()
def pause(site: Path, common: Common) -> int:
    """Have no further step started."""
    return _steer(site, RunClient.pause, "paused")


@click.command(
    cls=Command,
    help=str(T("cli.help.resume")),
    examples=("resume site-a",),
)
@site_argument()
def resume(site: Path, common: Common) -> int:
    """Have steps started again."""
    return _steer(site, RunClient.resume, "resumed")


@click.command(
    cls=Command,
    help=str(T("cli.help.stop")),
    examples=("stop site-a",),
)
@site_argument()
def stop(site: Path, common: Common) -> int:
    """End the run at the next safe point."""
    return _steer(site, RunClient.stop, "stopping")


@click.command(
    cls=Command,
    help=str(T("cli.help.retry")),
    examples=(
        "retry site-a",
        "retry site-a --step rke2-server@node2",
    ),
)
@site_argument()
@click.option("--step", metavar="STEP", help=str(T("cli.option.step")))
def retry(site: Path, step: str | None, common: Common) -> int:
    """Have failed steps tried again."""
    return _steer(site, lambda client: client.retry(step), "retried")
