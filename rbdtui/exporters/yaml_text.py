"""Plain values as YAML that every reader takes for the same."""

from __future__ import annotations

import yaml


def to_yaml(data: object) -> str:
    """Keys in their order, short lists on one line, Chinese as it is."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
