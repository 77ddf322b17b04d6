"""Whole runs on embedded hosts: a fleet in the test's process, the runner in one of its own, as in a real site."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rbdtui.engine.client import RunClient
from rbdtui.engine.events import Event, FailurePolicy, Outcome, RunFinished, RunOutcome, StepFailed, StepFinished
from rbdtui.engine.inputs import RunOptions
from rbdtui.engine.lock import holder_of
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import has_errors
from rbdtui.plan.cluster import AGENT_TOKEN_SECRET, TOKEN_SECRET, VRRP_SECRET
from rbdtui.session import Session
from rbdtui.simulator.demo_site import KUBERNETES, write_demo_site
from rbdtui.simulator.fleet import Build, SimulatedFleet
from rbdtui.simulator.state import fleet_state
from rbdtui.words import say

SPEED = 20.0
RATE_BYTES_PER_S = 1_000_000.0
"""Of simulated seconds: slow enough for an upload to be caught half-way."""
SECRETS = {
    TOKEN_SECRET: "the-same-token-in-every-fleet",
    AGENT_TOKEN_SECRET: "the-same-for-agents",
    VRRP_SECRET: "the-same",
}
RUN_LIMIT_S = 240.0
LACKS_KEEPALIVED = (Build(), Build(), Build(keepalived=False), Build())


class Passphrase:
    """The passphrase of all test vaults."""

    def existing(self) -> str:
        return "test"

    def new(self) -> str:
        return "test"


@dataclass(slots=True)
class EmbeddedSite:
    """A site of an embedded fleet, with keys pinned and the run's own secrets set."""

    fleet: SimulatedFleet
    session: Session

    async def facts(self) -> Mapping[str, NodeFacts]:
        """Preflight without errors."""
        async with self.session.hosts() as hosts:
            result = await self.session.preflight(hosts)
        assert not has_errors(result.findings), [say(finding.message) for finding in result.findings]
        return result.facts

    async def start(self) -> RunClient:
        return await self.session.start(await self.facts(), RunOptions(policy=FailurePolicy.STOP))

    async def run(self) -> RunClient:
        """A whole run, to its good end."""
        client = await self.start()
        await finished(client)
        return client

    def state(self, run_id: str) -> dict[str, object]:
        """What all machines have become, without the name of the run that made them so."""
        claims = [machine.files.read("/var/lib/rbdtui/claim.json") for machine in self.fleet.machines.values()]
        assert all(json.loads(claim)["site"] == "demo" for claim in claims)
        state = json.loads(json.dumps(fleet_state(self.fleet)).replace(run_id, "RUN"))
        for machine in state["machines"].values():
            del machine["files"]["/var/lib/rbdtui/claim.json"]
        assert isinstance(state, dict)
        return state


@asynccontextmanager
async def embedded_site(
    fleet: SimulatedFleet,
    directory: Path,
    bundle: Path,
    *,
    profile: str = KUBERNETES,
    change: Callable[[str], str] = lambda text: text,
) -> AsyncIterator[EmbeddedSite]:
    """A site for the time of the block, its plan as it is changed; a runner still at work behind it is killed."""
    site = write_demo_site(directory, fleet, bundle=bundle, profile=profile)
    site.spec_file.write_text(change(site.spec_file.read_text()))
    session = Session.open(site.path, Passphrase())
    assert not has_errors(session.rule_findings()), [say(f.message) for f in session.rule_findings()]
    vault = session.unlock(create=True)
    for name, value in SECRETS.items():
        vault.set(name, value)
    session.known_hosts.pin(await session.scan_host_keys())
    try:
        yield EmbeddedSite(fleet, session)
    finally:
        if (holder := holder_of(site)) is not None:
            os.kill(holder.pid, signal.SIGKILL)


async def events_of(client: RunClient, *, follow: bool = True) -> list[Event]:
    """The journal, waited for to its end."""
    async with asyncio.timeout(RUN_LIMIT_S):
        return [record.event async for record in client.records(follow=follow)]


async def finished(client: RunClient) -> list[Event]:
    """The journal of a run that has to end well."""
    events = await events_of(client)
    last = events[-1]
    failures = [f"{say(event.text)} {event.evidence}" for event in events if isinstance(event, StepFailed)]
    assert isinstance(last, RunFinished), f"no end: {last}"
    assert last.outcome is RunOutcome.DONE, failures
    return events


def outcomes(events: Sequence[Event]) -> dict[str, Outcome]:
    """How each step ended."""
    return {event.step: event.outcome for event in events if isinstance(event, StepFinished)}
