"""Part of a draft as text that is edited, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml

_WIDTH: Final = 1000
"""Nothing is folded: what is edited stays the lines that it was."""


def as_text(value: object) -> str:
    """A mapping as block YAML; empty for none."""
    if not isinstance(value, Mapping) or not value:
        return ""
    return yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, default_flow_style=False, width=_WIDTH)
