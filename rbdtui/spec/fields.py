"""Field paths such as ``nodes[1].roles[0]``: how they are built, taken apart, and which of them hold secrets."""

from __future__ import annotations

import re
from typing import Final

_SIMPLE_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_STEP: Final = re.compile(r"\.?([A-Za-z0-9_-]+)|\[(\d+)\]|\[\"([^\"]*)\"\]")
_LAST_STEP: Final = re.compile(r"(\.?[A-Za-z0-9_-]+|\[\d+\]|\[\"[^\"]*\"\])\Z")
_SECRET_KEY: Final = re.compile(r"passw|passphrase|secret|token|credential|private", re.IGNORECASE)
_LONGEST_SHOWN: Final = 60


def join(path: str, step: str | int) -> str:
    """The path of an entry of the mapping or list at ``path``."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if not _SIMPLE_KEY.match(step):
        return f'{path}["{printable(step)}"]'
    return f"{path}.{step}" if path else step


def path_of(steps: tuple[str | int, ...]) -> str:
    """The path made of all steps."""
    path = ""
    for step in steps:
        path = join(path, step)
    return path


def steps_of(path: str) -> list[str | int]:
    """The keys and indexes of a path; raises `ValueError` when it is none."""
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise ValueError(path)
        steps.append(int(match[2]) if match[2] is not None else match[1] or match[3] or "")
        position = match.end()
    return steps


def parent(path: str) -> str:
    """The path without its last step; empty for a key of the top level."""
    match = _LAST_STEP.search(path)
    return path[: match.start()] if match else ""


def is_secret(path: str) -> bool:
    """Whether a value at this path may be a secret, so that it must not be shown."""
    return bool(_SECRET_KEY.search(path))


def printable(text: str) -> str:
    """Text for one line of a terminal: nothing in it acts, and it is not long."""
    if len(text) <= _LONGEST_SHOWN and text.isprintable() and '"' not in text:
        return text
    shown = "".join(
        letter if letter.isprintable() and letter != '"' else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 1] + "…"
