"""Two screens on one site: their changes come together, their drafts stay apart, and nothing is lost."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.spec.edit import EditError
from rbdtui.workbench.draft.draft_file import MOST_SCREENS, DraftFile
from rbdtui.workbench.draft.merging import merge
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.site_list import make_site
from rbdtui.workbench.workbench import Workbench

BASE: dict[str, Any] = {
    "name": "site-a",
    "ssh": {"user": "ops", "port": 22},
    "nodes": [{"name": "node1", "address": "10.0.0.11"}, {"name": "node2", "address": "10.0.0.12"}],
}
PLANS = st.dictionaries(
    st.sampled_from(["name", "ssh", "nodes", "bundle"]),
    st.one_of(
        st.integers(0, 2),
        st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)),
        st.lists(st.sampled_from("abc"), unique=True).map(lambda names: [{"name": name, "x": 1} for name in names]),
    ),
)


def changed(path: str, value: object) -> dict[str, Any]:
    """The base with one value put or, for None, taken out."""
    data = copy.deepcopy(BASE)
    *steps, last = path.split(".")
    inner: Any = data
    for step in steps:
        inner = inner[int(step) if step.isdigit() else step]
    key: Any = int(last) if last.isdigit() else last
    if value is None:
        del inner[key]
    else:
        inner[key] = value
    return data


@pytest.mark.parametrize(
    ("mine", "theirs", "expected", "contested"),
    [
        (("name", "b"), ("ssh.port", 2222), {"name": "b", "ssh": {"user": "ops", "port": 2222}}, ()),
        (("ssh.user", "root"), ("ssh.port", 2222), {"ssh": {"user": "root", "port": 2222}}, ()),
        (("ssh.port", 1), ("ssh.port", 2), {"ssh": {"user": "ops", "port": 1}}, ("ssh.port",)),
        (("ssh.port", 7), ("ssh.port", 7), {"ssh": {"user": "ops", "port": 7}}, ()),
        (("ssh.port", None), ("name", "b"), {"name": "b", "ssh": {"user": "ops"}}, ()),
        (("ssh.port", None), ("ssh.port", 2), {"ssh": {"user": "ops"}}, ("ssh.port",)),
        (
            ("nodes.1.address", "10.0.0.99"),
            ("nodes.0", None),
            {"nodes": [{"name": "node2", "address": "10.0.0.99"}]},
            (),
        ),
        (
            ("nodes.0.address", "10.0.0.98"),
            ("nodes.1.address", "10.0.0.99"),
            {"nodes": [{"name": "node1", "address": "10.0.0.98"}, {"name": "node2", "address": "10.0.0.99"}]},
            (),
        ),
        (
            ("nodes.0.name", "first"),
            ("nodes.1.address", "10.0.0.99"),
            {"nodes": [{"name": "first", "address": "10.0.0.11"}, {"name": "node2", "address": "10.0.0.99"}]},
            (),
        ),
        (("nodes.0", None), ("nodes.0.address", "x"), {"nodes": [BASE["nodes"][1]]}, ("nodes.node1",)),
    ],
)
def test_both_sides_count(
    mine: tuple[str, object], theirs: tuple[str, object], expected: dict[str, object], contested: tuple[str, ...]
) -> None:
    merged = merge(BASE, changed(*mine), changed(*theirs))
    assert merged.data == {**BASE, **expected}
    assert merged.contested == contested


@given(base=PLANS, mine=PLANS)
def test_what_only_one_side_changed_is_taken(base: dict[str, Any], mine: dict[str, Any]) -> None:
    for merged in (merge(base, mine, base), merge(base, base, mine), merge(base, mine, mine)):
        assert merged.data == mine
        assert merged.contested == ()


@given(base=PLANS, mine=PLANS, theirs=PLANS)
def test_the_same_fields_are_contested_from_either_side(
    base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    one, other = merge(base, mine, theirs), merge(base, theirs, mine)
    assert set(one.contested) == set(other.contested)
    assert one.contested or sorted(map(repr, one.data)) == sorted(map(repr, other.data))


def test_every_screen_has_a_file_of_its_own(tmp_path: Path) -> None:
    first, second = DraftFile.take(tmp_path), DraftFile.take(tmp_path)
    third = DraftFile.take(tmp_path)
    assert [file.path.name for file in (first, second, third)] == ["draft.json", "draft-2.json", "draft-3.json"]
    assert [file.others for file in (first, second, third)] == [False, True, True]
    first.release()
    assert DraftFile.take(tmp_path).path.name == "draft.json"


def test_work_that_was_left_is_found_whichever_screen_left_it(tmp_path: Path) -> None:
    first, second = DraftFile.take(tmp_path), DraftFile.take(tmp_path)
    second.path.write_text("{}")
    first.release()
    second.release()
    again = DraftFile.take(tmp_path)
    assert again.path == second.path
    assert not again.others


def test_where_no_lock_can_be_made_the_draft_is_kept_all_the_same(tmp_path: Path) -> None:
    taken = DraftFile.take(tmp_path / "absent")
    assert taken.path.name == "draft.json"
    taken.release()


def test_no_number_of_screens_is_too_many(tmp_path: Path) -> None:
    files = [DraftFile.take(tmp_path) for _ in range(MOST_SCREENS + 2)]
    assert files[-1].path.parent == tmp_path
    for file in files:
        file.release()


@pytest.fixture
def screens(tmp_path: Path) -> Any:
    site = make_site(tmp_path / "site", name="site-a", profile="kubernetes-only")
    pair = [Workbench.open(site.path, HeldPassphrase(), ask_servers=False) for _ in range(2)]
    yield pair
    for workbench in pair:
        workbench.close()


def test_who_saves_second_gets_both_together_and_is_told(screens: tuple[Workbench, Workbench]) -> None:
    one, other = screens
    assert (one.open_elsewhere, other.open_elsewhere) == (False, True)
    one.change(lambda data: data.update(name="one"))
    other.change(lambda data: data.update(bundle="/other"))
    one.keep_now()
    other.keep_now()
    assert sorted(path.name for path in one.site.path.glob("draft*.json")) == ["draft-2.json", "draft.json"]
    one.save()
    with pytest.raises(EditError) as caught:
        other.save()
    assert caught.value.text.key == "draft.together"
    assert other.draft.data["name"] == "one"
    assert "bundle: /other" in other.save()
    text = other.site.spec_file.read_text(encoding="utf-8")
    assert "name: one" in text
    assert "bundle: /other" in text


def test_a_field_that_both_changed_is_named_and_undo_brings_back_what_was(
    screens: tuple[Workbench, Workbench],
) -> None:
    one, other = screens
    one.change(lambda data: data.update(name="one"))
    other.change(lambda data: data.update(name="two"))
    one.save()
    with pytest.raises(EditError) as caught:
        other.save()
    assert caught.value.text.key == "draft.contested"
    assert "name" in str(caught.value.text)
    assert other.draft.data["name"] == "two"
    other.read_again()
    assert other.draft.data["name"] == "one"
    assert other.undo()
    assert other.draft.data["name"] == "two"


def test_a_damaged_file_is_never_taken_up(screens: tuple[Workbench, Workbench]) -> None:
    one, _ = screens
    one.change(lambda data: data.update(name="one"))
    one.site.spec_file.write_text("name: [\n")
    assert one.take_up_file() is None
    with pytest.raises(EditError) as caught:
        one.save()
    assert caught.value.text.key == "edit.changed_meanwhile"
    assert one.draft.data["name"] == "one"


def test_the_locks_do_not_outlive_their_process(tmp_path: Path) -> None:
    program = "import os, sys, pathlib; from rbdtui.workbench.draft.draft_file import DraftFile; "
    program += "DraftFile.take(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == -9
    assert (tmp_path / "draft.lock").exists()
    assert not DraftFile.take(tmp_path).others
