"""The commented examples' nodes, which stand for nothing: an import takes their place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from rbdtui.paths import asset
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.template import EXAMPLES
from rbdtui.workbench.draft.saving import same_values


def nodes_are_an_examples(data: Mapping[str, object]) -> bool:
    """Whether the nodes are those of an example, as nobody has changed them."""
    return any(same_values(data.get("nodes"), nodes) for nodes in _example_nodes())


@cache
def _example_nodes() -> tuple[object, ...]:
    texts = (asset("examples", f"{name}.yaml").read_text(encoding="utf-8") for name in EXAMPLES)
    return tuple(data["nodes"] for text in texts if (data := parse_spec(text).data) is not None)
