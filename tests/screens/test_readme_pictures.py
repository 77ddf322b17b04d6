"""What the README shows: one cluster of four servers, planned, looked at, installed and well.

Each has been looked at; a changed one is to be looked at again before it is kept (``--snapshot-update``).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.engine.events import Event, ProbeChanged, RunCreated
from rbdtui.engine.inputs import spec_digest
from rbdtui.engine.state import StepStatus
from rbdtui.site import Site
from rbdtui.words import T
from rbdtui.workbench.sections import HEALTH, NODES, REVIEW, ROLES, SectionState
from rbdtui.workbench.workbench import Workbench
from tests.screens import healths
from tests.screens.answers import answered
from tests.screens.conftest import Opened, Picture, bench
from tests.screens.journals import T0, Story, write_run
from tests.screens.reviewing import STATES, begun
from tests.screens.running import held
from tests.screens.waiting import drawn, program, show_run

NODES_COUNT = 4
AT_S = 112.0
"""When the run is shown: the first server starts."""
NAMES = [f"node{number}" for number in range(1, NODES_COUNT + 1)]


def look_again(site: Site) -> Workbench:
    """The same site, opened once more, its servers checked."""
    workbench = bench(site)
    assert workbench.draft.spec is not None
    workbench.show_live(answered(workbench.draft.spec))
    workbench.show_preflight(STATES["plan"][1](workbench))
    return workbench


def nothing_is_wrong(workbench: Workbench) -> bool:
    """Whether no section tells of a mistake."""
    return not any(section.state is SectionState.PROBLEMS for section in workbench.sections())


def put_run(site: Site, until_s: float) -> None:
    """A run of this very plan, whose profile has no gateway ports, up to so many seconds from its beginning."""
    digest = spec_digest(site.spec_file.read_bytes())
    unused = T("probe.gateway.unused_closed", trouble=T("probe.trouble.refused"))

    def of_this_plan(event: Event) -> Event:
        if isinstance(event, RunCreated):
            return replace(event, spec_sha256=digest)
        return replace(event, detail=unused) if isinstance(event, ProbeChanged) and event.port else event

    records = Story(NODES_COUNT).records(until_s)
    write_run(site, [replace(record, event=of_this_plan(record.event)) for record in records])


async def test_one_cluster_from_its_servers_to_its_health(
    opened: Opened, picture: Picture, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = begun(home, NODES_COUNT)
    site = workbench.site
    assert nothing_is_wrong(workbench)
    async with opened(workbench) as pilot:
        for section in (NODES, ROLES):
            program(pilot).show_section(section)
            await drawn(pilot)
            picture(pilot, name=section)
    async with opened(look_again(site)) as pilot:
        program(pilot).show_section(REVIEW)
        await drawn(pilot)
        await pilot.press("v", *["down"] * 4)
        await drawn(pilot)
        picture(pilot, name=REVIEW)
    put_run(site, AT_S)
    monkeypatch.setattr("screens.clock.now", lambda: T0 + AT_S)
    with held(site):
        workbench = look_again(site)
        async with opened(workbench) as pilot:
            await show_run(pilot)
            assert workbench.run is not None
            assert workbench.run.state().steps["rke2-first-server@node1"].status is StepStatus.RUNNING
            assert nothing_is_wrong(workbench)
            picture(pilot, name="run")
    workbench = look_again(site)
    probes = healths.healthy_probes(gateway_used=False, servers=NAMES[:3], workers=NAMES[3:])
    workbench.health.show(healths.picture_of(probes), healths.SINCE)
    async with opened(workbench) as pilot:
        program(pilot).show_section(HEALTH)
        await drawn(pilot)
        picture(pilot, name=HEALTH)
