"""What a script wrote, turned into values: a server may write anything at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from rbdtui.transport.base import RemoteAnswerError

Value = TypeVar("Value")

UNREADABLE: Final = (ValueError, LookupError, RecursionError, OverflowError, TypeError, AttributeError)
"""What parsers raise over odd text: a number of 5000 digits is a `ValueError`, nested brackets are a `RecursionError`,
a missing word is a `LookupError`."""
LARGEST_NUMBER: Final = 2**63 - 1
"""What a host's own programs count with; a larger number is none of theirs."""


def parse_answer(node: str, script_name: str, parse: Callable[[], Value]) -> Value:
    """The value that ``parse`` makes of an answer; raises `RemoteAnswerError`, which names node and script."""
    try:
        return parse()
    except UNREADABLE as error:
        raise not_understood(node, script_name, error) from error


def not_understood(node: str, script_name: str, error: Exception) -> RemoteAnswerError:
    """What a server's answer has led to where nobody thought of such an answer: said of that server alone."""
    return RemoteAnswerError(node, script_name, f"{type(error).__name__}: {error}")


def whole_number(text: str, base: int = 10, *, most: int = LARGEST_NUMBER) -> int:
    """The number that a text is, from 0 to ``most``; raises `ValueError` on anything else."""
    if len(text) > 64 or not 0 <= (number := int(text, base)) <= most:
        raise ValueError(f"no number up to {most}: {text[:40]!r}")
    return number


def age_s(text: str) -> float:
    """The age that a text is, whole seconds; below 0 for a file of the future, as a clock that was set back leaves it.

    Raises `ValueError` on anything else.
    """
    number = whole_number(text.removeprefix("-"))
    return float(-number if text.startswith("-") else number)
