"""The audit on the screen: asked by its key, gone through by state, read in full, in both languages and few cells."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import pytest
from textual.pilot import Pilot

from rbdtui.audit.audit import Audit
from rbdtui.simulator.rainbond_3_6 import after, before
from rbdtui.site import SiteError
from rbdtui.words import LANGUAGES, T, say
from rbdtui.workbench.review import auditing
from rbdtui.workbench.sections import REVIEW
from rbdtui.workbench.workbench import Workbench
from screens.review.audit import AuditDialog, AuditList
from screens.review.review import ReviewScreen
from screens.widgets.frame import MessageLine
from tests.audit.samples import PLAN, audited, target
from tests.screens.conftest import Opened, bench, make_site, settled
from tests.screens.waiting import program, until

PAGE_LOOKS = [((80, 24), "en"), ((80, 24), "zh"), ((60, 20), "en"), ((120, 40), "zh")]


def answers(found: Audit) -> Future[Audit]:
    """What the servers would lead to."""
    future: Future[Audit] = Future()
    future.set_result(found)
    return future


def old_site(home: Path) -> Workbench:
    site = make_site(home / "old", PLAN.replace("MODE", "arbiter").replace("10.0.0.", "127.88.0."))
    return bench(site)


async def asked(pilot: Pilot[int]) -> AuditDialog:
    """Review, and the audit by its key."""
    program(pilot).show_section(REVIEW)
    await settled(pilot)
    assert isinstance(pilot.app.screen, ReviewScreen)
    await pilot.press("c")
    await until(pilot, lambda: isinstance(pilot.app.screen, AuditDialog))
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, AuditDialog)
    return screen


def shown(pilot: Pilot[int]) -> str:
    """The text of the screen."""
    return "\n".join(
        "".join(segment.text for segment in strip) for strip in pilot.app.screen._compositor.render_strips()
    )


@pytest.mark.parametrize(("size", "language"), PAGE_LOOKS, ids=str)
async def test_rows_stand_by_state_and_are_read_in_full(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], language: str
) -> None:
    monkeypatch.setattr(auditing, "look", lambda _: answers(audited(before(target()))))
    async with opened(old_site(home), size=size, language=language) as pilot:
        dialog = await asked(pilot)
        assert say(T("audit.level.certain", now=1, after=2), language)[:30] in shown(pilot)
        rows = dialog.query_one(AuditList)
        assert rows.row is not None
        assert rows.row.state.value == "differs"
        await pilot.press("down", "down")
        assert rows.row.id == "C9"
        await pilot.press("enter")
        await settled(pilot)
        text = shown(pilot)
        assert "systemctl enable glusterd" in text
        assert say(T("audit.state.note"), language) not in text, "the list has given way"
        await pilot.press("escape")
        await settled(pilot)
        assert rows.row.id == "C9"
        await pilot.press("end")
        assert rows.row.state.value == "note"
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(pilot.app.screen, ReviewScreen)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_converted_site_is_level_2(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setattr(auditing, "look", lambda _: answers(audited(after(target()))))
    async with opened(old_site(home), language=language) as pilot:
        await asked(pilot)
        assert say(T("audit.means.level2"), language)[:20] in shown(pilot)


async def test_nothing_starts_there(opened: Opened, home: Path) -> None:
    workbench = old_site(home)
    async with opened(workbench) as pilot:
        program(pilot).show_section(REVIEW)
        await settled(pilot)
        await pilot.press("x", "v", "o")
        await settled(pilot)
        assert isinstance(pilot.app.screen, ReviewScreen)
        assert not workbench.session.site.run_ids()
        assert "c compares" in shown(pilot)


async def test_why_nobody_could_be_asked_is_said(opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: Future[Audit] = Future()
    refused.set_exception(SiteError(T("site.no_vault", path="/x")))
    monkeypatch.setattr(auditing, "look", lambda _: refused)
    async with opened(old_site(home)) as pilot:
        program(pilot).show_section(REVIEW)
        await settled(pilot)
        await pilot.press("c")
        await until(pilot, lambda: "/x" in str(pilot.app.screen.query_one(MessageLine).said))


async def test_rows_are_searched_and_only_those_with_a_problem_are_seen(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "look", lambda _: answers(audited(before(target()))))
    async with opened(old_site(home)) as pilot:
        dialog = await asked(pilot)
        rows = dialog.query_one(AuditList)
        everything = len(rows._rows)
        await pilot.press("slash", *"gluster", "enter")
        await settled(pilot)
        assert 0 < len(rows._rows) < everything
        assert "/gluster" in shown(pilot)
        assert "Esc clear" in shown(pilot)
        here = rows.row
        await pilot.press("enter")
        await settled(pilot)
        assert "/gluster" not in shown(pilot), "the row has all the room"
        await pilot.press("escape")
        await settled(pilot)
        assert "/gluster" in shown(pilot)
        assert rows.row is here
        await pilot.press("escape", "exclamation_mark")
        await settled(pilot)
        assert {row.state.value for row in rows._rows} & {"ok", "note"} == set()
        await pilot.press("slash", *"nowhere", "enter", "enter", "tab")
        await settled(pilot)
        assert "Nothing matches. Esc shows everything." in shown(pilot)
        await pilot.press("escape", "down")
        await settled(pilot)
        assert len(rows._rows) == everything
        assert rows.place == 1
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(pilot.app.screen, ReviewScreen)
