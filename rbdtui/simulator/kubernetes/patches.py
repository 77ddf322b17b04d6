"""What a patch makes of an object: JSON merge patch (RFC 7386), and server-side apply without its conflicts."""

from __future__ import annotations

import copy
from typing import Any


def merged(live: Any, patch: Any) -> Any:
    """A merge patch: maps grow together, null takes away, all else is replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def applied(live: Any, before: Any, wanted: Any) -> Any:
    """Server-side apply: as `merged`, and what the same manager applied before and does not any more is gone.

    Lists whose entries have names grow together by name, as containers, ports and variables do.
    """
    if isinstance(wanted, dict):
        result = dict(live) if isinstance(live, dict) else {}
        old = before if isinstance(before, dict) else {}
        for key in old:
            if key not in wanted:
                result.pop(key, None)
        for key, value in wanted.items():
            result[key] = applied(result.get(key), old.get(key), value)
        return result
    if _named(wanted) and _named(live):
        entries = {entry["name"]: entry for entry in live}
        old_entries = {entry["name"]: entry for entry in before} if _named(before) else {}
        names = {entry["name"] for entry in wanted}
        kept = {name: entry for name, entry in entries.items() if name in names or name not in old_entries}
        for entry in wanted:
            kept[entry["name"]] = applied(kept.get(entry["name"]), old_entries.get(entry["name"]), entry)
        return list(kept.values())
    return copy.deepcopy(wanted)


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(e, dict) and "name" in e for e in value)
