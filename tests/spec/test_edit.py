"""Edits: the result means what was asked, and everything that was not asked about stays as it was typed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rbdtui.paths import asset
from rbdtui.spec.edit import (
    AddNode,
    Edit,
    EditError,
    RemoveNode,
    RenameNode,
    SetField,
    ToggleRole,
    UnsetField,
    apply_edits,
    save,
    unified_diff,
)
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.surgery import Plain
from rbdtui.spec.template import EXAMPLES
from rbdtui.words import LANGUAGES, say
from tests.spec.samples import GOOD

ODD = """\
%YAML 1.1
---
# 站点 一号
name:   'site-a'      # quoted
apiVersion: "rbdtui/v1"


bundle: >-
   /data/offline-packages

nodes:   # the servers
# not indented, with odd blanks
- address:   10.0.0.11
  name: node1   # 第一台
  roles:
  - control-plane  # one
  # between roles
  - etcd
  - worker
-   name: node2
    roles: [ control-plane,etcd , worker ]   # spaces
    # a comment inside node2
    address: 10.0.0.12
    ssh: {port: 2222,
          # inside brackets
          user: 'ops'}

# before node3
-
  name: node3
  address: 10.0.0.13
  roles: [
    worker,      # a
    gateway,     # b
  ]
# after the nodes
kubernetes: {api: {mode: first-server}}
gateway: {}
# the end
...
"""

FLOW = "{apiVersion: rbdtui/v1, name: x, bundle: b, nodes: [{name: node1, address: 10.0.0.1, roles: [etcd]}]}"

NO_NEWLINE = GOOD.rstrip("\n")
WINDOWS = GOOD.replace("\n", "\r\n")

STYLES = {
    **{name: asset("examples", f"{name}.yaml").read_text(encoding="utf-8") for name in EXAMPLES},
    "odd": ODD,
    "flow": FLOW,
    "no newline": NO_NEWLINE,
    "windows": WINDOWS,
    "bom": "\ufeff" + GOOD,
}


def changes(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that went and lines that came."""
    lines = unified_diff(before, after).splitlines()[2:]
    return [line[1:] for line in lines if line[:1] == "-"], [line[1:] for line in lines if line[:1] == "+"]


