"""Style sheets that are parsed once: Textual parses all of them again with each theme, mode and first screen."""

from __future__ import annotations

from typing import ClassVar

from textual.cache import LRUCache
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

_SOURCES = 1024
"""More than all screens and widgets have together; Textual keeps 64, and begins anew whenever it looks again."""


class OnceParsed(Stylesheet):
    """Keeps what it parsed for as long as the colours stay, and for colours that come back.

    Most of the time to the first picture went there (P7 in `benchmarks`).
    """

    _parsed: ClassVar[dict[tuple[tuple[str, str], ...], LRUCache[tuple[object, ...], list[RuleSet]]]] = {}

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._remember()

    def set_variables(self, variables: dict[str, str]) -> None:
        """Take other colours, unless they are those that hold."""
        if variables == self._variables:
            return
        # A cache of its own, so that what is emptied is not what others look into.
        self._parse_cache = LRUCache(1)
        super().set_variables(variables)
        self._remember()

    def reparse(self) -> None:
        """As Textual does it, by what is known already; raises `StylesheetError` where a source is wrong."""
        self.parse()

    def _remember(self) -> None:
        colours = tuple(sorted(self._variables.items()))
        self._parse_cache = self._parsed.setdefault(colours, LRUCache(_SOURCES))
