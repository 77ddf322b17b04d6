"""Every dialog where there is little room: its title and its keys stay in sight, and one thing scrolls at most."""

from __future__ import annotations

import importlib
import io
import pkgutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import TextArea

import screens
from rbdtui.findings import Finding, Place, Severity
from rbdtui.plan.conversion.groups import GROUPS
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.repairs import REPAIRS
from rbdtui.plan.step import Change, ChangeKind
from rbdtui.simulator.rainbond_3_6 import before
from rbdtui.site import Site, SiteError
from rbdtui.words import T, Text
from rbdtui.workbench.faults import FaultLine
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.review.converting import GroupSeen
from rbdtui.workbench.upkeep.storage_move import Destination
from rbdtui.workbench.workbench import Workbench
from screens.dialogs.changes import ChangesDialog
from screens.dialogs.choose import ChooseDialog
from screens.dialogs.confirm import ConfirmDialog
from screens.dialogs.disks import DisksDialog
from screens.dialogs.faults import FaultsDialog
from screens.dialogs.found_by_typing import FoundByTyping
from screens.dialogs.leave import LeaveDialog
from screens.dialogs.list_dialog import ListDialog, SearchedDialog
from screens.dialogs.palette import PaletteDialog
from screens.dialogs.passphrase import PassphraseDialog
from screens.dialogs.preferences import PreferencesDialog
from screens.dialogs.question import QuestionDialog
from screens.dialogs.recipe import RecipeDialog
from screens.dialogs.secret import SecretDialog
from screens.dialogs.wait import WaitDialog
from screens.dialogs.yaml_text import YamlDialog
from screens.health.probe import ProbeDialog
from screens.nodes.login import LoginDialog
from screens.nodes.node_fields import NodeFieldsDialog
from screens.nodes.paste import PasteDialog
from screens.nodes.trust import TrustDialog
from screens.review.acknowledge import AcknowledgeDialog
from screens.review.audit import AuditDialog
from screens.review.convert import GroupsDialog
from screens.review.save import SaveDialog
from screens.review.single_points import SinglePointsDialog
from screens.review.start_run import RunScope, StartRunDialog
from screens.roles.presets import PresetsDialog
from screens.run.run_logs import RunLogsDialog
from screens.run.runs import RunsDialog
from screens.shell.base import BaseScreen, Dialog
from screens.shell.help import HelpScreen
from screens.start.damaged import DamagedDialog
from screens.start.new_site import NewSiteDialog
from screens.start.open_site import OpenSiteDialog
from screens.upkeep.where_to import WhereToDialog
from screens.widgets.field import Field
from screens.widgets.frame import KeyLine, MessageLine
from tests.audit.samples import audited, target
from tests.screens import healths
from tests.screens.conftest import Opened, make_site, settled
from tests.screens.running import on_stage
from tests.screens.waiting import program

SMALLEST = (60, 20)
SENTENCE = T("review.start.own_process")
DIFFERENCE = "\n".join(f"+ line {number} that is written, longer than there is room" for number in range(40))


def _damaged(workbench: Workbench) -> Dialog[Any]:
    site = make_site(workbench.site.path.parent / "broken", "name: [\n")
    try:
        Workbench.open(site.path, HeldPassphrase())
    except SiteError as error:
        return DamagedDialog(site.path, error)
    raise AssertionError


def _asked(workbench: Workbench) -> Dialog[Any]:
    assert workbench.run is not None
    return QuestionDialog(next(iter(workbench.run.state().questions.values())))


def _changes(workbench: Workbench) -> Dialog[Any]:
    assert workbench.run is not None
    step = next(step for step in workbench.run.state().steps.values() if step.changes)
    return ChangesDialog(step)


def _scope(workbench: Workbench) -> RunScope:
    names = ("claim", "hosts-file", "os-prepare", "host-packages", "keepalived")
    work = tuple(T(f"step.{name}.title") for name in names)
    return RunScope("demo", tuple(f"node{number}" for number in range(1, 13)), 300, work, asked=True, warnings=3)


FAULTS = FaultLine(("node1", "node2", "node3"), io.BytesIO(), io.BytesIO())


def _logs(workbench: Workbench) -> Dialog[Any]:
    assert workbench.run is not None
    return RunLogsDialog(workbench.run, list(workbench.run.state().steps.values()))


def _single_points(workbench: Workbench) -> Dialog[Any]:
    assert workbench.draft.spec is not None
    return SinglePointsDialog(workbench.draft.spec)


def _warning() -> Finding:
    return Finding("RBD-HW-102", Severity.WARNING, Place(node="node1"), {"count": 1, "advised": 8, "role": "worker"})


