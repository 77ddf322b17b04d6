"""Undo of a draft: one step for each intention, however many letters it took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rbdtui.workbench.draft.draft import Data, Draft
from rbdtui.workbench.site_list import make_site


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    draft = Draft.open(make_site(tmp_path / "site", name="site-a", profile="kubernetes-only"))
    assert draft is not None
    return draft


def type_into(draft: Draft, key: str, *states: str, merge: str) -> None:
    for state in states:

        def put(data: Data, state: str = state) -> None:
            data[key] = state

        draft.change(put, merge=merge)


@pytest.mark.parametrize(
    "data",
    ['{"nodes": ' + "[" * 900 + "]" * 900 + "}", '{"nodes": 1e999}', '{"name": NaN}', "[]", "{"],
    ids=["deep", "huge", "no number", "a list", "half"],
)
def test_a_draft_that_nobody_could_have_typed_is_left_alone(draft: Draft, data: str) -> None:
    (draft.site.path / "draft.json").write_text(f'{{"text": {json.dumps(draft.saved_text)}, "data": {data}}}')
    again = Draft.open(draft.site)
    assert again is not None
    assert again.data == draft.data
    assert not again.recovered


def test_letters_of_one_word_are_undone_together(draft: Draft) -> None:
    before = dict(draft.data)
    type_into(draft, "name", "n", "ne", "new", merge="name")
    type_into(draft, "bundle", "/b", "/bu", merge="bundle")
    assert draft.undo()
    assert draft.data == {**before, "name": "new"}
    assert draft.undo()
    assert draft.data == before
    assert not draft.undo()


def test_a_word_typed_again_after_undo_is_a_step_of_its_own(draft: Draft) -> None:
    before = dict(draft.data)
    type_into(draft, "name", "one", merge="name")
    draft.undo()
    type_into(draft, "name", "two", merge="name")
    assert draft.undo()
    assert draft.data == before


def test_what_is_typed_and_taken_back_leaves_no_step(draft: Draft) -> None:
    type_into(draft, "name", "x", "xy", "site-a", merge="name")
    assert not draft.can_undo
    assert not draft.dirty


def test_changes_without_a_mark_are_single_steps(draft: Draft) -> None:
    type_into(draft, "name", "one", "two", merge="")
    draft.undo()
    assert draft.data["name"] == "one"


def test_what_was_taken_back_is_made_again_step_by_step(draft: Draft) -> None:
    states = [dict(draft.data)]
    for name in ("one", "two", "three"):
        type_into(draft, "name", name, merge="")
        states.append(dict(draft.data))
    assert not draft.can_redo
    for state in reversed(states[:-1]):
        assert draft.undo()
        assert draft.data == state
    for state in states[1:]:
        assert draft.redo()
        assert draft.data == state
    assert not draft.redo()


def test_another_change_ends_what_could_be_made_again(draft: Draft) -> None:
    type_into(draft, "name", "one", merge="")
    draft.undo()
    type_into(draft, "name", "other", merge="")
    assert not draft.can_redo
    assert not draft.redo()
    assert draft.data["name"] == "other"


def test_a_change_taken_back_for_good_cannot_be_made_again(draft: Draft) -> None:
    type_into(draft, "name", "one", merge="")
    draft.undo(for_good=True)
    assert not draft.redo()


def test_a_word_typed_behind_a_redo_is_a_step_of_its_own(draft: Draft) -> None:
    type_into(draft, "name", "one", merge="name")
    draft.undo()
    draft.redo()
    type_into(draft, "name", "two", merge="name")
    draft.undo()
    assert draft.data["name"] == "one"


def test_what_was_made_again_outlives_a_crash(draft: Draft) -> None:
    type_into(draft, "name", "one", merge="")
    draft.undo()
    draft.redo()
    content = draft.to_keep()
    assert content
    draft.write_kept(content)
    again = Draft.open(draft.site)
    assert again is not None
    assert again.data["name"] == "one"
