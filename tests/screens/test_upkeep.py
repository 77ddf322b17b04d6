"""Upkeep: what stands there before anything is known, both pages, what is refused, and what is agreed to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from rbdtui.engine.inputs import Purpose, PurposeKind
from rbdtui.paths import asset
from rbdtui.plan.kube import EtcdMember, EtcdView
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.recipes import failover, move_nfs, reboot, remove, renew, restore, snapshot
from rbdtui.plan.snapshots import SnapshotState
from rbdtui.plan.step import Change, ChangeKind
from rbdtui.plan.steps.restore import HaltServer
from rbdtui.site import Site
from rbdtui.spec.model import Role
from rbdtui.words import T, Text
from rbdtui.workbench.rail import section_statuses
from rbdtui.workbench.sections import UPKEEP, SectionState
from rbdtui.workbench.survey import SurveyStatus
from rbdtui.workbench.upkeep import starting
from rbdtui.workbench.upkeep.certificate_survey import CertificateLine, Certificates
from rbdtui.workbench.upkeep.starting import Prepared
from rbdtui.workbench.upkeep.storage_move import Destination
from rbdtui.workbench.upkeep.upkeep import ServerLine, SnapshotLine, Upkeep
from rbdtui.workbench.workbench import Workbench
from screens.dialogs.confirm import ConfirmDialog
from screens.dialogs.recipe import RecipeDialog
from screens.upkeep.upkeep import UpkeepScreen
from screens.upkeep.where_to import WhereToDialog
from screens.widgets.frame import MessageLine
from tests.screens.conftest import LOOKS, Opened, Picture, bench, settled
from tests.screens.test_review import finished
from tests.screens.waiting import drawn, program, until

AT = 1_790_000_000.0
DAY = 86400.0
COPIED = "rbdtui-20260921-server1-1789999000"
CUT = "etcd-snapshot-server2-1789900000"
SERVER = (Role.CONTROL_PLANE, Role.ETCD, Role.WORKER, Role.GATEWAY)
WELL = EtcdView((EtcdMember("127.88.0.11", is_started=True, is_learner=False),), "8e9e05c52164694d")


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of day are the same everywhere."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def server(node: str, etcd: EtcdView | None = WELL) -> ServerLine:
    return ServerLine(node, SERVER if etcd is not None else (Role.WORKER,), None, etcd, None, None)


def well() -> Upkeep:
    snapshots = (
        SnapshotLine(COPIED, AT - 1000, 24_000_000, SnapshotState.WHOLE, ("", "server1")),
        SnapshotLine(CUT, AT - 100_000, 24_000_000, SnapshotState.CUT, ("server2",)),
    )
    servers = (server("server1"), server("server2"), server("server3"), server("agent1", None))
    return Upkeep(SurveyStatus.DONE, snapshots, (), {}, servers, certificates(), at=AT)


def certificates() -> Certificates:
    lines = (
        CertificateLine("server2", "etcd", "server/tls/etcd/client.crt", 3, AT + 40 * DAY),
        CertificateLine("server1", "agent", "agent/client-kubelet.crt", 3, AT + 300 * DAY),
        CertificateLine("", "kubeconfig", "kubeconfig", 1, AT + 310 * DAY),
        CertificateLine("server1", "authority", "server/tls/client-ca.crt", 5, AT + 3600 * DAY),
    )
    return Certificates(lines)


def server_dead() -> Upkeep:
    """The third server is gone, so the others are needed; it was the one with the late schedule."""
    seen, needed = well(), {"members": 3, "left": 1, "needed": 2}
    gone = T("probe.trouble.timed_out")
    stays = [
        replace(
            line,
            stays=T("error.leave_quorum.message", node=line.node, **needed),
            remedy=T("error.leave_quorum.remedy"),
        )
        for line in seen.servers[:2]
    ]
    dead = replace(seen.servers[2], silent=gone, etcd=EtcdView(errors=("connection refused",)))
    late = T(
        "snapshots.late", node="server2", age=T("snapshots.age.days", count=3), every=T("snapshots.age.hours", count=12)
    )
    return replace(seen, servers=(*stays, dead, seen.servers[3]), unasked={"server3": gone}, late=(late,))


async def show(pilot: Pilot[int], seen: Upkeep | None) -> UpkeepScreen:
    workbench = program(pilot).workbench
    assert workbench is not None
    program(pilot).show_section(UPKEEP)
    if seen is not None:
        workbench.upkeep.show(seen)
    await settled(pilot)
    await drawn(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, UpkeepScreen)
    return screen


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await drawn(pilot)


def said(screen: UpkeepScreen) -> str:
    return str(screen.query_one(MessageLine).said)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_snapshots_say_when_how_old_and_where(
    opened: Opened, site: Site, picture: Picture, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    async with opened(bench(site), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, server_dead())
        picture(pilot)


@pytest.mark.parametrize(("size", "language", "ascii_only"), [LOOKS[0], LOOKS[2], ((60, 20), "en", False)])
async def test_servers_say_what_keeps_them(
    opened: Opened, site: Site, picture: Picture, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    async with opened(bench(site), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, server_dead())
        await press(pilot, "v")
        picture(pilot)


@pytest.mark.parametrize(("size", "language", "ascii_only"), [LOOKS[0], LOOKS[2]])
async def test_certificates_say_until_when_and_what_renews_them(
    opened: Opened, site: Site, picture: Picture, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    async with opened(bench(site), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, well())
        await press(pilot, "left")
        picture(pilot)


async def test_certificates_that_end_soon_are_counted_and_renewed_once_agreed_to(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, workbench = Asked(monkeypatch), bench(site)
    soon = replace(certificates().lines[0], end=AT + 5 * DAY)
    async with opened(workbench) as pilot:
        screen = await show(pilot, replace(well(), certificates=Certificates((soon,), {"server3": T("upkeep.silent")})))
        status = next(each for each in section_statuses(workbench) if each.section == UPKEEP)
        assert (status.state, status.problems) == (SectionState.PROBLEMS, 1)
        assert not screen.check_action("renew", ()), "only where they are listed"
        await press(pilot, "left")
        assert "server3 could not be asked" in program(pilot).text_on_screen()
        await press(pilot, "n")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        await press(pilot, "y")
        await until(pilot, lambda: bool(asked.begun))
    assert asked.asked == [("renew",)]
    assert asked.names == ["renew"]


async def test_the_server_under_the_cursor_is_rebooted_once_agreed_to_and_a_silent_one_never(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(monkeypatch)
    async with opened(bench(site)) as pilot:
        screen = await show(pilot, server_dead())
        assert not screen.check_action("reboot", ()), "only of a server"
        await press(pilot, "v")
        assert screen.check_action("reboot", ())
        await press(pilot, "down", "down")
        assert not screen.check_action("reboot", ()), "server3 is silent"
        await press(pilot, "up", "b")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        await press(pilot, "y")
        await until(pilot, lambda: bool(asked.begun))
    assert asked.asked == [("reboot", "server2")]
    assert asked.names == ["reboot"]


PAIR = "mysql: {mode: pair, source: node1, replica: node2, username: rainbond, password: secret:mysql}\n"


def with_pair(site: Site) -> Workbench:
    """A site of Rainbond that makes a source and a replica of MySQL."""
    before, _, rest = asset("examples", "three-node.yaml").read_text(encoding="utf-8").partition("mysql:")
    site.spec_file.write_text(before + PAIR + "rainbond:" + rest.partition("rainbond:")[2], encoding="utf-8")
    return bench(site)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_failover_of_mysql_says_what_a_silent_source_costs_and_wants_the_name(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    asked = Asked(monkeypatch)
    asked.told = T("failover.silent", node="server1", reason=T("upkeep.silent"))
    async with opened(with_pair(site), language=language) as pilot:
        screen = await show(pilot, well())
        name = program(pilot).workbench.session.spec.name  # type: ignore[union-attr]
        assert not screen.check_action("failover", ()), "it is about servers"
        await press(pilot, "v")
        assert "m MySQL" in " ".join(program(pilot).text_on_screen().split())
        await press(pilot, "m")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        shown = "".join(program(pilot).text_on_screen().split())
        assert "".join(str(asked.told).split())[:14] in shown
        await press(pilot, *name, "enter")
        await until(pilot, lambda: bool(asked.begun))
    assert asked.asked == [("failover",)]
    assert asked.names == ["failover"]


async def test_nothing_is_failed_over_without_a_pair_or_with_a_plan_that_is_not_saved(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, workbench = Asked(monkeypatch), bench(site)
    async with opened(workbench) as pilot:
        screen = await show(pilot, well())
        await press(pilot, "v", "m")
        assert not screen.check_action("failover", ())
    workbench = with_pair(site)
    async with opened(workbench) as pilot:
        screen = await show(pilot, well())
        workbench.change(lambda data: data.update(name="another"))
        await press(pilot, "v", "m")
        assert "save them with s first" in said(screen)
    assert asked.asked == []


async def test_before_there_is_a_cluster_it_says_what_comes_first(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        screen = await show(pilot, None)
        assert "Nothing is installed yet" in program(pilot).text_on_screen()
        for action in ("take", "restore", "leave"):
            assert not screen.check_action(action, ())
        await press(pilot, "t", "enter", "d", "v")
        assert pilot.app.screen is screen
        assert workbench.upkeep.snapshot.state is SurveyStatus.NONE, "nobody was asked"


async def test_a_cluster_of_others_and_an_empty_list_have_their_sentences(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        screen = await show(pilot, Upkeep(SurveyStatus.FAILED, error=T("upkeep.not_ours"), at=AT))
        assert "not installed by" in " ".join(program(pilot).text_on_screen().split())
        assert not screen.check_action("take", ())
        await show(pilot, replace(well(), snapshots=()))
        assert "There is no snapshot of etcd" in program(pilot).text_on_screen()
        assert screen.check_action("take", ())
        assert not screen.check_action("restore", ())


async def test_the_rail_counts_what_is_wrong(opened: Opened, site: Site) -> None:
    workbench = bench(site)

    def status() -> tuple[SectionState, int]:
        found = next(each for each in section_statuses(workbench) if each.section == UPKEEP)
        return found.state, found.problems

    async with opened(workbench) as pilot:
        assert status() == (SectionState.IDLE, 0)
        await show(pilot, well())
        assert status() == (SectionState.OK, 0)
        await show(pilot, server_dead())
        assert status() == (SectionState.PROBLEMS, 2)
        refusing = [replace(each, etcd=EtcdView(errors=("connection refused",))) for each in well().servers[:3]]
        await show(pilot, replace(well(), servers=(*refusing, well().servers[3])))
        assert status() == (SectionState.PROBLEMS, 3), "members that refuse were taken for well"
        workbench.upkeep.outdate()
        assert status() == (SectionState.IDLE, 0)


Prepare = Callable[..., Future[Prepared]]


MOVED = {move_nfs.NODE: "server2", "source": "server1", "path": "/opt/rainbond/data/nfs", "users": "rbd-hub, team/shop"}


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_storage_is_moved_to_a_place_that_is_chosen_once_what_stands_still_was_seen(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    asked = Asked(monkeypatch)
    there = (Destination("server3", is_node=True), Destination("server2", is_node=True))
    found: list[tuple[Destination, ...]] = [(), there]
    monkeypatch.setattr(starting, "find_places", lambda _: finished(found.pop(0)))
    async with opened(with_pair(site), language=language) as pilot:
        screen = await show(pilot, well())
        name = program(pilot).workbench.session.spec.name  # type: ignore[union-attr]
        assert not screen.check_action("move", ()), "it is about servers"
        await press(pilot, "v", "o")
        await until(pilot, lambda: "StorageClass" in said(screen))
        await press(pilot, "o")
        await until(pilot, lambda: isinstance(pilot.app.screen, WhereToDialog))
        assert "server3" in program(pilot).text_on_screen()
        await press(pilot, "down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        assert "team/shop" in program(pilot).text_on_screen(), "applications that stand still are named"
        await press(pilot, *name, "enter")
        await until(pilot, lambda: bool(asked.begun))
    assert asked.asked == [("move-nfs", there[1])]


async def test_no_storage_is_moved_without_rainbond_or_with_a_plan_that_is_not_saved(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, workbench = Asked(monkeypatch), with_pair(site)
    async with opened(workbench) as pilot:
        screen = await show(pilot, well())
        workbench.change(lambda data: data.update(name="another"))
        await press(pilot, "v", "o")
        await until(pilot, lambda: "save them with s first" in said(screen))
        workbench.change(lambda data: data.update(profile="kubernetes-only"))
        assert not screen.check_action("move", ())
    assert asked.asked == []


class Asked:
    """Stands where recipes are prepared and begun: notes what it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.begun: list[Purpose] = []
        self.told: Text | None = None
        taken = {snapshot.NODE: "server1"}
        restored = {restore.NAME: COPIED, restore.TAKEN: "2026-09-21 13:56"}
        for name, recipe, arguments in (
            ("prepare_snapshot", snapshot.RECIPE.name, taken),
            ("prepare_restore", restore.RECIPE.name, restored),
            ("prepare_removal", remove.RECIPE.name, {remove.NODE: "server3"}),
            ("prepare_renewal", renew.RECIPE.name, {}),
            ("prepare_reboot", reboot.RECIPE.name, {}),
            ("prepare_failover", failover.RECIPE.name, {failover.SOURCE: "server1", failover.REPLICA: "server2"}),
            ("prepare_move", move_nfs.RECIPE.name, MOVED),
        ):
            monkeypatch.setattr(starting, name, self._prepare(recipe, arguments))
        monkeypatch.setattr(starting, "begin", self._begin)

    def _prepare(self, recipe: str, arguments: dict[str, str]) -> Prepare:
        def prepare(_: Workbench, *wanted: object) -> Future[Prepared]:
            self.asked.append((recipe, *wanted))
            change = Change(ChangeKind.SERVICE, T("plan.change.unit_stop", unit="rke2-server.service"))
            steps = (PreviewedStep(HaltServer("server1"), satisfied=False, changes=(change,)),)
            told = self.told if recipe == failover.RECIPE.name else None
            return finished(Prepared(Purpose(PurposeKind.RECIPE, recipe=recipe, arguments=arguments), steps, told))

        return prepare

    def _begin(self, _: Workbench, prepared: Prepared) -> Future[None]:
        self.begun.append(prepared.purpose)
        return finished(None)

    @property
    def names(self) -> list[str]:
        return [purpose.recipe for purpose in self.begun]


