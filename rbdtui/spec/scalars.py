"""What a plain scalar means where every YAML reader agrees; where they do not, it is refused."""

from __future__ import annotations

import re
from typing import Final

from rbdtui.spec.tree import Scalar

PlainValue = str | int | float | bool

_TRUE_FALSE: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_EMPTY: Final = frozenset({"", "~", "null", "Null", "NULL"})
_WHOLE_NUMBER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FRACTION: Final = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)\Z")
_MOST_DIGITS: Final = 18

_TRAPS: Final = (
    ("RBD-YAML-020", re.compile(r"(y|n|yes|no|on|off)\Z", re.IGNORECASE)),
    ("RBD-YAML-021", re.compile(r"[-+]?0[0-9_]+\Z")),
    ("RBD-YAML-022", re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z")),
    ("RBD-YAML-023", re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?\Z")),
    ("RBD-YAML-025", re.compile(r"[-+]?\.(inf|nan)\Z", re.IGNORECASE)),
    ("RBD-YAML-024", re.compile(r"[-+]?(0[xob][0-9A-Fa-f_]+|[0-9]+_[0-9_]*(\.[0-9_]*)?)\Z")),
    ("RBD-YAML-024", re.compile(r"[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)[eE][-+]?[0-9]+\Z")),
    ("RBD-YAML-024", re.compile(r"[-+]?[0-9]*\.[0-9_]*_[0-9_]*\Z")),
    ("RBD-YAML-024", re.compile(r"=\Z")),
)
"""Plain scalars whose meaning differs between YAML 1.1 and 1.2, or that look like something they are not."""


class TrapError(Exception):
    """A plain scalar that must be quoted or written otherwise; ``code`` is that of the finding."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def value_of(scalar: Scalar) -> PlainValue:
    """The value of a scalar; raises `TrapError`."""
    text = scalar.text
    if not scalar.plain:
        return text
    if text in _TRUE_FALSE:
        return _TRUE_FALSE[text]
    if text in _EMPTY:
        raise TrapError("RBD-YAML-026")
    if _WHOLE_NUMBER.match(text):
        if len(text) > _MOST_DIGITS:
            raise TrapError("RBD-YAML-027")
        return int(text)
    for code, pattern in _TRAPS:
        if pattern.match(text):
            raise TrapError(code)
    if not _FRACTION.match(text):
        return text
    if len(text) > _MOST_DIGITS:
        raise TrapError("RBD-YAML-027")
    return float(text)
