"""The error of a piece of install work, from whichever layer it comes."""

from __future__ import annotations

from rbdtui.words import Text


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
