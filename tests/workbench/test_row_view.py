"""What is seen of a list of servers, in which order, and which servers marks stay on."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import pytest

from rbdtui.workbench.draft import operations
from rbdtui.workbench.draft.cell_edit import CellEdit
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import field_of, nodes_in
from rbdtui.workbench.live.node_rows import Mark
from rbdtui.workbench.roles import roles_of, toggle_roles
from rbdtui.workbench.row_view import ListedRow, Order, RowView, moved_places, natural

NAMES = ("web10", "web2", "DB1", "web1", "cache")
ADDRESSES = ("10.0.0.9", "10.0.0.10", "10.0.1.1", "9.9.9.9", "no address")
MARKS = (Mark.OK, Mark.WARNING, Mark.BUSY, Mark.ERROR, Mark.NONE)
ROWS = [ListedRow(place, NAMES[place], ADDRESSES[place], MARKS[place]) for place in range(5)]


def text_of(place: int) -> str:
    return f"{NAMES[place]} {ADDRESSES[place]} root worker"


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("  ", [0, 1, 2, 3, 4]),
        ("web", [0, 1, 3]),
        ("WEB 10.0.0", [0, 1]),
        ("db1", [2]),
        ("ｗｅｂ２", [1]),
        ("10.0.0.9 root", [0]),
        ("root nobody", []),
        ("[", []),
        (".*", []),
        ("\\", []),
    ],
)
def test_all_words_have_to_stand_there(query: str, places: list[int]) -> None:
    assert RowView(query=query).seen(ROWS, text_of) == places


@pytest.mark.parametrize(
    ("order", "places"),
    [
        (Order.FILE, [0, 1, 2, 3, 4]),
        (Order.WORST, [3, 1, 0, 2, 4]),
        (Order.NAME, [4, 2, 3, 1, 0]),
        (Order.ADDRESS, [3, 0, 1, 2, 4]),
    ],
)
def test_rows_are_sorted(order: Order, places: list[int]) -> None:
    assert RowView(order=order).seen(ROWS, text_of) == places


def test_only_problems_leaves_out_what_is_well_or_still_asked() -> None:
    view = RowView(problems_only=True)
    assert view.seen(ROWS, text_of) == [1, 3]
    assert view.seen(ROWS, text_of, keep=4) == [1, 3, 4]


@pytest.mark.parametrize("names", [["node10", "node2", "node02x", "Node1", "10", "9", "", "节点2", "节点10", "n²"]])
def test_names_are_sorted_by_their_numbers(names: list[str]) -> None:
    ordered = sorted(names, key=natural)
    assert [ordered.index(name) for name in ("Node1", "node2", "node10")] == sorted(
        ordered.index(name) for name in ("Node1", "node2", "node10")
    )
    assert ordered.index("9") < ordered.index("10")
    assert ordered.index("节点2") < ordered.index("节点10")


def test_all_that_are_shown_are_marked_or_none_of_them() -> None:
    view = RowView(marked={7})
    view.toggle_all([0, 1])
    assert view.marked == {0, 1, 7}
    view.toggle_all([0, 1, 7])
    assert view.marked == set()


# --- servers that come, go and change --------------------------------------------------------------------------


def data_of(*nodes: tuple[str, str]) -> Data:
    return {"nodes": [{"name": name, "address": address} for name, address in nodes]}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([("a", "1"), ("b", "2")], [("b", "2")], {1: 0}),
        ([("a", "1"), ("b", "2")], [("x", "9"), ("a", "1"), ("b", "2")], {0: 1, 1: 2}),
        ([("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")], {0: 1, 1: 0}),
        ([("a", "1"), ("b", "2")], [("renamed", "1"), ("b", "2")], {0: 0, 1: 1}),
        ([("a", "1"), ("b", "2")], [("b", "1"), ("b", "2")], {0: 0, 1: 1}),
        ([("a", ""), ("b", "")], [("a", ""), ("c", "")], {0: 0, 1: 1}),
        ([("a", "1"), ("a", "1")], [("a", "1"), ("a", "1")], {0: 0, 1: 1}),
        ([("a", "1"), ("a", "1"), ("b", "2")], [("a", "1"), ("b", "2")], {2: 1}),
        ([("a", "1")], [("z", "9")], {}),
        ([], [("z", "9")], {}),
    ],
)
def test_a_server_is_found_again_or_let_go(
    before: list[tuple[str, str]], after: list[tuple[str, str]], expected: dict[int, int]
) -> None:
    def known(nodes: list[tuple[str, str]]) -> list[tuple[int, str, str]]:
        return [(place, *node) for place, node in enumerate(nodes)]

    assert moved_places(known(before), known(after)) == expected


def test_marks_stay_on_their_servers() -> None:
    data = data_of(("a", "1"), ("b", "2"), ("c", "3"))
    view = RowView()
    view.follow(data)
    view.marked = {1, 2}
    operations.remove_nodes(data, [0])
    view.follow(data)
    assert view.marked == {0, 1}
    operations.duplicate_node(data, 0)
    view.follow(data)
    assert view.marked == {0, 2}
    operations.remove_nodes(data, [0])
    view.follow(data)
    assert view.marked == {1}


# --- several servers at once -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "text", "value"), [("user", "ops", "ops"), ("port", "2222", 2222), ("port", "x", "x")]
)
def test_a_column_is_edited_for_several_and_given_up_for_all(column: str, text: str, value: object) -> None:
    data = data_of(("a", "1"), ("b", "2"), ("c", "3"))
    data["nodes"][2]["ssh"] = {"user": "root", "port": 22}
    before = copy.deepcopy(data["nodes"])
    edit = CellEdit.begin(data, [0, 2], column, "", added=False, number=1)
    edit.put(data, text)
    assert [node.get("ssh", {}).get(column) for node in data["nodes"]] == [value, None, value]
    edit.give_up(data)
    assert data["nodes"] == before


def test_an_edit_stays_with_its_servers_and_ends_with_one_of_them() -> None:
    data = data_of(("a", "1"), ("b", "2"), ("c", "3"))
    edit = CellEdit.begin(data, [1, 2], "user", "", added=False, number=1)
    assert edit.moved({1: 0, 2: 1})
    operations.remove_nodes(data, [0])
    edit.put(data, "ops")
    edit.give_up(data)
    assert data == data_of(("b", "2"), ("c", "3"))
    assert not edit.moved({0: 0})


@pytest.mark.parametrize(
    ("held", "after"), [([["etcd"], [], ["etcd"]], True), ([["etcd"], ["etcd"], ["etcd"]], False), ([[], [], []], True)]
)
def test_a_role_is_the_same_for_all_that_are_meant(held: list[list[str]], after: bool) -> None:
    data: Data = {"nodes": [{"name": str(place), "roles": [*roles]} for place, roles in enumerate([*held, ["worker"]])]}
    toggle_roles(data, [0, 1, 2], "etcd")
    assert ["etcd" in roles_of(node) for _, node in nodes_in(data)] == [after, after, after, False]


def test_whatever_is_searched_sorted_marked_and_changed_only_marked_servers_change() -> None:
    """Servers carry a number that nothing here changes, by which they are known whatever else becomes of them."""
    for seed in range(150):
        dice = random.Random(seed)
        data: Data = {
            "nodes": [
                {"name": f"n{n % 7}" if n % 5 == 0 else f"n{n}", "address": f"10.0.0.{n}", "id": n} for n in range(12)
            ]
        }
        view, marked = RowView(), set[int]()
        view.follow(data)

        def ids(places: list[int], data: Data = data) -> set[int]:
            return {node["id"] for place, node in nodes_in(data) if place in places}  # type: ignore[misc]

        for _ in range(30):
            listed = [
                ListedRow(place, field_of(node, "name"), field_of(node, "address"), dice.choice(list(Mark)))
                for place, node in nodes_in(data)
            ]
            names = {row.index: row.name for row in listed}
            shown = view.seen(listed, names.__getitem__)
            before = {node["id"]: repr(node) for _, node in nodes_in(data)}
            meant = _step(dice, view, data, shown, marked, ids)
            view.follow(data)
            after = {node["id"]: repr(node) for _, node in nodes_in(data) if "id" in node}
            changed = {number for number, text in before.items() if after.get(number) != text}
            assert changed <= meant
            assert ids(sorted(view.marked)) <= marked


def _step(
    dice: random.Random,
    view: RowView,
    data: Data,
    shown: list[int],
    marked: set[int],
    ids: Callable[[list[int]], set[int]],
) -> set[int]:
    """One thing that an operator does; the numbers of the servers that it may change."""
    what = dice.randrange(7)
    if what == 0:
        view.query = dice.choice(["", "n1", "n", "3", "zz"])
    elif what == 1:
        view.next_order()
    elif what == 2:
        view.problems_only = not view.problems_only
    elif what == 3 and shown:
        place = dice.choice(shown)
        marked ^= ids([place])
        view.toggle(place)
        marked &= ids(sorted(view.marked))
    elif what == 4:
        meant = ids(sorted(view.marked))
        edit = CellEdit.begin(data, sorted(view.marked), "user", "", added=False, number=1)
        edit.put(data, dice.choice(["ops", "root", ""]))
        return meant
    elif what == 5 and len(view.marked) < 3:
        meant = ids(sorted(view.marked))
        operations.remove_nodes(data, view.marked)
        return meant
    elif what == 6 and shown:
        place = dice.choice(shown)
        meant = ids([place])
        operations.put_in_node(data, place, "name", f"n{dice.randrange(20)}")
        return meant
    return set()
