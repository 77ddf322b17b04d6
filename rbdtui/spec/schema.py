"""The JSON schema of cluster.yaml, for editors that complete and check while typing.

``python -m rbdtui.spec.schema`` prints what stands in ``assets/schemas/cluster.schema.json``.
"""

from __future__ import annotations

import json
import sys
from typing import Final

from rbdtui.spec.model import ClusterSpec

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NULL: Final = {"type": "null"}


def cluster_schema() -> dict[str, object]:
    """The schema of the model; a key without a value is refused, as the loader does."""
    schema = _plain(ClusterSpec.model_json_schema())
    assert isinstance(schema, dict)
    return {"$schema": _DIALECT, "title": "cluster.yaml of rbdtui", **schema}


def _plain(part: object) -> object:
    """A part of the schema without null, titles made from names, and defaults that are whole sections."""
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    choices = part.get("anyOf")
    if isinstance(choices, list) and _NULL in choices:
        kept = [choice for choice in choices if choice != _NULL]
        rest = {key: value for key, value in part.items() if key != "anyOf"}
        part = {**rest, **(kept[0] if len(kept) == 1 else {"anyOf": kept})}
    return {key: _plain(value) for key, value in part.items() if not _is_noise(key, value)}


def _is_noise(key: str, value: object) -> bool:
    made_up_title = key == "title" and isinstance(value, str)
    return made_up_title or (key == "default" and (value is None or isinstance(value, dict)))


def main() -> None:
    """Print the schema."""
    sys.stdout.write(json.dumps(cluster_schema(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
