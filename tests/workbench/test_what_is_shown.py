"""What the screen shows is what would be saved and installed, or the screen says that it is not saved."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rbdtui.site import Site
from rbdtui.spec.edit import EditError, apply_edits
from rbdtui.spec.loader import parse_spec
from rbdtui.workbench.draft import operations
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.saving import edits_between, same_values
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.site_list import make_site
from rbdtui.workbench.workbench import Workbench

PLAN = """\
name: site-a  # of this cluster
profile: kubernetes-only
ssh:
  port: 22
gateway:
  unicast: true
nodes: []
"""
NAMES = st.sampled_from(["node1", "node2", "node3", "edge", ""])
ADDRESSES = st.sampled_from(["10.0.0.11", "10.0.0.12", "10.0.0", ""])
PLACES = st.integers(0, 4)


def opened(path: Path) -> Workbench:
    return Workbench.open(path, HeldPassphrase(), ask_servers=False)


def data_of(text: str) -> Data:
    data = parse_spec(text).data
    assert data is not None
    return copy.deepcopy(dict(data))


class OneSite(RuleBasedStateMachine):
    """One screen on a site whose cluster.yaml is changed elsewhere, too, at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.room = tempfile.TemporaryDirectory()
        self.site = Site.create(Path(self.room.name) / "site")
        self.site.begin(PLAN)
        self.bench = opened(self.site.path)
        self.shown = {json.dumps(self.bench.draft.data)}

    @initialize(nodes=st.integers(0, 3))
    def begin(self, nodes: int) -> None:
        for _ in range(nodes):
            self.bench.change(operations.add_node)
            self.shown.add(json.dumps(self.bench.draft.data))
        self.bench.save()

    def change(self, operation: Callable[[Data], None], merge: str = "") -> None:
        self.bench.change(operation, merge=merge)

    @rule()
    def add(self) -> None:
        self.change(operations.add_node)

    @rule(place=PLACES)
    def remove(self, place: int) -> None:
        self.change(lambda data: operations.remove_nodes(data, [place]))

    @rule(place=PLACES, name=NAMES)
    def rename(self, place: int, name: str) -> None:
        self.change(lambda data: operations.put_in_node(data, place, "name", name), merge="cell")

    @rule(place=PLACES, address=ADDRESSES)
    def put_address(self, place: int, address: str) -> None:
        self.change(lambda data: operations.put_in_node(data, place, "address", address))

    @rule(place=PLACES)
    def duplicate(self, place: int) -> None:
        self.change(lambda data: operations.duplicate_node(data, place))

    @rule(value=st.sampled_from([1, True, 0, False, "1", ""]))
    def put_flag(self, value: Any) -> None:
        self.change(lambda data: operations.put(data, "gateway.unicast", value))

    @rule(value=st.sampled_from([22, 2222, "x", ""]))
    def put_port(self, value: Any) -> None:
        self.change(lambda data: operations.put(data, "ssh.port", value))

    @rule()
    def undo(self) -> None:
        self.bench.undo()

    @rule()
    def discard(self) -> None:
        self.bench.discard()
        assert not self.bench.draft.dirty

    @rule(place=PLACES, address=ADDRESSES, value=st.sampled_from([1, True, 7]))
    def change_elsewhere(self, place: int, address: str, value: Any) -> None:
        """Somebody else goes on from the file as it is."""
        text = self.site.spec_file.read_text(encoding="utf-8")
        before = data_of(text)
        after = copy.deepcopy(before)
        operations.put_in_node(after, place, "address", address)
        operations.put(after, "gateway.unicast", value)
        self.site.spec_file.write_text(apply_edits(text, edits_between(before, after)), encoding="utf-8")

    @rule(place=PLACES)
    def remove_elsewhere(self, place: int) -> None:
        text = self.site.spec_file.read_text(encoding="utf-8")
        before = data_of(text)
        after = copy.deepcopy(before)
        operations.remove_nodes(after, [place])
        self.site.spec_file.write_text(apply_edits(text, edits_between(before, after)), encoding="utf-8")

    @precondition(lambda self: not self.bench.draft.dirty)
    @rule()
    def the_file_is_looked_at(self) -> None:
        self.bench.take_up_file()
        assert same_values(data_of(self.site.spec_file.read_text(encoding="utf-8")), self.bench.draft.data)

    @rule()
    def save(self) -> None:
        shown, refusal = copy.deepcopy(self.bench.draft.data), ""
        before = data_of(self.site.spec_file.read_text(encoding="utf-8"))
        try:
            self.bench.save()
        except EditError as error:
            refusal = error.text.key
        assert refusal in ("", "draft.together", "draft.contested")
        assert self.bench.draft.dirty is bool(refusal)
        if not refusal:
            written = data_of(self.site.spec_file.read_text(encoding="utf-8"))
            assert same_values(written, self.bench.draft.data)
            assert same_values(written, shown) or same_values(written, before), "nothing is written that was not shown"

    @rule()
    def read_again(self) -> None:
        self.bench.read_again()
        assert same_values(data_of(self.site.spec_file.read_text(encoding="utf-8")), self.bench.draft.data)

    @rule()
    def come_back_after_a_crash(self) -> None:
        shown, dirty = copy.deepcopy(self.bench.draft.data), self.bench.draft.dirty
        unchanged = self.site.spec_file.read_text(encoding="utf-8") == self.bench.draft.saved_text
        self.bench.close()
        self.bench = opened(self.site.path)
        if unchanged:
            assert same_values(self.bench.draft.data, shown)
            assert self.bench.draft.dirty is dirty

    @invariant()
    def what_is_shown_is_what_would_be_installed_or_is_not_saved(self) -> None:
        draft = self.bench.draft
        saved = data_of(draft.saved_text)
        assert draft.dirty is not same_values(draft.data, saved)
        assert self.bench.session.loaded.text == draft.saved_text
        assert bool(draft.preview_save()) is draft.dirty

    @invariant()
    def only_what_was_shown_once_can_be_brought_back(self) -> None:
        """Whatever is done to the plan in hand, what undo keeps stays as it was seen."""
        assert {json.dumps(kept) for kept in self.bench.draft._undo} <= self.shown
        self.shown.add(json.dumps(self.bench.draft.data))

    def teardown(self) -> None:
        self.bench.close()
        self.room.cleanup()


