"""Balancer: the virtual address while it is typed, modes that keep what was typed, and what it comes to."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from rbdtui.findings import Finding, Place, Severity
from rbdtui.site import Site
from rbdtui.workbench.live import LiveSnapshot
from rbdtui.workbench.operations import text_at
from rbdtui.workbench.sections import BALANCER
from rbdtui.workbench.workbench import Workbench
from screens.balancer import BalancerScreen
from screens.widgets.field import Choice, Field, Verdict
from tests.screens.answers import answered
from tests.screens.conftest import LOOKS, Opened, Picture, bench, settled, show_live
from tests.screens.waiting import drawn, program, until


async def show(pilot: Pilot[int], field: str = "") -> BalancerScreen:
    program(pilot).show_section(BALANCER, field)
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, BalancerScreen)
    return screen


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await drawn(pilot)


def workbench_of(pilot: Pilot[int]) -> Workbench:
    workbench = program(pilot).workbench
    assert workbench is not None
    return workbench


def value(pilot: Pilot[int], path: str) -> str:
    return text_at(workbench_of(pilot).draft.data, path)


async def type_vip(pilot: Pilot[int], text: str, *ending: str) -> None:
    """Into the field of the virtual address, by keys."""
    await show(pilot, "gateway.vip")
    await press(
        pilot, "enter", "ctrl+u", *("full_stop" if sign == "." else "slash" if sign == "/" else sign for sign in text)
    )
    await press(pilot, *ending)


def blamed(pilot: Pilot[int], path: str) -> list[str]:
    """What is said below a field."""
    field = next(field for field in pilot.app.screen.query(Field) if field.path == path)
    return [str(finding.message) for finding in field.query_one(Verdict).findings]


def outcome(pilot: Pilot[int]) -> str:
    return str(pilot.app.screen.query_one("#outcome", Static).content)


def known(site: Site) -> LiveSnapshot:
    spec = bench(site).draft.spec
    assert spec is not None
    return answered(spec)


def taken(site: Site) -> LiveSnapshot:
    """All servers have answered, and somebody else has the virtual address."""
    good = known(site)
    params = {"vip": "127.88.0.100", "mac": "02:00:5e:00:53:01", "witnesses": "server1, server2"}
    finding = Finding("RBD-VIP-105", Severity.ERROR, Place(field="gateway.vip"), params)
    return LiveSnapshot(good.nodes, (*good.cluster_findings, finding))


async def test_what_is_wrong_is_said_while_it_is_typed(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await type_vip(pilot, "127.88.0.11/24", "enter")
        await until(pilot, lambda: blamed(pilot, "gateway.vip") == ["The VIP is the address of server1."])
        await type_vip(pilot, "127.88.0.99/24")
        await until(pilot, lambda: blamed(pilot, "gateway.vip") == [])


async def test_the_apis_address_goes_with_the_vip_until_it_is_its_own(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await type_vip(pilot, "127.88.0.99/24", "enter")
        assert value(pilot, "kubernetes.api.address") == "127.88.0.99"
        workbench_of(pilot).change(lambda data: data["kubernetes"]["api"].update(address="127.88.0.50"))
        await type_vip(pilot, "127.88.0.98/24", "enter")
        assert value(pilot, "kubernetes.api.address") == "127.88.0.50"


async def test_the_prefix_comes_from_the_servers(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        show_live(workbench, known(site))
        await type_vip(pilot, "127.88.0.99", "enter")
        assert value(pilot, "gateway.vip") == "127.88.0.99/24"


async def test_somebody_else_with_the_address_is_named(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        screen = await show(pilot)
        show_live(workbench, taken(site))
        await drawn(pilot)
        vip = next(field for field in screen.query(Field) if field.path == "gateway.vip")
        assert any("02:00:5e:00:53:01" in str(f.message) for f in screen._findings_at(vip.path))
        assert "02:00:5e:00:53:01" in program(pilot).text_on_screen()


async def test_a_mode_brings_back_what_was_typed(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        screen = await show(pilot)
        vip = value(pilot, "gateway.vip")
        await press(pilot, "right")
        assert value(pilot, "gateway.mode") == "external"
        assert value(pilot, "gateway.vip") == ""
        shown = {field.path for field in screen.query(Field) if field.display}
        assert "gateway.address" in shown
        assert "gateway.vip" not in shown
        await press(pilot, "left")
        assert value(pilot, "gateway.vip") == vip
        assert [choice.path for choice in screen.query(Choice) if choice.display] == [
            "gateway.mode", "gateway.unicast", "kubernetes.api.mode"
        ]  # fmt: skip


async def test_who_would_hold_the_address(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        await show(pilot)
        assert "interface not known yet" in outcome(pilot)
        show_live(workbench, known(site))
        await drawn(pilot)
        lines = [line.split() for line in outcome(pilot).splitlines()[1:]]
        assert [(line[0], line[3]) for line in lines] == [("server1", "100"), ("server2", "90"), ("server3", "80")]
        assert "not known" not in outcome(pilot)


async def test_what_an_external_balancer_has_to_forward(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        workbench = workbench_of(pilot)

        def external(data: dict[str, object]) -> None:
            data["gateway"] = {"mode": "external", "address": "127.88.0.200"}
            data["kubernetes"] = {"distribution": "rke2", "api": {"mode": "external", "address": "127.88.0.200"}}

        workbench.change(external)
        await show(pilot)
        ports = [line.split()[0] for line in outcome(pilot).splitlines()[1:]]
        assert ports == ["6443", "9345"]
        workbench.change(lambda data: data.update(profile="rainbond-6"))
        await until(pilot, lambda: len(outcome(pilot).splitlines()) == 8)
        ports = [line.split()[0] for line in outcome(pilot).splitlines()[1:]]
        assert ports == ["80", "443", "6060", "7070", "8443", "6443", "9345"]


async def test_numbers_that_are_none_are_judged_and_kept(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await show(pilot, "gateway.virtual_router_id")
        await press(pilot, "enter", "ctrl+u", "a", "b", "enter")
        assert value(pilot, "gateway.virtual_router_id") == "ab"
        assert workbench_of(pilot).draft.findings_at("gateway.virtual_router_id")


# --- pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures(
    opened: Opened, picture: Picture, site: Site, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    workbench = bench(site)
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot)
        show_live(workbench, known(site))
        await drawn(pilot)
        picture(pilot, name="good")
        show_live(workbench, taken(site))
        await drawn(pilot)
        picture(pilot, name="taken")
        await press(pilot, "right")
        picture(pilot, name="external")
