"""The published JSON schema of a line of the journal and of ``run --json``, made from the events themselves."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from rbdtui.engine.events import EVENT_TYPES

JsonSchema = dict[str, Any]


def event_schema() -> JsonSchema:
    """One schema with a variant for every type of event."""
    definitions: JsonSchema = {}
    variants: list[JsonSchema] = []
    for name, event_type in EVENT_TYPES.items():
        variant = TypeAdapter(event_type).json_schema()
        definitions |= variant.pop("$defs", {})
        properties = {
            "schema": {"const": event_type.schema},
            "seq": {"type": "integer", "minimum": 1, "description": "Place in the journal, from 1, without gaps."},
            "at": {"type": "number", "description": "Unix time on the jump host."},
            "steady_s": {
                "type": "number",
                "description": "Seconds of the jump host's clock that nobody sets; not there in older journals.",
            },
            "type": {"const": name},
            **variant.get("properties", {}),
        }
        variants.append(
            {
                "type": "object",
                "title": name,
                "description": variant.get("description", ""),
                "properties": properties,
                "required": ["schema", "seq", "at", "type", *variant.get("required", [])],
                "additionalProperties": False,
            }
        )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rbdtui run --json",
        "description": "One line: something that happened in a run.",
        "oneOf": variants,
        "$defs": definitions,
    }
