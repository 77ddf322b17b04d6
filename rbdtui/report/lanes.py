"""The drawing of a run: a lane for each node, a bar for each attempt at a step, time from left to right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rbdtui.report.markup import Html, fitted, join, tag, width_of
from rbdtui.report.model import Ending, Lane, RunPart, Span
from rbdtui.words import T, Text

_BAR: Final = 22.0
_LANE: Final = 32.0
_AXIS: Final = 26.0
_BREAK: Final = 26.0
"""Width of a pause between two sessions of a run, however long it was."""
_LEAST: Final = 2.0
"""Width of a bar, however short its step was."""
_TICKS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_SHADES: Final = 6


def step_numbers(run: RunPart) -> Mapping[str, int]:
    """The number of each kind of step, in the order in which they were first begun."""
    first: dict[str, float] = {}
    for span in (span for lane in run.lanes for span in lane.spans):
        first[span.step] = min(first.get(span.step, span.start), span.start)
    return {step: number for number, step in enumerate(sorted(first, key=lambda step: first[step]), 1)}


def draw_lanes(run: RunPart, *, width: float, label_beside: bool) -> Html:
    """As SVG of this width in its own units; names of nodes stand beside their lanes or above them."""
    numbers = step_numbers(run)
    left = min(150.0, max(width_of(_name(lane), 13) for lane in run.lanes) + 18) if label_beside else 4.0
    sessions = _sessions(run)
    place = _places(sessions, left, width - 6)
    head = 0.0 if label_beside else 16.0
    high = _AXIS + len(run.lanes) * (_LANE + head) + 4
    parts = [*_axis(sessions, place, high, width)]
    for index, lane in enumerate(run.lanes):
        y = _AXIS + index * (_LANE + head)
        if label_beside:
            parts.append(
                tag("text", fitted(_name(lane), 13, left - 12), x=4.0, y=y + 20, font_size=13, class_="strong")
            )
        else:
            parts.append(
                tag("text", fitted(_name(lane), 12, width - 8), x=4.0, y=y + 12, font_size=12, class_="strong")
            )
        track = width - 6 - left
        parts.append(tag("rect", x=left, y=y + 5 + head, width=track, height=_BAR, rx=4.0, class_="track"))
        parts += [_bar(span, numbers[span.step], y + 5 + head, place) for span in lane.spans]
    return tag(
        "svg",
        join(parts),
        viewBox=f"0 0 {width:.0f} {high:.0f}",
        role="img",
        aria_label=T("report.timeline.title"),
        class_="lanes",
        xmlns="http://www.w3.org/2000/svg",
    )


def _name(lane: Lane) -> str:
    return lane.node or str(T("report.timeline.this_machine"))


def _sessions(run: RunPart) -> Sequence[tuple[float, float]]:
    """When the run went on; where no runner is known, from the first to the last bar."""
    spans = [span for lane in run.lanes for span in lane.spans]
    known = [(start, end) for start, end in run.sessions if end > start]
    return known or [(min(span.start for span in spans), max(max(span.end for span in spans), spans[0].start + 1))]


def _places(sessions: Sequence[tuple[float, float]], left: float, right: float) -> Callable[[float], float]:
    """Where a time stands; pauses between sessions are as narrow as any other."""
    total = sum(end - start for start, end in sessions)
    scale = max(1.0, right - left - _BREAK * (len(sessions) - 1)) / max(total, 1e-3)

    def place(at: float) -> float:
        x = left
        for start, end in sessions:
            if at <= end:
                return x + max(0.0, at - start) * scale
            x += (end - start) * scale + _BREAK
        return right

    return place


def _axis(
    sessions: Sequence[tuple[float, float]], place: Callable[[float], float], high: float, width: float
) -> list[Html]:
    """Ticks from the beginning of the run, in time at work; a dashed line where the run stood still."""
    parts: list[Html] = []
    total = sum(end - start for start, end in sessions)
    most = max(2, int(width // 110))
    every = next((tick for tick in _TICKS_S if total / tick <= most), _TICKS_S[-1])
    gone, tick = 0.0, 0
    for index, (start, end) in enumerate(sessions):
        while tick * every <= gone + (end - start):
            x = place(start + tick * every - gone)
            parts.append(tag("path", d=f"M{x:.1f} {_AXIS - 6:.1f}V{high - 2:.1f}", class_="grid"))
            at_end = x > width - 40
            anchor = "end" if at_end else "start" if tick == 0 else "middle"
            parts.append(tag("text", clock(tick * every), x=x, y=14.0, font_size=11, class_="soft", text_anchor=anchor))
            tick += 1
        gone += end - start
        if index < len(sessions) - 1:
            x = place(end) + _BREAK / 2
            parts.append(
                tag(
                    "path",
                    tag("title", T("report.timeline.stood_still")),
                    d=f"M{x:.1f} {_AXIS - 6:.1f}V{high - 2:.1f}",
                    class_="pause",
                )
            )
    return parts


def _bar(span: Span, number: int, y: float, place: Callable[[float], float]) -> Html:
    x = place(span.start)
    wide = max(_LEAST, place(span.end) - x - 1)
    kind = "bad" if span.ending is Ending.FAILED else "open" if span.ending is Ending.OPEN else f"s{number % _SHADES}"
    kind += " waits" if span.waits and span.ending is not Ending.FAILED else ""
    seconds = took(span.end - span.start)
    ending = Text(f"report.ending.{span.ending.value}")  # words: report.ending.*
    title = tag("title", f"{number}. {span.title} · {seconds} · {ending}")
    bar = tag("rect", title, x=x, y=y, width=wide, height=_BAR, rx=min(3.0, wide / 2), class_=f"bar {kind}")
    label = f"{number} {span.title}"
    if width_of(label, 11) > wide - 10:
        label = str(number) if width_of(str(number), 11) <= wide - 4 else ""
    if not label:
        return bar
    words = tag("text", label, x=x + (5 if len(label) > 2 else 3), y=y + 15, font_size=11, class_="in-bar")
    return join(bar, words)


def clock(seconds: float) -> str:
    """A moment of a run as a clock shows it: 0:07, 12:30, 1:02:03."""
    whole = int(seconds + 0.5)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def took(seconds: float) -> str:
    """A duration: tenths of seconds below ten, seconds below a minute, then as a clock."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 59.5 else clock(seconds)
