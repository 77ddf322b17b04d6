"""The whole way on real hosts by keys alone: from no site to a healthy cluster, left and come back to half-way.

One host's disk is full when the packages come: the run asks, the disk is emptied, the step is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from screens.terminal import env

env.prepare(slow_link=False, color=True)

from rbdtui.engine.events import RunnerStarted, RunOutcome, StepFailed, StepFinished  # noqa: E402 - Textual reads the environment at import
from rbdtui.probes.model import Health  # noqa: E402
from rbdtui.profiles import KUBERNETES_ONLY, PROFILES  # noqa: E402
from rbdtui.workbench.draft.operations import text_at  # noqa: E402
from rbdtui.workbench.live.live import LiveState  # noqa: E402
from rbdtui.workbench.sections import BALANCER, HEALTH, NODES, REVIEW, ROLES, RUN, SITE  # noqa: E402
from screens.app import RbdTuiApp, Start  # noqa: E402
from screens.dialogs.leave import LeaveDialog  # noqa: E402
from screens.dialogs.passphrase import PassphraseDialog  # noqa: E402
from screens.dialogs.question import GRACE_S, QuestionDialog  # noqa: E402
from screens.nodes.paste import PasteDialog  # noqa: E402
from screens.nodes.trust import TrustDialog  # noqa: E402
from screens.review.save import SaveDialog  # noqa: E402
from screens.review.start_run import StartRunDialog  # noqa: E402
from screens.roles.presets import PresetsDialog  # noqa: E402
from screens.shell.base import SectionScreen  # noqa: E402
from screens.start.new_site import NewSiteDialog  # noqa: E402
from screens.start.start import StartScreen  # noqa: E402
from screens.terminal.settings import Settings  # noqa: E402
from screens.widgets.field import Choice, Field, TextLine  # noqa: E402
from tests.e2e.lab_site import PASSPHRASE, LabSite  # noqa: E402
from tests.e2e.operator import Operator  # noqa: E402
from tests.lab import Lab  # noqa: E402
from tests.screens.pilot import SwiftPilot  # noqa: E402

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

NAME = "lab-ui"
RUN_LIMIT_S = 240.0
FULL = "n2"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("ui", hosts=3) as lab:
        yield lab


@asynccontextmanager
async def terminal(home: Path, site: Path | None = None) -> AsyncIterator[Operator]:
    """The program in a terminal of 80 columns and 24 rows."""
    settings = Settings(language="en")
    app = RbdTuiApp(Start(site=site, settings=settings, settings_file=home / "settings.json"))
    async with app.run_test(size=(80, 24)):
        yield Operator(app, SwiftPilot(app))


async def types(operator: Operator, text: str) -> None:
    """Into the field with the cursor, in place of what it holds; Enter begins where a field rests, and ends."""
    line = operator.app.focused
    assert isinstance(line, TextLine), operator.app.text_on_screen()
    if not line.editing:
        await operator.press("enter")
    await operator.press("ctrl+u", *text, "enter")


async def fills_in(operator: Operator, path: str, text: str) -> None:
    """A field of the form on the screen, reached with the arrows."""
    for _ in range(30):
        focused = operator.app.focused
        if focused is not None and isinstance(focused.parent, Field) and focused.parent.path == path:
            break
        await operator.press("down")
    await types(operator, text)
    assert text_at(operator.workbench.draft.data, path) == text


async def makes_a_site(operator: Operator, lab: Lab) -> None:
    await operator.sees(StartScreen)
    await operator.press("n")
    await operator.sees(NewSiteDialog)
    await operator.press("ctrl+u", *NAME, "tab", "tab")
    profile = operator.app.screen.query_one("#profile", Choice)
    for _ in PROFILES:
        if profile.line.value == KUBERNETES_ONLY.name:
            break
        await operator.press("right")
    await operator.press("enter")
    await operator.until(lambda: isinstance(operator.app.screen, SectionScreen))
    assert operator.workbench.draft.data["profile"] == KUBERNETES_ONLY.name
    await operator.goes_to("0", SITE)
    await fills_in(operator, "bundle", str(lab.bundle))
    await fills_in(operator, "ssh.user", "root")
    await fills_in(operator, "ssh.key", str(lab.key))
    await operator.press("escape")


async def enters_servers(operator: Operator, lab: Lab) -> None:
    await operator.goes_to("1", NODES)
    if operator.workbench.draft.data.get("nodes"):
        while operator.workbench.draft.data["nodes"]:
            await operator.press("d")
    await operator.press("p")
    await operator.sees(PasteDialog)
    for host in lab.hosts.values():
        await operator.press(*f"{host.name} {host.address}", "enter")
    await operator.press("f2")
    await operator.until(lambda: len(operator.workbench.live.nodes) == len(lab.hosts))

    def states() -> set[LiveState]:
        return {node.state for node in operator.workbench.live.nodes.values()}

    await operator.until(lambda: states() == {LiveState.KEY_UNKNOWN})
    await operator.press("T")
    dialog = operator.app.screen
    assert isinstance(dialog, TrustDialog)
    await operator.until(lambda: dialog.check_action("trust_new", ()))
    for _ in range(len(lab.hosts)):
        if operator.app.screen is dialog:
            await operator.press("y")
    await operator.until(lambda: states() == {LiveState.OK})


async def chooses_roles_and_address(operator: Operator, lab: Lab) -> None:
    await operator.goes_to("2", ROLES)
    await operator.press("p")
    await operator.sees(PresetsDialog)
    await operator.press("enter")
    await operator.goes_to("3", BALANCER)
    for _ in range(30):
        focused = operator.app.focused
        if focused is not None and isinstance(focused.parent, Field) and focused.parent.path == "gateway.vip":
            break
        await operator.press("down")
    await types(operator, lab.vips[0])
    whole = f"{lab.vips[0]}/{lab.network.prefixlen}"
    await operator.until(lambda: text_at(operator.workbench.draft.data, "gateway.vip") == whole)
    await fills_in(operator, "gateway.virtual_router_id", "87")


async def checks(operator: Operator) -> None:
    await operator.goes_to("9", REVIEW)
    await operator.press("c")
    await operator.sees(SaveDialog)
    await operator.press("enter")
    await operator.until(lambda: operator.workbench.preflight.holds, 120.0)
    assert not operator.workbench.findings or not any(
        finding.severity.value == "error" for finding in operator.workbench.findings
    ), operator.app.text_on_screen()


async def starts(operator: Operator, lab: Lab) -> None:
    """With consent to the warnings; a disk runs full between the look at the servers and the start."""
    await operator.press("x")
    await operator.sees(PassphraseDialog)
    await operator.press(*PASSPHRASE, "tab", *PASSPHRASE, "enter")
    await operator.sees(StartRunDialog)
    dialog = operator.app.screen
    for _ in range(8):
        focused = operator.app.focused
        if focused is not None and isinstance(focused.parent, Field) and focused.parent.id == "name":
            break
        await operator.press("down")
    lab.fill(FULL, "/", leave_mib=20)
    await operator.press(*NAME, "enter", "right", "enter")
    await operator.until(lambda: operator.app.current_mode == RUN and operator.app.screen is not dialog)


async def leaves(operator: Operator) -> None:
    """While the run goes on."""
    run = operator.workbench.run
    assert run is not None
    await operator.until(lambda: any(isinstance(record.event, StepFinished) for record in run.records))
    # The disk may be full before anybody can leave: then the question is put off first.
    for _ in range(20):
        if isinstance(operator.app.screen, LeaveDialog):
            break
        asked = isinstance(operator.app.screen, QuestionDialog)
        await asyncio.sleep(GRACE_S + 0.2 if asked else 0.2)
        await operator.press("escape" if asked else "d")
    await operator.sees(LeaveDialog)
    await operator.press("enter")
    await operator.until(lambda: not operator.app.is_running or operator.app.return_code == 0)
    assert any(run.run_id in str(text) for text in operator.app.farewell)


async def answers_and_waits(operator: Operator, lab: Lab) -> None:
    """The full disk is told on the new terminal; when there is room again, the step is retried."""
    await operator.until(lambda: operator.app.current_mode == RUN)
    run = operator.workbench.run
    assert run is not None
    await operator.until(lambda: isinstance(operator.app.screen, QuestionDialog), RUN_LIMIT_S)
    failed = {record.event.step for record in run.records if isinstance(record.event, StepFailed)}
    assert f"ship-bundle@{FULL}" in failed, failed
    lab.drain(FULL)
    await asyncio.sleep(GRACE_S + 0.2)
    await operator.press("r")
    await operator.until(lambda: not isinstance(operator.app.screen, QuestionDialog))
    await operator.until(lambda: run.state().outcome is not None, RUN_LIMIT_S)
    assert run.state().outcome is RunOutcome.DONE, operator.app.text_on_screen()
    runners = {record.event.pid for record in run.records if isinstance(record.event, RunnerStarted)}
    assert len(runners) == 1, "the run did not live through the terminals in one piece"


async def test_from_no_site_to_a_healthy_cluster(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    path = tmp_path / "rbdtui" / NAME
    async with terminal(tmp_path) as operator:
        await makes_a_site(operator, lab)
        await enters_servers(operator, lab)
        await chooses_roles_and_address(operator, lab)
        await checks(operator)
        await starts(operator, lab)
        await leaves(operator)
    async with terminal(tmp_path, path) as operator:
        await answers_and_waits(operator, lab)
        await operator.goes_to("h", HEALTH)
        health = operator.workbench.health
        await operator.until(lambda: health.snapshot is not None and health.snapshot.health is Health.OK, 120.0)
        await operator.press("q")
        assert operator.app.return_code == 0

    outside = LabSite(lab, path)
    assert outside.ready_nodes("n1") == ["n1", "n2", "n3"]
    assert len(outside.vip_holders()) == 1
