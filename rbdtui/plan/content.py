"""Contents of files to be written: with secrets for the host, with ``secret:name`` in their place for everybody else.

A content knows both forms, so that what a dry run shows and what a run writes come from one place.
"""

from __future__ import annotations

import difflib
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from rbdtui.content import Content as Content
from rbdtui.content import SecretRef as SecretRef
from rbdtui.content import plain as plain
from rbdtui.paths import asset

COMPARED_BYTES: Final = 256 * 1024
"""What differs by more is not compared line by line."""
_MOST_LINES: Final = 2000
_MOST_PAIRS: Final = 40_000
"""Of lines on both sides: equal ones that come again and again are compared each with each, many times over."""
_LONGEST_LINE: Final = 1000
_CONTEXT_LINES: Final = 2
HIDDEN: Final = "(hidden)"


def fill(template: str, values: Mapping[str, str | SecretRef], secret: Callable[[str], str]) -> Content:
    """Fill the ``$places`` of a template, once for the host and once to be shown; a missing one is a `KeyError`."""
    form = string.Template(template)
    shown = form.substitute({name: str(value) for name, value in values.items()})
    refs = [value for value in values.values() if isinstance(value, SecretRef)]
    if not refs:
        return plain(shown)
    real = {name: secret(value.name) if isinstance(value, SecretRef) else value for name, value in values.items()}
    return Content(shown, form.substitute(real).encode(), has_secret=True)


def fill_asset(name: str, values: Mapping[str, str | SecretRef], secret: Callable[[str], str]) -> Content:
    """Fill a shipped template, ``assets/templates/NAME``."""
    return fill(asset("templates", name).read_text(encoding="utf-8"), values, secret)


def diff(path: str, before: bytes | None, after: Content, *, private: bool = False) -> str:
    """A unified diff from what a host has to what it shall have, of lines up to `_LONGEST_LINE` characters.

    Secrets are shown by name only. Of what is private, and of what holds a secret, no line of the host's is shown that
    we would not write ourselves. Where more has changed than can be compared at no cost, it is the two sizes.
    """
    if before is not None and before == after.actual:
        return ""
    old = "" if before is None else before.decode("utf-8", "replace")
    a = _without_secrets(old, after) if private or after.has_secret else old.splitlines()
    b = after.shown.splitlines()
    head = _same_at_start(a, b)
    tail = _same_at_start(a[head:][::-1], b[head:][::-1])
    skipped = max(0, head - _CONTEXT_LINES)
    a, b = (lines[skipped : len(lines) - max(0, tail - _CONTEXT_LINES)] for lines in (a, b))
    if max(len(a), len(b)) > _MOST_LINES or len(a) * len(b) > _MOST_PAIRS or _bytes(a) + _bytes(b) > COMPARED_BYTES:
        return sizes(path, len(before or b""), after)
    names = [f"--- {path if before is not None else '/dev/null'}", f"+++ {path}"]
    return "\n".join(line[:_LONGEST_LINE] for line in (*names, *_hunks(a, b, skipped)))


def sizes(path: str, size_bytes: int, after: Content) -> str:
    """What stands in place of a diff that would cost too much."""
    return f"--- {path} {size_bytes} B\n+++ {path} {len(after.actual)} B"


def _same_at_start(a: Sequence[str], b: Sequence[str]) -> int:
    """With how many equal lines two texts begin."""
    pairs = zip(a, b, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(a), len(b)))


def _bytes(lines: Sequence[str]) -> int:
    return sum(len(line) for line in lines)


def _hunks(a: list[str], b: list[str], skipped: int) -> Iterator[str]:
    """A unified diff without its names, of texts before which as many equal lines were left out."""
    for group in difflib.SequenceMatcher(None, a, b).get_grouped_opcodes(_CONTEXT_LINES):
        first, last = group[0], group[-1]
        yield f"@@ -{_lines(first[1] + skipped, last[2] + skipped)} +{_lines(first[3] + skipped, last[4] + skipped)} @@"
        for tag, a_begin, a_end, b_begin, b_end in group:
            if tag == "equal":
                yield from (f" {line}" for line in a[a_begin:a_end])
            else:
                yield from (f"-{line}" for line in a[a_begin:a_end])
                yield from (f"+{line}" for line in b[b_begin:b_end])


def _lines(begin: int, end: int) -> str:
    """Which lines a hunk is about, counted from one; of none it is the line before."""
    count = end - begin
    return str(begin + 1) if count == 1 else f"{begin + (1 if count else 0)},{count}"


def _without_secrets(text: str, after: Content) -> list[str]:
    """The lines of a host's file: those of ours as we show them, of all others only that they are there."""
    shown_of = dict(zip(after.actual.decode().splitlines(), after.shown.splitlines(), strict=False))
    return [shown_of.get(line, HIDDEN) for line in text.splitlines()]
