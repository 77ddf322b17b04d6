"""What leads on from where the work is done, and what has to be whole where there is little room."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from rbdtui.engine.events import RunCreated, StepStalled
from rbdtui.engine.inputs import Purpose, PurposeKind, spec_digest
from rbdtui.site import Site
from rbdtui.words import T
from rbdtui.workbench.faults import FaultLine
from rbdtui.workbench.sections import BALANCER, HEALTH, NODES, ROLES, SITE
from screens.dialogs.faults import FaultsDialog
from screens.dialogs.palette import PaletteDialog
from screens.run.run import RunScreen
from screens.shell.base import Dialog
from screens.shell.help import HelpScreen
from screens.widgets.frame import KeyLine, MessageLine
from tests.screens import healths
from tests.screens.conftest import SMALL, Opened, bench, make_site, settled
from tests.screens.journals import Story, spec_text, write_run
from tests.screens.run_seen import banner
from tests.screens.running import STAGES, Stage, held, on_stage
from tests.screens.waiting import caught_up, drawn, program, show_run, until


def hint(pilot: Pilot[int]) -> str:
    """What is said quietly above the keys."""
    said = pilot.app.screen.query_one(MessageLine)
    return str(said.hint) if said.hint is not None and not said.said else ""


def words(pilot: Pilot[int]) -> str:
    """All on the screen, lines that go on below made whole."""
    return " ".join(program(pilot).text_on_screen().split())


def installed(home: Path, spec: str = "") -> Site:
    """A site with a run that ended well, of the plan as it is in cluster.yaml or of another one."""
    text = spec_text(3)
    site = make_site(home / "site-a", text)
    digest = spec_digest((spec or text).encode())
    records = [
        replace(record, event=replace(record.event, spec_sha256=digest))
        if isinstance(record.event, RunCreated)
        else record
        for record in Story(3).records()
    ]
    write_run(site, records)
    return site


async def test_a_run_that_ended_well_says_how_the_cluster_is_used(opened: Opened, home: Path) -> None:
    site = installed(home)
    async with opened(bench(site)) as pilot:
        await show_run(pilot)
        assert hint(pilot) == ""
        site.kubeconfig_file.touch(mode=0o600)
        await drawn(pilot)
        assert f"export KUBECONFIG={site.kubeconfig_file}" in hint(pilot)
        assert "kubectl get nodes" in words(pilot)


async def test_where_rainbond_is_installed_its_console_is_told(opened: Opened, home: Path) -> None:
    text = spec_text(3).replace("profile: kubernetes-only", "profile: rainbond-6")
    site = make_site(home / "site-b", text)
    site.kubeconfig_file.touch(mode=0o600)
    workbench = bench(site)
    workbench.health.show(healths.healthy(), 0.0)
    async with opened(workbench) as pilot:
        program(pilot).show_section(HEALTH)
        await drawn(pilot)
        assert f"http://{workbench.draft.spec.gateway_address}:7070" in hint(pilot)  # type: ignore[union-attr]


@pytest.mark.parametrize("healthy", [True, False])
async def test_a_healthy_cluster_is_told_with_how_it_is_used(opened: Opened, home: Path, healthy: bool) -> None:
    site = installed(home)
    site.kubeconfig_file.touch(mode=0o600)
    workbench = bench(site)
    workbench.health.show(healths.healthy() if healthy else healths.degraded(), 0.0)
    async with opened(workbench) as pilot:
        program(pilot).show_section(HEALTH)
        await drawn(pilot)
        assert ("export KUBECONFIG=" in hint(pilot)) is healthy


@pytest.mark.parametrize("section", [SITE, NODES, ROLES, BALANCER])
async def test_where_everything_is_installed_the_plan_leads_to_health(opened: Opened, home: Path, section: str) -> None:
    async with opened(bench(installed(home))) as pilot:
        program(pilot).show_section(section)
        await caught_up(pilot)
        assert "h shows the cluster's health" in hint(pilot)
        workbench = program(pilot).workbench
        assert workbench is not None
        workbench.change(lambda data: data["nodes"].pop())
        await drawn(pilot)
        assert "h shows" not in hint(pilot)


async def test_a_plan_that_was_changed_since_leads_on_as_before(opened: Opened, home: Path) -> None:
    async with opened(bench(installed(home, spec_text(4)))) as pilot:
        program(pilot).show_section(NODES)
        await caught_up(pilot)
        assert "what each server is for" in hint(pilot)


async def test_a_fault_is_seen_behind_its_dialog_and_the_next_begins_where_it_ended(opened: Opened, site: Site) -> None:
    workbench = bench(site, simulated=True)
    answers = io.BytesIO(b'{"ok": true}\n{"ok": false, "error": "no"}\n')
    workbench.faults = FaultLine(("node1", "node2", "node3"), io.BytesIO(), answers)
    async with opened(workbench) as pilot:
        await pilot.press("f")
        await until(pilot, lambda: isinstance(pilot.app.screen, FaultsDialog))
        await pilot.press("right", "down", "down", "enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Dialog))
        await drawn(pilot)
        assert "node3, done" in words(pilot)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(pilot.app.screen, FaultsDialog))
        await drawn(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "refuse: no" in words(pilot))
        asked = [json.loads(line) for line in workbench.faults._ask.getvalue().splitlines()]  # type: ignore[attr-defined]
        assert asked == [{"do": "fail_next", "node": "node3", "script": "unit-action"}] * 2
        assert isinstance(pilot.app.screen, FaultsDialog)


@pytest.mark.parametrize("searched", [False, True])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_way_out_of_a_log_is_in_the_line_of_keys(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch, language: str, searched: bool
) -> None:
    with on_stage(home, "servers", monkeypatch) as (workbench, _):
        async with opened(workbench, size=SMALL, language=language) as pilot:
            await show_run(pilot)
            await pilot.press("enter", *(("slash", "e", "enter") if searched else ()))
            await drawn(pilot)
            line = program(pilot).screen.query_one(KeyLine)
            assert " Esc " in "".join(segment.text for segment in line.render_line(0))


async def test_a_silent_step_is_told_by_the_message_of_its_last_line(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = "rke2-first-server@node1"
    line = 'time="2026-11-28T02:06:48Z" level=warning msg="Waiting for the datastore" error="no route"'
    stage = Stage(Story(3, hangs=frozenset({step}), extra=[(158.0, StepStalled(step, 75.0, line))]), 171.0)
    monkeypatch.setitem(STAGES, "stalled", lambda: stage)
    with on_stage(home, "stalled", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show_run(pilot)
            assert "Its last line: WARN Waiting for the datastore" in words(pilot)
            assert "level=" not in words(pilot)


async def test_settings_are_in_the_line_of_keys_on_the_page_of_help_and_among_the_commands(
    opened: Opened, site: Site
) -> None:
    async with opened(bench(site), size=(200, 60)) as pilot:
        assert "F8 settings" in program(pilot).text_on_screen().splitlines()[-1]
        await pilot.press("question_mark")
        await settled(pilot)
        assert isinstance(pilot.app.screen, HelpScreen)
        page = str(pilot.app.screen._keys())
        assert any("F8" in line and "settings" in line for line in page.splitlines()), page
        assert "F8" in str(T("help.everywhere"))
        await pilot.press("escape", "ctrl+p", *"zzz")
        await settled(pilot)
        assert isinstance(pilot.app.screen, PaletteDialog)
        assert "No command matches zzz" in words(pilot)


def done_to(site: Site, purpose: Purpose) -> Site:
    """The same site, its newest run being other work than an installation."""
    newest = site.run_dir(site.run_ids()[-1])
    (newest / "purpose.json").write_text(json.dumps(asdict(purpose)))
    return site


@pytest.mark.parametrize(
    ("purpose", "words"),
    [
        (Purpose(PurposeKind.RESET, ("server1",), whole=True), "as they were before the installation"),
        (Purpose(PurposeKind.RESET, ("server1",), only_rainbond=True), "Rainbond is removed; the cluster stays"),
        (Purpose(PurposeKind.RESET, only_kubesphere=True), "KubeSphere is removed; the cluster stays"),
    ],
)
async def test_after_a_reset_nothing_is_called_installed(
    opened: Opened, home: Path, purpose: Purpose, words: str
) -> None:
    site = done_to(installed(home), purpose)
    async with opened(bench(site)) as pilot:
        await show_run(pilot)
        assert words in hint(pilot)
        program(pilot).show_section(NODES)
        await caught_up(pilot)
        assert "h shows" not in hint(pilot)


async def test_the_end_of_other_work_speaks_of_that_work(opened: Opened, home: Path) -> None:
    site = done_to(installed(home), Purpose(PurposeKind.RECIPE, recipe="repair", arguments={"steps": "x@server1"}))
    journal = site.run_dir(site.run_ids()[-1]) / "events.jsonl"
    kept = [json.loads(line) for line in journal.read_text().splitlines() if '"probe-changed"' not in line]
    lines = [json.dumps({**record, "seq": number}) + "\n" for number, record in enumerate(kept, 1)]
    journal.write_text("".join(lines))
    async with opened(bench(site)) as pilot:
        screen = await show_run_screen(pilot)
        assert banner(pilot).startswith("Done. Steps that changed something")
        assert not any(screen.query_one(f"#{place}").display for place in ("ports", "strip"))
    for outcome, words in (("failed", "start this work again"), ("stopped", "Start this work again")):
        journal.write_text("".join([*lines[:-1], lines[-1].replace('"done"', f'"{outcome}"')]))
        async with opened(bench(site)) as pilot:
            await show_run(pilot)
            assert words in banner(pilot)
            assert "press p" not in banner(pilot).lower()


async def test_a_reset_that_was_left_unfinished_is_not_gone_on_with(opened: Opened, home: Path) -> None:
    site = make_site(home / "site-a", spec_text(3))
    write_run(site, Story(3).records(20.0))
    async with opened(bench(site)) as pilot:
        screen = await show_run_screen(pilot)
        assert screen.may_steer("go_on")
        assert screen.may_steer("begin_anew")
    done_to(site, Purpose(PurposeKind.RESET, ("server1",)))
    async with opened(bench(site)) as pilot:
        screen = await show_run_screen(pilot)
        assert not screen.may_steer("go_on")
        assert not screen.may_steer("begin_anew")


async def test_other_work_in_progress_is_called_by_its_name(opened: Opened, home: Path) -> None:
    site = make_site(home / "site-a", spec_text(3))
    write_run(site, Story(3).records(20.0))
    done_to(site, Purpose(PurposeKind.RESET, ("server1",)))
    with held(site):
        async with opened(bench(site)) as pilot:
            await show_run(pilot)
            assert "reset 7f3a in progress" in words(pilot)


async def show_run_screen(pilot: Pilot[int]) -> RunScreen:
    await show_run(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    return screen
