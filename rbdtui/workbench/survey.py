"""How far a look at all servers is, whatever it looks for."""

from __future__ import annotations

from enum import StrEnum


class SurveyStatus(StrEnum):
    """How far a look at all hosts is."""

    NONE = "none"
    """Nobody has looked yet."""
    LOOKING = "looking"
    GIVEN_UP = "given-up"
    """The operator, or a change of the plan, has ended the look; what was found until then stays."""
    DONE = "done"
    FAILED = "failed"