async def test_a_snapshot_is_taken_once_that_is_agreed_to(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(monkeypatch)
    async with opened(bench(site)) as pilot:
        await show(pilot, well())
        await press(pilot, "t")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        await press(pilot, "n")
        assert asked.begun == []
        await press(pilot, "t")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        await press(pilot, "y")
        await until(pilot, lambda: bool(asked.begun))
    assert asked.asked == [("snapshot",)] * 2
    assert asked.names == ["snapshot"]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_restore_says_what_is_lost_and_wants_the_name(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    asked = Asked(monkeypatch)
    async with opened(bench(site), language=language) as pilot:
        screen = await show(pilot, well())
        name = program(pilot).workbench.session.spec.name  # type: ignore[union-attr]
        await press(pilot, "down")
        assert not screen.check_action("restore", ()), "what was cut off is of no use"
        await press(pilot, "up", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        shown = "".join(program(pilot).text_on_screen().split())
        assert "2026-09-2113:56" in shown
        await press(pilot, "y", "enter")
        assert isinstance(pilot.app.screen, RecipeDialog), "a letter is not the name"
        await press(pilot, "backspace", *name, "enter")
        await until(pilot, lambda: bool(asked.begun))
    assert asked.asked == [("restore", COPIED, ())]
    assert asked.names == ["restore"]


async def test_a_restore_without_a_dead_server_is_agreed_to_first(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(monkeypatch)
    async with opened(bench(site)) as pilot:
        await show(pilot, server_dead())
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        assert "server3" in program(pilot).text_on_screen()
        await press(pilot, "n")
        assert asked.asked == []
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await press(pilot, "y")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
    assert asked.asked == [("restore", COPIED, ("server3",))]


async def test_whom_the_cluster_needs_is_refused_before_and_who_may_leave_is_asked_for(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(monkeypatch)
    async with opened(bench(site)) as pilot:
        screen = await show(pilot, server_dead())
        await press(pilot, "right")
        assert "1 of 3 etcd members" in " ".join(program(pilot).text_on_screen().split())
        await press(pilot, "d")
        assert "1 of 3 etcd members" in said(screen)
        assert asked.asked == []
        await press(pilot, "down", "down", "d")
        await until(pilot, lambda: isinstance(pilot.app.screen, RecipeDialog))
        assert pilot.app.screen.query("#name"), "the name is wanted"
        await press(pilot, "escape")
    assert asked.asked == [("remove", "server3")]
    assert asked.begun == []


async def test_what_cannot_be_prepared_is_a_sentence(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rbdtui.errors import NotNowError

    def prepare(_: Workbench) -> Future[Prepared]:
        failed: Future[Prepared] = Future()
        failed.set_exception(NotNowError(T("snapshot.no_member", said="server1: refused")))
        return failed

    monkeypatch.setattr(starting, "prepare_snapshot", prepare)
    async with opened(bench(site)) as pilot:
        screen = await show(pilot, well())
        await press(pilot, "t")
        await until(pilot, lambda: "No etcd member answers" in said(screen))
