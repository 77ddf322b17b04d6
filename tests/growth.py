"""How the cost of reading a text grows with its length: four times the text may not cost sixteen times the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

_TOO_SHORT_TO_TELL_S: Final = 0.03
_MOST_GROWTH: Final = 9.0
"""Between four, which is linear, and sixteen, which is quadratic."""
_TRIES: Final = 3


def grows_no_faster_than_it_should(read: Callable[[str], object], text_of: Callable[[int], str], size: int) -> None:
    """Assert that reading ``text_of(4 * size)`` costs about four times as much as ``text_of(size)``.

    Processor time of this thread, the best of several; whether the text can be read at all is not asked.
    """
    long = _cost_s(read, text_of(4 * size))
    if long < _TOO_SHORT_TO_TELL_S:
        return
    short = _cost_s(read, text_of(size))
    assert long < _MOST_GROWTH * short, f"{short:.4f} s became {long:.4f} s with four times the text"


def _cost_s(read: Callable[[str], object], text: str) -> float:
    def once() -> float:
        began = time.thread_time()
        with suppress(ValueError, LookupError, RecursionError, OverflowError, TypeError, AttributeError):
            read(text)
        return time.thread_time() - began

    cost = once()
    return cost if cost < _TOO_SHORT_TO_TELL_S else min(cost, *(once() for _ in range(_TRIES - 1)))


NASTY: Final = (
    "@@fact a\n", "@@end a 0\n", "\n", " ", "\t", "a", "9", "0.", ":", "=", "-", "_", "/", "\\", '"', "'", "#", ".",
    ",", "token", "pass", "[", "{", "a ", "a\n", "a=", "a:", "a: ", "1: a", "/a", "a/", "a@", "server:", "\n \n",
    "\r\n", "(", "hook input ", "inet ", " peer ", "|-- 1", "socket:[1]\n", "/proc/1/cgroup:", ".service", "\x1b[",
    "\x1b]", "\u00e9",
)  # fmt: skip
"""Pieces that an expression which goes back and forth trips over when they come by the thousand."""


def nasty_texts() -> Iterator[Callable[[int], str]]:
    """Texts of any length: one piece again and again, alone and before an end that fits nothing."""
    for piece in NASTY:
        for head, tail in (("", ""), ("", "\x00!"), ("a", "\n!")):
            yield lambda size, piece=piece, head=head, tail=tail: (  # type: ignore[misc]
                head + piece * (size // len(piece)) + tail
            )
