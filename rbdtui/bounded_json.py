"""JSON from files that may have been damaged or made by somebody else: no number in it is more than we can count with.

Python's own reader takes NaN and Infinity, makes infinity of 1e999, and integers of thousands of digits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Final, NoReturn

MOST: Final = 2**63
"""No number is further from zero."""
MOST_LAYERS: Final = 100
"""Of objects and arrays in each other: far less than would be too many for those who go through them."""
MOST_TIME_S: Final = 10**12
"""Unix time that every clock of ours can show, in either direction."""


def read_json(text: str | bytes) -> Any:
    """What a text says; raises `ValueError` for everything that is not JSON, too deep, or has too large a number."""
    try:
        value = json.loads(text, parse_int=_int, parse_float=_float, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    layer = [value]
    for _ in range(MOST_LAYERS):
        layer = [below for one in layer if isinstance(one, dict | list) for below in _below(one)]
        if not layer:
            return value
    raise ValueError("nested too deeply")


def is_time(value: object) -> bool:
    """Whether a value may be a Unix time."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MOST_TIME_S


def _below(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _int(digits: str) -> int:
    if len(digits) > len(str(MOST)) + 1 or abs(value := int(digits)) > MOST:
        _refuse(digits)
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value) or abs(value) > MOST:
        _refuse(digits)
    return value


def _refuse(digits: str) -> NoReturn:
    raise ValueError(f"number out of range: {digits[:40]}")