def data_of(text: str) -> dict[str, object]:
    loaded = yaml.load(text.removeprefix("\ufeff"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert isinstance(loaded, dict)
    return loaded


def comments_of(text: str) -> list[str]:
    """Lines that are nothing but a comment."""
    return [line.strip() for line in text.splitlines() if line.lstrip().startswith("#")]


def first_node(text: str) -> str:
    return str(data_of(text)["nodes"][0]["name"])  # type: ignore[index]


@pytest.mark.parametrize("style", STYLES)
def test_a_value_is_changed_on_its_line_only(style: str) -> None:
    text = STYLES[style]
    after = apply_edits(text, [SetField("name", "other")])
    went, came = changes(text, after)
    assert (len(went), len(came)) == (1, 1)
    assert data_of(after) == {**data_of(text), "name": "other"}
    assert apply_edits(after, [SetField("name", str(data_of(text)["name"]))]) == text


@pytest.mark.parametrize("style", STYLES)
def test_an_added_node_only_adds_lines_and_goes_without_trace(style: str) -> None:
    text = STYLES[style]
    node: dict[str, Plain] = {"name": "new", "address": "10.9.9.9", "roles": ["worker", "build"], "ssh": {"port": 2222}}
    after = apply_edits(text, [AddNode(node)])
    went, came = changes(text, after)
    assert style == "flow" or went in ([], ["  unicast: true"])
    assert came
    assert data_of(after)["nodes"][-1] == node  # type: ignore[index]
    again = apply_edits(after, [RemoveNode("new")])
    assert again == text


@pytest.mark.parametrize("style", STYLES)
def test_a_removed_node_takes_nothing_else_along(style: str) -> None:
    text = STYLES[style]
    name = first_node(text)
    after = apply_edits(text, [RemoveNode(name)])
    assert style == "flow" or changes(text, after)[1] == []
    assert all(node["name"] != name for node in data_of(after)["nodes"])  # type: ignore[attr-defined]
    kept = comments_of(after)
    assert all(comment in kept for comment in comments_of(text) if comment != "# between roles")


@pytest.mark.parametrize("style", STYLES)
def test_a_role_is_toggled_in_its_own_line(style: str) -> None:
    text = STYLES[style]
    name = first_node(text)
    after = apply_edits(text, [ToggleRole(name, "gateway")])
    went, came = changes(text, after)
    assert len(went) <= 1
    assert len(came) <= 1
    before_roles, after_roles = (set(data_of(each)["nodes"][0]["roles"]) for each in (text, after))  # type: ignore[index]
    assert before_roles ^ after_roles == {"gateway"}
    back = apply_edits(after, [ToggleRole(name, "gateway")])
    assert set(data_of(back)["nodes"][0]["roles"]) == before_roles  # type: ignore[index]
    assert comments_of(back) == comments_of(text)


@pytest.mark.parametrize("style", STYLES)
def test_a_node_is_renamed(style: str) -> None:
    text = STYLES[style]
    after = apply_edits(text, [RenameNode(first_node(text), "renamed")])
    went, came = changes(text, after)
    assert (len(went), len(came)) == (1, 1)
    assert first_node(after) == "renamed"


@pytest.mark.parametrize("style", STYLES)
def test_a_field_in_a_section_that_is_not_there_comes_and_goes(style: str) -> None:
    text = STYLES[style]
    fresh = apply_edits(text, [UnsetField("kubernetes"), UnsetField("ssh")])
    after = apply_edits(fresh, [SetField("kubernetes.api.domain", "api.lan"), SetField("ssh.bastion.address", "jump")])
    assert data_of(after)["kubernetes"] == {"api": {"domain": "api.lan"}}
    assert data_of(after)["ssh"] == {"bastion": {"address": "jump"}}
    back = apply_edits(after, [UnsetField("ssh.bastion.address"), UnsetField("kubernetes.api.domain")])
    assert data_of(back) == data_of(fresh)
    assert comments_of(back) == comments_of(fresh)


def test_a_section_below_a_key_is_replaced_as_a_whole() -> None:
    after = apply_edits(GOOD, [SetField("ssh", {"user": "root"}), SetField("nodes[0].roles", ["etcd"])])
    assert data_of(after)["ssh"] == {"user": "root"}
    assert "ssh: {user: root}\nnodes:\n" in after
    assert changes(GOOD, after)[1] == ["ssh: {user: root}", "    roles: [etcd]"]


def test_the_comment_of_a_section_stays_when_it_is_emptied_or_replaced() -> None:
    text = "ssh:   # how to log in\n  user: x\n# end\n"
    assert apply_edits(text, [SetField("ssh", {"port": 1})]) == "ssh: {port: 1}   # how to log in\n# end\n"
    assert apply_edits(text + "name: a\n", [UnsetField("ssh.user")]) == "# end\nname: a\n"
    nodes = "nodes:  # all\n  - name: a\n    roles: [etcd]  # x\n# end\n"
    assert apply_edits(nodes, [RemoveNode("a")]) == "nodes: []  # all\n# end\n"
    assert apply_edits("nodes: []  # all\n", [AddNode({"name": "a"})]) == "nodes:  # all\n  - name: a\n"


def test_a_comment_keeps_its_column() -> None:
    text = "unicast: true         # false: multicast\n"
    assert apply_edits(text, [SetField("unicast", False)]) == "unicast: false        # false: multicast\n"
    long = apply_edits(text, [SetField("unicast", "a" * 40)])
    assert long == f"unicast: {'a' * 40} # false: multicast\n"


def test_comments_that_hang_below_a_node_stay_with_it() -> None:
    text = "nodes:\n  - name: a\n    # ssh: later\n\n# next\nname: x\n"
    after = apply_edits(text, [AddNode({"name": "b"})])
    assert after == "nodes:\n  - name: a\n    # ssh: later\n  - name: b\n\n# next\nname: x\n"


@pytest.mark.parametrize(
    "value", ["yes", "0022", "1:30", "~", "", "a: b", "a #b", "- x", "it's", '"', "\\", "中文", "a\nb", "{", "x" * 300]
)
def test_texts_that_look_like_something_else_are_quoted(value: str) -> None:
    for path in ("ssh.user", "kubernetes.settings.key", "nodes[0].ssh.user"):
        after = apply_edits(GOOD, [SetField(path, value)])
        data: object = parse_spec(after).data
        for step in path.replace("[0]", ".0").split("."):
            data = data[int(step)] if isinstance(data, list) else data[step]  # type: ignore[index]
        assert data == value


def test_the_quotes_in_use_are_kept() -> None:
    assert apply_edits("a: \"x\"\nb: 'y'\n", [SetField("a", "z"), SetField("b", "it's")]) == "a: \"z\"\nb: 'it''s'\n"
    assert apply_edits('a: "x"\n', [SetField("a", 5)]) == "a: 5\n"


def test_a_file_with_mistakes_in_it_can_be_repaired_field_by_field() -> None:
    text = GOOD.replace("port: 22", "port: 0022").replace("unicast: true", "unicast: yes").replace("user: ops", "user:")
    assert len(parse_spec(text).findings) == 3
    after = apply_edits(
        text, [SetField("ssh.port", 22), SetField("gateway.unicast", True), SetField("ssh.user", "ops")]
    )
    assert after == GOOD


def test_line_ends_and_byte_order_mark_are_kept() -> None:
    after = apply_edits("\ufeff" + WINDOWS, [AddNode({"name": "b", "roles": ["etcd"]}), SetField("gateway.x", 1)])
    assert after.startswith("\ufeffapi")
    assert after.count("\n") == after.count("\r\n")
    assert apply_edits(NO_NEWLINE, [SetField("gateway.interface", "eth0")]).endswith(
        "unicast: true\n  interface: eth0\n"
    )


@pytest.mark.parametrize(
    ("text", "edit", "key"),
    [
        ("a: [", SetField("a", 1), "edit.unreadable"),
        ("- a\n", SetField("a", 1), "edit.unreadable"),
        ("", SetField("a", 1), "edit.unreadable"),
        (GOOD, SetField("", 1), "edit.no_field"),
        (GOOD, SetField("[0]", 1), "edit.no_field"),
        (GOOD, SetField("a..b", 1), "edit.no_field"),
        (GOOD, SetField("nodes[9].name", "x"), "edit.no_field"),
        (GOOD, SetField("nodes[0][1]", "x"), "edit.no_field"),
        (GOOD, SetField("nodes.name", "x"), "edit.no_field"),
        (GOOD, SetField("fresh[0]", "x"), "edit.no_field"),
        (GOOD, RemoveNode("nobody"), "edit.no_node"),
        (GOOD, RenameNode("nobody", "x"), "edit.no_node"),
        (GOOD, ToggleRole("nobody", "etcd"), "edit.no_node"),
        ("name: x\n", ToggleRole("a", "etcd"), "edit.no_node"),
        ("a: 1\n? b\n: 2\n", UnsetField("b"), "edit.unsafe"),
        ("nodes:\n- - a\n  - b\n", UnsetField("nodes[0][0]"), "edit.unsafe"),
    ],
)
def test_what_cannot_be_done_is_said(text: str, edit: Edit, key: str) -> None:
    with pytest.raises(EditError) as caught:
        apply_edits(text, [edit])
    assert caught.value.text.key == key
    for language in LANGUAGES:
        assert not say(caught.value.text, language).startswith("edit.")


def test_a_later_edit_that_fails_undoes_the_earlier_ones() -> None:
    with pytest.raises(EditError):
        apply_edits(GOOD, [SetField("name", "x"), RemoveNode("nobody")])


def test_taking_away_what_is_not_there_is_fine() -> None:
    assert (
        apply_edits(GOOD, [UnsetField("ssh.bastion.port"), UnsetField("storage"), UnsetField("nodes[0].ssh")]) == GOOD
    )


NODE_NAMES = ["node1", "node2", "node3", "fresh", "yes", "no", "1e3"]
ROLES = ["control-plane", "etcd", "worker", "gateway", "build"]
VALUES: st.SearchStrategy[object] = st.one_of(
    st.booleans(),
    st.integers(-5, 70000),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn", "Co", "Cf"]), max_size=12),
    st.lists(st.sampled_from(ROLES), max_size=3),
    st.dictionaries(st.sampled_from(["user", "port", "key"]), st.text("abc:/ #'", max_size=6), max_size=2),
)
PATHS = [
    "name",
    "profile",
    "ssh",
    "ssh.user",
    "ssh.bastion.address",
    "ssh.port",
    "nodes[0].address",
    "nodes[0].ssh.user",
    "nodes[1].ssh",
    "nodes[1].roles",
    "kubernetes.api.mode",
    "kubernetes.settings.cni",
    "kubernetes.api.domain",
    "gateway.vip",
    "gateway.unicast",
]
EDITS: st.SearchStrategy[Edit] = st.one_of(
    st.builds(SetField, st.sampled_from(PATHS), VALUES),
    st.builds(UnsetField, st.sampled_from(PATHS)),
    st.builds(
        lambda name, roles: AddNode({"name": name, "roles": roles}), st.sampled_from(NODE_NAMES), st.just(["etcd"])
    ),
    st.builds(RemoveNode, st.sampled_from(NODE_NAMES)),
    st.builds(RenameNode, st.sampled_from(NODE_NAMES), st.sampled_from(NODE_NAMES)),
    st.builds(ToggleRole, st.sampled_from(NODE_NAMES), st.sampled_from(ROLES)),
)


def attempt(text: str, edit: Edit) -> tuple[str, str]:
    """The changed text, or the same one and why it was not changed."""
    try:
        return apply_edits(text, [edit]), ""
    except EditError as error:
        return text, error.text.key


@example("odd", [ToggleRole("node3", "worker")])
@example("odd", [ToggleRole("node3", "gateway")])
@example("odd", [ToggleRole("node3", "gateway"), ToggleRole("node3", "worker")])
@given(st.sampled_from(sorted(STYLES)), st.lists(EDITS, min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_random_edits_keep_every_comment_outside_of_what_they_replace(style: str, edits: list[Edit]) -> None:
    """An edit is made or refused; when made, YAML's other reader agrees on the values of all other fields."""
    text = STYLES[style]
    for edit in edits:
        after, refusal = attempt(text, edit)
        assert refusal in ("", "edit.no_field", "edit.no_node"), (text, edit)
        went, came = changes(text, after)
        replaced = sum(line.lstrip().startswith("#") for line in went)
        # What stood behind a role that is taken away has a line of its own now.
        alone = [line.strip() for line in came if line.lstrip().startswith("#")]
        moved = sum(any(old.endswith(f" {line}") for old in went) for line in alone)
        assert len(comments_of(after)) == len(comments_of(text)) - replaced + moved
        if not isinstance(edit, SetField | UnsetField | RemoveNode):
            assert replaced == 0
            assert len(went) <= 1
        touched = edit.path.split(".")[0].split("[")[0] if isinstance(edit, SetField | UnsetField) else "nodes"
        before_data, after_data = data_of(text), data_of(after)
        before_data.pop(touched, None)
        after_data.pop(touched, None)
        assert after_data == before_data
        text = after


def test_saving_keeps_a_copy_and_shows_the_change(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(GOOD, encoding="utf-8")
    path.chmod(0o600)
    after = apply_edits(GOOD, [SetField("ssh.port", 2222)])
    diff = save(path, after, loaded=GOOD)
    assert "-  port: 22\n+  port: 2222\n" in diff
    assert path.read_text(encoding="utf-8") == after
    assert (tmp_path / "cluster.yaml.bak").read_text(encoding="utf-8") == GOOD
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "cluster.yaml.bak").stat().st_mode) == 0o600
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cluster.yaml", "cluster.yaml.bak"]
    assert save(path, after, loaded=after) == ""


def test_saving_keeps_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + WINDOWS.encode())
    loaded = parse_spec(path.read_bytes())
    after = apply_edits(loaded.text, [SetField("ssh.port", 2222)])
    save(path, after, loaded=loaded.text)
    assert path.read_bytes() == b"\xef\xbb\xbf" + WINDOWS.replace("port: 22\r", "port: 2222\r").encode()


def test_a_file_that_somebody_else_changed_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(GOOD + "# mine\n", encoding="utf-8")
    with pytest.raises(EditError) as caught:
        save(path, GOOD, loaded=GOOD)
    assert caught.value.text.key == "edit.changed_meanwhile"
    assert path.read_text(encoding="utf-8").endswith("# mine\n")


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(GOOD, encoding="utf-8")

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(EditError) as caught:
        save(path, GOOD + "#\n", loaded=GOOD)
    monkeypatch.undo()
    assert caught.value.text.key == "edit.cannot_write"
    assert path.read_text(encoding="utf-8") == GOOD
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cluster.yaml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "cluster.yaml").symlink_to("real.yaml")
    save(tmp_path / "cluster.yaml", GOOD + "#\n", loaded=GOOD)
    assert (tmp_path / "cluster.yaml").is_symlink()
    assert (tmp_path / "real.yaml").read_text(encoding="utf-8") == GOOD + "#\n"


@pytest.mark.parametrize("value", [[None], [1.5], {"a": [1.5]}, {"a": [None, {"b": None}]}])
def test_a_draft_of_somebody_elses_may_hold_values_that_cluster_yaml_never_has(value: Plain) -> None:
    edit = SetField("kubernetes.settings", {"x": value})
    if "None" in repr(value):
        with pytest.raises(EditError):
            apply_edits(GOOD, [edit])
    else:
        assert yaml.safe_load(apply_edits(GOOD, [edit]))["kubernetes"]["settings"]["x"] == value


NODE: dict[str, Plain] = {"name": "node1", "roles": ["worker", "etcd"], "ssh": {"port": 2222}}
LINES = "  - name: node1\n    roles: [worker, etcd]\n    ssh:\n      port: 2222\n"
LINE = "[{name: node1, roles: [worker, etcd], ssh: {port: 2222}}]"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("nodes: []\n", f"nodes:\n{LINES}"),
        ("nodes: []  # none yet\nname: a\n", f"nodes:  # none yet\n{LINES}name: a\n"),
        ("nodes:\nname: a\n", f"nodes:\n{LINES}name: a\n"),
        ("nodes: []", f"nodes:\n{LINES}"),
        ("name: a\n", f"name: a\nnodes:\n{LINES}"),
        ("a: 1\r\nnodes: []\r\n", f"a: 1\nnodes:\n{LINES}".replace("\n", "\r\n")),
        ("{name: a, nodes: []}\n", f"{{name: a, nodes: {LINE}}}\n"),
        ("{name: a,\nnodes: []}\n", f"{{name: a,\nnodes: {LINE}}}\n"),
    ],
)
def test_the_first_server_has_lines_of_its_own_where_there_is_room(before: str, after: str) -> None:
    assert apply_edits(before, [AddNode(NODE)]) == after


def test_fifty_servers_are_no_line_of_thousands_of_letters() -> None:
    nodes: list[Plain] = [{**NODE, "name": f"node{number}"} for number in range(50)]
    text = apply_edits("name: a\nnodes: []\n", [AddNode({**NODE, "name": f"node{number}"}) for number in range(50)])
    assert max(map(len, text.splitlines())) < 40
    turned = apply_edits(text, [SetField("nodes", list(reversed(nodes)))])
    assert max(map(len, turned.splitlines())) < 40
    assert (parse_spec(turned).data or {})["nodes"] == list(reversed(nodes))
