"""Another profile or distribution for a draft: what it has no use for is laid aside, and comes back with one that has.

An operator who tries the choices one after the other loses nothing, and cluster.yaml never says what would be refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from rbdtui.profiles import USUAL, optional_sections, profile_named
from rbdtui.spec.rules.existing import OF_NODES, OF_OUR_KUBERNETES
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.draft.operations import Stash, Value, field_of, is_existing, nodes_in, put, value_at


def set_profile(data: Data, name: str, aside: Stash) -> list[str]:
    """Choose what is installed; the sections that were laid aside for it, in the order of cluster.yaml."""
    before = profile_named(data.get("profile", USUAL.name))
    put(data, "profile", name)
    after = profile_named(name)
    if after is None:
        return []
    had = before.sections if before is not None else ()
    lost = [section for section in optional_sections() if section not in after.sections]
    _bring_back(data, (section for section in after.sections if section not in had), aside)
    return _lay_aside(data, lost, aside, had)


def set_distribution(data: Data, name: str, aside: Stash) -> list[str]:
    """Choose whose Kubernetes it is; the fields that were laid aside, those of nodes once each."""
    was_existing = is_existing(data)
    put(data, "kubernetes.distribution", name)
    if was_existing == is_existing(data):
        return []
    ours = [f"kubernetes.{key}" for key in OF_OUR_KUBERNETES]
    if was_existing:
        _bring_back(data, ours, aside)
        _bring_back_of_nodes(data, aside)
        return _lay_aside(data, ["kubernetes.kubeconfig"], aside, ["kubernetes.kubeconfig"])
    _bring_back(data, ["kubernetes.kubeconfig"], aside)
    return [*_lay_aside(data, ours, aside, ours), *_lay_aside_of_nodes(data, aside)]


def laid_aside(data: Data, aside: Stash) -> list[str]:
    """Sections that wait for a profile that has them."""
    profile = profile_named(data.get("profile", USUAL.name))
    used = profile.sections if profile is not None else optional_sections()
    return [section for section in optional_sections() if section in aside and section not in used]


def _lay_aside(data: Data, paths: Iterable[str], aside: Stash, had: Iterable[str]) -> list[str]:
    """What is not written although there was a place for it is not wanted back either."""
    laid, places = [], set(had)
    for path in paths:
        if (value := value_at(data, path)) is not None:
            aside[path] = value
            put(data, path, "")
            laid.append(path)
        elif path in places:
            aside.pop(path, None)
    return laid


def _bring_back(data: Data, paths: Iterable[str], aside: Stash) -> None:
    for path in paths:
        kept = aside.pop(path, None)
        if kept is not None and value_at(data, path) is None:
            put(data, path, cast("Value | list[str] | dict[str, object]", kept))


def _of_node(name: str, key: str) -> str:
    return f"nodes {name} {key}"


def _lay_aside_of_nodes(data: Data, aside: Stash) -> list[str]:
    laid = []
    for _, node in nodes_in(data):
        for key in OF_NODES:
            if key in node:
                aside[_of_node(field_of(node, "name"), key)] = node.pop(key)
                laid.append(f"nodes.{key}")
    return list(dict.fromkeys(laid))


def _bring_back_of_nodes(data: Data, aside: Stash) -> None:
    for _, node in nodes_in(data):
        for key in OF_NODES:
            kept = aside.pop(_of_node(field_of(node, "name"), key), None)
            if kept is not None:
                node.setdefault(key, kept)