OneSite.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestOneSite = OneSite.TestCase


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    site = make_site(tmp_path / "site", name="site-a", profile="kubernetes-only")
    bench = opened(site.path)
    for _ in range(3):
        bench.change(operations.add_node)
    bench.save()
    yield bench
    bench.close()


def changed_elsewhere(bench: Workbench) -> None:
    text = bench.site.spec_file.read_text(encoding="utf-8")
    bench.site.spec_file.write_text(text.replace("name: node1", "name: edge1"), encoding="utf-8")


def test_a_change_after_one_made_elsewhere_is_not_saved_yet_and_can_be(bench: Workbench) -> None:
    changed_elsewhere(bench)
    assert bench.take_up_file() == ()
    bench.change(lambda data: operations.remove_nodes(data, [2]))
    assert bench.draft.dirty
    bench.save()
    assert [node["name"] for node in data_of(bench.draft.saved_text)["nodes"]] == ["edge1", "node2"]


def test_a_change_after_a_save_that_brought_both_together_is_not_saved_yet(bench: Workbench) -> None:
    bench.change(lambda data: operations.put(data, "bundle", "/mine"))
    changed_elsewhere(bench)
    with pytest.raises(EditError):
        bench.save()
    bench.save()
    bench.change(operations.add_node)
    assert bench.draft.dirty


def test_a_draft_file_that_says_nothing_new_goes_and_brings_nothing_back_later(bench: Workbench) -> None:
    """As a crash between the writing of cluster.yaml and the removal of the draft leaves it."""
    before = bench.site.spec_file.read_text(encoding="utf-8")
    bench.change(lambda data: operations.put(data, "bundle", "/mine"))
    bench.keep_now()
    left = (bench.site.path / "draft.json").read_bytes()
    bench.save()
    bench.close()
    (bench.site.path / "draft.json").write_bytes(left)
    opened(bench.site.path).close()
    bench.site.spec_file.write_text(before, encoding="utf-8")
    again = opened(bench.site.path)
    assert "bundle" not in again.draft.data or again.draft.data["bundle"] != "/mine"
    again.close()


def test_a_change_that_fails_half_way_changes_nothing(bench: Workbench) -> None:
    shown = copy.deepcopy(bench.draft.data)

    def half(data: Data) -> None:
        data["name"] = "half"
        raise KeyError

    with pytest.raises(KeyError):
        bench.change(half)
    assert same_values(bench.draft.data, shown)
