"""Two plans that began as the same one, brought together: what either side changed, and what both did differently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from rbdtui.spec.fields import join
from rbdtui.workbench.draft.saving import is_node_list, same_values

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of it."""

    data: dict[str, Any]
    contested: tuple[str, ...]
    """Fields that both sides changed differently; the first side counts there."""


def merge(base: Mapping[str, object], mine: Mapping[str, object], theirs: Mapping[str, object]) -> Merged:
    """Bring two plans together; nodes are told apart by their names, other lists are taken as a whole."""
    contested: list[str] = []
    data = _mappings("", base, mine, theirs, contested)
    return Merged(data, tuple(contested))


def _mappings(
    path: str,
    base: Mapping[str, object],
    mine: Mapping[str, object],
    theirs: Mapping[str, object],
    contested: list[str],
) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key in _order(base, mine, theirs):
        sides = (base.get(key, _ABSENT), mine.get(key, _ABSENT), theirs.get(key, _ABSENT))
        value = _values(join(path, key), *sides, contested)
        if value is not _ABSENT:
            merged[key] = value
    return merged


def _order(base: Iterable[str], mine: Iterable[str], theirs: Iterable[str]) -> list[str]:
    """The order of the side that changed it, then what only the other has."""
    first, second = (mine, theirs) if list(theirs) == list(base) else (theirs, mine)
    return list(dict.fromkeys([*first, *second]))


def _values(path: str, base: object, mine: object, theirs: object, contested: list[str]) -> object:
    if _same(mine, theirs) or _same(theirs, base):
        return mine
    if _same(mine, base):
        return theirs
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return _mappings(path, base if isinstance(base, dict) else {}, mine, theirs, contested)
    if is_node_list(mine) and is_node_list(theirs):
        before = _by_name(base) if is_node_list(base) else {}
        return list(_mappings(path, before, _by_name(mine), _by_name(theirs), contested).values())
    contested.append(path)
    return mine


def _same(one: object, other: object) -> bool:
    return one is other or (one is not _ABSENT and other is not _ABSENT and same_values(one, other))


def _by_name(roster: object) -> dict[str, object]:
    return {str(node["name"]): node for node in cast(list[dict[str, object]], roster)}
