"""Balancer: the virtual address while it is typed, modes that keep what was typed, and what it comes to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Static

from rbdtui.checks.services.vip import CHECK, VipAnswer
from rbdtui.findings import Finding, Place, Severity
from rbdtui.site import Site
from rbdtui.transport.base import Reach, ReachResult
from rbdtui.words import Text
from rbdtui.workbench.draft.operations import text_at
from rbdtui.workbench.live.live import LiveSnapshot
from rbdtui.workbench.live.services import ServiceLook
from rbdtui.workbench.sections import BALANCER, ROLES
from rbdtui.workbench.workbench import Workbench
from screens.forms.balancer import BalancerScreen
from screens.widgets.field import Choice, ChoiceLine, Field, Verdict
from tests.screens.answers import answered
from tests.screens.conftest import LOOKS, Opened, Picture, bench, make_site, settled, show_live
from tests.screens.pilot import key_event
from tests.screens.waiting import drawn, program, until

VIP = "127.88.0.100"
GATEWAY = "  mode: keepalived"
MAC = "02:00:5e:00:53:01"
EMPTY = "apiVersion: rbdtui/v1\nname: site-a\nprofile: rainbond-6\nbundle: bundle\nnodes: []\n"


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


def advised(pilot: Pilot[int], path: str) -> str:
    """What is said below a field with which nothing is wrong."""
    field = next(field for field in pilot.app.screen.query(Field) if field.path == path)
    return str(field.query_one(Verdict).hint)


def outcome(pilot: Pilot[int]) -> str:
    return str(pilot.app.screen.query_one("#outcome", Static).content)


def known(site: Site) -> LiveSnapshot:
    spec = bench(site).draft.spec
    assert spec is not None
    return answered(spec)


def taken(site: Site) -> LiveSnapshot:
    """All servers have answered, and somebody else has the virtual address."""
    good = known(site)
    params = {"vip": VIP, "mac": MAC, "witnesses": "server1, server2"}
    finding = Finding("RBD-VIP-105", Severity.ERROR, Place(field="gateway.vip"), params)
    answers = {"server1": seen(MAC), "server2": seen(MAC)}
    return replace(good, services=look(site, answers=answers, findings=(finding,)))


def look(site: Site, **said: Any) -> dict[str, ServiceLook]:
    """What the gateways say of the address of the plan."""
    spec = bench(site).draft.spec
    assert spec is not None
    return {CHECK.name: ServiceLook(CHECK.question(spec), **said)}


def seen(*macs: str) -> VipAnswer:
    """What a gateway sees of the address."""
    return VipAnswer(ReachResult(Reach.REFUSED if macs else Reach.TIMED_OUT, 1.0), macs)


def asking(site: Site) -> LiveSnapshot:
    """The servers have answered; whether the address is free is being asked."""
    return replace(known(site), services=look(site, asking=("server1", "server2", "server3")))


def free(site: Site) -> LiveSnapshot:
    """Nobody answers to the address."""
    return replace(known(site), services=look(site, answers={f"server{i}": seen() for i in (1, 2, 3)}))


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
        await show(pilot, "gateway.vip")
        for key in ("enter", "ctrl+u", *"127.88.0.99", "enter"):
            pilot.app.post_message(key_event(key))
        await drawn(pilot)
        assert value(pilot, "gateway.vip") == "127.88.0.99/24"


async def test_somebody_else_with_the_address_is_named(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        await show(pilot)
        show_live(workbench, taken(site))
        await drawn(pilot)
        assert any(MAC in message for message in blamed(pilot, "gateway.vip"))
        assert MAC in program(pilot).text_on_screen()


async def test_a_mode_brings_back_what_was_typed(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        screen = await show(pilot)
        vip = value(pilot, "gateway.vip")
        await press(pilot, "right", "right")
        assert value(pilot, "gateway.mode") == "external"
        assert value(pilot, "gateway.vip") == ""
        shown = {field.path for field in screen.query(Field) if field.display}
        assert "gateway.address" in shown
        assert "gateway.vip" not in shown
        await press(pilot, "left", "left")
        assert value(pilot, "gateway.vip") == vip
        assert [choice.path for choice in screen.query(Choice) if choice.display] == [
            "gateway.mode", "gateway.unicast", "kubernetes.api.mode"
        ]  # fmt: skip


async def test_whether_the_address_is_free_is_said_below_it(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        await show(pilot)
        show_live(workbench, asking(site))
        await drawn(pilot)
        assert advised(pilot, "gateway.vip") == "Checking from these servers whether it is free."
        show_live(workbench, free(site))
        await drawn(pilot)
        assert advised(pilot, "gateway.vip") == "Free: nobody answers (checked from 3 servers)."
        await type_vip(pilot, "127.88.0.99/24")
        await until(pilot, lambda: "Free" not in advised(pilot, "gateway.vip"))
        await press(pilot, "ctrl+u")
        await until(pilot, lambda: "as in 10.0.0.100/24" in advised(pilot, "gateway.vip"))


async def test_an_interface_of_the_gateways_is_chosen_without_typing(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        await show(pilot, "gateway.interface")
        await press(pilot, "right")
        assert value(pilot, "gateway.interface") == "auto"
        show_live(workbench, known(site))
        await drawn(pilot)
        await press(pilot, "right")
        assert value(pilot, "gateway.interface") == "eth0"
        assert "server1  eth0" in outcome(pilot)
        await press(pilot, "left")
        assert value(pilot, "gateway.interface") == "auto"
        await press(pilot, "enter", "ctrl+u", "e", "n", "s", "left", "x", "enter")
        assert value(pilot, "gateway.interface") == "enxs"
        await press(pilot, "right")
        assert value(pilot, "gateway.interface") == "auto"


async def test_who_would_hold_the_address(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        await show(pilot)
        assert "has to be checked first" in outcome(pilot)
        show_live(workbench, known(site))
        await drawn(pilot)
        lines = [line.split() for line in outcome(pilot).splitlines()[1:4]]
        assert [(line[0], line[1], line[3]) for line in lines] == [
            ("server1", "eth0", "100"), ("server2", "eth0", "90"), ("server3", "eth0", "80"),
        ]  # fmt: skip
        assert "own API stops answering gives up the VIP" in outcome(pilot)
        workbench.change(lambda data: data["nodes"][2].update(address="nonsense"))
        await until(pilot, lambda: "has to be checked first" in outcome(pilot))
        assert "server3" in outcome(pilot)


async def test_what_an_external_balancer_has_to_forward(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        workbench = workbench_of(pilot)

        def external(data: dict[str, object]) -> None:
            data["profile"] = "rainbond-6"
            data["gateway"] = {"mode": "external"}
            data["kubernetes"] = {"distribution": "rke2", "api": {"mode": "external", "port": 8443}}

        workbench.change(external)
        screen = await show(pilot)
        assert workbench.draft.findings_at("gateway.address")
        servers = ", ".join(f"127.88.0.{last}:{{0}}" for last in (11, 12, 13))
        ports = [(80, 80), (443, 443), (6060, 6060), (7070, 7070), (8443, 8443), (8443, 6443), (9345, 9345)]
        assert screen.copy_text().splitlines() == [f"tcp {port} -> {servers.format(to)}" for port, to in ports]
        assert "80  443  6060  7070  8443  8443→6443  9345" in outcome(pilot)
        workbench.change(lambda data: data.update(profile="kubernetes-only"))
        await until(pilot, lambda: "installs nothing that needs a gateway" in outcome(pilot))
        assert "6060" not in outcome(pilot)


async def test_a_value_that_the_mode_has_no_use_for_can_be_taken_out(opened: Opened, site: Site) -> None:
    site.spec_file.write_text(site.spec_file.read_text().replace(GATEWAY, f"  address: 127.88.0.200\n{GATEWAY}"))
    async with opened(bench(site)) as pilot:
        await show(pilot, "gateway.address")
        assert blamed(pilot, "gateway.address")
        await press(pilot, "enter", "ctrl+u", "enter")
        assert value(pilot, "gateway.address") == ""
        assert not workbench_of(pilot).draft.findings


async def test_what_is_wrong_is_said_in_the_words_on_the_screen(opened: Opened, site: Site) -> None:
    written = site.spec_file.read_text()
    site.spec_file.write_text(re.sub(r"\n *virtual_router_id:.*", "", written))
    async with opened(bench(site)) as pilot:
        await show(pilot, "gateway.virtual_router_id")
        fields = pilot.app.screen.query(Field)
        said = next(str(field.query_one(Verdict).sentence()) for field in fields if field.path.endswith("router_id"))
        assert f"`{Text('form.label.gateway_virtual_router_id')}`" in said
        assert "virtual_router_id" not in said
        assert any("`gateway.virtual_router_id`" in str(each.remedy) for each in workbench_of(pilot).findings)


async def test_what_belongs_to_no_field_is_said_all_the_same(opened: Opened, site: Site) -> None:
    site.spec_file.write_text(site.spec_file.read_text().replace(GATEWAY, f"  colour: red\n{GATEWAY}"))
    async with opened(bench(site)) as pilot:
        await show(pilot)
        assert "colour" in program(pilot).text_on_screen()


async def test_without_gateways_it_says_where_they_come_from(opened: Opened, home: Path) -> None:
    async with opened(bench(make_site(home / "empty", EMPTY))) as pilot:
        await show(pilot)
        assert "Press 2" in outcome(pilot)
        await press(pilot, "down", "enter", "1", "enter", "right", "pagedown", "pageup", "u", "ctrl+y", "space")
        assert isinstance(pilot.app.screen, BalancerScreen)


async def test_what_is_below_comes_into_sight(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench, size=(80, 20)) as pilot:
        await show(pilot)
        show_live(workbench, known(site))
        await drawn(pilot)
        assert "gives up the VIP" not in program(pilot).text_on_screen()
        await press(pilot, "pagedown", "pagedown")
        assert "gives up the VIP" in program(pilot).text_on_screen()
        await press(pilot, "pageup", "pageup")
        assert "Gateway address" in program(pilot).text_on_screen()


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
        picture(pilot, name="not-asked")
        show_live(workbench, asking(site))
        await drawn(pilot)
        picture(pilot, name="checking")
        show_live(workbench, free(site))
        await drawn(pilot)
        picture(pilot, name="good")
        show_live(workbench, taken(site))
        await drawn(pilot)
        picture(pilot, name="taken")
        show_live(workbench, known(site))
        await press(pilot, "right")
        picture(pilot, name="pair-begun")
        await press(pilot, "right")
        picture(pilot, name="external-begun", drawn=False)


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures_of_an_external_balancer(
    opened: Opened, picture: Picture, site: Site, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    text = site.spec_file.read_text()
    text = text.replace("mode: vip ", f"mode: external\n    address: {VIP}").replace("kubernetes-only", "rainbond-6")
    text = text.replace("etcd, gateway]", "etcd, gateway, build]")
    head, _, _ = text.partition("\ngateway:")
    site.spec_file.write_text(f"{head}\ngateway: {{mode: external, address: {VIP}}}\n")
    async with opened(bench(site), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, "gateway.address")
        picture(pilot)


def with_pair(text: str) -> str:
    """The site with Rainbond behind two balancers."""
    text = text.replace("kubernetes-only", "rainbond-6").replace("etcd, gateway]", "etcd, gateway, build]")
    text = text.replace("mode: keepalived", "mode: haproxy")
    more = "".join(
        f"  - name: lb{number}\n    address: 127.88.0.2{number}\n    roles: [balancer]\n" for number in (1, 2)
    )
    return text.replace("\nkubernetes:", f"\n{more}\nkubernetes:", 1)


async def test_what_a_pair_forwards_and_who_would_hold_its_address(opened: Opened, site: Site) -> None:
    site.spec_file.write_text(with_pair(site.spec_file.read_text()))
    workbench = bench(site)
    async with opened(workbench) as pilot:
        await show(pilot)
        show_live(workbench, known(site))
        await drawn(pilot)
        said = outcome(pilot)
        assert "80  443  6060  7070  8443" in said
        assert "6443  9345" in said
        assert [line.split()[0] for line in said.splitlines() if "priority" in line] == ["lb1", "lb2"]
        assert "whose HAProxy stops answering gives up the VIP" in said
        assert "own API stops answering" not in said

        def no_balancers(data: dict[str, Any]) -> None:
            for node in data["nodes"][-2:]:
                node["roles"] = ["worker"]

        workbench.change(no_balancers)
        await until(pilot, lambda: "No server is a balancer yet" in outcome(pilot))


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures_of_a_pair(
    opened: Opened, picture: Picture, site: Site, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    site.spec_file.write_text(with_pair(site.spec_file.read_text()))
    workbench = bench(site)
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot)
        show_live(workbench, known(site))
        await drawn(pilot)
        picture(pilot)
        await press(pilot, "pagedown", "pagedown")
        picture(pilot, name="below")
        program(pilot).show_section(ROLES, "lb1")
        await settled(pilot)
        picture(pilot, name="roles")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures_without_nodes(
    opened: Opened, picture: Picture, home: Path, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    empty = make_site(home / "empty", EMPTY)
    async with opened(bench(empty), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot)
        picture(pilot)


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_values_that_have_no_room_are_told_by_a_sign(opened: Opened, site: Site, size: tuple[int, int]) -> None:
    async with opened(bench(site), size=size) as pilot:
        program(pilot).show_section(BALANCER)
        await settled(pilot)
        for line in pilot.app.screen.query(ChoiceLine):
            words = [str(line._word(value)) for value in line._values]
            for value, word in zip(line._values, words, strict=True):
                line.value = value
                said = str(line.render())
                assert word in said
                assert cell_len(said) <= line.content_size.width
                assert (words[0] in said) or said.startswith("<")
                assert (words[-1] in said) or said.endswith(">")
