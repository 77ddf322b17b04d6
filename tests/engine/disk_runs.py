"""Runs of the plan on disk, in processes of their own: how tests start them, and what must hold at their end."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from rbdtui.engine.client import RunClient, start_run
from rbdtui.engine.events import FailurePolicy, RunCreated, RunFinished, RunOutcome, StepFinished
from rbdtui.engine.inputs import Purpose, RunOptions
from rbdtui.engine.journal import read_journal
from rbdtui.engine.state import RunState
from rbdtui.facts.model import NodeFacts
from rbdtui.site import Site
from tests import waiting
from tests.engine.disk_plan import the_plan
from tests.engine.support import SPEC_TEXT

SCRIPT = Path(__file__).with_name("disk_plan.py")
ROOT = SCRIPT.parent.parent.parent
SECRET = "canary-hunter22"
SECRETS = {"canary": SECRET}
INSTALL = Purpose()
FACTS = {"n1": NodeFacts("n1", 1.0, hostname="n1")}
LIMIT_S = 60.0
until = partial(waiting.until, limit_s=LIMIT_S)
ALL_STEPS = sorted(step.id for step in the_plan().steps)


def runner(*options: str) -> tuple[str, ...]:
    return (sys.executable, str(SCRIPT), *options)


async def start(
    site: Site, *options: str, policy: FailurePolicy = FailurePolicy.ASK, purpose: Purpose = INSTALL
) -> RunClient:
    return await start_run(
        site,
        spec_text=SPEC_TEXT.encode(),
        facts=FACTS,
        secrets=SECRETS,
        options=RunOptions(policy),
        purpose=purpose,
        runner=runner(*options),
    )


async def ended(client: RunClient) -> RunState:
    await until(lambda: not client.alive())
    return client.state()


def applied(site: Site) -> list[str]:
    file = site.path / "applied"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


def finished(client: RunClient) -> set[str]:
    return {r.event.step for r in read_journal(client.run_dir / "events.jsonl") if isinstance(r.event, StepFinished)}


def assert_whole(client: RunClient, site: Site) -> None:
    """The run ended well, did everything, and its journal holds together."""
    records = read_journal(client.run_dir / "events.jsonl")
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert isinstance(records[0].event, RunCreated)
    last = records[-1].event
    assert isinstance(last, RunFinished)
    assert last.outcome is RunOutcome.DONE
    ends = [record.event.step for record in records if isinstance(record.event, StepFinished)]
    assert sorted(ends) == ALL_STEPS, "every step ends once"
    assert sorted(entry.name for entry in (site.path / "world").iterdir()) == ALL_STEPS
    run_ids = {line.split()[1] for line in (site.path / "applied").read_text().splitlines()}
    assert run_ids == {client.run_id}, "a run keeps its name, so that remote work is found again"
