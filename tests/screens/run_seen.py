"""What is seen of the run screen, as text."""

from __future__ import annotations

from textual.pilot import Pilot

from screens.run.run import RunScreen
from screens.run.step_matrix import StepMatrix
from screens.widgets.canvas import Canvas
from screens.widgets.frame import MessageLine
from screens.widgets.message_block import MessageBlock


def screen_of(pilot: Pilot[int]) -> RunScreen:
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    return screen


def selected(pilot: Pilot[int]) -> str:
    step = pilot.app.screen_stack[-1].query_one(StepMatrix).selected
    return step.info.id if step is not None else ""


def banner(pilot: Pilot[int]) -> str:
    return " ".join(str(text) for text, _ in pilot.app.screen.query_one("#banner", MessageBlock).lines)


def told(pilot: Pilot[int]) -> str:
    return str(pilot.app.screen.query_one(MessageLine).said)


def status(pilot: Pilot[int]) -> str:
    return pilot.app.screen.query_one("#status", Canvas).text_lines[0]


def title(pilot: Pilot[int]) -> str:
    return pilot.app.screen.query_one("#title", Canvas).text_lines[0]
