"""From a draft's plain values to edits of cluster.yaml that leave everything else in the file as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from rbdtui.spec.edit import AddNode, Edit, RemoveNode, SetField, UnsetField
from rbdtui.spec.fields import join
from rbdtui.spec.surgery import Plain


def same_values(one: object, other: object) -> bool:
    """Whether two plans, or parts of them, say the same; unlike for Python, 1 and true are not the same in a file."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def edits_between(before: Mapping[str, object], after: Mapping[str, object]) -> list[Edit]:
    """What turns one into the other, as small as can be."""
    edits: list[Edit] = []
    for key in before.keys() - after.keys():
        edits.append(UnsetField(key))
    for key, value in after.items():
        old = before.get(key)
        if key == "nodes" and is_node_list(old) and is_node_list(value):
            edits += _node_edits(cast(list[dict[str, object]], old), cast(list[dict[str, object]], value))
        else:
            edits += _value_edits(key, old, value, present=key in before)
    return edits


def _value_edits(path: str, old: object, new: object, *, present: bool) -> list[Edit]:
    """Edits of one value; sections are gone through so that comments between their keys stay."""
    if present and same_values(old, new):
        return []
    if not (isinstance(old, dict) and isinstance(new, dict) and old and new):
        return [SetField(path, cast(Plain, new))]
    edits: list[Edit] = [UnsetField(join(path, key)) for key in old.keys() - new.keys()]
    for key, value in new.items():
        edits += _value_edits(join(path, key), old.get(key), value, present=key in old)
    return edits


def is_node_list(value: object) -> bool:
    """Whether this is a list of nodes whose names tell them apart."""
    if not isinstance(value, list) or not all(isinstance(node, dict) for node in value):
        return False
    names = [node.get("name") for node in value]
    return all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names)


def _node_edits(before: Sequence[dict[str, object]], after: Sequence[dict[str, object]]) -> list[Edit]:
    """Nodes that went, nodes that were changed in their place, nodes that came behind them; else the list anew."""
    if len(before) == len(after):
        kept = list(before)
        edits: list[Edit] = []
    else:
        names = {node["name"] for node in after}
        kept = [node for node in before if node["name"] in names]
        edits = [RemoveNode(str(node["name"])) for node in before if node["name"] not in names]
    in_place = bool(kept) and [node["name"] for node in kept] == [node["name"] for node in after[: len(kept)]]
    if not in_place and (len(before) != len(after) or not _renamed_only(before, after)):
        return [SetField("nodes", cast(Plain, list(after)))]
    for index, (old, new) in enumerate(zip(kept, after, strict=False)):
        edits += _value_edits(f"nodes[{index}]", old, new, present=True)
    return [*edits, *(AddNode(cast(Mapping[str, Plain], node)) for node in after[len(kept) :])]


def _renamed_only(before: Sequence[dict[str, object]], after: Sequence[dict[str, object]]) -> bool:
    """Whether every node stands where it stood, some under new names that nobody had before."""
    old_names = {node["name"] for node in before}
    return all(
        old["name"] == new["name"] or new["name"] not in old_names for old, new in zip(before, after, strict=True)
    )