def _repairs(workbench: Workbench) -> Dialog[Any]:
    """One change of every kind on many servers, with sentences as long as they come."""
    assert workbench.draft.spec is not None
    change = Change(ChangeKind.FILE, T("plan.change.lines", path="/etc/hosts"), "-10.9.9.9 node1\n+10.9.9.9 old")
    steps = [kind(f"node{number}") for number in range(1, 5) for kind in REPAIRS]
    return RecipeDialog(
        T("repair.question"),
        [T("recipe.repair.weighs")],
        [PreviewedStep(step, satisfied=False, changes=(change,)) for step in steps],
    )


def _waiting() -> Dialog[Any]:
    dialog = WaitDialog(Future(), T("upkeep.preparing"))
    dialog.remove_class("-unseen")
    return dialog


DIALOGS: dict[type[Dialog[Any]], Callable[[Workbench, BaseScreen[Any]], Dialog[Any]]] = {
    AuditDialog: lambda *_: AuditDialog(audited(before(target()))),
    AcknowledgeDialog: lambda *_: AcknowledgeDialog([_warning()] * 3),
    NodeFieldsDialog: lambda bench, _: NodeFieldsDialog(bench.draft.data, [0]),
    ChangesDialog: lambda bench, _: _changes(bench),
    ConfirmDialog: lambda *_: ConfirmDialog(T("leave.title"), SENTENCE, type_name="demo"),
    DamagedDialog: lambda bench, _: _damaged(bench),
    DisksDialog: lambda *_: DisksDialog(),
    FaultsDialog: lambda *_: FaultsDialog(FAULTS),
    WhereToDialog: lambda *_: WhereToDialog([Destination(f"node{number}", is_node=True) for number in range(20)]),
    GroupsDialog: lambda *_: GroupsDialog([GroupSeen(name, number, 6) for number, name in enumerate(GROUPS)]),
    HelpScreen: lambda _, behind: HelpScreen(behind),
    RecipeDialog: lambda bench, _: _repairs(bench),
    LeaveDialog: lambda *_: LeaveDialog(),
    LoginDialog: lambda bench, _: LoginDialog(bench.draft.data, [0, 1]),
    NewSiteDialog: lambda *_: NewSiteDialog(),
    OpenSiteDialog: lambda *_: OpenSiteDialog(),
    PaletteDialog: lambda _, behind: PaletteDialog(behind),
    PassphraseDialog: lambda *_: PassphraseDialog(T("review.why_unlock")),
    PasteDialog: lambda *_: PasteDialog("10.0.0.1\nnonsense here\n10.0.0.2 root\n" * 3),
    PreferencesDialog: lambda *_: PreferencesDialog(),
    PresetsDialog: lambda bench, _: PresetsDialog(bench.draft.data),
    ProbeDialog: lambda *_: ProbeDialog("ssh@node1"),
    QuestionDialog: lambda bench, _: _asked(bench),
    RunLogsDialog: lambda bench, _: _logs(bench),
    RunsDialog: lambda bench, _: RunsDialog(bench.run.run_id if bench.run is not None else ""),
    SaveDialog: lambda *_: SaveDialog(DIFFERENCE),
    SecretDialog: lambda *_: SecretDialog("sudo", SENTENCE),
    SinglePointsDialog: lambda bench, _: _single_points(bench),
    StartRunDialog: lambda bench, _: StartRunDialog(_scope(bench)),
    YamlDialog: lambda *_: YamlDialog(T("faults.title"), {f"key-{number}": number for number in range(30)}),
    TrustDialog: lambda *_: TrustDialog(()),
    WaitDialog: lambda *_: _waiting(),
}
"""How each comes up with as much in it as it may have."""


def of_program() -> set[type[Dialog[Any]]]:
    """Every dialog that there is."""
    for module in pkgutil.walk_packages(screens.__path__, "screens."):
        importlib.import_module(module.name)
    shared = {FoundByTyping, ChooseDialog, SearchedDialog, ListDialog}  # what two of them have in common
    return set(_below(Dialog)) - shared


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    for sub in kind.__subclasses__():
        if sub.__module__.startswith("screens."):
            yield sub
        yield from _below(sub)


def test_every_dialog_is_looked_at() -> None:
    assert of_program() == set(DIALOGS)


def rows_in_sight(widget: Widget) -> int:
    """How many of its rows are on the screen, not scrolled away or covered."""
    region, clip = widget.screen.find_widget(widget).visible_region, widget.screen.region
    seen = region.intersection(clip)
    for foot in widget.screen.query("#dialog-foot"):
        if foot not in widget.ancestors and seen.bottom > foot.region.y:
            seen = seen.shrink((0, 0, seen.bottom - foot.region.y, 0))
    return max(0, seen.height)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", DIALOGS, ids=lambda kind: kind.__name__)
