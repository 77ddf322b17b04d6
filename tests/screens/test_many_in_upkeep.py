"""Fifty servers in Upkeep: snapshots, servers and certificates are found by the keys of Nodes, page by page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from rbdtui.plan.snapshots import SnapshotState
from rbdtui.site import Site
from rbdtui.words import T
from rbdtui.workbench.survey import SurveyStatus
from rbdtui.workbench.upkeep.certificate_survey import CertificateLine, Certificates
from rbdtui.workbench.upkeep.upkeep import SnapshotLine, Upkeep
from rbdtui.workbench.workbench import Workbench
from screens.upkeep.upkeep import UpkeepList, UpkeepScreen
from screens.widgets.frame import KeyLine
from tests.screens.conftest import Opened, bench, settled
from tests.screens.pilot import key_event
from tests.screens.test_many import NAMED, SIZES, head, press
from tests.screens.test_many_in_health import WORKERS
from tests.screens.test_roles import fifty
from tests.screens.test_upkeep import AT, DAY, server, show
from tests.screens.waiting import drawn, program

SERVERS = ("server1", "server2", "server3")


@pytest.fixture
def workbench(site: Site) -> Workbench:
    """Fifty servers: server1 to server3, agent1, and worker1 to worker46."""
    fifty(site)
    return bench(site)


def snapshots() -> list[SnapshotLine]:
    """Ninety, thirty of each server, of which one is cut off."""
    lines = [
        SnapshotLine(f"etcd-snapshot-{node}-{n}", AT - n * DAY, 24_000_000, SnapshotState.WHOLE, (node,))
        for n in range(30)
        for node in SERVERS
    ]
    lines[40] = replace(lines[40], state=SnapshotState.CUT)
    return lines


def certificates() -> Certificates:
    """Two of each server, the first of worker30 soon at its end."""
    ends = {name: AT + (20 if name == "worker30" else 300) * DAY for name in (*SERVERS, *WORKERS)}
    agents = [CertificateLine(name, "agent", "agent/client-kubelet.crt", 3, end) for name, end in ends.items()]
    roots = [CertificateLine(name, "authority", "client-ca.crt", 5, AT + 3600 * DAY) for name in SERVERS]
    return Certificates(tuple(sorted([*agents, *roots], key=lambda line: line.end)))


def many(silent: str = "worker7") -> Upkeep:
    lines = [server(name) for name in SERVERS] + [server(name, None) for name in WORKERS]
    servers = tuple(
        replace(line, silent=T("probe.trouble.timed_out")) if line.node == silent else line for line in lines
    )
    return Upkeep(SurveyStatus.DONE, tuple(snapshots()), (), {}, servers, certificates(), at=AT)


def seen(screen: UpkeepScreen) -> list[str]:
    return [row.name if isinstance(row, SnapshotLine) else row.node for row in screen._shown]


def under_cursor(screen: UpkeepScreen) -> str:
    return screen.copy_text()


def keys(screen: UpkeepScreen) -> str:
    return str(screen.query_one(KeyLine).render())


@pytest.mark.parametrize(("size", "language", "ascii_only"), SIZES)
async def test_each_page_is_searched(
    opened: Opened, workbench: Workbench, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        screen = await show(pilot, many())
        await press(pilot, "/server2-29", "enter")
        assert seen(screen) == ["etcd-snapshot-server2-29"]
        assert "90" in head(screen)
        await press(pilot, "v", "/worker 1.46", "enter")
        assert seen(screen) == ["worker46"], "its name and its address in cluster.yaml"
        await press(pilot, "v", "/kubelet worker4", "enter")
        assert sorted(seen(screen)) == sorted(["worker4", *(f"worker{n}" for n in range(40, 47))])
        await press(pilot, "v")
        assert seen(screen) == ["etcd-snapshot-server2-29"], "each page keeps what it was narrowed to, and says so"
        assert "/server2-29" in head(screen)
        await press(pilot, "escape")
        assert len(seen(screen)) == 90
        assert head(screen) == ""
        assert under_cursor(screen) == "etcd-snapshot-server2-29"


async def test_only_what_is_wrong_is_seen(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await show(pilot, many())
        await press(pilot, "!")
        assert seen(screen) == [snapshots()[40].name]
        assert "1 of 90" in head(screen)
        assert "restore" not in keys(screen), "it is cut off"
        await press(pilot, "escape", "down")
        assert "restore" in keys(screen)
        await press(pilot, "v", "!")
        assert seen(screen) == ["worker7"]
        await press(pilot, "v", "!")
        assert seen(screen) == ["worker30"]


async def test_what_is_found_nowhere_is_said_and_keys_find_their_way_back(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await show(pilot, many())
        await press(pilot, "/nowhere", "enter")
        assert seen(screen) == []
        assert "Nothing matches. Esc shows everything." in program(pilot).text_on_screen()
        assert "restore" not in keys(screen)
        await press(pilot, "escape", "down", "down")
        assert screen.query_one(UpkeepList).place == 2
        assert under_cursor(screen) == snapshots()[2].name


async def test_the_cursor_stays_on_its_row_when_others_come(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await show(pilot, many())
        await press(pilot, "down", "down")
        here = under_cursor(screen)
        newest = SnapshotLine("rbdtui-new", AT + 10, 24_000_000, SnapshotState.WHOLE, ("server1",))
        picture = many()
        workbench.upkeep.show(replace(picture, snapshots=(newest, *picture.snapshots)))
        await drawn(pilot)
        assert screen.query_one(UpkeepList).place == 3
        assert under_cursor(screen) == here


async def test_letters_behind_the_search_key_are_no_commands(opened: Opened, workbench: Workbench) -> None:
    """Each of these is a key of the screen or leads to another section; Delete would take a server out."""
    async with opened(workbench) as pilot:
        screen = await show(pilot, many())
        await press(pilot, "v")
        for sign in ("/", *"tdbmonvg!0123q9", "delete", "left", "right", *"worker46"):
            pilot.app.post_message(key_event(NAMED.get(sign, sign)))
        await settled(pilot)
        assert pilot.app.screen is screen
        assert screen.view.query == "tdbmonvg!0123q9worker46"
        assert "remove" not in keys(screen)
        assert "keep" in keys(screen)
        for key in ("ctrl+u", *"worker46", "enter", "slash", *"wor", "escape", "slash", *"worker30", "enter", "v", "v"):
            pilot.app.post_message(key_event(key))
        await settled(pilot)
        assert screen._page == "snapshots"
        assert len(seen(screen)) == 90


async def test_what_is_started_is_meant_for_what_is_found(
    opened: Opened, workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    meant: list[str] = []
    monkeypatch.setattr(UpkeepScreen, "_carry_out", lambda self, prepare: meant.append(under_cursor(self)))
    async with opened(workbench) as pilot:
        await show(pilot, many())
        await at_a_stroke(pilot, "v", "slash", *"worker46", "enter", "b")
        assert meant == ["worker46"]


async def at_a_stroke(pilot: Pilot[int], *pressed: str) -> None:
    for key in pressed:
        pilot.app.post_message(key_event(key))
    await drawn(pilot)
    await settled(pilot)
