"""Latencies as a line of small bars."""

from __future__ import annotations

from collections.abc import Sequence

from screens.terminal.theme import Glyphs


def spark(latencies_ms: Sequence[float | None], cells: int, glyphs: Glyphs) -> str:
    """The newest latencies, one a cell, the highest as a full bar; a blank where nothing came back."""
    shown = list(latencies_ms)[-cells:]
    known = [value for value in shown if value is not None]
    if not known:
        return ""
    highest, bars = max(max(known), 1.0), glyphs.spark[1:]
    return "".join(
        " " if value is None else bars[min(len(bars) - 1, int(value / highest * (len(bars) - 1) + 0.5))]
        for value in shown
    )
