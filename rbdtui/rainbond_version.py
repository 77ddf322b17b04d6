"""Versions of Rainbond, by which its behaviour differs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

_FORM: Final = re.compile(r"v?(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:-[a-z0-9][a-z0-9.-]*)?")


@dataclass(frozen=True, slots=True, order=True)
class RainbondVersion:
    """A release such as ``v6.9.8-release``; what stands after the hyphen does not count."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what stands in cluster.yaml or in a tag; None for anything else."""
        match = _FORM.fullmatch(text.strip())
        return cls(int(match[1]), int(match[2]), int(match[3])) if match else None

    def at_least(self, major: int, minor: int, patch: int = 0) -> bool:
        """Whether this is that version or a later one."""
        return (self.major, self.minor, self.patch) >= (major, minor, patch)

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


CLASS_HONOURED_SINCE: Final = RainbondVersion(6, 4, 0)
"""From here on Rainbond's volumes go into the class that is chosen (goodrain/rainbond-operator, 8e6f2278)."""
LARGE_CLAIMS_SINCE: Final = RainbondVersion(6, 7, 2)
"""From here on Rainbond claims 410 GiB instead of 5."""
