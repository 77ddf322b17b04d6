"""Review by keys: to the field of a finding, checking and giving up, the plan and what is found in it, the consent."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from textual.pilot import Pilot

from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import JOURNAL_NAME, Purpose, RunOptions, create_run_dir
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Place, Severity
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.recipes import Request, recipe_named
from rbdtui.plan.step import Change, ChangeKind
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import T
from rbdtui.workbench.review import repairing
from rbdtui.workbench.review.finding_groups import places_of
from rbdtui.workbench.review.preflight_view import Preflight
from rbdtui.workbench.sections import NODES, REVIEW, RUN, SITE
from rbdtui.workbench.survey import SurveyStatus
from rbdtui.workbench.workbench import Workbench
from screens.dialogs.recipe import RecipeDialog
from screens.review.finding_list import FindingList, rows_of
from screens.review.plan_list import PlanList
from screens.review.review import DetailPane, ReviewScreen
from screens.review.review_pages import plain
from screens.review.save import SaveDialog
from screens.review.start_run import StartRunDialog
from screens.widgets.field import TextLine
from screens.widgets.frame import MessageLine
from screens.widgets.message_block import MessageBlock
from tests.screens.conftest import Opened, settled
from tests.screens.reviewing import checked, in_state
from tests.screens.running import on_stage
from tests.screens.waiting import program, until

Result = TypeVar("Result")


async def show(pilot: Pilot[int], *keys: str) -> ReviewScreen:
    program(pilot).show_section(REVIEW)
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, ReviewScreen)
    await press(pilot, *keys)
    return screen


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)


def said(pilot: Pilot[int]) -> str:
    return str(pilot.app.screen.query_one(MessageLine).said)


def hint(pilot: Pilot[int]) -> str:
    return str(pilot.app.screen.query_one(MessageLine).hint)


def state_line(screen: ReviewScreen) -> str:
    return str(screen.query_one("#state", MessageBlock).lines[0][0])


def detail(screen: ReviewScreen) -> str:
    return plain(screen._page())


def preflight(pilot: Pilot[int]) -> Preflight:
    workbench = program(pilot).workbench
    assert workbench is not None
    return workbench.preflight


async def test_what_was_said_gives_way_to_what_comes_next_but_a_refusal_stays(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MessageLine, "STAYS_S", 0.3)
    async with opened(in_state(home, "good")) as pilot:
        await show(pilot)
        line = pilot.app.screen.query_one(MessageLine)
        assert line.hint is not None
        program(pilot).tell("It is done.")
        await pilot.pause()
        assert "It is done." in str(line.render())
        await until(pilot, lambda: str(line.hint) in str(line.render()))
        program(pilot).tell("It cannot be done.", bad=True)
        await pilot.pause(0.5)
        assert "It cannot be done." in str(line.render())


async def test_findings_stand_by_place_the_worst_first(opened: Opened, home: Path) -> None:
    workbench = in_state(home, "bad")
    rows = [row if isinstance(row, str) else row.first.code for row in rows_of(places_of(workbench.findings))]
    assert rows[:2] == ["Site", "RBD-BUNDLE-001"]
    assert rows.index("Nodes  node2") < rows.index("RBD-HW-101") < rows.index("Nodes  node3")
    assert rows.index("RBD-TIME-102") < rows.index("RBD-OS-103"), "a warning before an error of the same server"
    async with opened(workbench) as pilot:
        screen = await show(pilot)
        assert "rke2.linux-amd64.tar.gz" in detail(screen), "the evidence of the one under the cursor is not there"
        await press(pilot, "down")
        finding = screen.query_one(FindingList).finding
        assert finding is not None
        assert str(finding.remedy) in detail(screen)


@pytest.mark.parametrize("severity", Severity)
async def test_where_nothing_is_to_be_done_no_key_offers_to_do_it(
    opened: Opened, home: Path, severity: Severity
) -> None:
    async with opened(in_state(home, "bad")) as pilot:
        listed = (await show(pilot)).query_one(FindingList)
        listed.show_findings(
            [Finding("RBD-KERN-105", severity, Place(node="node1"), {"node": "node1", "modules": "x"})]
        )
        assert bool(listed.check_action("choose", ())) is (severity is not Severity.INFO)


@pytest.mark.parametrize(("downs", "section"), [(0, SITE), (1, NODES), (8, NODES)])
async def test_enter_leads_to_where_it_is_put_right(opened: Opened, home: Path, downs: int, section: str) -> None:
    async with opened(in_state(home, "bad")) as pilot:
        await show(pilot, *["down"] * downs, "enter")
        assert program(pilot).current_mode == section
        if section == SITE:
            focused = pilot.app.focused
            assert isinstance(focused, TextLine)
            assert focused.value == "bundle"


async def test_a_change_makes_what_was_found_outdated_and_undo_makes_it_hold(opened: Opened, home: Path) -> None:
    workbench = in_state(home, "warned")
    async with opened(workbench) as pilot:
        screen = await show(pilot)
        assert "warnings: 1" in state_line(screen)
        workbench.change(lambda data: data["nodes"][0].update(name="other"))
        program(pilot)._draw()
        await settled(pilot)
        assert "has changed since" in state_line(screen)
        assert screen.query_one(FindingList).finding is not None, "what was found is gone"
        await press(pilot, "v")
        assert not screen.query_one(PlanList).display, "the plan of another draft is shown"
        workbench.undo()
        program(pilot)._draw()
        await settled(pilot)
        assert "warnings: 1" in state_line(screen)


async def test_a_check_saves_first_and_asks_the_servers(opened: Opened, home: Path) -> None:
    workbench = in_state(home, "unchecked")
    workbench.change(lambda data: data["nodes"][0].update(name="first"))
    async with opened(workbench) as pilot:
        await show(pilot, "c")
        await until(pilot, lambda: isinstance(pilot.app.screen, SaveDialog))
        await press(pilot, "escape")
        assert preflight(pilot).state is SurveyStatus.NONE, "checked without the plan having been saved"
        await press(pilot, "c")
        await until(pilot, lambda: isinstance(pilot.app.screen, SaveDialog))
        await press(pilot, "enter")
        await until(pilot, lambda: preflight(pilot).state is not SurveyStatus.NONE)
        assert "name: first" in workbench.site.spec_file.read_text()
        await until(pilot, lambda: preflight(pilot).state is not SurveyStatus.LOOKING, limit_s=30)
        assert any(finding.place.node == "first" for finding in preflight(pilot).findings), "nobody was asked"


async def test_escape_gives_a_check_up_and_keeps_what_it_found(opened: Opened, home: Path) -> None:
    workbench = in_state(home, "bad")
    workbench.show_preflight(replace(workbench.preflight, state=SurveyStatus.LOOKING, plan=None))
    async with opened(workbench) as pilot:
        screen = await show(pilot)
        assert "Esc cancels" in hint(pilot)
        await press(pilot, "escape")
        assert preflight(pilot).state is SurveyStatus.GIVEN_UP
        assert screen.query_one(FindingList).finding is not None


async def test_the_plan_is_gone_through_and_searched(opened: Opened, home: Path) -> None:
    async with opened(in_state(home, "plan")) as pilot:
        screen = await show(pilot, "v", "down")
        plan = screen.query_one(PlanList)
        assert plan.row is not None
        assert plan.row.name == "hosts-file"
        assert "+127.88.0.11 node1" in detail(screen), "the difference of the file is not there"
        assert "node1, node2, node3, node4" in detail(screen), "the same is said once for each server"
        await press(pilot, "slash", *"sha256")
        assert [row.name for row in plan._rows] == ["ship-bundle"]
        await press(pilot, "enter")
        assert "4.8 GiB" in detail(screen)
        await press(pilot, "enter")
        assert isinstance(pilot.app.focused, DetailPane)
        await press(pilot, "escape", "escape")
        assert len(plan._rows) > 10
        await press(pilot, "slash", *"nowhere", "enter")
        assert "nowhere" in said(pilot)
        assert len(plan._rows) > 10
        await press(pilot, "v")
        assert not plan.display


def with_start(workbench: Workbench, started: list[FailurePolicy]) -> Workbench:
    """A workbench that writes down what would be started."""

    def begin(policy: FailurePolicy = FailurePolicy.ASK) -> Future[None]:
        started.append(policy)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    workbench.passphrases.give("a passphrase")
    workbench.start_run = begin  # type: ignore[method-assign]
    workbench.start_preflight = lambda: None  # type: ignore[method-assign]
    workbench.start_preview = lambda: None  # type: ignore[method-assign]
    return workbench


@pytest.mark.parametrize("state", ["unchecked", "outdated", "given-up", "failed", "looking", "bad"])
async def test_without_a_check_that_holds_and_is_good_nothing_starts(opened: Opened, home: Path, state: str) -> None:
    started: list[FailurePolicy] = []
    async with opened(with_start(in_state(home, state), started)) as pilot:
        await show(pilot, "x")
        await pilot.pause(0.1)
        assert not isinstance(pilot.app.screen, StartRunDialog)
        assert not started


async def test_the_consent_wants_the_name_and_a_yes_to_warnings(opened: Opened, home: Path) -> None:
    started: list[FailurePolicy] = []
    async with opened(with_start(in_state(home, "warned"), started)) as pilot:
        await show(pilot, "x")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartRunDialog))
        await press(pilot, *"site-b", "enter")
        assert "site-a" in said(pilot)
        await press(pilot, "backspace", "a", "enter")
        assert not started, "warnings were passed over"
        assert "warnings" in said(pilot)
        await press(pilot, "right", "up", "right", "enter")
        await until(pilot, lambda: bool(started))
        assert started == [FailurePolicy.STOP]
        await until(pilot, lambda: program(pilot).current_mode == RUN)


async def test_escape_starts_nothing(opened: Opened, home: Path) -> None:
    started: list[FailurePolicy] = []
    workbench = with_start(in_state(home, "good"), started)
    async with opened(workbench) as pilot:
        await show(pilot, "x")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartRunDialog))
        assert workbench.session._standby._process is not None, "a runner loads while one reads and types"
        await press(pilot, *"site-a", "escape")
        assert not started
        await until(pilot, lambda: workbench.session._standby._process is None)
        assert program(pilot).current_mode == REVIEW


async def test_a_run_under_way_is_shown_instead(opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with on_stage(home, "upload", monkeypatch) as (workbench, _):
        async with opened(workbench) as pilot:
            await show(pilot)
            assert "7f3a" in hint(pilot)
            await press(pilot, "x")
            assert program(pilot).current_mode == RUN


EVERY_KEY = (
    *"acdeghijlmnoprtuvxyL/", "enter", "escape", "tab", "up", "down", "left", "right", "home", "end", "pageup",
    "pagedown", "space", "f2", "ctrl+y", "?",
)  # fmt: skip


@pytest.mark.parametrize("state", ["unchecked", "looking", "bad", "plan"])
async def test_no_key_raises(opened: Opened, home: Path, state: str) -> None:
    async with opened(with_start(in_state(home, state), [])) as pilot:
        for pressed in EVERY_KEY:
            if program(pilot).current_mode != REVIEW:
                await show(pilot)
            await press(pilot, *(("v", pressed) if state == "plan" else (pressed,)))
            if pilot.app.screen.is_modal or isinstance(pilot.app.focused, TextLine):
                await press(pilot, "escape")
        assert pilot.app.is_running


async def test_a_warning_is_acknowledged_with_a_reason_and_that_is_withdrawn(opened: Opened, home: Path) -> None:
    workbench = in_state(home, "warned")
    async with opened(workbench) as pilot:
        screen = await show(pilot)
        listed = screen.query_one(FindingList)
        warning = next(each for each in workbench.findings if each.severity is Severity.WARNING)
        while listed.finding != warning:
            await press(pilot, "down")
        await press(pilot, "k", "enter")
        assert "Enter a reason" in said(pilot)
        await press(pilot, *"trial", "enter")
        assert "warnings: 0" in state_line(screen) or "no blocking problems" in state_line(screen)
        assert workbench.draft.data["acknowledged"][0]["reason"] == "trial"
        assert workbench.preflight.holds, "to accept a warning is no other plan"
        while listed.finding is None or listed.finding.code != warning.code:
            await press(pilot, "down")
        assert "Acknowledged: trial" in detail(screen)
        await press(pilot, "k")
        assert "acknowledged" not in workbench.draft.data
        assert "warnings: 1" in state_line(screen)


async def test_an_error_has_no_key_that_accepts_it(opened: Opened, home: Path) -> None:
    async with opened(in_state(home, "bad")) as pilot:
        screen = await show(pilot)
        finding = screen.query_one(FindingList).finding
        assert finding is not None
        assert finding.severity is Severity.ERROR
        assert not screen.check_action("acknowledge", ())


async def test_what_exists_only_once_is_a_page_of_its_own(opened: Opened, home: Path) -> None:
    workbench = in_state(home, "good")
    async with opened(workbench) as pilot:
        await show(pilot, "o")
        shown = program(pilot).text_on_screen()
        assert "What is highly available here" in shown
        await press(pilot, "escape")
        workbench.change(lambda data: data.update(kubernetes={"api": {"mode": "first-server"}}))
        await press(pilot, "o")
        shown = program(pilot).text_on_screen()
        assert "Kubernetes API at" in shown
        assert "another choice: Balancer" in shown


def repairs_noted(
    monkeypatch: pytest.MonkeyPatch, spec: ClusterSpec, facts: Mapping[str, NodeFacts]
) -> tuple[list[Purpose], list[Purpose]]:
    """What is looked at and what is begun from now on, without a server: each step would stop a unit."""
    asked: list[Purpose] = []
    begun: list[Purpose] = []

    def look(_: Workbench, purpose: Purpose) -> Future[list[PreviewedStep]]:
        asked.append(purpose)
        steps = recipe_named(purpose.recipe).build(Request(spec, facts, purpose.arguments)).steps
        change = Change(ChangeKind.SERVICE, T("plan.change.unit_stop", unit="x.service"), "systemctl stop x")
        return finished([PreviewedStep(step, satisfied=False, changes=(change,)) for step in steps])

    def begin(_: Workbench, purpose: Purpose) -> Future[None]:
        begun.append(purpose)
        return finished(None)

    monkeypatch.setattr(repairing, "look", look)
    monkeypatch.setattr(repairing, "begin", begin)
    return asked, begun


async def test_what_is_found_is_repaired_from_its_list(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = in_state(home, "good")
    spec = workbench.draft.spec
    assert spec is not None
    facts, findings = checked(spec, spoilt={"node2": with_firewalld, "node3": with_firewalld})
    workbench.show_preflight(replace(workbench.preflight, facts=facts, findings=tuple(findings)))
    asked, begun = repairs_noted(monkeypatch, spec, facts)
    async with opened(workbench) as pilot:
        screen = await show(pilot)
        assert screen.check_action("repair", ())
        await press(pilot, "p")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        shown = program(pilot).text_on_screen()
        assert "node2: Stop x.service" in shown
        assert [str(line.said) for line in pilot.app.screen_stack[-2].query(MessageLine)] == [""], "the looking is over"
        assert "systemctl stop x" in shown
        await press(pilot, "n")
        assert begun == []
        await press(pilot, "P")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        await press(pilot, "y")
        await until(pilot, lambda: bool(begun))
    assert asked == [*begun, *begun]
    assert begun[0].arguments == {"steps": "repair-firewalld@node2 repair-firewalld@node3"}


async def test_what_the_last_run_repaired_is_taken_back_from_the_review(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = in_state(home, "good")
    asked, begun = repairs_noted(monkeypatch, workbench.session.spec, {})
    async with opened(workbench) as pilot:
        screen = await show(pilot)
        assert not screen.check_action("undo_repair", ()), "nothing was repaired"
        purpose = repairing.purpose_of(["repair-web-servers@node2", "repair-databases", "repair-swap@gone"])
        run_dir = create_run_dir(workbench.site, workbench.site.spec_file.read_bytes(), {}, RunOptions(), purpose)
        (run_dir / JOURNAL_NAME).touch()
        workbench.open_run(run_dir.name)
        await until(pilot, lambda: bool(screen.check_action("undo_repair", ())))
        await press(pilot, "z")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        shown = program(pilot).text_on_screen()
        assert "Take this back?" in shown
        assert "Findings that were repaired come back" in shown
        await press(pilot, "y")
        await until(pilot, lambda: bool(begun))
    assert asked == begun
    assert begun[0].arguments == {"run": run_dir.name, "steps": "repair-web-servers@node2"}


async def test_what_was_found_while_typing_is_repaired_without_a_check_but_never_of_a_draft(
    opened: Opened, home: Path
) -> None:
    workbench = in_state(home, "good")
    spec = workbench.draft.spec
    assert spec is not None
    facts, findings = checked(spec, spoilt={"node2": with_firewalld})
    workbench.show_preflight(replace(workbench.preflight, facts=facts, findings=tuple(findings)))
    async with opened(workbench) as pilot:
        screen = await show(pilot)
        assert screen.check_action("repair_all", ())
        workbench.change(lambda data: data.update(domain="elsewhere.example"))
        await until(pilot, lambda: not screen.check_action("repair_all", ()))


async def test_nothing_is_offered_for_what_no_repair_helps(opened: Opened, home: Path) -> None:
    async with opened(in_state(home, "good")) as pilot:
        screen = await show(pilot)
        assert not screen.check_action("repair", ())
        assert not screen.check_action("repair_all", ())


def with_firewalld(facts: NodeFacts) -> NodeFacts:
    return replace(facts, active_units=frozenset({*facts.active_units, "firewalld"}))


def finished(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future
