"""Keeps what the hosts last answered in the site directory: one JSON file per node, replaced atomically."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from rbdtui.atomic import write_atomic
from rbdtui.facts.model import NODE_FACTS, NodeFacts


def save_facts(directory: Path, facts: NodeFacts) -> Path:
    """Write one node's facts, mode 0600; raises `OSError`."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = directory / f"{facts.node}.json"
    write_atomic(target, NODE_FACTS.dump_json(facts, indent=1))
    return target


def load_all_facts(directory: Path, names: Iterable[str]) -> dict[str, NodeFacts]:
    """What is kept of the named nodes; files that are damaged or of another version are left out."""
    found: dict[str, NodeFacts] = {}
    for name in names:
        try:
            facts = NODE_FACTS.validate_json((directory / f"{name}.json").read_bytes())
        except (OSError, ValidationError):
            continue
        found[name] = facts
    return found
