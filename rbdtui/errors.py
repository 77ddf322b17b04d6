"""Errors that carry a sentence for the operator, from whichever layer they come."""

from __future__ import annotations

import os

from rbdtui.words import Text


class SentenceError(Exception):
    """Something cannot be done, and one sentence says what."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.key, text.params)
        self.text = text

    def __str__(self) -> str:
        return str(self.text)


class NotNowError(SentenceError):
    """Asked for rightly, but the servers are not such that it can be done now."""


class StepError(Exception):
    """A step could not be done; carries a sentence, a remedy and what was seen."""

    def __init__(
        self, key: str, *, retryable: bool = False, evidence: str = "", **params: str | int | float | Text
    ) -> None:
        super().__init__(key, params)
        self.code = key
        self.params = params
        self.retryable = retryable
        self.evidence = evidence

    @property
    def text(self) -> Text:
        """What went wrong: ``error.<key>.message``."""
        return Text(f"error.{self.code}.message", self.params)

    @property
    def remedy(self) -> Text:
        """What to do: ``error.<key>.remedy``."""
        return Text(f"error.{self.code}.remedy", self.params)

    def __str__(self) -> str:
        return str(self.text)


def reason_of(error: Exception) -> str:
    """What the system says and of which file, without Python's number and quotes; other errors as they are."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.strerror}: {os.fsdecode(error.filename)}" if error.filename else error.strerror
