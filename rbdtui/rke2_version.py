"""Versions of RKE2, by which its behaviour differs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

_FORM: Final = re.compile(r"v?(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:-rc(\d{1,3}))?\+rke2r(\d{1,3})")


@dataclass(frozen=True, slots=True, order=True)
class Rke2Version:
    """A release such as ``v1.30.4+rke2r1``: that of Kubernetes, and RKE2's own count of releases of it."""

    major: int
    minor: int
    patch: int
    revision: int = 1

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what RKE2 writes (release candidates count as their release); None for anything else."""
        match = _FORM.fullmatch(text.strip())
        if match is None:
            return None
        major, minor, patch, _, revision = match.groups()
        return cls(int(major), int(minor), int(patch), int(revision))

    def at_least(self, major: int, minor: int, patch: int = 0) -> bool:
        """Whether this is that version of Kubernetes or a later one."""
        return (self.major, self.minor, self.patch) >= (major, minor, patch)

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}+rke2r{self.revision}"
