"""The conversion of a Rainbond 3.6 by keys, on simulated servers behind real SSH, by its own run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from rbdtui.audit.rows.entrance import COMPOSE
from rbdtui.engine.events import RunOutcome
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.words import LANGUAGES, T, say
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.sections import REVIEW
from rbdtui.workbench.workbench import Workbench
from screens.dialogs.recipe import RecipeDialog
from screens.review.audit import AuditDialog
from screens.review.convert import GroupsDialog
from screens.review.review import ReviewScreen
from screens.run.run import RunScreen
from screens.widgets.choices import Choices
from screens.widgets.frame import MessageLine
from tests.cli.hosts import PASSPHRASE, FleetThread, fill_vault
from tests.cli.test_convert import Convertible
from tests.screens.conftest import Opened, settled
from tests.screens.waiting import program, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LIMIT_S = 120.0


@pytest.fixture
def old(home: Path) -> Iterator[Convertible]:
    with FleetThread(SimulatedFleet(3, speed=50.0)) as hosts:
        site = write_demo_site(home / "old", hosts.fleet)
        fill_vault(site.path, {})
        yield Convertible(hosts, site)


def opened_on(old: Convertible) -> Workbench:
    passphrases = HeldPassphrase()
    passphrases.give(PASSPHRASE)
    return Workbench.open(old.site.path, passphrases)


async def groups_asked(pilot: Pilot[int]) -> None:
    """Review, the audit, and from there the conversion."""
    program(pilot).show_section(REVIEW)
    await settled(pilot)
    await pilot.press("c")
    await until(pilot, lambda: isinstance(pilot.app.screen, AuditDialog), LIMIT_S)
    await pilot.press("x")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_group_is_chosen_shown_agreed_to_and_carried_out_and_then_the_next_one_is_offered(
    opened: Opened, old: Convertible, language: str
) -> None:
    async with opened(opened_on(old), language=language) as pilot:
        await groups_asked(pilot)
        await until(pilot, lambda: isinstance(pilot.app.screen, GroupsDialog), LIMIT_S)
        text = program(pilot).text_on_screen()
        assert say(T("convert.group.proof"), language) in text
        assert pilot.app.screen.query_one(Choices).highlighted == 0
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog), LIMIT_S)
        assert say(T("convert.split_brain", manage="manage01"), language)[:12] in program(pilot).text_on_screen()
        workbench = program(pilot).workbench
        assert workbench is not None
        await pilot.press(*workbench.session.spec.name, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), LIMIT_S)
        run = workbench.run
        assert run is not None
        await until(pilot, lambda: run.state().outcome is not None and not run.alive, LIMIT_S)
        assert run.state().outcome is RunOutcome.DONE
        assert run.state().changed_count > 0

        await groups_asked(pilot)
        await until(pilot, lambda: isinstance(pilot.app.screen, GroupsDialog), LIMIT_S)
        assert say(T("convert.group_done"), language) in program(pilot).text_on_screen()
        assert pilot.app.screen.query_one(Choices).highlighted == 1, "the cursor is on what is left"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog), LIMIT_S)
        assert say(T("convert.stop_first"), language)[:12] in program(pilot).text_on_screen()
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(pilot.app.screen, ReviewScreen)
    assert len(old.site.run_ids()) == 1


async def test_broken_files_are_named_and_nothing_is_asked(opened: Opened, old: Convertible) -> None:
    files = old.old.machines["manage01"].files
    text = files.text(f"{COMPOSE}/plugin.yaml")
    files.put(f"{COMPOSE}/plugin.yaml", text.replace("    command:\n", "    command\n", 1))
    async with opened(opened_on(old)) as pilot:
        await groups_asked(pilot)
        await until(pilot, lambda: "C21" in str(pilot.app.screen.query_one(MessageLine).said), LIMIT_S)
        assert isinstance(pilot.app.screen, ReviewScreen)
    assert old.site.run_ids() == []