async def test_title_and_keys_are_in_sight_in_the_smallest_terminal(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Dialog[Any]], language: str
) -> None:
    with on_stage(home, "asked", monkeypatch) as (workbench, _):
        workbench.health.show(healths.degraded(), 0.0)
        async with opened(workbench, size=SMALLEST, language=language) as pilot:
            app = program(pilot)
            behind = app.screen
            assert isinstance(behind, BaseScreen)
            dialog = DIALOGS[kind](workbench, behind)
            app.push_screen(dialog)
            await settled(pilot)
            assert app.screen is dialog
            for _ in range(3):
                check_in_sight(pilot, dialog)
                await pilot.press("tab")
                await settled(pilot)
            dialog.tell(T("review.start.own_process"), bad=True)
            await settled(pilot)
            check_in_sight(pilot, dialog)
            assert rows_in_sight(dialog.query_one(MessageLine)) == dialog.query_one(MessageLine).size.height > 0


@pytest.mark.parametrize("size", [(80, 24), SMALLEST, (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_what_is_to_be_typed_is_in_sight_however_much_stands_before_it(
    opened: Opened, site: Site, size: tuple[int, int]
) -> None:
    async with opened(Workbench.open(site.path, HeldPassphrase()), size=size) as pilot:
        work = tuple(T(f"step.{name}.title") for name in ("claim", "hosts-file", "os-prepare", "host-packages") * 8)
        scope = RunScope("demo", tuple(f"node{number}" for number in range(1, 7)), 81, work, asked=True, warnings=2)
        dialog = StartRunDialog(scope)
        program(pilot).push_screen(dialog)
        await settled(pilot)
        for keys in ((), ("up", "right", "enter")):
            await pilot.press(*keys)
            await settled(pilot)
            assert dialog.focused is dialog.query_one("#name", Field).line
            page, line = program(pilot).text_on_screen(), dialog.query_one("#name", Field).line
            shown = page.splitlines()[line.region.y]
            assert "Cluster's name" in shown, page


WORDS = "“服务器有应答，但不接受该密钥和密码。”按 l 选择其他用户（须先登录）"
CHINESE = Text("faults.refused", {"reason": WORDS + WORDS})
NOT_FIRST = tuple("，。：；！？、）」》”")


def rows_of(widget: Widget) -> list[str]:
    """What is drawn of a widget."""
    return [widget.render_line(row).text.rstrip() for row in range(widget.size.height)]


@pytest.mark.parametrize("columns", range(60, 84, 3))
async def test_chinese_sentences_are_broken_between_letters(opened: Opened, site: Site, columns: int) -> None:
    async with opened(Workbench.open(site.path, HeldPassphrase()), size=(columns, 30), language="zh") as pilot:
        program(pilot).push_screen(ConfirmDialog(T("leave.title"), CHINESE))
        await settled(pilot)
        dialog = program(pilot).screen
        assert isinstance(dialog, Dialog)
        dialog.tell(CHINESE)
        await settled(pilot)
        for widget in (dialog.query_one(".paragraph"), dialog.query_one(MessageLine)):
            rows, whole = rows_of(widget), "".join(str(CHINESE).split())
            assert "".join("".join(row.split()) for row in rows) == whole
            inner = [row.strip() for row in rows]
            assert not [row for row in inner if row.startswith(NOT_FIRST) or row.endswith(("“", "（"))]
            filled = [row for row in inner if cell_len(row) >= widget.content_size.width - 6]
            assert len(filled) >= len(inner) - 1, rows


def check_in_sight(pilot: Pilot[int], dialog: Dialog[Any]) -> None:
    """Title, keys and what has the focus are seen, and there is at most one scroll bar."""
    title, keys = dialog.query_one("#dialog-title"), dialog.query_one(KeyLine)
    page = program(pilot).text_on_screen()
    assert rows_in_sight(title) == title.size.height > 0, page
    assert rows_in_sight(keys) == 1, page
    assert keys.keys[0][0] in page.splitlines()[keys.region.y], page
    focused = dialog.focused
    if focused is not None:
        seen, height = rows_in_sight(focused), focused.outer_size.height
        assert seen == height, f"{seen} of {height} rows of {focused}\n{page}"
    pages = (w for w in dialog.walk_children(Widget) if not isinstance(w, TextArea))
    scrolling = [w for w in pages if w.show_vertical_scrollbar]
    assert len(scrolling) <= 1, f"{scrolling}\n{page}"
