"""What the README shows: one site of three servers with Rainbond, planned, looked at, installed and well.

The run is that of real servers, as its journal had it. Each has been looked at; a changed one is to be looked at
again before it is kept (``--snapshot-update``).
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from rbdtui.engine.events import Record, RunCreated
from rbdtui.engine.inputs import spec_digest
from rbdtui.engine.logs import log_file
from rbdtui.engine.state import StepStatus
from rbdtui.site import Site
from rbdtui.workbench.rail import section_statuses
from rbdtui.workbench.sections import HEALTH, NODES, REVIEW, ROLES, SectionState
from rbdtui.workbench.workbench import Workbench
from tests.screens import healths
from tests.screens.answers import answered
from tests.screens.conftest import Opened, Picture, bench, make_site
from tests.screens.journals import RUN_ID, T0, write_run
from tests.screens.reviewing import STATES
from tests.screens.running import held
from tests.screens.waiting import drawn, program, show_run

AT_S: Final = 303.0
"""When the run is shown: the components of Rainbond come up."""
NAMES: Final = ("node1", "node2", "node3")
RECORDED: Final = Path(__file__).parent / "recorded"
_ALL: Final = "control-plane, etcd, worker, gateway, build"
PLAN: Final = f"""apiVersion: rbdtui/v1
name: site-a
profile: rainbond-6
bundle: bundle
ssh: {{user: root, port: 22, key: ~/.ssh/id_ed25519}}
nodes:
  - {{name: node1, address: 198.51.100.11, roles: [{_ALL}]}}
  - {{name: node2, address: 198.51.100.12, roles: [{_ALL}]}}
  - {{name: node3, address: 198.51.100.13, roles: [{_ALL}]}}
kubernetes: {{distribution: rke2, api: {{mode: vip}}}}
gateway: {{mode: keepalived, vip: 198.51.100.50/24, virtual_router_id: 87, unicast: true}}
rainbond: {{version: v6.2.1-release, domain_suffix: apps.site-a.lan}}
"""


def begun(home: Path) -> Workbench:
    """The site with its plan; all servers have answered."""
    key = home / ".ssh" / "id_ed25519"
    key.parent.mkdir(mode=0o700, exist_ok=True)
    key.touch(mode=0o600)
    return look_again(make_site(home / "site-a", PLAN), checked=False)


def look_again(site: Site, *, checked: bool = True) -> Workbench:
    """The same site, opened once more; its servers have been checked."""
    workbench = bench(site)
    assert workbench.draft.spec is not None
    workbench.show_live(answered(workbench.draft.spec))
    if checked:
        workbench.show_preflight(STATES["plan"][1](workbench))
    return workbench


def nothing_is_wrong(workbench: Workbench) -> bool:
    """Whether no section tells of a mistake."""
    return not any(section.state is SectionState.PROBLEMS for section in section_statuses(workbench))


def put_run(site: Site, until_s: float) -> None:
    """The recorded run as one of this very plan, up to so many seconds from its beginning."""
    digest = spec_digest(site.spec_file.read_bytes())
    lines = (RECORDED / "rainbond_run.jsonl").read_text(encoding="utf-8").splitlines()
    records = [Record.from_json(json.loads(line)) for line in lines]
    assert isinstance(records[0].event, RunCreated)
    records[0] = replace(records[0], event=replace(records[0].event, spec_sha256=digest))
    run_dir = write_run(site, [record for record in records if record.at <= T0 + until_s])
    log = (RECORDED / "rainbond-ready.log").read_text(encoding="utf-8").splitlines(keepends=True)
    until = f"{datetime.fromtimestamp(T0 + until_s, UTC):%Y-%m-%dT%H:%M:%S}"
    log_file(run_dir, "rainbond-ready").write_text("".join(line for line in log if line < until), encoding="utf-8")


async def test_one_site_from_its_servers_to_its_health(
    opened: Opened, picture: Picture, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = begun(home)
    site = workbench.site
    assert nothing_is_wrong(workbench)
    async with opened(workbench) as pilot:
        for section in (NODES, ROLES):
            program(pilot).show_section(section)
            await drawn(pilot)
            picture(pilot, name=section, shown=True)
    async with opened(look_again(site)) as pilot:
        program(pilot).show_section(REVIEW)
        await drawn(pilot)
        await pilot.press("v", *["down"] * 4)
        await drawn(pilot)
        picture(pilot, name=REVIEW, shown=True)
        await pilot.press("v", "o")
        await drawn(pilot)
        picture(pilot, name="once", shown=True)
    put_run(site, AT_S)
    monkeypatch.setattr("screens.terminal.clock.now", lambda: T0 + AT_S)
    with held(site):
        workbench = look_again(site)
        async with opened(workbench) as pilot:
            await show_run(pilot)
            assert workbench.run is not None
            assert workbench.run.run_id == RUN_ID
            assert workbench.run.state().steps["rainbond-ready"].status is StepStatus.RUNNING
            assert nothing_is_wrong(workbench)
            picture(pilot, name="run", shown=True)
    workbench = look_again(site)
    workbench.health.show(healths.picture_of(healths.healthy_probes(0, servers=NAMES)), healths.SINCE)
    async with opened(workbench) as pilot:
        program(pilot).show_section(HEALTH)
        await drawn(pilot)
        picture(pilot, name=HEALTH, shown=True)
