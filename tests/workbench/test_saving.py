"""From a draft to edits of cluster.yaml: the file means what the draft means, and keeps its comments."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rbdtui.paths import asset
from rbdtui.site import Site
from rbdtui.spec.edit import EditError, apply_edits
from rbdtui.spec.loader import parse_spec
from rbdtui.workbench.draft.draft import DRAFT_NAME, Draft
from rbdtui.workbench.draft.saving import edits_between

Data = dict[str, Any]
EXAMPLE = asset("examples", "three-node.yaml").read_text(encoding="utf-8")


def data_of(text: str) -> Data:
    data = parse_spec(text).data
    assert data is not None
    return copy.deepcopy(dict(data))


def add_node(data: Data, name: str) -> None:
    data.setdefault("nodes", []).append({"name": name, "address": "10.0.0.99", "roles": ["worker"]})


def drop_node(data: Data, index: int) -> None:
    nodes = data.get("nodes", [])
    if len(nodes) > 1:
        del nodes[index % len(nodes)]


def change_node(data: Data, index: int, field: str, value: object) -> None:
    nodes = data.get("nodes", [])
    if nodes:
        nodes[index % len(nodes)][field] = value


def swap_nodes(data: Data, index: int) -> None:
    nodes = data.get("nodes", [])
    if len(nodes) > 1:
        first = index % (len(nodes) - 1)
        nodes[first], nodes[first + 1] = nodes[first + 1], nodes[first]


def put(data: Data, section: str, field: str, value: object) -> None:
    data.setdefault(section, {})[field] = value


def drop(data: Data, section: str, field: str) -> None:
    data.get(section, {}).pop(field, None)


NAMES = st.sampled_from(["node1", "node2", "node4", "a", "节点", "x: y", "#", "'"])
VALUES = st.one_of(
    st.sampled_from(["10.0.0.7", "", "a # b", "true", "0644", "多"]), st.integers(0, 70000), st.booleans()
)
INDEX = st.integers(0, 9)
OPERATIONS = st.one_of(
    st.builds(lambda n: lambda d: add_node(d, n), NAMES),
    st.builds(lambda i: lambda d: drop_node(d, i), INDEX),
    st.builds(lambda i, v: lambda d: change_node(d, i, "address", v), INDEX, VALUES),
    st.builds(lambda i, v: lambda d: change_node(d, i, "name", v), INDEX, NAMES),
    st.builds(lambda i, v: lambda d: change_node(d, i, "roles", v), INDEX, st.just(["worker", "gateway"])),
    st.builds(lambda i, v: lambda d: change_node(d, i, "ssh", {"port": v}), INDEX, st.integers(1, 9)),
    st.builds(lambda i: lambda d: swap_nodes(d, i), INDEX),
    st.builds(lambda s, f, v: lambda d: put(d, s, f, v), st.sampled_from(["ssh", "gateway"]), st.just("user"), VALUES),
    st.builds(lambda v: lambda d: put(d, "gateway", "vip", v), VALUES),
    st.builds(lambda f: lambda d: drop(d, "ssh", f), st.sampled_from(["user", "port", "key"])),
    st.builds(lambda v: lambda d: d.__setitem__("name", v), NAMES),
)


def without_empty(data: object) -> object:
    """A section that has nothing left is as good as none."""
    if isinstance(data, dict):
        return {key: below for key, value in data.items() if (below := without_empty(value)) != {}}
    return [without_empty(item) for item in data] if isinstance(data, list) else data


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(OPERATIONS, min_size=1, max_size=6))
def test_the_saved_file_means_what_the_draft_means(operations: list[Callable[[Data], None]]) -> None:
    before = data_of(EXAMPLE)
    after = copy.deepcopy(before)
    for operation in operations:
        operation(after)
    text = apply_edits(EXAMPLE, edits_between(before, after))
    assert without_empty(data_of(text)) == without_empty(after)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda d: change_node(d, 1, "address", "10.0.0.77"), 1),
        (lambda d: change_node(d, 1, "name", "other"), 1),
        (lambda d: put(d, "gateway", "vip", "10.0.0.200/24"), 1),
        (lambda d: drop(d, "ssh", "port"), 1),
        (lambda d: put(d["kubernetes"], "api", "mode", "first-server"), 1),
        (lambda d: add_node(d, "node4"), 3),
        (lambda d: drop_node(d, 1), 3),
    ],
)
def test_only_the_lines_of_a_change_are_touched(change: Callable[[Data], None], lines: int) -> None:
    before = data_of(EXAMPLE)
    after = copy.deepcopy(before)
    change(after)
    old, new = EXAMPLE.splitlines(), apply_edits(EXAMPLE, edits_between(before, after)).splitlines()
    touched = max(len([line for line in old if line not in new]), len([line for line in new if line not in old]))
    assert 0 < touched <= lines
    assert sum("#" in line for line in new) >= sum("#" in line for line in old) - lines


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    site = Site.create(tmp_path / "site-a")
    site.spec_file.write_text(EXAMPLE, encoding="utf-8")
    draft = Draft.open(site)
    assert draft is not None
    return draft


def reopened(draft: Draft) -> Draft:
    again = Draft.open(draft.site)
    assert again is not None
    return again


def keep(draft: Draft) -> None:
    content = draft.to_keep()
    if content is not None:
        draft.write_kept(content)


def test_save_writes_the_file_keeps_a_backup_and_tells_the_difference(draft: Draft) -> None:
    draft.change(lambda d: d["nodes"][0].update(address="10.0.0.55"))
    announced = draft.preview_save()
    diff = draft.save()
    assert diff == announced
    assert "+    address: 10.0.0.55" in diff
    assert draft.site.spec_file.with_name("cluster.yaml.bak").read_text(encoding="utf-8") == EXAMPLE
    assert not draft.dirty
    assert draft.save() == ""
    assert reopened(draft).data == draft.data


def test_unsaved_work_is_found_again_and_saving_forgets_it(draft: Draft) -> None:
    draft.change(lambda d: d.update(name="other"))
    keep(draft)
    again = reopened(draft)
    assert again.recovered
    assert again.data["name"] == "other"
    again.save()
    assert not (draft.site.path / DRAFT_NAME).exists()
    assert not reopened(draft).recovered


def test_unsaved_work_stands_on_top_of_a_file_that_has_become_another(draft: Draft) -> None:
    draft.change(lambda d: d.update(name="other"))
    keep(draft)
    draft.site.spec_file.write_text(EXAMPLE.replace("10.0.0.11", "10.0.0.31"), encoding="utf-8")
    again = reopened(draft)
    assert again.recovered
    assert again.data["name"] == "other"
    assert again.data["nodes"][0]["address"] == "10.0.0.31"
    diff = again.save()
    assert "+name: other" in diff
    assert "10.0.0" not in diff


def test_a_file_that_changed_meanwhile_is_not_overwritten(draft: Draft) -> None:
    draft.change(lambda d: d.update(name="other"))
    theirs = EXAMPLE.replace("10.0.0.11", "10.0.0.31")
    draft.site.spec_file.write_text(theirs, encoding="utf-8")
    with pytest.raises(EditError) as caught:
        draft.save()
    assert caught.value.text.key == "edit.changed_meanwhile"
    assert draft.site.spec_file.read_text(encoding="utf-8") == theirs
    assert draft.dirty


def test_discarded_changes_can_be_brought_back(draft: Draft) -> None:
    draft.change(lambda d: d.update(name="other"))
    draft.discard()
    assert not draft.dirty
    assert draft.undo()
    assert draft.data["name"] == "other"


def test_a_disk_that_is_full_is_told_and_tried_again(draft: Draft) -> None:
    draft.change(lambda d: d.update(name="other"))
    draft.site.path.chmod(0o700)
    blocked = draft.site.path / DRAFT_NAME
    blocked.mkdir()
    keep(draft)
    assert draft.keep_error
    blocked.rmdir()
    keep(draft)
    assert draft.keep_error == ""
    assert reopened(draft).recovered


def test_damaged_drafts_are_as_if_there_were_none(draft: Draft) -> None:
    for content in (
        b"",
        b"{",
        b"[]",
        b'{"text": 1}',
        b"\xff\xfe",
        b'{"text": "", "data": []}',
        b'{"text": "", "data": {}}',
    ):
        (draft.site.path / DRAFT_NAME).write_bytes(content)
        assert not reopened(draft).recovered
