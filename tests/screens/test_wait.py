"""While something is looked at before a question: what is typed faster than it comes up acts on nothing."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from textual.pilot import Pilot

from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.errors import NotNowError
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.recipes import snapshot
from rbdtui.plan.step import Change, ChangeKind
from rbdtui.plan.steps.restore import HaltServer
from rbdtui.site import Site
from rbdtui.words import T
from rbdtui.workbench.upkeep import starting
from rbdtui.workbench.upkeep.starting import Prepared
from screens.dialogs.recipe import RecipeDialog
from screens.dialogs.wait import WaitDialog
from screens.upkeep.upkeep import UpkeepScreen
from screens.widgets.frame import MessageLine
from tests.screens.conftest import Opened, bench, settled
from tests.screens.test_upkeep import show, well
from tests.screens.waiting import program, until

CHANGE = Change(ChangeKind.SERVICE, T("plan.change.unit_stop", unit="rke2-server.service"))
READY = Prepared(
    Purpose(PurposeKind.RECIPE, recipe=snapshot.RECIPE.name),
    (PreviewedStep(HaltServer("server1"), satisfied=False, changes=(CHANGE,)),),
)


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Future[Prepared]:
    """What servers are asked for, until a test answers."""
    future: Future[Prepared] = Future()
    monkeypatch.setattr(starting, "prepare_snapshot", lambda _: future)
    return future


async def asked(pilot: Pilot[int]) -> None:
    """A snapshot is wanted, and the servers are asked what would be done."""
    await show(pilot, well())
    await pilot.press("t")
    await until(pilot, lambda: isinstance(pilot.app.screen, WaitDialog))


async def test_keys_do_nothing_until_the_question_is_there(
    opened: Opened, site: Site, looking: Future[Prepared]
) -> None:
    async with opened(bench(site)) as pilot:
        await asked(pilot)
        await pilot.press("y", "d", "1", "enter", "t")
        await settled(pilot)
        assert isinstance(pilot.app.screen, WaitDialog)
        looking.set_result(READY)
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        await pilot.press("n")
        await settled(pilot)
        assert isinstance(pilot.app.screen, UpkeepScreen)


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_escape_gives_it_up_and_no_question_comes(
    opened: Opened, site: Site, looking: Future[Prepared], key: str
) -> None:
    async with opened(bench(site)) as pilot:
        await asked(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, UpkeepScreen))
        await until(pilot, looking.cancelled)
        await settled(pilot)
        assert isinstance(pilot.app.screen, UpkeepScreen)
        assert str(pilot.app.screen.query_one(MessageLine).said) == ""


async def test_only_what_takes_long_is_seen(opened: Opened, site: Site, looking: Future[Prepared]) -> None:
    async with opened(bench(site)) as pilot:
        await asked(pilot)
        await until(pilot, lambda: not pilot.app.screen.has_class("-unseen"))
        await settled(pilot)
        assert str(T("dialog.only_looking")) in program(pilot).text_on_screen()
        looking.set_result(READY)
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))


async def test_why_it_could_not_be_told_is_said(opened: Opened, site: Site, looking: Future[Prepared]) -> None:
    async with opened(bench(site)) as pilot:
        await asked(pilot)
        looking.set_exception(NotNowError(T("snapshot.no_member", said="server1: refused")))
        await until(pilot, lambda: isinstance(pilot.app.screen, UpkeepScreen))
        await until(pilot, lambda: "server1" in str(pilot.app.screen.query_one(MessageLine).said))
