"""Disks for Ceph are chosen by keys from what the servers answered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.facts.model import Disk, OnDisk
from rbdtui.words import LANGUAGES, say
from rbdtui.workbench.live.disk_offers import offered_disks, toggled
from rbdtui.workbench.live.live import LiveSnapshot
from rbdtui.workbench.workbench import Workbench
from screens.dialogs.disks import DisksDialog
from tests.checks.support import GIB
from tests.screens.answers import answered, facts_of
from tests.screens.conftest import LOOKS, Opened, Picture, settled, show_live
from tests.screens.forming import plan_with, show
from tests.screens.waiting import drawn, program

SERVERS = ("server1", "server2", "server3")
BY_ID = "/dev/disk/by-id/scsi-"


def disks(number: int) -> tuple[Disk, ...]:
    """The system's disk, an empty one, and one that is empty but has no name of its own."""
    system = Disk(
        "sda", 480 * GIB, "SAMSUNG MZ7LH480HAHQ", f"SYS{number}", holds=(OnDisk("sda1", "part", "ext4", "/"),)
    )
    data = Disk("sdb", 1788 * GIB, "SAMSUNG MZ7LH1T9HMLT-00005", f"DATA{number}", links=(f"{BY_ID}DATA{number}",))
    return (system, data, Disk("vdc", 100 * GIB))


def site(home: Path) -> tuple[Workbench, LiveSnapshot]:
    workbench = plan_with(home, "storage: {mode: rook-ceph}", profile="rainbond-6")
    roles = ["control-plane", "etcd", "worker", "gateway", "build"]
    workbench.change(
        lambda data: data["nodes"].extend(
            {"name": name, "address": f"127.88.0.1{i}", "roles": roles} for i, name in enumerate(SERVERS[1:], 2)
        )
    )
    spec = workbench.draft.spec
    assert spec is not None
    facts = {name: replace(facts_of(spec, name), disks=disks(i)) for i, name in enumerate(SERVERS, 1)}
    return workbench, answered(spec, facts=facts)


async def test_three_disks_are_chosen_by_keys_and_one_in_use_is_refused(opened: Opened, home: Path) -> None:
    workbench, live = site(home)
    async with opened(workbench) as pilot:
        await show(pilot, "storage", "storage.disks")
        show_live(workbench, live)
        await drawn(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, DisksDialog)
        await pilot.press("space")
        await settled(pilot)
        assert "sda of server1 cannot be chosen: in use" in program(pilot).text_on_screen()
        await pilot.press("down", "space", "down", "space")
        await settled(pilot)
        assert "no name below /dev/disk" in program(pilot).text_on_screen()
        await pilot.press("down", "down", "space", "down", "down", "down", "space")
        await settled(pilot)
        assert "3 chosen on 3 servers" in program(pilot).text_on_screen()
        await pilot.press("enter")
        await settled(pilot)
        assert workbench.draft.data["storage"]["disks"] == [
            {"node": name, "device": f"{BY_ID}DATA{i}", "serial": f"DATA{i}"} for i, name in enumerate(SERVERS, 1)
        ]
        assert "server1 scsi-DATA1" in program(pilot).text_on_screen()


async def test_escape_leaves_the_plan_as_it_was(opened: Opened, home: Path) -> None:
    workbench, live = site(home)
    async with opened(workbench) as pilot:
        await show(pilot, "storage", "storage.disks")
        show_live(workbench, live)
        await drawn(pilot)
        await pilot.press("enter", "down", "space", "escape")
        await settled(pilot)
        assert workbench.draft.data["storage"] == {"mode": "rook-ceph"}


def test_what_is_chosen_and_not_seen_is_listed_and_can_be_dropped(home: Path) -> None:
    workbench, live = site(home)
    lost = {"node": "server2", "device": f"{BY_ID}GONE", "serial": "X"}
    named = {"node": "server1", "device": f"{BY_ID}DATA1"}
    workbench.change(lambda data: data["storage"].update(disks=[lost, named]))
    offers = offered_disks(workbench.draft.data, live.facts)
    assert [(offer.node, offer.disk and offer.disk.name) for offer in offers][-2:] == [
        ("server3", "vdc"),
        ("server2", None),
    ]
    assert toggled([lost, named], offers[-1]) == [named]
    assert toggled([lost, named], offers[1]) == [lost]
    for offer in offers:
        for language in LANGUAGES:
            assert "{" not in say(offer.words, language)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures(
    opened: Opened, picture: Picture, home: Path, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    workbench, live = site(home)
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, "storage", "storage.disks")
        show_live(workbench, live)
        await drawn(pilot)
        await pilot.press("enter", "down", "space", "down", "down", "down", "space")
        await settled(pilot)
        picture(pilot, name="choosing")
        await pilot.press("enter")
        await settled(pilot)
        picture(pilot, name="chosen")


@pytest.mark.parametrize(
    ("size", "ascii_only", "end"),
    [
        ((80, 24), False, "server2 scsi-DAT… (3)"),
        ((80, 24), True, "server2 scsi-DATA~ (3)"),
        ((120, 40), False, "server2 scsi-DATA2, server3 scsi-DATA3"),
    ],
)
async def test_more_disks_than_a_line_has_room_for_are_counted(
    opened: Opened, home: Path, size: tuple[int, int], ascii_only: bool, end: str
) -> None:
    workbench, live = site(home)
    chosen = [dict(each.entry) for each in offered_disks(workbench.draft.data, live.facts) if each.refusal is None]
    workbench.change(lambda data: data["storage"].update(disks=chosen))
    async with opened(workbench, size=size, ascii_only=ascii_only) as pilot:
        await show(pilot, "storage", "storage.disks")
        show_live(workbench, live)
        await drawn(pilot)
        assert f"server1 scsi-DATA1, {end}" in program(pilot).text_on_screen()
