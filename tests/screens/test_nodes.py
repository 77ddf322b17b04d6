"""Nodes: servers entered, pasted, changed and taken out by keys, while real ones answer, hang or refuse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual import events
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Static

from rbdtui.listening import listen
from rbdtui.simulator.demo_site import write_demo_site
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from rbdtui.workbench.draft.operations import field_of, nodes_in
from rbdtui.workbench.live.live import LiveState
from rbdtui.workbench.sections import NODES
from rbdtui.workbench.workbench import Workbench
from screens.nodes.cell_line import CellLine
from screens.nodes.login import LoginDialog
from screens.nodes.node_fields import NodeFieldsDialog
from screens.nodes.node_table import NodeTable
from screens.nodes.nodes import NodesScreen
from screens.nodes.paste import PasteDialog
from screens.nodes.trust import TrustDialog
from screens.widgets.field import Field, Verdict
from tests.screens.answers import answered, denied, key_changed, key_unknown
from tests.screens.conftest import Opened, bench, make_site, settled, show_live
from tests.screens.waiting import drawn, program, until

EMPTY = "apiVersion: rbdtui/v1\nname: site-a\nprofile: kubernetes-only\nbundle: bundle\nnodes: []\n"


def workbench_of(pilot: Pilot[int]) -> Workbench:
    workbench = program(pilot).workbench
    assert workbench is not None
    return workbench


def screen_of(pilot: Pilot[int]) -> NodesScreen:
    screen = pilot.app.screen
    assert isinstance(screen, NodesScreen)
    return screen


def nodes(pilot: Pilot[int]) -> list[tuple[str, str]]:
    """Names and addresses in the draft."""
    rows = nodes_in(workbench_of(pilot).draft.data)
    return [(field_of(node, "name"), field_of(node, "address")) for _, node in rows]


def detail(pilot: Pilot[int]) -> str:
    return " ".join(str(screen_of(pilot).query_one("#detail", Static).content).split())


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await drawn(pilot)


def keys_of(text: str) -> list[str]:
    """A text as keys."""
    named = {".": "full_stop", "-": "minus", "/": "slash", " ": "space", "'": "apostrophe", ";": "semicolon"}
    return [named.get(sign, sign) for sign in text]


async def paste(pilot: Pilot[int], text: str) -> PasteDialog:
    focused = pilot.app.focused
    assert focused is not None
    focused.post_message(events.Paste(text))
    await until(pilot, lambda: isinstance(pilot.app.screen, PasteDialog))
    dialog = pilot.app.screen
    assert isinstance(dialog, PasteDialog)
    return dialog


# --- what Kubernetes is told -----------------------------------------------------------------------------------


async def test_networks_labels_and_taints_are_typed_for_one_and_for_several(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        program(pilot).show_section(NODES)
        await settled(pilot)
        await press(pilot, "n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NodeFieldsDialog))
        await press(pilot, *keys_of("10.9.0.11"), "enter", *keys_of("203.0.113.5"), "enter")
        await press(pilot, *"disk", "equals_sign", *"ssd", "space", *"fast", "enter")
        await press(pilot, *"gpu", "equals_sign", *"yes", "colon", *"NoSchedule", "enter", "escape")
        first = workbench.draft.data["nodes"][0]
        assert (first["internal_address"], first["external_address"]) == ("10.9.0.11", "203.0.113.5")
        assert (first["labels"], first["taints"]) == ({"disk": "ssd", "fast": ""}, ["gpu=yes:NoSchedule"])
        await press(pilot, "asterisk", "n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NodeFieldsDialog))
        shown = {field.path: (field.display, field.disabled) for field in pilot.app.screen.query(Field)}
        assert shown["internal_address"] == (True, True), "what one has is seen, and not made the same for all"
        line = next(field for field in pilot.app.screen.query(Field) if field.path == "labels").line
        line.focus()
        await press(pilot, *"zone", "equals_sign", *"a", "enter", "escape")
        assert [node["labels"] for node in workbench.draft.data["nodes"]] == [{"zone": "a"}] * 4
        await press(pilot, "u")
        assert workbench.draft.data["nodes"][0]["labels"] == {"disk": "ssd", "fast": ""}
        assert "labels" not in workbench.draft.data["nodes"][1]


async def test_a_bad_label_is_told_at_its_field_and_its_addresses_are_named(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        assert workbench.draft.spec is not None
        show_live(workbench, answered(workbench.draft.spec))
        await press(pilot, "n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NodeFieldsDialog))
        fields = {field.path: field for field in pilot.app.screen.query(Field)}
        assert "127.88.0.11" in str(fields["internal_address"].query_one(Verdict).hint)
        fields["labels"].line.focus()
        await press(pilot, *"kubernetes", "full_stop", *"io", "slash", *"x", "equals_sign", "b", "equals_sign")
        assert fields["labels"].line.value == "kubernetes.io/x=b="
        assert fields["labels"].query_one(Verdict).findings


# --- entering --------------------------------------------------------------------------------------------------


async def test_a_server_is_entered_by_keys_alone(opened: Opened, home: Path) -> None:
    async with opened(bench(make_site(home / "new", EMPTY))) as pilot:
        await press(pilot, "a", "ctrl+u", *keys_of("first"), "enter", *keys_of("127.88.0.11"), "enter")
        await press(pilot, "a", "enter", *keys_of("12"), "enter")
        assert nodes(pilot)[0] == ("first", "127.88.0.11")
        assert nodes(pilot)[1][1] == "127.88.0.12"
        assert nodes_in(workbench_of(pilot).draft.data)[0][1]["roles"]


async def test_escape_leaves_everything_as_it_was(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        before = nodes(pilot)
        await press(pilot, "enter", *keys_of("xyz"), "escape")
        assert nodes(pilot) == before
        await press(pilot, "a", *keys_of("gone"), "escape")
        assert nodes(pilot) == before


async def test_duplicate_delete_and_undo(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        before = nodes(pilot)
        await press(pilot, "y", "enter", *keys_of("127.88.0.77"), "enter")
        assert len(nodes(pilot)) == len(before) + 1
        assert nodes(pilot)[1] == ("server4", "127.88.0.77")
        await press(pilot, "d")
        assert nodes(pilot) == before
        await press(pilot, "u")
        assert nodes(pilot)[1] == ("server4", "127.88.0.77")


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("a b", "RBD-SPEC"),
        ("o'brien", "RBD-SPEC"),
        ("$(reboot)", "RBD-SPEC"),
        ("Größe", "RBD-SPEC"),
        ("服务器", "RBD-SPEC"),
        ("localhost", "RBD-NAME"),
    ],
)
async def test_a_bad_name_is_kept_and_blamed(opened: Opened, site: Site, typed: str, code: str) -> None:
    async with opened(bench(site)) as pilot:
        await press(pilot, "enter", "ctrl+u", *keys_of(typed), "enter")
        assert nodes(pilot)[0][0] == typed
        assert any(finding.code.startswith(code) for finding in workbench_of(pilot).draft.findings)
        assert any(finding.code in detail(pilot) for finding in workbench_of(pilot).draft.findings)


@pytest.mark.parametrize("typed", ["server.example", "fd00::1", "300.1.1.1", "127.88.0", "0x7f.1"])
async def test_a_bad_address_is_kept_and_blamed(opened: Opened, site: Site, typed: str) -> None:
    async with opened(bench(site)) as pilot:
        keys = [{":": "colon"}.get(key, key) for key in keys_of(typed)]
        await press(pilot, "right", "enter", "ctrl+u", *keys, "enter")
        assert nodes(pilot)[0][1] == typed
        findings = workbench_of(pilot).draft.findings_at("nodes[0]")
        assert findings
        assert findings[0].code in detail(pilot)


async def test_two_with_one_address_are_told(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await press(pilot, "right", "enter", "ctrl+u", *keys_of("127.88.0.12"), "enter")
        assert any(finding.code == "RBD-ADDR-001" for finding in workbench_of(pilot).draft.findings)


# --- pasting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("127.88.0.61-63", ["127.88.0.61", "127.88.0.62", "127.88.0.63"]),
        ("127.88.0.31\n127.88.0.32\n", ["127.88.0.31", "127.88.0.32"]),
        ("web1 127.88.0.41\nweb2,127.88.0.42\n", ["127.88.0.41", "127.88.0.42"]),
    ],
)
async def test_a_list_is_understood_before_it_is_added(
    opened: Opened, site: Site, text: str, addresses: list[str]
) -> None:
    async with opened(bench(site)) as pilot:
        before = nodes(pilot)
        dialog = await paste(pilot, text)
        await until(pilot, lambda: len(dialog._read.nodes) == len(addresses))
        assert nodes(pilot) == before
        await press(pilot, "f2")
        assert [address for _, address in nodes(pilot)[len(before) :]] == addresses
        await press(pilot, "u")
        assert nodes(pilot) == before


async def test_a_path_stands_for_the_file_there(opened: Opened, site: Site, tmp_path: Path) -> None:
    file = tmp_path / "hosts.ini"
    file.write_text(
        "[kube_control_plane]\nweb1 ansible_host=127.88.0.41 ansible_ssh_pass=Secret1\n[all:vars]\n"
        "kube_pods_subnet=10.99.0.0/16\n"
    )
    async with opened(bench(site)) as pilot:
        before = nodes(pilot)
        dialog = await paste(pilot, str(file))
        await until(pilot, lambda: len(dialog._read.nodes) == 1)
        assert "Secret1" not in repr(dialog._read)
        await press(pilot, "f2")
        await until(pilot, lambda: nodes(pilot) != before)
        assert nodes(pilot) == [*before, ("web1", "127.88.0.41")]
        data = workbench_of(pilot).draft.data
        assert data["kubernetes"]["pod_cidr"] == "10.99.0.0/16"
        assert data["nodes"][-1]["roles"] == ["control-plane", "etcd"]
        dialog = await paste(pilot, str(tmp_path / "absent"))
        await until(pilot, lambda: dialog._read.refused == 1)
        await press(pilot, "f2")
        assert isinstance(pilot.app.screen, PasteDialog)


async def test_garbage_adds_nothing(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        before = nodes(pilot)
        dialog = await paste(pilot, "\x1b[2J\x1b]0;evil\x07;;;\x00\n<html>\n%$§!\n" + "z" * 1_000_000)
        await until(pilot, lambda: bool(dialog._read.refused))
        assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in program(pilot).text_on_screen())
        await press(pilot, "f2", "escape")
        assert nodes(pilot) == before


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (120, 40)])
async def test_a_full_dialog_shows_what_it_refuses_and_its_keys(
    opened: Opened, site: Site, size: tuple[int, int]
) -> None:
    async with opened(bench(site), size=size) as pilot:
        dialog = await paste(pilot, "hello world; n9 127.77.0.300, 127.77.0.11-13\n" * 6)
        await until(pilot, lambda: bool(dialog._read.refused))
        await press(pilot, "f2")
        await drawn(pilot)
        seen = " ".join(program(pilot).text_on_screen().replace("│", " ").split())
        assert "No server was recognised." in seen
        assert "press Esc." in seen
        assert "F2 add" in seen


async def test_ten_thousand_lines_do_not_stand_in_the_way_of_keys(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        dialog = await paste(pilot, "".join(f"n{n} 127.{n // 250 % 250}.{n % 250}.7\n" for n in range(10_000)))
        begin = time.monotonic()
        await press(pilot, "end", "home", "down")
        assert time.monotonic() - begin < 5.0
        await until(pilot, lambda: bool(dialog._read.nodes), 20.0)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, NodesScreen)


# --- servers asked ---------------------------------------------------------------------------------------------


async def test_rows_say_what_servers_answered(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        spec = workbench.draft.spec
        assert spec is not None
        others = {
            "server2": denied("server2", "127.88.0.12"),
            "server3": key_unknown("server3", "127.88.0.13"),
            "agent1": key_changed("agent1", "127.88.0.21"),
        }
        show_live(workbench, answered(spec, others=others))
        await drawn(pilot)
        table = "\n".join(screen_of(pilot).query_one(NodeTable).text_lines)
        assert "debian 12" in table
        await press(pilot, "down")
        assert "takes neither" in detail(pilot) or "refused" in detail(pilot)
        await press(pilot, "down")
        assert "Press t" in detail(pilot)
        await press(pilot, "down")
        assert "RBD-SSH-006" in detail(pilot)


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Takes connections on loopback and never says a word; its port."""

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await listen(keep, "127.88.0.11", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_servers_that_hang_take_no_letter(opened: Opened, site: Site) -> None:
    async with silent_server() as port:
        text = site.spec_file.read_text().replace("ssh:", f"ssh:\n  port: {port}", 1)
        site.spec_file.write_text(text)
        workbench = bench(site, ask_servers=True)
        async with opened(workbench) as pilot:
            await until(pilot, lambda: workbench.live.busy)
            wanted = "a-name-that-is-typed-while-nobody-answers"
            begin = time.monotonic()
            await press(pilot, "enter", "ctrl+u", *keys_of(wanted))
            assert screen_of(pilot).query_one(CellLine).value == wanted
            await press(pilot, "enter")
            assert nodes(pilot)[0][0] == wanted
            assert time.monotonic() - begin < 10.0
            assert workbench.live.busy


def scanned(pilot: Pilot[int], hosts: int) -> bool:
    """Whether that many have shown their keys."""
    dialog = pilot.app.screen
    return isinstance(dialog, TrustDialog) and len(dialog._hosts) == hosts and not dialog._scanning


async def test_new_keys_are_trusted_and_a_changed_one_is_not(opened: Opened, home: Path) -> None:
    async with SimulatedFleet(3, speed=20.0) as fleet:
        site = write_demo_site(home / "fleet", fleet)
        workbench = bench(site, ask_servers=True, simulated=True)

        def states() -> set[LiveState]:
            return {node.state for node in workbench.live.nodes.values()}

        async with opened(workbench) as pilot:
            await until(pilot, lambda: states() == {LiveState.KEY_UNKNOWN}, 20.0)
            await press(pilot, "T")
            await until(pilot, lambda: scanned(pilot, 3), 20.0)
            await press(pilot, "y")
            await until(pilot, lambda: states() == {LiveState.OK}, 20.0)
            await until(pilot, lambda: "debian 12" in "\n".join(screen_of(pilot).query_one(NodeTable).text_lines))

            first = next(iter(fleet.stations))
            fleet.change_host_key(first)
            await press(pilot, "g")
            await until(pilot, lambda: workbench.live.nodes[first].state is LiveState.KEY_CHANGED, 20.0)
            await press(pilot, "T")
            await until(pilot, lambda: scanned(pilot, 3), 20.0)
            await press(pilot, "y", "escape")
            assert workbench.live.nodes[first].state is LiveState.KEY_CHANGED


async def test_no_key_is_confirmed_that_was_not_on_the_screen(opened: Opened, home: Path) -> None:
    async with SimulatedFleet(24, speed=20.0) as fleet:
        site = write_demo_site(home / "fleet", fleet)
        async with opened(bench(site, ask_servers=True, simulated=True)) as pilot:
            await press(pilot, "T")
            await until(pilot, lambda: scanned(pilot, 24), 20.0)
            dialog = pilot.app.screen
            assert isinstance(dialog, TrustDialog)
            keys = dialog.query_one("#keys", VerticalScroll)
            wanted = {key.fingerprint for key in dialog._seen}
            read: set[str] = set()
            for _ in range(20):
                await settled(pilot)
                whole = dialog._page.plain.splitlines()
                top = keys.scroll_offset.y
                read |= {word for line in whole[top : top + keys.size.height] for word in line.split()} & wanted
                assert not site.known_hosts_file.exists()
                assert isinstance(pilot.app.screen, TrustDialog)
                if read == wanted:
                    break
                await press(pilot, "y")
            assert read == wanted
            await press(pilot, "y")
            await until(pilot, lambda: site.known_hosts_file.exists() and pilot.app.screen is not dialog)


async def test_a_jump_to_the_end_is_not_reading(opened: Opened, home: Path) -> None:
    async with SimulatedFleet(24, speed=20.0) as fleet:
        site = write_demo_site(home / "fleet", fleet)
        async with opened(bench(site, ask_servers=True, simulated=True)) as pilot:
            await press(pilot, "T")
            await until(pilot, lambda: scanned(pilot, 24), 20.0)
            await press(pilot, "end", "y", "enter")
            assert isinstance(pilot.app.screen, TrustDialog)
            assert not site.known_hosts_file.exists()


async def test_a_login_of_its_own(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await press(pilot, "down", "l")
        assert isinstance(pilot.app.screen, LoginDialog)
        await press(pilot, *keys_of("ops"), "escape")
        _, node = nodes_in(workbench_of(pilot).draft.data)[1]
        assert field_of(node, "ssh.user") == "ops"
        await press(pilot, "u")
        await settled(pilot)
        _, node = nodes_in(workbench_of(pilot).draft.data)[1]
        assert field_of(node, "ssh.user") == ""


@pytest.mark.parametrize("mark", ["…", "~"])
async def test_a_long_path_of_the_sites_key_is_seen_by_its_end(opened: Opened, home: Path, mark: str) -> None:
    site = make_site(home / ("a-long-name-" * 6))
    async with opened(bench(site), ascii_only=mark == "~") as pilot:
        await press(pilot, "l")
        await settled(pilot)
        assert "name-/key" in program(pilot).text_on_screen()
        assert f"default: {mark}" in program(pilot).text_on_screen()


async def test_a_finding_leads_to_its_cell(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        program(pilot).show_section(NODES, "nodes[2].address")
        await settled(pilot)
        table = screen_of(pilot).query_one(NodeTable)
        assert (table.row, table.column) == (2, "address")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("127.88.0.11", [("node1", "127.88.0.11")]),
        ("ops@127.88.0.11:2222", [("node1", "127.88.0.11")]),
        ("127.88.0.11-13", [("node1", "127.88.0.11"), ("node2", "127.88.0.12"), ("node3", "127.88.0.13")]),
    ],
)
async def test_an_address_typed_for_a_new_name_is_the_address(
    opened: Opened, home: Path, typed: str, expected: list[tuple[str, str]]
) -> None:
    async with opened(bench(make_site(home / "new", EMPTY))) as pilot:
        keys = [{":": "colon", "@": "at"}.get(key, key) for key in keys_of(typed)]
        await press(pilot, "a", *keys)
        screen_of(pilot)._judge()
        assert nodes(pilot)[0][0] == "node1"
        assert not workbench_of(pilot).draft.findings_at("nodes[0].name")
        await press(pilot, "enter")
        assert nodes(pilot) == expected
        assert screen_of(pilot).query_one(NodeTable).column == "address"
        assert not screen_of(pilot).query_one(CellLine).display
        await press(pilot, "u")
        assert nodes(pilot) == [("node1", "")]


async def test_a_change_taken_back_is_made_again(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        before = nodes(pilot)
        await press(pilot, "d", "d", "u", "u")
        assert nodes(pilot) == before
        await press(pilot, "U")
        assert nodes(pilot) == before[1:]
        await press(pilot, "U", "U", "U")
        assert nodes(pilot) == before[2:]
        await press(pilot, "a", "escape", "U")
        assert nodes(pilot) == before[2:]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
@pytest.mark.parametrize("column", ["name", "address"])
async def test_a_field_over_a_cell_leaves_no_part_of_its_neighbours(
    opened: Opened, site: Site, size: tuple[int, int], column: str
) -> None:
    workbench = bench(site)
    async with opened(workbench, size=size) as pilot:
        spec = workbench.draft.spec
        assert spec is not None
        show_live(workbench, answered(spec))
        await drawn(pilot)
        table, line = screen_of(pilot).table, screen_of(pilot).query_one(CellLine)
        table.put_cursor(1, column)
        await press(pilot, "e")
        left, right = line.region.x - table.region.x, line.region.right - table.region.x
        cells = [(x, x + each.wanted) for x, each in table._starts()]
        assert all(end <= left + 1 or start >= right - 1 or (left < start and end < right) for start, end in cells)


@pytest.mark.parametrize(("count", "said"), [(1, "1 node "), (2, "2 nodes")])
async def test_the_head_counts_nodes_as_people_do(opened: Opened, site: Site, count: int, said: str) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        workbench.change(lambda data: data["nodes"].__setitem__(slice(None), data["nodes"][:count]))
        await drawn(pilot)
        assert said in program(pilot).text_on_screen().splitlines()[0]
