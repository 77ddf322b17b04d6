"""The demo on the screen, by keys alone at 80x24 in both languages: from no servers to a healthy cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from screens.terminal import env

env.prepare(slow_link=False, color=True)

from rbdtui.cli.demo import open_on_screen, simulated_hosts  # noqa: E402 - Textual reads the environment at import
from rbdtui.engine.events import RunOutcome, StepFailed  # noqa: E402
from rbdtui.probes.model import Health  # noqa: E402
from rbdtui.words import T, switch_language  # noqa: E402
from rbdtui.workbench.live.live import LiveState  # noqa: E402
from rbdtui.workbench.sections import BALANCER, HEALTH, NODES, REVIEW, ROLES, RUN, UPKEEP  # noqa: E402
from rbdtui.workbench.survey import SurveyStatus  # noqa: E402
from screens.app import RbdTuiApp, Start  # noqa: E402
from screens.dialogs.faults import FaultsDialog  # noqa: E402
from screens.dialogs.leave import LeaveDialog  # noqa: E402
from screens.dialogs.question import QuestionDialog  # noqa: E402
from screens.dialogs.recipe import RecipeDialog  # noqa: E402
from screens.nodes.paste import PasteDialog  # noqa: E402
from screens.nodes.trust import TrustDialog  # noqa: E402
from screens.review.save import SaveDialog  # noqa: E402
from screens.review.start_run import StartRunDialog  # noqa: E402
from screens.terminal.settings import Settings  # noqa: E402
from tests.e2e.operator import Operator  # noqa: E402
from tests.screens.pilot import SwiftPilot  # noqa: E402

NODES_COUNT = 4
SPEED = 20.0
RUN_LIMIT_S = 150.0


@asynccontextmanager
async def demo_on_screen(directory: Path, language: str) -> AsyncIterator[Operator]:
    """The program as ``rbdtui demo --empty`` shows it, on servers whose time goes faster than ours."""
    switch_language(language)
    settings = Settings(language=language)
    with ExitStack() as ending:
        hosts = simulated_hosts(directory, NODES_COUNT, empty=True, speed=SPEED)
        start = Start(
            opener=partial(open_on_screen, hosts, ending), opening=T("cli.demo.opening", nodes=NODES_COUNT),
            settings=settings, settings_file=directory / "settings.json",
        )  # fmt: skip
        app = RbdTuiApp(start)
        try:
            async with app.run_test(size=(80, 24)):
                operator = Operator(app, SwiftPilot(app))
                await operator.until(lambda: app.workbench is not None and app.current_mode == NODES)
                yield operator
        finally:
            switch_language("en")


async def enters_servers(operator: Operator) -> None:
    """What the hints say: the servers' range, then all keys confirmed."""
    assert "127.77.0.11-14" in operator.hint
    await operator.press("p")
    await operator.sees(PasteDialog)
    await operator.press(*"127.77.0.11-14", "enter", "enter")
    await operator.until(lambda: len(operator.workbench.draft.data["nodes"]) == NODES_COUNT)

    def states() -> set[LiveState]:
        return {node.state for node in operator.workbench.live.nodes.values()}

    await operator.until(lambda: states() == {LiveState.KEY_UNKNOWN})
    await operator.press("T")
    await operator.sees(TrustDialog)
    dialog = operator.app.screen
    assert isinstance(dialog, TrustDialog)
    await operator.until(lambda: dialog.check_action("trust_new", ()))
    await operator.press("y")
    await operator.until(lambda: states() == {LiveState.OK})


async def chooses_roles_and_address(operator: Operator) -> None:
    await operator.goes_to("2", ROLES)
    assert "3" in operator.hint
    await operator.goes_to("3", BALANCER)
    assert "127.77.0.100/24" in operator.hint
    await operator.press("down", "enter", *"127.77.0.100/24", "enter", "down", "enter", *"87", "enter")
    after = str(T("hint.next", key="4", section=T("section.storage")))
    await operator.until(lambda: operator.hint == after)


async def checks_and_reads_the_plan(operator: Operator) -> None:
    await operator.goes_to("9", REVIEW)
    await operator.press("c")
    await operator.sees(SaveDialog)
    await operator.press("enter")
    await operator.until(lambda: operator.workbench.preflight.holds)
    await operator.press("v")
    await operator.until(lambda: operator.workbench.preflight.previewed)
    assert any(step.changes for step in operator.workbench.preflight.previewed)


async def has_the_next_change_of_a_service_fail(operator: Operator) -> None:
    await operator.press("f")
    await operator.sees(FaultsDialog)
    await operator.press("down", "down", "enter")
    done = str(T("faults.done", fault=T("faults.fail_service"), node="node2"))
    await operator.until(lambda: operator.said == done)
    await operator.press("escape")


async def starts_the_run(operator: Operator) -> None:
    await operator.press("x")
    await operator.sees(StartRunDialog)
    await operator.press(*"demo", "enter")
    await operator.until(lambda: operator.app.current_mode == RUN)


async def retries_what_failed_until_all_is_done(operator: Operator) -> None:
    run = operator.workbench.run
    assert run is not None
    await operator.until(
        lambda: isinstance(operator.app.screen, QuestionDialog) or run.state().outcome is not None, RUN_LIMIT_S
    )
    while run.state().outcome is None:
        if isinstance(operator.app.screen, QuestionDialog):
            await operator.press("r")
        await operator.until(
            lambda: isinstance(operator.app.screen, QuestionDialog) or run.state().outcome is not None, RUN_LIMIT_S
        )
    assert run.state().outcome is RunOutcome.DONE, operator.app.text_on_screen()
    assert any(isinstance(record.event, StepFailed) for record in run.records), "nothing had to be retried"


async def takes_a_snapshot_and_finds_it(operator: Operator) -> None:
    upkeep = operator.workbench.upkeep
    await operator.goes_to("w", UPKEEP)
    await operator.until(lambda: upkeep.snapshot.state is SurveyStatus.DONE)
    assert not upkeep.snapshot.snapshots
    assert [line.node for line in upkeep.snapshot.servers if line.stays is None], "one of three may go"
    await operator.press("t")
    await operator.sees(RecipeDialog)
    await operator.press("y")
    await operator.until(lambda: operator.app.current_mode == RUN)
    run = operator.workbench.run
    assert run is not None
    await operator.until(lambda: run.state().outcome is RunOutcome.DONE, RUN_LIMIT_S)
    await operator.goes_to("w", UPKEEP)
    await operator.until(lambda: bool(upkeep.snapshot.snapshots))
    (taken,) = upkeep.snapshot.snapshots
    assert taken.can_be_restored
    assert taken.places == ("", "node1"), "here and there"
    assert taken.name in operator.app.text_on_screen()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_newcomer_gets_to_a_healthy_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    async with demo_on_screen(tmp_path, language) as operator:
        await enters_servers(operator)
        await chooses_roles_and_address(operator)
        await checks_and_reads_the_plan(operator)
        await has_the_next_change_of_a_service_fail(operator)
        await starts_the_run(operator)
        await retries_what_failed_until_all_is_done(operator)
        await operator.goes_to("h", HEALTH)
        health = operator.workbench.health
        await operator.until(lambda: health.snapshot is not None and health.snapshot.health is Health.OK)
        await takes_a_snapshot_and_finds_it(operator)
        await operator.press("q")
        await operator.sees(LeaveDialog)
        await operator.press("enter")
        await operator.until(lambda: operator.app.return_code == 0)
