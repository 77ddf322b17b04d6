"""What a script wrote, turned into values: a server may write anything at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rbdtui.transport.base import RemoteAnswerError

Value = TypeVar("Value")


def parse_answer(node: str, script_name: str, parse: Callable[[], Value]) -> Value:
    """The value that ``parse`` makes of an answer; raises `RemoteAnswerError`, which names node and script.

    Caught is what parsers raise over odd text: a number of 5000 digits is a `ValueError`, nested brackets are a
    `RecursionError`, a missing word is a `LookupError`.
    """
    try:
        return parse()
    except (ValueError, LookupError, RecursionError, OverflowError, TypeError, AttributeError) as error:
        raise RemoteAnswerError(node, script_name, f"{type(error).__name__}: {error}") from error
