"""A site of the previous version: what it holds is read, and a run that cannot be gone on with has a way out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.cli.output import Exit
from rbdtui.engine.client import RunClient, latest_run
from rbdtui.engine.events import RunOutcome
from rbdtui.engine.inputs import read_inputs
from rbdtui.plan.preview import SilentReporter
from rbdtui.session import Session
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.spec.loader import load_spec
from rbdtui.vault import Vault
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.run.run_list import list_runs
from rbdtui.workbench.workbench import Workbench
from tests.cli import console
from tests.cli.advice import follow
from tests.cli.hosts import FleetThread
from tests.previous import ENDED, KILLED, PASSPHRASE, SECRETS, previous_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    bundle = write_bundle(tmp_path / "bundle", images_bytes=4096)
    with FleetThread(SimulatedFleet(1, speed=50.0)) as hosts:
        yield previous_site(tmp_path / "site", hosts.fleet, bundle)


def test_its_runs_are_read(site: Site) -> None:
    assert site.run_ids() == [ENDED, KILLED]
    assert [(line.run_id, line.outcome) for line in list_runs(site)] == [(KILLED, None), (ENDED, RunOutcome.DONE)]
    ended, killed = (RunClient(site.run_dir(run)).state() for run in (ENDED, KILLED))
    assert ended.all_settled
    assert ended.outcome is RunOutcome.DONE
    assert killed.outcome is None
    assert 0 < sum(step.status.settled for step in killed.steps.values()) < len(killed.steps)


def test_its_vault_is_opened(site: Site) -> None:
    vault = Vault.open(site.vault_file, PASSPHRASE)
    assert {name: vault.get(name) for name in vault.names()} == SECRETS
    vault.set("sudo", "new")
    assert Vault.open(site.vault_file, PASSPHRASE).get("sudo") == "new"


def test_its_draft_is_taken_up_and_saved(site: Site) -> None:
    workbench = Workbench.open(site.path, HeldPassphrase(), ask_servers=False)
    try:
        assert workbench.draft.dirty
        workbench.save()
    finally:
        workbench.close()
    spec = load_spec(site.spec_file).spec
    assert spec is not None
    assert spec.name == "renamed"
    assert spec.kubernetes.settings["max-pods"] == 200


def test_its_killed_run_is_gone_on_with_or_refused_with_a_way_out(site: Site) -> None:
    """Whether this version plans the same steps is not for the test to say; either way there is an end."""
    asyncio.run(bring_the_host_to_where_it_was(site))
    said = console.run("en", "attach", site.path, "--ascii").check(Exit.FAILED)
    taken_up = follow(said.err, "run", site.path, *options(site))
    if taken_up.status != Exit.GOOD:
        follow(taken_up.check(Exit.USAGE).err, "run", site.path, *options(site)).check(Exit.GOOD)
    newest = latest_run(site)
    assert newest is not None
    assert newest.state().outcome is RunOutcome.DONE
    assert newest.run_id == KILLED or RunClient(site.run_dir(KILLED)).given_up()


def test_a_run_with_other_steps_is_refused_with_a_way_out_that_works(site: Site) -> None:
    journal = site.run_dir(KILLED) / "events.jsonl"
    journal.write_text(journal.read_text().replace("step.claim.title", "step.claim.heading", 1))
    refused = console.run("en", "run", site.path, *options(site)).check(Exit.USAGE)
    assert KILLED in refused.err
    again = follow(refused.err, "run", site.path, *options(site)).check(Exit.GOOD)
    newest = latest_run(site)
    assert newest is not None
    assert newest.run_id not in (ENDED, KILLED)
    assert newest.run_id in again.words
    assert newest.state().outcome is RunOutcome.DONE
    assert RunClient(site.run_dir(KILLED)).given_up()
    assert RunClient(site.run_dir(KILLED)).state().steps, "it stays readable"
    console.run("en", "run", site.path, *options(site)).check(Exit.GOOD)
    assert sum(line.outcome is RunOutcome.DONE for line in list_runs(site)) == 3


def options(site: Site) -> tuple[str | Path, ...]:
    return ("--yes", "--on-failure", "stop", "--ascii", "--passphrase-file", site.path / "passphrase")


async def bring_the_host_to_where_it_was(site: Site) -> None:
    """The host is a new one: do on it what the killed run had done."""
    session, state = Session.open(site.path, Passphrase()), RunClient(site.run_dir(KILLED)).state()
    async with session.hosts() as hosts:
        facts = read_inputs(site.run_dir(KILLED)).facts
        context = replace(session.dry_context(hosts, facts, SilentReporter()), run_id=KILLED)
        for step in session.plan(facts).steps:
            if step.id in state.steps and state.steps[step.id].status.settled:
                await step.apply(context, await step.pending(context))
                await step.verify(context)


class Passphrase:
    """That of the site's vault."""

    def existing(self) -> str:
        return PASSPHRASE

    def new(self) -> str:
        return PASSPHRASE
